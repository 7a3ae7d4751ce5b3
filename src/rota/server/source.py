"""Where settings come from."""

from collections.abc import Mapping
from pathlib import Path

from rota import config
from rota.config import Loaded


class Source:
    """A file, the environment and flags: read at the start, and again at each reload.

    `path` is None where no file was named or found.
    """

    def __init__(self, path: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]) -> None:
        self.path = path or config.find_file(Path.cwd(), environ)
        self.environ = environ
        self._flags = flags

    @property
    def is_managed(self) -> bool:
        """Whether a service manager has started us (systemd.exec(5), INVOCATION_ID)."""
        return "INVOCATION_ID" in self.environ

    def load(self) -> Loaded:
        """Raises Invalid with every error of the file."""
        return config.load(self.path, self.environ, self._flags)
