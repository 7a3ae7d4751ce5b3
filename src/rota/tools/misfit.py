"""Holds values to schemas that users wrote, maybe so that it takes for ever to judge by them."""

import os
import subprocess
import sys
from typing import Any

import msgspec

from rota.tools import schema

LIMIT_S = 5.0
# A schema without these takes a time that is no more than its size by that of the value.
COSTLY = frozenset({
    "$ref", "$dynamicRef", "$recursiveRef", "pattern", "patternProperties", "uniqueItems", "unevaluatedProperties",
    "unevaluatedItems",
})  # fmt: skip
MOST_WORK = 100_000_000
TOO_LONG = f"it takes longer than {LIMIT_S:g} s to judge by this schema"


def find_misfit(wanted: Any, output: Any) -> str | None:
    """Why an output does not fit a schema that was let in; None if it does. Takes its time: not for the event loop."""
    if isinstance(wanted, bool):
        return None if wanted else "nothing fits this schema"
    document, value = msgspec.json.encode(wanted), msgspec.json.encode(output)
    if _is_cheap(wanted) and len(document) * len(value) <= MOST_WORK:
        try:
            return schema.find_problem(wanted, output)
        except RecursionError:
            return "it is nested too deeply"
    return _ask_judge(b'{"schema":%b,"value":%b}' % (document, value))


def _is_cheap(wanted: Any) -> bool:
    if isinstance(wanted, list):
        return all(map(_is_cheap, wanted))
    return not isinstance(wanted, dict) or (COSTLY.isdisjoint(wanted) and all(map(_is_cheap, wanted.values())))


def _ask_judge(asked: bytes) -> str | None:
    """In a process of its own: an expression without hope would hold this one's interpreter, and never give it back."""
    command = [sys.executable, "-m", "rota.tools.judge"]
    environ = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(command, input=asked, env=environ, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return TOO_LONG
    if done.returncode != 0:
        return "it cannot be judged by this schema"
    problem: str | None = msgspec.json.decode(done.stdout)["problem"]
    return problem
