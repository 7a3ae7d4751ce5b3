"""What all commands share: their place, their options, and how they end."""

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from rota.cli.errors import FAILED, INTERRUPTED, OK, Failure, show
from rota.cli.place import Place
from rota.core.errors import RotaError

F = TypeVar("F", bound=Callable[..., Any])

DATA = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Data directory. [default: ./.rota]"
)
CONFIG = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Settings file. [default: ./rota.toml]"
)
DATABASE = click.option("--database", metavar="URL", help="PostgreSQL instead of the SQLite file in the data directory.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON; errors too, on stderr.")


def with_place(function: F) -> F:
    """Gives the command the options that say which Rota is meant, as its first argument `place`."""

    @functools.wraps(function)
    def call(*, data: Path | None, config: Path | None, database: str | None, as_json: bool = False, **rest: Any) -> Any:
        return function(Place(config=config, data=data, database=database, as_json=as_json), **rest)

    for option in (JSON, DATABASE, CONFIG, DATA):
        call = option(call)
    return call  # type: ignore[return-value]


class RotaGroup(click.Group):
    """Runs a command and turns whatever ends it into an exit code and, if it failed, one clear message on stderr."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Never returns: the process, or a test runner, is told the exit code."""
        words = list(sys.argv[1:] if args is None else args)
        sys.exit(self._run(words, prog_name, extra))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order they are listed in, not by the alphabet."""
        return list(self.commands)

    def _run(self, words: list[str], prog_name: str | None, extra: dict[str, Any]) -> int:
        try:
            code = super().main(words, prog_name, standalone_mode=False, **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return error.exit_code
        except BrokenPipeError:
            return _end_quietly()
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except (click.ClickException, RotaError, Failure, OSError) as error:
            failure = _failure_of(error)
            show(failure, as_json="--json" in words)
            return failure.exit_code
        return code if isinstance(code, int) else OK


def _failure_of(error: Exception) -> Failure:
    match error:
        case Failure():
            return error
        case RotaError():
            return Failure.of(error)
        case click.ClickException():
            return Failure.of_click(error)
    return Failure(str(error), code="os_error", exit_code=FAILED)


def _end_quietly() -> int:
    """Who read our output has gone, as in `rota logs … | head`; nothing is left to be said, not even by Python's last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
