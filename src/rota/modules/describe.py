"""Reads definitions in a process of its own, so that no module's code is ever run in the server.

A list of sources comes on stdin, as JSON. For each of them two lines go to stdout: that it is begun, and what was found.
"""

import os
import sys

import msgspec
from msgspec import Struct

from rota.core.module import Definition
from rota.modules.source import Broken, BrokenSource, Source, load_source


class Found(Struct, frozen=True):
    """What is at the source of that number. The first line of the two has neither."""

    number: int
    definitions: list[Definition] | None = None
    broken: Broken | None = None


def describe() -> None:
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what modules print is no answer
    sources = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Source])
    for number, source in enumerate(sources):
        answers.write(_line(Found(number)))
        answers.write(_line(_read(number, source)))
    answers.flush()
    os._exit(0)  # threads that a module has begun are nobody's


def _read(number: int, source: Source) -> Found:
    try:
        return Found(number, [each.definition for each in load_source(source).values()])
    except BrokenSource as error:
        return Found(number, broken=error.broken)


def _line(found: Found) -> bytes:
    return msgspec.json.encode(found) + b"\n"


if __name__ == "__main__":
    describe()
