"""The way to a running server: its control socket, which only the owner of the data directory can open."""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

ADDRESS_BYTES = 108


def answers(path: Path) -> bool:
    """Whether a server listens there. A socket file that a dead server left behind does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def transport(path: Path) -> "httpx.BaseTransport":
    import httpx

    # Nothing is encrypted on this machine's own socket, so no authorities need be read, which takes longer than most commands.
    return httpx.HTTPTransport(uds=address(path), verify=False)


def address(path: Path) -> str:
    """A unix address holds 107 bytes; what is longer may still be reached from where we are."""
    full = str(path)
    return full if len(os.fsencode(full)) < ADDRESS_BYTES else os.path.relpath(full)
