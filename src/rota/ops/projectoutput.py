"""Holds the final output of a run to the schema of its task."""

from typing import Any

from rota.tools import schema


def find_misfit(wanted: Any, output: Any) -> str | None:
    """Why an output does not fit a schema that was let in; None if it does. Takes its time: not for the event loop."""
    from referencing.exceptions import Unresolvable

    if isinstance(wanted, bool):
        return None if wanted else "nothing fits this schema"
    try:
        return schema.find_problem(wanted, output)
    except Unresolvable as error:
        return f"the schema refers to what it does not have: {error}"[: schema.LONGEST]
    except RecursionError:
        return "it is nested too deeply"
