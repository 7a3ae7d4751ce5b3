"""Runs of modules: what they are given, what they say, what they come to, what they leave."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.module_workbench import Result, Workshop, at_work

from rota.store import modulestate, runs

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
        "ROTA_RUN_ID": second.run.id, "ROTA_TASK": second.task.name, "ROTA_ATTEMPT": "1", "ROTA_TRIGGER": "api",
        "ROTA_NOMINAL_AT": "", "SERVER": "yes",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "error", "goes_on"),
    [
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
    ],
)
def test_whatever_happens_in_a_module_is_its_runs_own_trouble(tmp_path: Path, body: str, error: str, goes_on: bool) -> None:
    text = f"@rota.module\ndef bad():\n    {body}\n\n@rota.module\ndef good():\n    return 1\n"

    async def work(shop: Workshop) -> tuple[Result, Result]:
        return await shop.run("bad"), await shop.run("good")

    bad, good = at_work(tmp_path, text, work, memory_max=256 * 1024 * 1024)
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
