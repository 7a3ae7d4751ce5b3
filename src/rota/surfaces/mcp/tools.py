"""The tools, one by one."""

from difflib import get_close_matches

from rota.core.errors import NotFound
from rota.core.run import Receipt
from rota.http.paging import Page
from rota.logs import LogPage
from rota.ops.documents import TaskBody
from rota.surfaces.mcp import runs, tasks, wire
from rota.surfaces.mcp.asking import McpTool
from rota.surfaces.native.wire import Event, Run, Slot, StepList

READ, RUNS = ("tasks:read",), ("runs:read",)
UPDATE, CANCEL = ("tasks:update",), ("tasks:cancel", "tasks:delete")
RUN = ("tasks:run", "tasks:update")

TOOLS: tuple[McpTool, ...] = (
    McpTool(
        name="create_task", title="Create a task", handler=tasks.create_task,
        description="""Store a task: what is done (`executor`) and when (`schedule`; without one it is started by hand).
Executors: {"kind": "pipeline", "steps": [{"id", "uses": TOOL, "with": {…}, "save_as", "if"}]} calls tools one after the other
(list_step_tools says which there are; ${params.x} and ${steps.saved.field} are templates);
{"kind": "shell", "script": "…"} runs a script and needs the right task.shell.
Schedules: {"kind": "cron", "expr": "0 9 * * 1-5", "timezone": "Europe/Berlin"}, {"kind": "once", "at": "2027-03-14T09:00:00Z"},
{"kind": "rrule", "expr": "FREQ=WEEKLY;BYDAY=MO"}, {"kind": "event", "topic": "orders.paid"}.
Names are unique per owner. A refusal names each wrong field. preview_task shows what would happen.""",
        takes=TaskBody, answers=wire.Task, scopes=("tasks:create",),
    ),
    McpTool(
        name="update_task", title="Change a task", handler=tasks.update_task,
        description="Change some fields of a task's document; a changed schedule counts from now.",
        takes=wire.ToUpdate, answers=wire.Task, scopes=UPDATE, destroys=True, repeats=True, place="change.",
    ),
    McpTool(
        name="list_tasks", title="List tasks", handler=tasks.list_tasks,
        description="The tasks you may see, oldest first, in short: status, kind of executor and schedule, next planned instant.",
        takes=wire.OfList, answers=Page[wire.TaskLine], scopes=READ, reads=True,
    ),
    McpTool(
        name="get_task", title="Get a task", handler=tasks.get_task,
        description="One task with its whole document.",
        takes=wire.OfTask, answers=wire.Task, scopes=READ, reads=True,
    ),
    McpTool(
        name="preview_task", title="Preview a task", handler=tasks.preview_task,
        description="""When a task is due next and, for a pipeline, each step as it would be called now with these params:
rendered as far as its templates are known, whether its `if` holds, what it waits for, and what would go wrong. Runs nothing.""",
        takes=wire.ToPreview, answers=wire.Preview, scopes=READ, reads=True,
    ),
    McpTool(
        name="run_task", title="Run a task now", handler=tasks.run_task,
        description="""Start one run of a task; it begins as soon as the task's policy lets it. Then wait_run, and read_log.
Give an idempotency_key when a call may be repeated.""",
        takes=wire.ToStart, answers=wire.Started, scopes=RUN, needs_server=True,
    ),
    McpTool(
        name="snooze_task", title="Put off the next occurrence", handler=tasks.snooze_task,
        description="Put the next occurrence of a schedule off, and only that one. Doing it again adds up.",
        takes=wire.ToSnooze, answers=wire.Snoozed, scopes=UPDATE,
    ),
    McpTool(
        name="pause_task", title="Pause a task", handler=tasks.pause_task,
        description="Start nothing until it is resumed. Waiting runs are dropped, a running one goes on.",
        takes=wire.OfTask, answers=wire.Task, scopes=UPDATE, repeats=True,
    ),
    McpTool(
        name="resume_task", title="Resume a task", handler=tasks.resume_task,
        description="Go on from now; what was missed while it was paused is not made up.",
        takes=wire.OfTask, answers=wire.Task, scopes=UPDATE, repeats=True,
    ),
    McpTool(
        name="cancel_task", title="Cancel a task for good", handler=tasks.cancel_task,
        description="End a task for good: waiting runs are dropped, it never starts again. It can still be read. Not for one run:"
        " that is cancel_run.",
        takes=wire.OfTask, answers=wire.Task, scopes=CANCEL, destroys=True,
    ),
    McpTool(
        name="delete_task", title="Delete a task", handler=tasks.delete_task,
        description="Remove a task: its runs are stopped, its name is free again.",
        takes=wire.OfTask, answers=wire.Removed, scopes=CANCEL, destroys=True,
    ),
    McpTool(
        name="list_slots", title="Did it run?", handler=tasks.list_slots,
        description="""What became of each planned instant of a task, newest first: its outcome and the run that stands for it.
With `at`, of that one instant, and why nothing ran if nothing did.""",
        takes=wire.OfSlots, answers=Page[Slot], scopes=READ, reads=True,
    ),
    McpTool(
        name="list_runs", title="List runs", handler=runs.list_runs,
        description="Runs you may see, newest first; of one task, in some states.",
        takes=wire.OfRuns, answers=Page[Run], scopes=RUNS, reads=True,
    ),
    McpTool(
        name="get_run", title="Get a run", handler=runs.get_run,
        description="One run: its state, times, exit code, output, and why it failed.",
        takes=wire.OfRun, answers=Run, scopes=RUNS, reads=True,
    ),
    McpTool(
        name="list_steps", title="Finished steps of a run", handler=runs.list_steps,
        description="The steps of a pipeline that a run has finished so far, with their outputs; they are not done again.",
        takes=wire.OfRun, answers=StepList, scopes=RUNS, reads=True,
    ),
    McpTool(
        name="wait_run", title="Wait for a run", handler=runs.wait_run,
        description="Wait until a run has ended, at most wait_s seconds; `ended` says whether it has. If not, call it again.",
        takes=wire.ToWait, answers=wire.Waited, scopes=RUNS, reads=True, needs_server=True,
    ),
    McpTool(
        name="cancel_run", title="Cancel a run", handler=runs.cancel_run,
        description="Ask one run to end, and wait for that: its processes are ended too. Its task goes on.",
        takes=wire.ToWait, answers=Receipt, scopes=(*CANCEL, *UPDATE), destroys=True, repeats=True, needs_server=True,
    ),
    McpTool(
        name="read_log", title="Read the log of a run", handler=runs.read_log,
        description="Lines that a run has written, the last 100 without from_line; `finalized` once no more follow.",
        takes=wire.OfLog, answers=LogPage, scopes=RUNS, reads=True,
    ),
    McpTool(
        name="publish_event", title="Publish an event", handler=runs.publish_event,
        description="Tell that something happened: every task whose schedule waits for the topic is started with the payload.",
        takes=wire.ToPublish, answers=Event, scopes=("events:publish",), needs_server=True,
    ),
    McpTool(
        name="list_step_tools", title="Tools for pipelines", handler=runs.list_step_tools,
        description="What steps of a pipeline can call (`uses`), with the schema of what each is given (`with`).",
        takes=wire.Nothing, answers=wire.StepTools, scopes=("tasks:read", "tasks:create"), reads=True,
    ),
)  # fmt: skip
BY_NAME = {tool.name: tool for tool in TOOLS}


def get_tool(name: str) -> McpTool:
    """Raises NotFound, with the nearest name as a hint."""
    if name not in BY_NAME:
        near = get_close_matches(name[:100], BY_NAME, n=1)
        raise NotFound(f"there is no tool {name[:100]!r}", hint=f"did you mean {near[0]}?" if near else None)
    return BY_NAME[name]
