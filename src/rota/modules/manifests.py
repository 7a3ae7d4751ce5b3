"""Manifests: lists of files with their checksums, as `sha256sum` and its like write and check them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import RawIOBase
from typing import Literal

from msgspec import Struct

from rota.core.errors import Conflict
from rota.modules.places import open_plain
from rota.modules.trees import walk

Algorithm = Literal["sha256", "sha512", "sha1", "md5", "blake2b"]
CHUNK = 1 << 20
# Told of what was read: bytes. May raise, which ends the work.
Told = Callable[[int], None]
# path below the folder → checksum in hexadecimal digits
Sums = dict[str, str]


class Difference(Struct, frozen=True):
    """How a tree is other than its manifest says: paths."""

    changed: list[str]
    missing: list[str]
    unlisted: list[str]

    @property
    def count(self) -> int:
        return len(self.changed) + len(self.missing) + len(self.unlisted)


def sum_tree(folder: int, algorithm: Algorithm, leave_out: Iterable[str], exclude: Sequence[str], told: Told) -> Sums:
    """The checksums of all plain files below. Links are not followed and not listed.

    leave_out  paths that are no part of the tree, such as the manifest itself
    """
    without, sums = set(leave_out), Sums()
    for entry in walk(folder, exclude):
        if entry.is_file and entry.path not in without:
            file = open_plain(entry.folder, entry.name)
            if file is not None:
                with file:
                    sums[entry.path] = sum_file(file, algorithm, told)
    return sums


def sum_file(file: RawIOBase, algorithm: Algorithm, told: Told) -> str:
    # Whoever checks against an old manifest is not to be kept from it by rules for signatures.
    made = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := file.read(CHUNK):
        told(len(chunk))
        made.update(chunk)
    return made.hexdigest()


def compare(wanted: Mapping[str, str], found: Mapping[str, str]) -> Difference:
    return Difference(
        changed=sorted(path for path, digest in wanted.items() if path in found and found[path] != digest),
        missing=sorted(wanted.keys() - found.keys()),
        unlisted=sorted(found.keys() - wanted.keys()),
    )


def write_manifest(sums: Mapping[str, str]) -> bytes:
    """A line for each file, in the order of paths: digits, two blanks, path. Lines of escaped paths begin with `\\`."""
    lines = (_line(path, digest) for path, digest in sorted(sums.items()))
    return "".join(lines).encode("utf-8", "surrogateescape")


def read_manifest(content: bytes) -> Sums:
    """Raises Conflict that names the line. Paths are taken as names, never opened."""
    sums = Sums()
    for number, line in enumerate(content.decode("utf-8", "surrogateescape").split("\n"), start=1):
        if not line or line.startswith("#"):
            continue
        digest, sign, path = line.removeprefix("\\").partition(" ")
        if not sign or path[:1] not in (" ", "*") or not path[1:] or not all(each in "0123456789abcdefABCDEF" for each in digest):
            raise Conflict(f"line {number} of the manifest is not: digits, two blanks, path")
        name = _unescape(path[1:]) if line.startswith("\\") else path[1:]
        sums[name.removeprefix("./")] = digest.lower()
    return sums


def _line(path: str, digest: str) -> str:
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == path else chr(92)}{digest}  {escaped}\n"


def _unescape(text: str) -> str:
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)
