"""A network of its own for a process, joined to ours by one cable that can be pulled. Not every machine allows that."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

OURS, THEIRS = "10.213.57.1", "10.213.57.2"


class SeparateNetwork:
    """`host`: our end of the cable, where what is to be reached from there has to listen."""

    host = OURS

    def __init__(self, name: str) -> None:
        self._name = name
        self._cable = f"{name}a"

    def lay(self) -> None:
        """Raises CalledProcessError or FileNotFoundError where that is not allowed."""
        _ip("netns", "add", self._name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", f"{self._name}b", "netns", self._name)
        _ip("addr", "add", f"{OURS}/30", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        _ip("-n", self._name, "addr", "add", f"{THEIRS}/30", "dev", f"{self._name}b")
        _ip("-n", self._name, "link", "set", f"{self._name}b", "up")

    def cut(self) -> None:
        _ip("link", "set", self._cable, "down")

    def inside(self, words: list[str]) -> list[str]:
        """The command that starts these there."""
        return ["ip", "netns", "exec", self._name, *words]

    def clear(self) -> None:
        for words in (("link", "del", self._cable), ("netns", "del", self._name)):
            subprocess.run(["ip", *words], check=False, capture_output=True)


@contextmanager
def separate_network() -> Iterator[SeparateNetwork | None]:
    """None where the machine does not allow one."""
    network = SeparateNetwork(f"rt{uuid4().hex[:8]}")
    try:
        network.lay()
    except (subprocess.CalledProcessError, FileNotFoundError):
        network.clear()
        yield None
        return
    try:
        yield network
    finally:
        network.clear()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
