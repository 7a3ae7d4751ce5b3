"""A folder of its own for a command, with a file in it by which it gives something back."""

import asyncio
import shutil
from pathlib import Path

from rota.executors.base import Context
from rota.logs.mask import Secrets

# Says where that file is.
OUTPUT_VARIABLE = "ROTA_OUTPUT"
MOST_OUTPUT_BYTES = 8 * 1024 * 1024


class Workplaces:
    """The folders of all runs. What a server that was killed has left is cleared away before the first of them is given."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()  # commands start in another folder than the server
        self._sweeping = asyncio.Lock()
        self._is_swept = False

    async def place_of(self, run_id: str) -> Path:
        async with self._sweeping:
            if not self._is_swept:
                await asyncio.to_thread(shutil.rmtree, self._root, ignore_errors=True)
                self._is_swept = True
        return self._root / run_id


def prepare(place: Path, *folders: str) -> None:
    """Anew for each attempt: what one before has left is not what this one was given. Raises OSError."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, mode=0o700)
    for folder in folders:
        (place / folder).mkdir(mode=0o700)


def read_output(path: Path) -> bytes | None:
    """None if nothing was written. Raises ValueError for what is too long."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_OUTPUT_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(data) > MOST_OUTPUT_BYTES:
        raise ValueError(f"its output is larger than {MOST_OUTPUT_BYTES} bytes")
    return data


def secrets_of(context: Context) -> Secrets:
    """What stands in no output, as it stands in no log."""
    return Secrets([value for value in context.secrets.values() if value])
