"""What a script prints reaches its log."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.shell_workbench import Script, carry_out, run_script

from rota.core.policy import LogLimit
from rota.executors import command
from rota.executors.output import READ_BYTES


def test_each_stream_keeps_its_order(tmp_path: Path) -> None:
    script = 'i=0; while [ $i -lt 500 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done'
    result = run_script(tmp_path, script)
    assert result.texts() == [f"out {i}" for i in range(500)]
    assert result.texts("stderr") == [f"err {i}" for i in range(500)]


def test_streams_are_merged_as_they_arrive(tmp_path: Path) -> None:
    """Each line is waited for before the other stream gets the next."""
    fifo = tmp_path / "seen"
    os.mkfifo(fifo)
    script = f"for i in 1 2 3; do echo out $i; cat {fifo} >/dev/null; echo err $i >&2; cat {fifo} >/dev/null; done"

    def seen(_: object) -> None:
        fd = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        opened.append(fd)
        os.write(fd, b"x")

    opened: list[int] = []
    script = script.replace("cat", "head -c1")
    result = run_script(tmp_path, script, on_growth=seen)
    for fd in opened:
        os.close(fd)
    assert [(line.stream, line.text) for line in result.lines] == [
        (stream, f"{stream[3:]} {i}") for i in (1, 2, 3) for stream in ("stdout", "stderr")
    ]


def test_a_mebibyte_without_a_newline_is_kept_whole(tmp_path: Path) -> None:
    result = run_script(tmp_path, "head -c 1048576 /dev/zero | tr '\\0' x")
    assert sum(len(text) for text in result.texts()) == 1_048_576
    assert [line.continued for line in result.lines] == [False, *[True] * (len(result.lines) - 1)]


def test_more_than_a_pipe_holds_is_kept(tmp_path: Path) -> None:
    result = run_script(tmp_path, "seq 1 300000")
    assert result.outcome.state == "succeeded"
    assert result.lines[-1].n >= 99_999  # the page ends there


def test_a_script_may_close_its_output_and_go_on(tmp_path: Path) -> None:
    result = run_script(tmp_path, "echo before; exec >&- 2>&-; exit 4")
    assert result.outcome.exit_code == 4
    assert result.texts() == ["before"]


def test_output_after_the_end_is_kept_for_a_while(tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    writers: list[int] = []

    def go(_: object) -> None:
        if not writers:
            writers.append(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
            os.write(writers[0], b"go\n")

    result = run_script(tmp_path, f"(read line < {fifo}; echo late $line) & echo early", on_growth=go)
    os.close(writers[0])
    assert result.outcome.state == "succeeded"
    assert result.texts() == ["early", "late go"]


def test_an_escaped_child_that_holds_the_output_is_waited_for_only_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LINGER_S", 0.1)
    result = run_script(tmp_path, "setsid sleep 30 & echo $!")
    pid = int(result.texts()[0])
    assert result.outcome.state == "succeeded"
    assert result.texts("system") == ["its output was still held open 0.1 s after its end, and is closed"]
    os.kill(pid, 9)  # it left the session on purpose, so it lives on


def test_secrets_are_masked_across_reads(tmp_path: Path) -> None:
    """The halves come by two reads: the second is written when the first was seen."""
    fifo = tmp_path / "seen"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    script = f'echo go; printf %s "${{TOKEN%word}}"; head -c1 {fifo} >/dev/null; printf "%s\\n" word'

    async def scenario() -> list[str]:
        running = asyncio.create_task(
            carry_out(tmp_path, Script(script, secrets={"TOKEN": "pass-word"}, on_growth=lambda _: ready.set()))
        )
        await ready.wait()
        await asyncio.sleep(0.05)  # the half without a newline gives no sign
        os.write(writer, b"x")
        return (await running).texts()

    ready = asyncio.Event()
    texts = asyncio.run(scenario())
    os.close(writer)
    assert texts == ["go", "[redacted]"]


def test_a_full_log_stops_the_run_whatever_its_exit_code(tmp_path: Path) -> None:
    policy = {"log": LogLimit(max_size=1000, on_full="kill_task")}
    for script in ("yes", "seq 1 1000"):
        outcome = run_script(tmp_path, script, policy=policy).outcome
        assert (outcome.state, outcome.reason) == ("failed", "log_overflow")


def test_a_run_that_never_stops_printing_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    async def scenario() -> int:
        script = Script(f"yes | head -c {100 * READ_BYTES}", policy={"log": LogLimit(max_size=1_000_000)})
        noisy = asyncio.create_task(carry_out(tmp_path, script))
        turns = 0
        while not noisy.done():
            await asyncio.sleep(0)
            turns += 1
        assert (await noisy).outcome.state == "succeeded"
        return turns

    assert asyncio.run(scenario()) > 100  # one for each read, at least
