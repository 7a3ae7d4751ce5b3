"""How busy the machine is, whether the settings file has changed, and what the server's own log says."""

import asyncio
import io
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

from rota.config.origin import Origin
from rota.ops.machine import KEPT, Machine
from rota.own_log import OwnLog
from rota.process.host import CpuTimes, Memory, read_cpu_times, read_memory

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_load_is_read_from_the_system(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 1 1 1\n")
    (tmp_path / "meminfo").write_text("MemTotal:  1000 kB\nMemFree:  1 kB\nMemAvailable:  400 kB\n")
    assert read_cpu_times(tmp_path / "stat") == CpuTimes(100, 70)
    assert read_memory(tmp_path / "meminfo") == Memory(1_024_000, 614_400)


def test_a_system_that_does_not_tell_is_no_error(tmp_path: Path) -> None:
    assert read_cpu_times(tmp_path / "none") == CpuTimes(0, 0)
    assert read_memory(tmp_path / "none") == Memory(0, 0)


def test_the_last_samples_are_kept() -> None:
    async def scenario() -> None:
        machine = Machine()
        for _ in range(KEPT + 5):
            sample = machine.take()
        assert 0 <= sample.cpu <= 100
        samples = machine.samples()
        machine.close()
        assert len(samples) == KEPT

    asyncio.run(scenario())


def test_a_file_is_stale_when_it_is_another_than_was_read(tmp_path: Path) -> None:
    main, included = tmp_path / "rota.toml", tmp_path / "more.toml"
    main.write_text("a")
    included.write_text("b")
    origin = Origin(main)
    origin.note([included], NOON)
    assert (origin.is_stale(), origin.read_at) == (False, NOON)
    included.write_text("longer")
    assert origin.is_stale()
    origin.note([included], NOON)
    assert not origin.is_stale()
    main.unlink()
    assert origin.is_stale()


def test_the_servers_log_goes_on_and_is_read_along() -> None:
    async def scenario() -> None:
        target = io.StringIO()
        log = OwnLog(target)
        log.write("one\ntw")
        log.write("o\n")
        heard = []
        async with aclosing(log.follow()) as lines:
            async for line in lines:
                heard.append(line)
                if len(heard) == 2:
                    await asyncio.to_thread(log.write, "three\n")
                if len(heard) == 3:
                    break
        assert heard == ["one", "two", "three"]
        assert target.getvalue() == "one\ntwo\nthree\n"

    asyncio.run(scenario())
