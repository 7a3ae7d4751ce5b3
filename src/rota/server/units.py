"""The units of the settings file that hold now."""

from collections.abc import Mapping
from datetime import datetime

from rota.config import Unit
from rota.config.origin import Origin
from rota.core.task import Task
from rota.ops.context import VariableFiles


class Units:
    """What the file says about its tasks beside what the store keeps of them: variables, and where those come from."""

    def __init__(self, units: list[Unit], origin: Origin) -> None:
        self.all = units
        self.origin = origin

    def replace(self, units: list[Unit], now: datetime) -> None:
        """These hold from now on: the store has them."""
        self.all = units
        self.origin.note((unit.file for unit in units), now)

    def secrets_of(self, task: Task) -> Mapping[str, str]:
        unit = self._find(task.name) if task.source == "file" else None
        return unit.secrets if unit else {}

    def files_of(self, name: str) -> VariableFiles:
        unit = self._find(name)
        return VariableFiles(unit.env_file, unit.secrets_file) if unit else VariableFiles()

    def _find(self, name: str) -> Unit | None:
        return next((unit for unit in self.all if unit.name == name), None)
