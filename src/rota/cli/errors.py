"""What goes wrong on the command line: one line for the person, one exit code for the script."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import click

from rota.core.errors import Invalid, Problem, RotaError

OK = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130

# Fields of a request are options and arguments here.
BODY = "body."

# Everything that is not listed is a failure (1).
EXIT_CODES = {"invalid": USAGE, "not_found": USAGE, "usage": USAGE, "unavailable": UNREACHABLE, "unreachable": UNREACHABLE}


class Failure(Exception):
    """The command cannot go on. `code` is the stable word of `rota.core.errors`, or `usage` or `unreachable`."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "error",
        hint: str | None = None,
        problems: Iterable[Problem] = (),
        exit_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.problems = list(problems)
        self.exit_code = EXIT_CODES.get(code, FAILED) if exit_code is None else exit_code

    @classmethod
    def of(cls, error: RotaError) -> "Failure":
        problems = error.problems if isinstance(error, Invalid) else []
        return cls(error.message, code=error.code, hint=error.hint, problems=problems)

    @classmethod
    def of_click(cls, error: click.ClickException) -> "Failure":
        """A usage error, with the way to the help of its command."""
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context is not None else None
        code = "usage" if error.exit_code == USAGE else "error"
        return cls(error.format_message(), code=code, hint=hint, exit_code=error.exit_code)

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"code": self.code, "message": self.message, "exit_code": self.exit_code}
        if self.hint:
            told["hint"] = self.hint
        if self.problems:
            told["problems"] = [{"location": problem.location, "message": problem.message} for problem in self.problems]
        return {"error": told}

    def as_text(self) -> str:
        lines = [f"rota: {self.message.removeprefix(BODY)}"]
        # A single problem is often the message itself.
        if [problem.message in self.message for problem in self.problems] != [True]:
            lines += [f"  {problem.location.removeprefix(BODY)}: {problem.message}" for problem in self.problems]
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


def unreachable(what: str, where: object) -> Failure:
    return Failure(f"{what} needs a running server, and none answers at {where}", code="unreachable", hint="start it: rota serve")


def show(failure: Failure, *, as_json: bool) -> None:
    """Tell the failure on stderr, so that stdout holds results only."""
    text = json.dumps(failure.as_dict()) if as_json else failure.as_text()
    print(text, file=sys.stderr, flush=True)
