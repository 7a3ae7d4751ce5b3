"""`[[posthog.project]]`: what does the work of a project's runs."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from rota.config.document import Table
from rota.config.kinds import ENV, LABEL, SCRIPT, Kind, integer, list_of
from rota.config.quantities import duration
from rota.config.secret import Secret
from rota.config.structs import read_struct
from rota.core.work import Outside, Project, Work

COMMAND = (
    "Script for `/bin/sh` in a folder of its own, with the prompt on its stdin. What it writes into the file "
    "`$ROTA_OUTPUT`, as JSON, is the output of the run."
)
PROJECT_KEYS: dict[str, tuple[Kind, str]] = {
    "id": (integer(1), "Number of the project, as `rota project add` tells it."),
    "command": (SCRIPT, COMMAND),
    "clone": (
        SCRIPT,
        "Where the repository of a task is cloned from for `command`; `{repository}` stands for `organization/repository`.",
    ),
    "env": (ENV, "Variables of `command`, kept secret."),
    "lease": (duration(positive=True), "A worker from outside that is silent for longer has lost its run. 10m unless given."),
    "max_active_runs": (integer(1), "Further runs are refused while so many have not ended. No limit unless given."),
    "sandbox_environments": (list_of(LABEL), "Ids that a run may name as its `sandbox_environment_id`. None unless given."),
}
EXECUTOR = 'Does the work instead of `command`: a table such as `{kind = "agent", url = "http://127.0.0.1:9000/"}`.'


class ProjectSettings(Struct, frozen=True, kw_only=True):
    """What does the work of a project: a command, an executor, or (neither) workers from outside. `lease` is seconds."""

    id: int
    command: str | None = None
    clone: str | None = None
    env: dict[str, Secret] = {}
    executor: Work | None = None
    lease: float = 600.0
    max_active_runs: int | None = None
    sandbox_environments: tuple[str, ...] = ()

    @property
    def is_outside(self) -> bool:
        return self.command is None and self.executor is None


def read_projects(root: Table) -> Iterator[ProjectSettings]:
    """Errors go to the document's findings."""
    section, seen = root.child("posthog"), set[int]()
    for table in section.children("project") if section is not None else ():
        for project in _read_project(table):
            if project.id in seen:
                table.error("this project has a table already", "id")
            seen.add(project.id)
            yield project


def _read_project(table: Table) -> Iterator[ProjectSettings]:
    before = len(table.document.findings.errors)
    table.refuse_unknown([*PROJECT_KEYS, "executor"])
    values: dict[str, Any] = {
        key: value for key, (kind, _) in PROJECT_KEYS.items() if (value := table.read(key, kind)) is not None
    }
    if "id" not in table.values:
        table.error("needs id")
    if "executor" in table.values:
        values["executor"] = _read_executor(table)
        if "command" in table.values:
            table.error("has command or executor, not both", on_key=True)
    if len(table.document.findings.errors) == before:
        yield ProjectSettings(**{**values, **_stored(values)})


def _read_executor(table: Table) -> Work | None:
    work: Work | None = read_struct(table, table.values["executor"], Work, "executor")
    if isinstance(work, Project | Outside):
        table.error("is for work that is done here; leave it out for workers from outside", "executor", "kind")
    return work


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    hidden = {"env": {name: Secret(text) for name, text in values["env"].items()}} if "env" in values else {}
    named = {"sandbox_environments": tuple(values["sandbox_environments"])} if "sandbox_environments" in values else {}
    return {**hidden, **named}
