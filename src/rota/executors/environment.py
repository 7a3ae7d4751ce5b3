"""The environment of a run, layer upon layer (RunWisp §10). Later layers win."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from rota.core.run import Run, Trigger
from rota.core.task import Task
from rota.core.ulid import to_ulid
from rota.process.environment import inherited as inherited

_PARAM_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The words of RunWisp §5 for what started a run.
TRIGGERED_BY: dict[Trigger, str] = {
    "schedule": "cron",
    "catch_up": "cron",
    "startup": "startup",
    "event": "api",
    "api": "api",
    "cli": "api",
    "task": "api",
    "service": "service",
}


def layered(layers: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All layers in one, lowest first."""
    return {name: value for layer in layers for name, value in layer.items()}


def params_variables(params: Mapping[str, Any]) -> dict[str, str]:
    """Params no inputs are declared for: all as JSON in ROTA_PARAMS, those with an identifier for a key also one by one.

    Text stands as it is, anything else as JSON; a null, or text that no variable can hold (a NUL in it), has no variable.
    """
    one_by_one = {f"ROTA_PARAM_{key.upper()}": _text(value) for key, value in params.items() if _fits(key, value)}
    return {"ROTA_PARAMS": msgspec.json.encode(params).decode(), **one_by_one}


def run_variables(task: Task, run: Run, artifacts: Path | None = None) -> dict[str, str]:
    """What a run may know of itself. A task from a settings file has RunWisp's names too; its first attempt is number 0 there.

    artifacts  the folder that the run may make, for files that are to be kept with it
    """
    own = {
        "ROTA_RUN_ID": run.id,
        "ROTA_FENCE": str(run.fence),
        "ROTA_TASK": task.name,
        "ROTA_ATTEMPT": str(run.attempt),
        "ROTA_TRIGGER": run.trigger,
        "ROTA_NOMINAL_AT": _moment(run.nominal_at),
    }
    if artifacts is not None:
        own["ROTA_ARTIFACTS"] = str(artifacts)
    return {**own, **_runwisp_variables(task, run)} if task.source == "file" else own


def _runwisp_variables(task: Task, run: Run) -> dict[str, str]:
    names = {
        "RUNWISP_RUN_ID": to_ulid(run.attempt_id or run.id),
        "RUNWISP_TASK": task.name,
        "RUNWISP_TRIGGERED_BY": TRIGGERED_BY[run.trigger],
        "RUNWISP_ATTEMPT": str(max(0, run.attempt - 1)),
    }
    return names if run.instance is None else {**names, "RUNWISP_INSTANCE_INDEX": str(run.instance)}


def _fits(key: str, value: Any) -> bool:
    return value is not None and _PARAM_NAME.fullmatch(key) is not None and "\0" not in _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""
