"""A systemd unit that runs this Rota: its text, where it stands, and the words for systemctl."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from rota.cli.errors import Failure

NAME = "rota.service"
SYSTEM_FOLDER = Path("/etc/systemd/system")
WATCHDOG_S = 30
# To write down what the last runs came to, after all of them have ended.
LAST_S = 20

UNIT = """\
[Unit]
Description=Rota task platform
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
WorkingDirectory={directory}
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec={watchdog_s}
TimeoutStopSec={stop_s}
KillMode=mixed
Restart=on-failure
RestartSec=2

[Install]
WantedBy={target}
"""


class Systemd(Struct, frozen=True):
    """The machine's systemd, or with `is_user` that of the person who asks."""

    is_user: bool

    @property
    def unit_path(self) -> Path:
        if not self.is_user:
            return SYSTEM_FOLDER / NAME
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return home / "systemd" / "user" / NAME

    def render(self, words: Sequence[str], directory: Path, shutdown_timeout_s: float) -> str:
        """The unit that starts `rota` with these words in that directory."""
        return UNIT.format(
            directory=_escaped(str(directory)),
            command=" ".join(map(_quoted, [sys.executable, "-m", "rota", *words])),
            watchdog_s=WATCHDOG_S,
            stop_s=int(shutdown_timeout_s) + LAST_S,
            target="default.target" if self.is_user else "multi-user.target",
        )

    def ask(self, *words: str, may_fail: bool = False) -> str:
        """What systemctl says. Raises Failure where it is missing or refuses."""
        scope = ["--user"] if self.is_user else []
        try:
            done = subprocess.run(["systemctl", *scope, *words], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Failure("there is no systemctl on this machine", hint="rota service install --print shows the unit") from None
        if done.returncode != 0 and not may_fail:
            raise Failure(done.stderr.strip() or f"systemctl {' '.join(words)} fails")
        return done.stdout


def _escaped(text: str) -> str:
    """`%` begins a specifier there."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    plain = _escaped(word).replace("$", "$$")
    return plain if plain.isascii() and all(c.isalnum() or c in "/._-:=@%+" for c in plain) else _in_quotes(plain)


def _in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
