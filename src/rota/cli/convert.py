"""`rota import`: other schedulers' files as settings of ours."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rota.cli.errors import FAILED, OK, Failure

if TYPE_CHECKING:
    from rota.convert.draft import Draft

F = TypeVar("F", bound=Callable[..., Any])
SYSTEM_CRONTABS = ("/etc/crontab", "/etc/cron.d")
SUPERVISORD_FILES = ("/etc/supervisor/supervisord.conf", "/etc/supervisord.conf")
SUPERVISORD_PARTS = "/etc/supervisor/conf.d/*.conf"
SETTINGS = Path("rota.toml")


def with_target(function: F) -> F:
    """The options that say where the settings go."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing."),
        click.option("--quiet", is_flag=True, help="Nothing on stderr but errors."),
        click.option("--force", is_flag=True, help="Replace a file that is there."),
        click.option("--write", is_flag=True, help="Write ./rota.toml instead of stdout."),
        click.option("-o", "output", type=click.Path(path_type=Path), metavar="FILE", help="Write this file instead of stdout."),
    ):
        function = option(function)
    return function


@click.group("import", short_help="Turn crontabs or supervisord programs into settings.")
def group() -> None:
    """Turn what another scheduler runs into settings. The source is read, never changed or disabled."""


@group.command("cron")
@click.argument("file", required=False)
@click.option("--system", is_flag=True, help="Jobs name their users. Without FILE: /etc/crontab and /etc/cron.d.")
@with_target
def cron(file: str | None, *, system: bool, **target: Any) -> int:
    """Turn a crontab into tasks: FILE, `-` for stdin, else the one `crontab -l` prints.

    What needs a look stands as a comment beside its task, and on stderr.
    """
    from rota.convert.crontab import convert_crontab

    sources = _crontabs(file, system=system)
    drafts = [convert_crontab(text, is_system=system) for _, text in sources]
    return _deliver(_merged(drafts), [name for name, _ in sources], **target)


@group.command("supervisord")
@click.argument("files", nargs=-1)
@click.option("--system", is_flag=True, help="The files where distributions keep them.")
@with_target
def supervisord(files: tuple[str, ...], *, system: bool, **target: Any) -> int:
    """Turn programs of supervisord into services: FILEs, `-` for stdin.

    What needs a look stands as a comment beside its service, and on stderr.
    """
    from rota.convert.supervisord import convert_supervisord

    names = [*files, *(_supervisord_files() if system else [])]
    if not names:
        raise Failure("name the files of supervisord", code="usage", hint="rota import supervisord FILE…, or --system")
    drafts = [convert_supervisord(_read(name), here=str(Path(name).absolute().parent)) for name in names]
    return _deliver(_merged(drafts), names, **target)


def _crontabs(file: str | None, *, system: bool) -> list[tuple[str, str]]:
    if file is not None:
        return [(file, _read(file))]
    if not system:
        return [("crontab -l", _own_crontab())]
    root, folder = map(Path, SYSTEM_CRONTABS)
    paths = [root, *(sorted(folder.iterdir()) if folder.is_dir() else [])]
    return [(str(path), _read(str(path))) for path in paths if path.is_file() and not path.name.startswith(".")]


def _own_crontab() -> str:
    try:
        done = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Failure("there is no crontab command here", hint="name a file: rota import cron FILE") from None
    if done.returncode != 0:
        raise Failure(done.stderr.strip() or "crontab -l fails", hint="name a file: rota import cron FILE")
    return done.stdout


def _supervisord_files() -> list[str]:
    parts = Path(SUPERVISORD_PARTS)
    return [name for name in SUPERVISORD_FILES if Path(name).is_file()] + sorted(map(str, parts.parent.glob(parts.name)))


def _read(name: str) -> str:
    return sys.stdin.read() if name == "-" else Path(name).read_text("utf-8", "surrogateescape")


def _merged(drafts: "list[Draft]") -> "Draft":
    from rota.convert.draft import Draft, unique_names

    merged = Draft(
        entries=[entry for draft in drafts for entry in draft.entries],
        checks=list(dict.fromkeys(check for draft in drafts for check in draft.checks)),
    )
    unique_names(merged.entries)
    return merged


def _deliver(
    draft: "Draft", sources: list[str], *, output: Path | None, write: bool, force: bool, quiet: bool, dry_run: bool
) -> int:
    text = draft.render(", ".join("stdin" if name == "-" else name for name in sources))
    path = output or (SETTINGS if write else None)
    carried = [entry for entry in draft.entries if not entry.is_off]
    if not quiet:
        _tell(draft, f"{len(carried)} of {len(draft.entries)} carried over" + (f" into {path}" if path else ""))
    if path is None or dry_run:
        print(text, end="")
    else:
        _write(path, text, force=force)
    return OK if carried or not draft.entries else FAILED


def _tell(draft: "Draft", summary: str) -> None:
    notes = [f"check: {check}" for check in draft.checks]
    notes += [f"check: {entry.name}: {check}" for entry in draft.entries for check in entry.checks]
    print("\n".join([*notes, summary]), file=sys.stderr)


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except FileExistsError:
        raise Failure(f"{path} is there already", hint="--force replaces it, -o FILE writes another", code="usage") from None
