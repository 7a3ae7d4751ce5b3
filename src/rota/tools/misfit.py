"""Holds values to schemas that users wrote: an expression that takes too long is told of, and holds nobody up.

An expression has the interpreter to itself until it is done: schemas with expressions are judged by a process that can be killed.
"""

import subprocess
import sys
from typing import Any

import msgspec

from rota.tools import schema

LIMIT_S = 5.0
EXPRESSIONS = (b'"pattern"', b'"patternProperties"')


def find_misfit(wanted: Any, value: Any) -> str | None:
    """Why a value does not fit a schema that was let in; None if it does. Takes its time: not for the event loop."""
    if isinstance(wanted, bool):
        return None if wanted else "nothing fits this schema"
    document = msgspec.json.encode(wanted)
    return _judged_apart(wanted, value) if any(word in document for word in EXPRESSIONS) else _judged(wanted, value)


def _judged(wanted: Any, value: Any) -> str | None:
    from referencing.exceptions import Unresolvable

    try:
        return schema.find_problem(wanted, value)
    except Unresolvable as error:
        return f"the schema refers to what it does not have: {error}"[: schema.LONGEST]
    except RecursionError:
        return "it is nested too deeply"


def _judged_apart(wanted: Any, value: Any) -> str | None:
    asked = msgspec.json.encode([wanted, value])
    command = [sys.executable, "-m", "rota.tools.misfit"]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, timeout=LIMIT_S, check=True)
    except subprocess.TimeoutExpired:
        return f"an expression of the schema took longer than {LIMIT_S:g} s"
    except (OSError, subprocess.CalledProcessError):
        return "it could not be held to the expressions of the schema"
    return msgspec.json.decode(done.stdout, type=str | None)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_judged(*msgspec.json.decode(sys.stdin.buffer.read()))))
