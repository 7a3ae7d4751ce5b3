"""What has to be known of a compose file: its services, their profiles, and how long each may take to stop."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from rota.config.expand import read_text
from rota.config.kinds import BadValue
from rota.config.quantities import duration_s

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


class ComposeService(Struct, frozen=True):
    """`stop_grace_s` None: compose's own rule, which the settings' default stands in for."""

    name: str
    profiles: list[str]
    stop_grace_s: float | None = None

    def is_enabled(self, profiles: list[str]) -> bool:
        """A service without profiles always is."""
        return not self.profiles or not set(self.profiles).isdisjoint(profiles)


def read_compose_file(path: Path) -> dict[str, ComposeService]:
    """Its services by name, in its order. Raises BadValue that names the file."""
    import yaml  # only who uses compose pays for it

    try:
        document = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise BadValue(f"{path}{place} is not valid YAML") from None
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or not services:
        raise BadValue(f"{path} has no services")
    return {str(name): _service(path, str(name), value or {}) for name, value in services.items()}


def _service(path: Path, name: str, value: Any) -> ComposeService:
    if not isinstance(value, dict):
        raise BadValue(f"{path}: the service {name} is not a mapping")
    profiles = value.get("profiles") or []
    if not isinstance(profiles, list):
        raise BadValue(f"{path}: profiles of the service {name} are not a list")
    return ComposeService(name, [str(profile) for profile in profiles], _grace_s(path, name, value.get("stop_grace_period")))


def _grace_s(path: Path, name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(value) if isinstance(value, int | float) else duration_s(str(value))
    except BadValue as error:
        raise BadValue(f"{path}: stop_grace_period of the service {name} {error}") from None
