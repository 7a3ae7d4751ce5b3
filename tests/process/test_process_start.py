"""Starting a process of our own."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rota.process import Child, spawn
from rota.process import child as child_module
from rota.process.launch import posix_spawn


async def _run(argv: list[str], env: dict[str, str], *, stdout: int, working_dir: str | None = None) -> Child:
    ended = asyncio.Event()
    child = await spawn(argv, env=env, stdout=stdout, stderr=stdout, on_exit=ended.set, working_dir=working_dir)
    await ended.wait()
    return child


def _printed(work: Callable[[int], object]) -> bytes:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as output:
        try:
            work(writing)
        finally:
            os.close(writing)
        return output.read()


def test_words_and_variables_arrive_byte_for_byte() -> None:
    argv = ["/bin/sh", "-c", 'printf "%s|" "$0" "$A" "$B"', "ü \udcff"]
    env = {"A": "", "B": "=\n\udcfe"}
    printed = _printed(lambda fd: asyncio.run(_run(argv, env, stdout=fd)))
    assert printed == b"\xc3\xbc \xff||=\n\xfe|"


def test_nothing_but_what_is_given_is_in_the_environment() -> None:
    printed = _printed(lambda fd: asyncio.run(_run(["/usr/bin/env"], {"ONLY": "this"}, stdout=fd)))
    assert printed == b"ONLY=this\n"


@pytest.mark.parametrize(
    ("argv", "env"), [(["/bin/true", "a\0b"], {}), (["/bin/true"], {"A": "\0"}), (["/bin/true"], {"A=B": ""})]
)
def test_what_no_program_can_be_given_is_refused(argv: list[str], env: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        posix_spawn(argv, env, 1, 2)


@pytest.mark.parametrize(("path", "code"), [("/no/such/program", errno.ENOENT), ("/etc/passwd", errno.EACCES)])
def test_an_error_names_the_program(path: str, code: int) -> None:
    with pytest.raises(OSError) as raised:
        posix_spawn([path], {}, 1, 2)
    assert (raised.value.errno, raised.value.filename) == (code, path)


def test_no_descriptor_is_left_behind() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    asyncio.run(_run(["/bin/true"], {}, stdout=1))
    with pytest.raises(OSError, match="No such file"):
        asyncio.run(_run(["/no/such/program"], {}, stdout=1))
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("in_folder", [True, False])
def test_who_is_cancelled_while_a_process_starts_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_folder: bool
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    started: list[int] = []
    start = child_module._start

    def slow(*args: object) -> child_module.Started:
        begun.set()
        go_on.wait()
        made = start(*args)  # type: ignore[arg-type]
        started.append(made.pid)
        return made

    async def cancel_the_start() -> None:
        folder = str(tmp_path) if in_folder else None
        starting = asyncio.create_task(_run(["/bin/sleep", "60"], {}, stdout=1, working_dir=folder))
        await asyncio.to_thread(begun.wait)
        starting.cancel()
        await asyncio.sleep(0)
        assert not starting.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await starting
        while Path(f"/proc/{started[0]}").exists():  # noqa: ASYNC110, ASYNC240  killed and waited for, which nobody tells
            await asyncio.sleep(0)

    monkeypatch.setattr(child_module, "_start", slow)
    asyncio.run(cancel_the_start())
    assert len(started) == 1
