"""What a tool is, what each call of it is given, and how it fails."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from msgspec import Struct

from rota.core.actor import Right
from rota.core.outcome import StopCause
from rota.core.run import Run
from rota.core.task import Task

FaultType = Literal[
    "ToolNotFound",           # no tool of that name
    "InputValidationError",   # what it is given does not fit its schema
    "PermissionDenied",       # the task may not do that
    "OutputValidationError",  # what it answered does not fit its schema
    "ToolTimeout",            # it took longer than the step allows
    "ToolFailed",             # it said so itself
    "TemplateRenderError",
    "ConditionError",
    "PipelineChanged",        # the steps are not those that this run has begun with
]  # fmt: skip
# A call is cancelled at its limit; a limit of its own that lies behind it leaves the telling to that.
BEHIND_S = 5.0
# No retry can help.
FINAL: frozenset[FaultType] = frozenset({"ToolNotFound", "InputValidationError", "PermissionDenied", "PipelineChanged"})

Schema = Mapping[str, Any]


class ToolFault(Exception):
    """A call came to nothing. The message is for the run's log and record; one that is final is not tried again."""

    def __init__(self, message: str, kind: FaultType = "ToolFailed") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind

    @property
    def is_final(self) -> bool:
        return self.kind in FINAL


class Script(Struct, frozen=True, kw_only=True):
    """What `Call.run_script` starts: by `/bin/sh`, as the server's user."""

    text: str
    env: Mapping[str, str] = {}
    working_dir: str | None = None
    exit_codes: Sequence[int] = (0,)


class ScriptResult(Struct, frozen=True):
    """`error` is None for an exit code that counts as success. Output is cut at its beginning where it is long."""

    exit_code: int | None
    stdout: str
    stderr: str
    error: str | None


class Platform(Protocol):
    """What a run may ask of Rota itself, with the rights of its task's owner. `key` makes asking twice one request.

    All raise ToolFault.
    """

    async def start_task(self, run: Run, owner_id: str | None, reference: str, params: dict[str, Any], key: str) -> Run: ...

    async def wait_run(self, owner_id: str | None, run_id: str) -> Run:
        """The run once it has ended."""

    async def stop_run(self, owner_id: str | None, run_id: str) -> None: ...

    async def publish(self, run: Run, topic: str, payload: dict[str, Any], key: str) -> dict[str, Any]: ...


class Call(Struct, frozen=True, kw_only=True):
    """One call of a tool.

    arguments   what the step gives, rendered and held to the tool's schema
    key         idempotency key: the same for every repetition of this step of this run, also after a crash; no other's
    timeout_s   after that the call is cancelled, as it is when the run is to stop
    waiting     `with call.waiting():` while the call only waits for another run, whose place it must not take
    note        writes a line into the run's log
    stop_cause  why the run is to stop; None while it is not
    run_script  runs a script as part of the run: its own process group, output in the run's log, ended when cancelled
    run_module  calls a module with params, in the same way, and answers its output; raises ToolFault
    """

    tool: str
    arguments: Any
    key: str
    timeout_s: float
    task: Task
    run: Run
    now: str
    platform: Platform
    note: Callable[[str], None]
    waiting: Callable[[], AbstractContextManager[None]]
    stop_cause: Callable[[], StopCause | None]
    run_script: Callable[[Script], Awaitable[ScriptResult]]
    run_module: Callable[[str, dict[str, Any]], Awaitable[Any]]


class Tool(Struct, frozen=True, kw_only=True):
    """Something a step can call.

    call           carries a call out and answers any JSON. Raises ToolFault; any other exception is a failure as well. It
                   must let itself be cancelled.
    input_schema   JSON Schema of the arguments, output_schema of the answer; empty for anything
    right          what an owner must have, to create a task whose pipeline uses it
    scopes         what an agent must hold, all of them
    timeout_s      of a call whose step gives none
    timeout_field  an argument that gives it, over the step's
    """

    name: str
    description: str
    call: Callable[[Call], Awaitable[Any]]
    input_schema: Schema = {}
    output_schema: Schema = {}
    right: Right | None = None
    scopes: Sequence[str] = ()
    timeout_s: float = 30.0
    timeout_field: str | None = None

    def limit_s(self, step_s: float | None, arguments: Any) -> float:
        """How long a call may take, in seconds."""
        own = arguments.get(self.timeout_field) if self.timeout_field and isinstance(arguments, dict) else None
        try:
            return float(own) if own is not None else step_s or self.timeout_s
        except (TypeError, ValueError):  # the schema will tell
            return step_s or self.timeout_s


class Family(Protocol):
    """Tools that are known by the beginning of their names, such as `mcp.`; which there are may change.

    prefix  with the dot
    """

    prefix: str

    def find(self, name: str) -> Tool | None:
        """The tool of a whole name, if there can be one; asks nobody."""

    async def list_tools(self) -> Sequence[Tool]:
        """All of them, as they are at this moment; what cannot be asked is left out."""

    async def close(self) -> None: ...
