"""Compares a folder with a list of checksums, or writes one."""

from typing import Annotated, Any, Literal

from rota.modules.builtin.words import both, param
from rota.modules.context import Context
from rota.modules.decorator import module

MOST_TOLD = 100
MOST_MANIFEST_BYTES = 256 << 20


@module(
    displayname=both("Checksums", "Prüfsummen"),
    description=both(
        "Compares a folder with a list of checksums, or writes one.",
        "Vergleicht einen Ordner mit einer Liste von Prüfsummen oder schreibt eine.",
    ),
)
def checksum(
    ctx: Context,
    folder: Annotated[str, param(("Folder", "Ordner"), ("With all below it.", "Mit allem darunter."))],
    mode: Annotated[
        Literal["verify", "write"],
        param(("What", "Was"), ("Compare, or write the list.", "Vergleichen oder die Liste schreiben.")),
    ] = "verify",
    manifest: Annotated[
        str | None,
        param(
            ("List", "Liste"),
            (
                "As sha256sum writes it. SHA256SUMS in the folder unless given.",
                "Wie sha256sum sie schreibt. Sonst SHA256SUMS im Ordner.",
            ),
        ),
    ] = None,
    algorithm: Annotated[
        Literal["sha256", "sha512", "sha1", "md5", "blake2b"], param(("Algorithm", "Verfahren"), ("Of the sums.", "Der Summen."))
    ] = "sha256",
    exclude: Annotated[
        list[str],
        param(
            ("Leave out", "Auslassen"),
            ("Patterns of names or of paths below, such as *.tmp.", "Muster für Namen oder Pfade darunter, wie *.tmp."),
            max_length=100,
        ),
    ] = [],  # noqa: B006  never changed
    allow_unlisted: Annotated[
        bool,
        param(("Further files", "Weitere Dateien"), ("May be there.", "Dürfen da sein.")),
    ] = False,
) -> dict[str, Any]:
    """Files are told one by one in the log; any that differs is a failure."""
    from rota.core.errors import Conflict
    from rota.modules.archives import measure
    from rota.modules.builtin.portion import Portion
    from rota.modules.manifests import compare, sum_tree, write_manifest
    from rota.modules.places import open_folder, replacing

    roots = ctx.given.get("roots", [])
    path = manifest or f"{folder.rstrip('/')}/{algorithm.upper()}SUMS"
    wanted = _read(path, roots) if mode == "verify" else {}
    with open_folder(folder, roots) as tree:
        portion = Portion(ctx, measure(tree, exclude))
        found = sum_tree(tree, algorithm, _inside(path, folder), exclude, portion.add)
    if mode == "write":
        with replacing(path, roots) as file:
            file.write(write_manifest(found))
        ctx.info(f"{len(found)} files are listed in {path}", 100)
        return {"files": len(found), "manifest": path}
    difference = compare(_without(wanted, exclude), found)
    _tell(ctx, "has changed", difference.changed)
    _tell(ctx, "is missing", difference.missing)
    _tell(ctx, "is not listed", difference.unlisted, level="info" if allow_unlisted else "error")
    bad = len(difference.changed) + len(difference.missing) + (0 if allow_unlisted else len(difference.unlisted))
    if bad:
        counts = f"{len(difference.changed)} changed, {len(difference.missing)} missing, {len(difference.unlisted)} not listed"
        raise Conflict(f"{folder} is not as {path} says: {counts}")
    ctx.info(f"{len(found)} files are as listed", 100)
    return {"files": len(found), "unlisted": len(difference.unlisted), "manifest": path}


def _read(path: str, roots: list[str]) -> dict[str, str]:
    from rota.core.errors import Conflict
    from rota.modules.manifests import read_manifest
    from rota.modules.places import open_file

    with open_file(path, roots) as file:
        content = file.read(MOST_MANIFEST_BYTES + 1)
    if len(content) > MOST_MANIFEST_BYTES:
        raise Conflict(f"{path} is larger than {MOST_MANIFEST_BYTES} bytes")
    return read_manifest(content)


def _inside(path: str, folder: str) -> list[str]:
    """The list itself, and what a run that was killed left of it, if it is in the folder it is about."""
    from pathlib import Path

    top, above, name = Path(folder).resolve(), Path(path).parent.resolve(), Path(path).name
    if not above.is_relative_to(top):
        return []
    below = above.relative_to(top)
    return [(below / each).as_posix() for each in (name, f".{name}.part")]


def _without(wanted: dict[str, str], exclude: list[str]) -> dict[str, str]:
    from rota.modules.trees import is_excluded

    return {path: digest for path, digest in wanted.items() if not is_excluded(path, exclude)}


def _tell(ctx: Context, what: str, paths: list[str], level: Literal["info", "error"] = "error") -> None:
    for path in paths[:MOST_TOLD]:
        ctx.log(level, f"{what}: {path}")
    if len(paths) > MOST_TOLD:
        ctx.log(level, f"{what}: {len(paths) - MOST_TOLD} more")
