"""The document of a task as it comes in: read, changed in part, and checked."""

from datetime import datetime
from typing import Any

from msgspec import structs

from rota.core.actor import Actor
from rota.core.agent.check import check_agent
from rota.core.agent.node import starts_process
from rota.core.errors import Invalid, Problem
from rota.core.inputs import check_inputs
from rota.core.pipeline import language
from rota.core.planning import Opening, open_schedule
from rota.core.request import check_http
from rota.core.schedule import ManualSchedule
from rota.core.task import TaskSpec
from rota.core.work import Agent, Compose, Http, Outside, Pipeline, Project, Shell
from rota.modules.catalogue import Catalogue
from rota.ops import reading
from rota.ops.modules import check_module
from rota.tools import Toolbox


class TaskBody(TaskSpec, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A task's document from outside: as TaskSpec, and nothing we do not know."""


FIELDS = [item.encode_name for item in structs.fields(TaskSpec)]


def read_change(document: dict[str, Any], change: dict[str, Any]) -> TaskSpec:
    """The changed document. Raises Invalid at `body.<field>`; fields a newer version stored are left alone."""
    reading.check_known(change, FIELDS)
    if change.get("name", document["name"]) != document["name"]:
        raise Invalid.at("body.name", "a task keeps its name, for its logs are filed under it; change the title")
    return reading.convert(merge(document, change), TaskSpec)


def merge(document: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, with one exception: an object that names its `kind` (executor, schedule) takes the whole place."""
    merged = dict(document)
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and "kind" not in value:
            known = merged.get(name)
            merged[name] = merge(known if isinstance(known, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def check_spec(
    actor: Actor, spec: TaskSpec, tools: Toolbox, modules: Catalogue, *, now: datetime, default_timezone: str
) -> Opening:
    """Where the planning of a document that counts from now begins.

    Raises Forbidden if the actor may not have such a task, and Invalid at `body.<field>` if it cannot work.
    """
    if _runs_processes(spec):
        actor.require("task.shell")
    if isinstance(spec.executor, Project):  # what does its work is the operator's choice, and for tasks of the project
        actor.require("system.root")
    if spec.notify.mail:  # whoever it names is written to in the name of this server
        actor.require("system.task")
    problems = [
        *_check_service(spec),
        *_check_inputs(spec),
        *_check_compose(spec),
        *_check_calls(spec, tools),
        *check_pipeline(actor, spec, tools),
        *check_module(actor, spec, modules),
    ]
    opening = Opening(now, None)
    try:
        opening = open_schedule(spec.schedule, spec.policy.dst, now, default_timezone)
    except Invalid as error:
        problems += [_within("body.schedule", problem) for problem in error.problems]
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)
    return opening


def _within(place: str, problem: Problem) -> Problem:
    location = f"{place}.{problem.location}"
    return Problem(location, problem.message, reading.shown(problem.value, location))


def _check_service(spec: TaskSpec) -> list[Problem]:
    if spec.service is not None and isinstance(spec.executor, Outside):
        return [Problem("body.executor", "a service is kept running here, not by workers from outside")]
    if spec.service is None or spec.schedule is None or _is_manual(spec):
        return []
    return [Problem("body.schedule", "a service is kept running and has no schedule")]


def _check_inputs(spec: TaskSpec) -> list[Problem]:
    if spec.inputs is None:
        return []
    taken = spec.executor.env if isinstance(spec.executor, Shell | Compose) else ()
    unattended = spec.run_on_start or (spec.schedule is not None and not _is_manual(spec))
    return [_within("body.inputs", problem) for problem in check_inputs(spec.inputs, unattended=unattended, taken=taken)]


def _check_compose(spec: TaskSpec) -> list[Problem]:
    work = spec.executor
    if not isinstance(work, Compose):
        return []
    found = []
    if (work.service is None) != (work.mode == "up"):
        found.append(Problem("body.executor.service", "is for the modes run and exec, which need it"))
    if (work.script is None) != (work.mode != "exec"):
        found.append(Problem("body.executor.script", "is for the mode exec, which needs it"))
    return found


def _runs_processes(spec: TaskSpec) -> bool:
    """On this machine."""
    match spec.executor:
        case Shell() | Compose():
            return True
        case Agent(nodes=nodes, command=command):
            return command is not None or starts_process(nodes or ())
        case _:
            return False


def _check_calls(spec: TaskSpec, tools: Toolbox) -> list[Problem]:
    match spec.executor:
        case Agent() as work:
            return [_within("body.executor", problem) for problem in check_agent(work, tools.llms.names if tools.llms else None)]
        case Http() as work:
            return [_within("body.executor", problem) for problem in check_http(work)]
        case _:
            return []


def check_pipeline(actor: Actor, spec: TaskSpec, tools: Toolbox, at: str = "body.executor") -> list[Problem]:
    """What is wrong with the steps of a task, and with its tools: at `<at>.steps.<i>.…`."""
    work = spec.executor
    if not isinstance(work, Pipeline):
        return []
    return [_within(at, problem) for problem in [*language.check(work.steps), *tools.check(work, actor)]]


def _is_manual(spec: TaskSpec) -> bool:
    return isinstance(spec.schedule, ManualSchedule)
