"""A task or service as the settings file defines it."""

from msgspec import Struct

from rota.core.task import TaskSpec


class Unit(Struct, frozen=True, kw_only=True):
    """What a file says of one task or service, after inheritance.

    secrets       variables of its runs that are shown nowhere; layered defaults file < defaults < unit file < unit
    env_file, secrets_file  as written in the unit; the variables are in the executor's `env` and in `secrets`
    file, line    where it is defined
    """

    spec: TaskSpec
    file: str
    line: int
    secrets: dict[str, str] = {}
    env_file: str | None = None
    secrets_file: str | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    def __repr__(self) -> str:
        return f"Unit({self.name!r}, {self.file}:{self.line})"
