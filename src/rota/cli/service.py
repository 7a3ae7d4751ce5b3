"""`rota service`: the server as a service of systemd."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rota.cli.command import with_place
from rota.cli.errors import FAILED, OK, Failure
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.cli.systemd import NAME, Systemd

F = TypeVar("F", bound=Callable[..., Any])
FACTS = ("LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID")
SCOPE = click.option(
    "--user/--system", "user", default=None, help="Whose systemd. [default: the machine's for root, else one's own]"
)
YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.group("service", short_help="Let systemd run the server.")
def group() -> None:
    """Let systemd run the server: it is started with the machine, watched, and told of reloads and stops."""


@group.command("install")
@SCOPE
@click.option("--print", "print_only", is_flag=True, help="Print the unit and do nothing.")
@DRY_RUN
@YES
@click.option("--force", is_flag=True, help="Replace a unit that is there and differs.")
@with_place
def install(place: Place, *, user: bool | None, print_only: bool, dry_run: bool, yes: bool, force: bool) -> int:
    """Write a unit for this data directory and settings file, enable it and start it."""
    systemd = _systemd(user)
    text = _unit(systemd, place)
    if print_only:
        print(text, end="")
        return OK
    path = systemd.unit_path
    if path.exists() and path.read_text() != text and not force:
        raise Failure(f"{path} is there already, and is another", hint="--force replaces it", code="usage")
    steps = [f"write {path}", "systemctl daemon-reload", f"systemctl enable --now {NAME}"]
    if not _agreed(steps, dry_run=dry_run, yes=yes):
        return OK
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    systemd.ask("daemon-reload")
    systemd.ask("enable", "--now", NAME)
    print(f"{NAME} runs; rota service status tells how it is doing")
    return OK


@group.command("uninstall")
@SCOPE
@DRY_RUN
@YES
@with_place
def uninstall(place: Place, *, user: bool | None, dry_run: bool, yes: bool) -> int:
    """Stop the service and remove its unit. Data and settings stay."""
    systemd = _systemd(user)
    path = systemd.unit_path
    if not path.exists():
        raise Failure(f"there is no {path}", code="usage", hint="rota service install")
    if not _agreed([f"systemctl disable --now {NAME}", f"remove {path}", "systemctl daemon-reload"], dry_run=dry_run, yes=yes):
        return OK
    systemd.ask("disable", "--now", NAME)
    path.unlink()
    systemd.ask("daemon-reload")
    print(f"{NAME} is gone; data and settings are as they were")
    return OK


@group.command("status")
@SCOPE
@with_place
def status(place: Place, *, user: bool | None) -> int:
    """How systemd sees the service. Exit code 1 unless it is active."""
    systemd = _systemd(user)
    said = systemd.ask("show", NAME, f"--property={','.join(FACTS)}", may_fail=True)
    facts = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    if place.as_json:
        told = {"schema_version": 1, "unit": str(systemd.unit_path), "installed": systemd.unit_path.exists()}
        show_json(told | {"load": facts.get("LoadState"), "active": facts.get("ActiveState"), "sub": facts.get("SubState"),
                          "enabled": facts.get("UnitFileState"), "pid": int(facts.get("MainPID") or 0) or None})  # fmt: skip
    else:
        state, enabled = facts.get("ActiveState", "unknown"), facts.get("UnitFileState") or "not installed"
        print(f"{NAME}: {state} ({facts.get('SubState', 'unknown')}), {enabled}")
    return OK if facts.get("ActiveState") == "active" else FAILED


def _systemd(user: bool | None) -> Systemd:
    return Systemd(os.geteuid() != 0 if user is None else user)


def _unit(systemd: Systemd, place: Place) -> str:
    """Raises Failure or Invalid for settings the server would not start with."""
    from rota.cli.sources import config_file
    from rota.config import load

    if place.database is not None:
        raise Failure(
            "a database URL may hold a password: it does not go into a unit", code="usage", hint="set [server] database"
        )
    path = config_file(place.config)
    settings = load(path, os.environ, place.flags).settings
    words = ["serve", *(["--config", str(path.absolute())] if path else []), "--data", str(settings.server.data.absolute())]
    return systemd.render(words, path.absolute().parent if path else Path.cwd(), settings.daemon.shutdown_timeout)


def _agreed(steps: list[str], *, dry_run: bool, yes: bool) -> bool:
    if dry_run or not yes:
        print("\n".join(steps))
    if dry_run:
        return False
    if not yes and not sys.stdin.isatty():
        raise Failure("nobody is here to be asked", code="usage", hint="-y goes on without")
    return yes or click.confirm("Go on?")
