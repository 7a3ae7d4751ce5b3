"""Followers of a live log."""

import asyncio
from collections.abc import Awaitable, Callable

from rota.core.policy import LogLimit
from rota.logs import Growth, LogName, LogReader, LogWriter, RunLogs, follow


async def _collect(reader: LogReader, from_line: int, wakeup: Callable[[], Awaitable[object]], page_lines: int = 7) -> list[int]:
    return [line.n async for page in follow(reader, from_line, wakeup, page_lines=page_lines) for line in page.lines]


async def _write(writer: LogWriter, chunks: int) -> None:
    for n in range(chunks):
        writer.write("stdout", b"line\n" * (n % 4), n)
        if n % 3 == 0:
            await asyncio.sleep(0)
    writer.finalize(chunks)


def test_a_follower_sees_each_line_once_and_then_the_end(logs: RunLogs, name: LogName) -> None:
    async def scenario() -> None:
        growth = Growth(every_s=0.001)
        writer = logs.writer(name, LogLimit(), on_growth=growth.notify)
        followers = [asyncio.create_task(_collect(logs.reader(name), start, growth.wait)) for start in (0, 5, -3)]
        await _write(writer, 200)
        assert [await follower for follower in followers] == [list(range(300)), list(range(5, 300)), list(range(300))]

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_follower_resumes_where_it_stopped(logs: RunLogs, name: LogName) -> None:
    async def scenario() -> None:
        growth = Growth(every_s=0.001)
        writer = logs.writer(name, LogLimit(), on_growth=growth.notify)
        writer.write("stdout", b"line\n" * 10, 1)
        seen = []
        async for page in follow(logs.reader(name), 0, growth.wait, page_lines=4):
            seen += [line.n for line in page.lines]
            if len(seen) >= 8:
                break
        later = asyncio.create_task(_collect(logs.reader(name), seen[-1] + 1, growth.wait))
        await _write(writer, 40)
        assert seen + await later == list(range(70))

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_follower_that_fell_behind_a_rotation_goes_on_with_what_is_left(logs: RunLogs, name: LogName) -> None:
    async def scenario() -> None:
        growth = Growth()
        writer = logs.writer(name, LogLimit(max_size=500), on_growth=growth.notify)
        writer.write("stdout", b"line\n" * 10, 1)
        pages = follow(logs.reader(name), 0, growth.wait)
        assert [line.n for line in (await anext(pages)).lines] == list(range(10))
        writer.write("stdout", b"line\n" * 1000, 1)
        writer.finalize(2)
        page = await anext(pages)
        assert page.truncated
        assert page.lines[0].n == page.first_available > 10
        assert page.lines[-1].n == page.total_lines - 1
        assert [page async for page in pages] == []

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_growth_wakes_at_once_then_in_intervals_and_after_the_last(logs: RunLogs) -> None:
    async def scenario() -> int:
        growth, woken = Growth(every_s=0.005), 0

        async def count() -> None:
            nonlocal woken
            while True:
                await growth.wait()
                woken += 1

        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        for _ in range(1000):
            growth.notify()
        await growth.wait()
        await asyncio.sleep(0)
        counting.cancel()
        return woken

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) in (1, 2)


def test_a_follower_takes_huge_lines_a_few_at_a_time(logs: RunLogs, name: LogName) -> None:
    async def scenario() -> None:
        writer = logs.writer(name, LogLimit())
        for at in range(40):
            writer.write("stdout", (b"x" * 60_000 + b"\n") * 10, at)
        writer.finalize(40)
        sizes = [sum(len(line.text) for line in page.lines) async for page in follow(logs.reader(name), 0, Growth().wait)]
        assert sum(sizes) == 400 * 60_000
        assert max(sizes) < 1_000_000

    asyncio.run(scenario())
