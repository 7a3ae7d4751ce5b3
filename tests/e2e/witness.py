"""What tasks themselves say about how they ran, apart from all that the server knows."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

# The lock is held by every process of the run, so a second attempt beside a live one is found out, whoever is left of it.
SCRIPT = """
exec 9> "$WITNESS/$ROTA_RUN_ID.lock"
flock -n 9 || echo "$ROTA_RUN_ID" >> "$WITNESS/beside"
echo "$ROTA_RUN_ID $ROTA_ATTEMPT $$" >> "$WITNESS/began"
"""


class Began(NamedTuple):
    """An attempt that has begun."""

    run_id: str
    attempt: int
    pid: int


class Witness:
    """Reads what scripts that begin with `SCRIPT` wrote in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def began(self, run_id: str | None = None) -> list[Began]:
        words = [line.split() for line in self._lines("began")]
        found = [Began(word[0], int(word[1]), int(word[2])) for word in words]
        return [each for each in found if run_id in (None, each.run_id)]

    def check(self) -> None:
        """No run was carried out twice at one time, no attempt of it twice at all."""
        assert self._lines("beside") == []
        often = Counter((each.run_id, each.attempt) for each in self.began())
        assert [attempt for attempt, times in often.items() if times > 1] == []

    def _lines(self, name: str) -> list[str]:
        path = self._folder / name
        return path.read_text().splitlines() if path.exists() else []


def toml_script(script: str = "") -> str:
    """A script as a value in a settings file, told on by the witness."""
    return f"'''{SCRIPT}{script}'''"
