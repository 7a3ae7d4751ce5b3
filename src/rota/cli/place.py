"""Which Rota a command means: its settings, its data directory, and where things lie in there."""

import socket
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rota.cli.errors import Failure
from rota.datadir import DATABASE, LOGS, PLACE, SOCKET

if TYPE_CHECKING:
    from rota.cli.sources import Told
    from rota.config import Settings


@dataclass(frozen=True)
class Place:
    """The options of a command that say which Rota is meant, and whether it prints JSON."""

    config: Path | None = None
    data: Path | None = None
    database: str | None = None
    as_json: bool = False

    @cached_property
    def told(self) -> "Told":
        """The settings and where each comes from. Raises Invalid."""
        from rota.cli.sources import read_settings

        return read_settings(self.config, self.flags)

    @property
    def settings(self) -> "Settings":
        return self.told.settings

    @property
    def flags(self) -> dict[str, str]:
        """The flags that are settings, by `section.key`."""
        given = {"server.data": self.data, "server.database": self.database}
        return {name: str(value) for name, value in given.items() if value is not None}

    @property
    def data_dir(self) -> Path:
        return self.settings.server.data

    @property
    def socket(self) -> Path:
        return self.data_dir / SOCKET

    @property
    def logs(self) -> Path:
        return self.data_dir / LOGS

    @property
    def node(self) -> str:
        """What a server here is called among others."""
        return self.settings.server.node or socket.gethostname()

    @property
    def database_file(self) -> Path:
        return self.data_dir / DATABASE

    def database_url(self, *, create: bool) -> str:
        """What `open_database` takes. Raises Failure when there is nothing yet and `create` is false."""
        if self.settings.server.database is not None:
            return self.settings.server.database.reveal()
        if self.database_file.exists():
            return str(self.database_file)
        if (self.data_dir / PLACE).exists():  # a file that is made here now is one that nobody looks into
            hint = "name it as the server does: by --config FILE, --database URL or ROTA_DATABASE"
            raise Failure(f"the Rota in {self.data_dir} keeps its state in PostgreSQL", hint=hint)
        if not create:
            hint = "start a server: rota serve; or name another directory with --data"
            raise Failure(f"there is no Rota in {self.data_dir}", code="unreachable", hint=hint)
        return str(self.database_file)
