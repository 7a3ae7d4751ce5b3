"""The process that holds a value to a schema which might take for ever: reads `{"schema", "value"}`, writes `{"problem"}`."""

import resource
import sys

import msgspec
from referencing.exceptions import Unresolvable

from rota.tools import schema

MOST_BYTES = 1024**3


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    asked = msgspec.json.decode(sys.stdin.buffer.read())
    try:
        problem = schema.find_problem(asked["schema"], asked["value"])
    except RecursionError:
        problem = "it is nested too deeply"
    except MemoryError:
        problem = "it takes too much memory to judge"
    except Unresolvable as error:
        problem = f"the schema refers to what it does not have: {error}"[: schema.LONGEST]
    sys.stdout.buffer.write(msgspec.json.encode({"problem": problem}))


if __name__ == "__main__":
    main()
