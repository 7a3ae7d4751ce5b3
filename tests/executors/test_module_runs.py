"""Runs of modules: what they are given, what they say, what they come to, what they leave."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.module_workbench import Result, Workshop, at_work

from rota.store import modulestate, runs

pytestmark = pytest.mark.e2e

TALKS = """
@rota.module
def talks(ctx, who: str = "you", times: int = 1):
    print("printed for", who)
    print("complained", file=sys.stderr)
    ctx.info("half", 50)
    ctx.warning("careful")
    return {"times": times, "key": ctx.key, "task": ctx.task, "params": ctx.params}
"""


def test_what_it_prints_and_says_is_in_the_log_and_what_it_returns_is_the_output(tmp_path: Path) -> None:
    result = at_work(tmp_path, TALKS, lambda shop: shop.run("talks", params={"who": "me"}))
    run = result.run
    assert result.outcome.state == "succeeded"
    assert result.outcome.output == {"times": 1, "key": run.id, "task": result.task.name, "params": {"who": "me", "times": 1}}
    assert result.outcome.progress == 50
    assert result.texts("stdout") == ["printed for me"]
    assert result.texts("stderr") == ["complained"]
    assert result.texts("entry") == ["info 50% half", "warning careful"]


def test_a_run_knows_itself_and_nothing_of_the_server_or_of_the_run_before(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ROTA_RUNWISP_PASSWORD", "hunter22")
    text = """
@rota.module
def looks(leave: bool = False):
    seen = {name: value for name, value in os.environ.items() if name.startswith(("ROTA", "RUNWISP", "LEFT", "SERVER"))}
    if leave:
        os.environ["LEFT"] = "1"
        os.chdir("/")
    return seen | {"folder": os.getcwd()}
"""

    async def work(shop: Workshop) -> tuple[Result, Result]:
        return await shop.run("looks", params={"leave": True}), await shop.run("looks")

    first, second = at_work(tmp_path, text, work)
    assert first.pid == second.pid
    seen = second.outcome.output
    assert seen.pop("folder") == str(Path.cwd())
    assert seen == {
        "ROTA_RUN_ID": second.run.id, "ROTA_FENCE": str(second.run.fence), "ROTA_TASK": second.task.name, "ROTA_ATTEMPT": "1",
        "ROTA_TRIGGER": "api", "ROTA_NOMINAL_AT": "", "SERVER": "yes",
    }  # fmt: skip


CHANGES = """
import resource, signal

@rota.module
def changes(nice: bool):
    os.umask(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    signal.setitimer(signal.ITIMER_REAL, 60)
    sys.setrecursionlimit(500)
    if nice:
        os.nice(1)

@rota.module
def looks():
    umask = os.umask(0o22)
    os.umask(umask)
    blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    timer = signal.getitimer(signal.ITIMER_REAL)[0]
    return [umask, signal.getsignal(signal.SIGTERM), blocked, timer, sys.getrecursionlimit(), os.nice(0)]
"""


@pytest.mark.parametrize("lasting", [False, True])
def test_a_run_finds_its_process_as_the_first_one_found_it(tmp_path: Path, lasting: bool) -> None:
    async def work(shop: Workshop) -> list[Result]:
        return [await shop.run("looks"), await shop.run("changes", params={"nice": lasting}), await shop.run("looks")]

    before, between, after = at_work(tmp_path, CHANGES, work)
    assert after.outcome.output == before.outcome.output
    assert (between.pid == after.pid) == (not lasting)
    assert ("it left changes behind: its process is ended" in between.texts("system")) == lasting


def test_what_is_set_when_a_module_is_loaded_is_there_for_all_runs(tmp_path: Path) -> None:
    text = "os.environ['BACKEND'] = 'none'\n@rota.module\ndef looks():\n    return os.environ.get('BACKEND')\n"

    async def work(shop: Workshop) -> list[Any]:
        return [(await shop.run("looks")).outcome.output for _ in range(2)]

    assert at_work(tmp_path, text, work) == ["none", "none"]


def test_a_fork_that_returns_from_the_module_does_not_answer_for_it(tmp_path: Path) -> None:
    text = """
@rota.module
def forks():
    child = os.fork()
    if child:
        return ["parent", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
    return "child"
"""

    async def work(shop: Workshop) -> list[Result]:
        return [await shop.run("forks"), await shop.run("forks")]

    first, second = at_work(tmp_path, text, work)
    assert first.outcome.output == second.outcome.output == ["parent", 0]
    assert first.pid == second.pid


TROUBLE = [
    ("raise ValueError('no\\ngood')", "ValueError: no good", True),
    ("sys.exit(3)", "sys.exit(3)", True),
    (
        "return {1, object()}",
        "ValueError: what it returned is not JSON: Encoding objects of type object is unsupported",
        True,
    ),
    ("return 'x' * 9_000_000", "ValueError: what it returned is larger than 8388608 bytes", True),
    ("return '\\ud800'", "ValueError: what it returned is not JSON", True),
    ("raise KeyboardInterrupt", "KeyboardInterrupt", True),
    ("raise rota.Cancelled('me')", "Cancelled", True),
    ("bytearray(1 << 30)", "out of memory: more than [modules] memory_max allows", False),
    ("os._exit(3)", "its process ended itself with code 3", False),
    ("os._exit(0)", "its process ended itself with code 0", False),
    ("import ctypes; ctypes.string_at(0)", "its process was ended by SIGSEGV", False),
    ("os.kill(os.getpid(), 9)", "its process was ended by SIGKILL", False),
    ("os.close(3)", "its process", False),
    ("os.write(3, b'\\xff' * 100); time.sleep(60)", "its process was ended by SIGKILL", False),
    ("os.write(3, b'\\0\\0\\0\\1x'); time.sleep(60)", "its process was ended by SIGKILL", False),
    ("raise ValueError('\\udcff')", "ValueError: \\udcff", True),
    ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})", "Mute", True),
    ("sys.stdout = None; raise ValueError('unheard')", "ValueError: unheard", False),
]
# One text, so that it is read once for all of them.
TROUBLED = "@rota.module\ndef good():\n    return 1\n" + "".join(
    f"\n@rota.module\ndef bad_{number}():\n    {body}\n" for number, (body, _, _) in enumerate(TROUBLE)
)


@pytest.mark.parametrize("number", range(len(TROUBLE)), ids=[body for body, _, _ in TROUBLE])
def test_whatever_happens_in_a_module_is_its_runs_own_trouble(tmp_path: Path, number: int) -> None:
    _, error, goes_on = TROUBLE[number]

    async def work(shop: Workshop) -> tuple[Result, Result]:
        return await shop.run(f"bad_{number}"), await shop.run("good")

    bad, good = at_work(tmp_path, TROUBLED, work, memory_max=256 * 1024 * 1024)
    assert (bad.outcome.state, good.outcome.output) == ("failed", 1)
    assert bad.outcome.error is not None
    assert bad.outcome.error.startswith(error)
    assert (bad.pid == good.pid) == goes_on


def test_the_log_tells_where_it_failed_without_our_own_part(tmp_path: Path) -> None:
    result = at_work(tmp_path, "@rota.module\ndef bad():\n    raise ValueError('x')\n", lambda shop: shop.run("bad"))
    trace = result.texts("stderr")
    assert trace[0] == "Traceback (most recent call last):"
    assert trace[1].endswith('own.py", line 4, in bad')
    assert not any("rota/modules" in line for line in trace)


def test_secrets_are_masked_wherever_they_are_printed(tmp_path: Path) -> None:
    text = """
@rota.module
def leaks(ctx, token: rota.Secret):
    print(str(token)[:4], end="", flush=True); print(str(token)[4:])
    ctx.info(f"it is {token}")
    raise ValueError(token)
"""
    result = at_work(tmp_path, text, lambda shop: shop.run("leaks", params={"token": 'hunt"er22'}))
    assert "hunt" not in str([line.text for line in result.lines])
    assert result.texts("stdout") == ["[redacted]"]
    assert result.outcome.error == "ValueError: [redacted]"


def test_a_task_keeps_its_state_from_run_to_run_also_of_one_that_failed(tmp_path: Path) -> None:
    text = """
@rota.module
def counts(ctx, fail: bool = False):
    ctx.state["n"] = ctx.state.get("n", 0) + 1
    if fail:
        raise ValueError
    return ctx.state["n"]

@rota.module
def saves(ctx):
    ctx.state["saved"] = True
    ctx.save()
    os._exit(1)

@rota.module
def hoards(ctx):
    ctx.state = {"x": "y" * 2_000_000}
"""

    async def work(shop: Workshop) -> None:
        first = await shop.run("counts", params={"fail": True})
        assert first.outcome.memory == {"n": 1}
        await shop.database.write(
            lambda c: modulestate.save_state(c, first.run.id, first.run.fence, first.outcome.memory or {}, first.run.created_at)
        )
        assert (await shop.run("counts", task=first.task)).outcome.output == 2
        saved = await shop.run("saves")
        assert await shop.database.read(lambda c: modulestate.get_state(c, saved.task.id)) == {"saved": True}
        hoarded = await shop.run("hoards")
        assert hoarded.outcome.memory is None
        assert "its state cannot be kept" in (hoarded.outcome.error or "")

    at_work(tmp_path, text, work)


def test_progress_is_written_while_it_runs(tmp_path: Path) -> None:
    text = """
@rota.module
def works(ctx, until: str):
    ctx.progress(40)
    while not os.path.exists(until):
        ctx.sleep(0.01)
"""

    async def work(shop: Workshop) -> None:
        until = tmp_path / "go"
        running = asyncio.ensure_future(shop.run("works", params={"until": str(until)}))
        live: list[tuple[int | None]] = [(None,)]
        while live[:1] in ([], [(None,)]):
            await asyncio.sleep(0.02)
            live = await shop.database.read(lambda c: c.rows("SELECT progress FROM runs"))
        assert live == [(40,)]
        until.touch()
        result = await running
        assert result.outcome.progress == 40
        assert (await shop.database.read(lambda c: runs.get_run(c, result.run.id))).progress == 40

    at_work(tmp_path, text, work)


def test_a_module_may_be_async(tmp_path: Path) -> None:
    text = "@rota.module\nasync def waits(n: int):\n    import asyncio\n    await asyncio.sleep(0)\n    return n\n"
    assert at_work(tmp_path, text, lambda shop: shop.run("waits", params={"n": 4})).outcome.output == 4


@pytest.mark.parametrize(
    ("name", "params", "error"),
    [
        ("talk", {}, "there is no module 'talk'; did you mean talks?"),
        ("talks", {"times": "1"}, "params.times must be a whole number"),
        ("talks", {"tims": 1}, "params.tims is not a parameter of this module; did you mean times?"),
    ],
)
def test_what_does_not_fit_fails_for_good_and_starts_nothing(
    tmp_path: Path, name: str, params: dict[str, Any], error: str
) -> None:
    result = at_work(tmp_path, TALKS, lambda shop: shop.run(name, params=params))
    assert (result.outcome.state, result.outcome.error, result.outcome.final, result.pid) == ("failed", error, True, 0)


def test_an_event_reaches_the_module_beside_its_params(tmp_path: Path) -> None:
    text = "@rota.module\ndef hears(ctx, n: int = 1):\n    return [ctx.event, n]\n"
    result = at_work(tmp_path, text, lambda shop: shop.run("hears", params={"event": {"topic": "a.b"}}))
    assert result.outcome.output == [{"topic": "a.b"}, 1]
