"""Tasks and services out of a file: inheritance, and the structs of the core they become."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, structs

from rota.config.aliases import modernise_unit
from rota.config.compose import compose_units, find_backing
from rota.config.declared import Backing, Declared
from rota.config.document import Document, Table
from rota.config.kinds import NAME, PATH, BadValue
from rota.config.params import read_params
from rota.config.schedules import READERS, read_schedule
from rota.config.structs import read_struct
from rota.config.unit import Unit
from rota.config.unit_keys import COMPOSE_KEYS, INHERITED, LATER_KEYS, NOT_FOR_COMPOSE, TS, UnitKey, UnitKind, keys_of
from rota.config.unit_warnings import warn_about
from rota.config.variables import Variables, check_count, layered, read_variables
from rota.core.agent.check import check_agent
from rota.core.errors import Problem
from rota.core.pipeline import language
from rota.core.policy import Dst, Policy, Restart
from rota.core.request import check_http
from rota.core.schedule import ScheduleSpec
from rota.core.service import ServicePolicy
from rota.core.task import Notify, TaskSpec
from rota.core.work import Agent, Compose, Http, Pipeline, Shell, Work

# RunWisp suppresses the repeated wall times of interval-like expressions.
FILE_DST = {"gap": "end", "fold": "first", "interval": "wall"}
VARIABLE_KEYS = ("env", "env_file", "secrets", "secrets_file")
WORK_KEYS = ("run", "executor", "steps")
SHELL_KEYS = ("shell", "working_dir", "user", "umask", "env", "env_file")


class Defaults(Struct, frozen=True):
    """What [defaults] says, read."""

    values: dict[str, Any]
    variables: Variables


def read_defaults(root: Table) -> Defaults:
    table = root.child("defaults")
    if table is None:
        return Defaults({}, Variables({}, {}))
    modernise_unit(table)
    known = {key.name: "tasks and services, not of [defaults]" for kind in TS for key in keys_of(kind).values()}
    table.refuse_unknown([*INHERITED, *LATER_KEYS], known)
    _note_later(table)
    plain = {name: key for name, key in INHERITED.items() if name not in VARIABLE_KEYS}
    return Defaults(_given(table, plain), read_variables(table))


def declared_units(document: Document) -> Iterator[Declared]:
    """Every unit of a file, in its order; those that compose files bring come last."""
    for unit_kind in TS:
        section = document.root.child(unit_kind)
        for name in section.values if section is not None else ():
            table = section.child(name) if section is not None else None
            if table is not None:
                yield Declared(unit_kind, str(name), table)
    yield from compose_units(document)


def read_unit(declared: Declared, defaults: Defaults, shutdown_timeout_s: float | None) -> Unit | None:
    """One task or service; None if it has errors."""
    unit_kind, table = declared.kind, declared.table
    errors = table.document.findings.errors
    before = len(errors)
    if declared.backing is None:
        _check_name(table)
    modernise_unit(table)
    keys = keys_of(unit_kind)
    other: UnitKind = "services" if unit_kind == "tasks" else "tasks"
    homes = dict.fromkeys(keys_of(other), f"{other}, not of {unit_kind}")
    table.refuse_unknown([*keys, *LATER_KEYS], homes)
    _note_later(table)
    backing = declared.backing or find_backing(table)
    if backing is not None:
        _check_compose_keys(table, backing)
    values = _effective(table, keys, defaults, backing.built_in if backing else {})
    variables = read_variables(table)
    check_count(table, layered(defaults.variables, variables))
    spec = _read_spec(declared, backing, values, layered(defaults.variables, variables), defaults)
    if spec is None or len(errors) > before:
        return None
    warn_about(table, spec, shutdown_timeout_s)
    return Unit(
        spec=spec,
        file=str(table.document.path),
        line=table.line,
        secrets=layered(defaults.variables, variables).secrets,
        env_file=table.values.get("env_file"),
        secrets_file=table.values.get("secrets_file"),
    )


def _check_name(table: Table) -> None:
    try:
        NAME.parse(table.path[-1])
    except BadValue as error:
        table.error(f"the name {error}", on_key=True)


def _note_later(table: Table) -> None:
    for key in LATER_KEYS:
        if key in table.values:
            table.warn("is not acted on by this version", key)


def _given(table: Table, keys: dict[str, UnitKey]) -> dict[str, Any]:
    """The values that a table gives, paths resolved."""
    found: dict[str, Any] = {}
    for name, key in keys.items():
        value = table.read(name, key.kind)
        if value is not None:
            found[name] = str(table.document.resolve(value)) if key.kind is PATH else value
    return found


def _effective(table: Table, keys: dict[str, UnitKey], defaults: Defaults, backing: dict[str, Any]) -> dict[str, Any]:
    """Built-in values, over them what a compose file says, those of [defaults], and the unit's own."""
    plain = {name: key for name, key in keys.items() if name not in VARIABLE_KEYS and name != "params"}
    built_in = {name: key.kind.from_text(key.default) for name, key in plain.items() if key.default is not None}
    inherited = {name: value for name, value in defaults.values.items() if name in plain}
    own = _given(table, plain)
    dst = FILE_DST | inherited.get("dst", {}) | own.get("dst", {})
    values = {**built_in, **backing, **inherited, **own, "dst": dst}
    return {name: value for name, value in values.items() if name != "timeout" or value > 0}


def _check_compose_keys(table: Table, backing: Backing) -> None:
    foreign = (*WORK_KEYS, *COMPOSE_KEYS) if backing.is_import else ("executor", "steps")
    for key in (*foreign, *NOT_FOR_COMPOSE):
        if key in table.values:
            table.error("has no place beside compose, which decides that", key, on_key=True)
    is_exec = backing.work["mode"] == "exec"
    if is_exec and "run" not in table.values:
        table.error("needs run, the script", "compose_mode")
    if not is_exec and not backing.is_import and "run" in table.values:
        table.error('and compose_file exclude each other, but for compose_mode = "exec"', "run", on_key=True)


def _read_spec(
    declared: Declared, backing: Backing | None, values: dict[str, Any], variables: Variables, defaults: Defaults
) -> TaskSpec | None:
    unit_kind, table = declared.kind, declared.table
    fields = _targets(values, keys_of(unit_kind))
    fields["spec"]["notify"] = read_struct(table, fields["spec"].get("notify", {}), Notify)
    dst: Dst = read_struct(table, values["dst"], Dst)
    policy: Policy | None = read_struct(table, {**fields["policy"], "dst": values["dst"]}, Policy)
    if backing is not None:
        work: Work | None = _read_compose(table, backing, values, variables.env)
    else:
        work = _read_work(table, values, fields["shell"], variables.env)
    if work is None or policy is None:
        return None
    if unit_kind == "services":
        service: ServicePolicy | None = read_struct(table, fields["service"], ServicePolicy)
        if service is None:
            return None
        if backing is not None:
            service = structs.replace(service, restart="on_failure")
        return TaskSpec(name=declared.name, executor=work, policy=policy, service=service, inputs=[], **fields["spec"])
    schedule = read_schedule(table, dst, values.get("timezone"))
    _check_catch_up(table, policy)
    params = read_params(table, unattended=_is_unattended(schedule, values))
    return TaskSpec(
        name=declared.name,
        executor=work,
        policy=_with_restart(table, policy, values, defaults),
        schedule=schedule,
        inputs=params.inputs,
        params=params.values,
        **fields["spec"],
    )


def _targets(values: dict[str, Any], keys: dict[str, UnitKey]) -> dict[str, dict[str, Any]]:
    """Values by the struct and field they go to; `policy.retry.delay_s` nests."""
    fields: dict[str, dict[str, Any]] = {"spec": {}, "policy": {}, "service": {}, "shell": {}}
    for name, value in values.items():
        target = keys[name].target if name in keys else None
        if target is None:
            continue
        *outer, field = target.split(".")
        place: dict[str, Any] = fields
        for part in outer:
            place = place.setdefault(part, {})
        place[field] = value
    return fields


def _read_work(table: Table, values: dict[str, Any], shell: dict[str, Any], env: dict[str, str]) -> Work | None:
    given = [key for key in WORK_KEYS if key in table.values]
    if len(given) > 1:
        table.error(f"{given[0]} and {given[1]} exclude each other", given[1], on_key=True)
        return None
    if not given:
        table.error("needs run, the script, or executor")
        return None
    if given[0] not in values:
        return None
    value = values[given[0]]
    if given[0] == "run":
        return Shell(script=value, env=env, **shell)
    document, below = ({"kind": "pipeline", "steps": value}, ()) if given[0] == "steps" else (value, ("executor",))
    work = read_struct(table, document, Work, *below)
    for problem in _work_problems(work):
        path = [int(step) if step.isdecimal() else step for step in problem.location.split(".")]
        table.error(problem.message, *below, *path)
    return _with_environment(table, work, document, shell, env) if work is not None else None


def _work_problems(work: Work | None) -> list[Problem]:
    match work:
        case Pipeline():
            return language.check(work.steps)
        case Agent():
            return check_agent(work)
        case Http():
            return check_http(work)
        case _:
            return []


def _read_compose(table: Table, backing: Backing, values: dict[str, Any], env: dict[str, str]) -> Compose | None:
    own = {key: value for key, value in (("working_dir", values.get("working_dir")), ("script", values.get("run"))) if value}
    document = {"kind": "compose", **backing.work, **own, "env": env}
    work: Compose | None = read_struct(table, document, Compose)
    return work


def _with_environment(table: Table, work: Any, document: dict[str, Any], shell: dict[str, Any], env: dict[str, str]) -> Any:
    """A shell executor takes what the unit says around it and it does not say itself; other kinds have no use for it."""
    if isinstance(work, Shell):
        around = {name: value for name, value in shell.items() if name not in document}
        return structs.replace(work, **around, env={**env, **work.env})
    for key in SHELL_KEYS:
        if key in table.values:
            table.error("is for scripts; this executor has no use for it", key, on_key=True)
    return work


def _is_unattended(schedule: ScheduleSpec | None, values: dict[str, Any]) -> bool:
    return schedule is not None or values["run_on_start"]


def _check_catch_up(table: Table, policy: Policy) -> None:
    if policy.catch_up == "all" and policy.overlap != "queue":
        table.error(f'"all" would start runs that on_overlap = "{policy.overlap}" refuses; queue them', "catch_up")
    if policy.catch_up == "all" and not any(key in table.values for key in READERS):
        table.warn("has no effect without a schedule", "catch_up")


def _with_restart(table: Table, policy: Policy, values: dict[str, Any], defaults: Defaults) -> Policy:
    """`restart = "on_failure"` goes before retries, and is given up like a service (RunWisp §8.2)."""
    if values["restart"] != "on_failure":
        return policy
    if policy.retry.attempts:
        table.warn("has no effect: restart goes before it", "retry_attempts")
    inherited = {"healthy_after": "healthy_after_s", "start_retries": "start_retries"}
    given = {field: defaults.values[key] for key, field in inherited.items() if key in defaults.values}
    return structs.replace(policy, restart=Restart(**given))
