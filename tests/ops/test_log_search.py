"""Search over the logs of a task, page by page."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.asking import HandClock, make_rota, new_actor
from tests.databases import open_memory
from tests.depth import examples
from tests.factories import at, make_id
from tests.store.storing import add_ended, add_running, add_task

from rota.core.actor import OPERATOR, Actor
from rota.core.errors import Invalid, NotFound
from rota.core.policy import LogLimit
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogName
from rota.ops.context import Rota
from rota.ops.logsearch import BUDGET_S, MOST_RUNS, SearchPage, SearchPlace, get_line_history, search_logs
from rota.store import admission, settlement
from rota.store.database import Connection
from rota.store.settlement import RetrySettlement, Settlement

Found = tuple[str, int, str]


def write_log(rota: Rota, task: Task, run: Run, lines: Sequence[bytes]) -> None:
    writer = rota.logs.writer(LogName(task.name, run.created_at, run.id), LogLimit())
    for line in lines:
        writer.write("stdout", line + b"\n", 1)
    writer.finalize(2)


async def new_task(rota: Rota, logs: Sequence[Sequence[bytes]]) -> tuple[Task, list[Run]]:
    """A task `search` with one run for each log, oldest first."""

    def write(c: Connection) -> tuple[Task, list[Run]]:
        task = add_task(c, name="search")
        return task, [add_ended(c, task) for _ in logs]

    task, made = await rota.database.write(write)
    for run, lines in zip(made, logs, strict=True):
        write_log(rota, task, run, lines)
    return task, made


def found_in(page: SearchPage) -> list[Found]:
    return [(hit.run_id, hit.line.n, hit.line.text) for hit in page.hits]


async def all_pages(rota: Rota, limit: int, **wanted: object) -> list[SearchPage]:
    pages: list[SearchPage] = []
    place: SearchPlace | None = None
    while not pages or place is not None:
        page = await search_logs(rota, OPERATOR, "search", limit=limit, after=place, **wanted)  # type: ignore[arg-type]
        pages.append(page)
        place = SearchPlace.parse(str(page.next_place)) if page.next_place else None
        assert page.exhausted is (place is None)
    return pages


@settings(max_examples=examples(10))
@given(st.lists(st.lists(st.sampled_from([b"hit", b"miss", b"a hit too"]), max_size=6), max_size=5), st.integers(1, 4))
def test_pages_joined_are_the_whole_list_newest_run_first(logs: list[list[bytes]], limit: int) -> None:
    async def ask(rota: Rota) -> None:
        _, made = await new_task(rota, logs)
        pages = await all_pages(rota, limit, pattern="HIT")
        expected = [
            (run.id, n, line.decode())
            for run, lines in reversed(list(zip(made, logs, strict=True)))
            for n, line in enumerate(lines)
            if b"hit" in line
        ]
        assert [each for page in pages for each in found_in(page)] == expected
        assert all(len(page.hits) == limit for page in pages[:-1])

    with TemporaryDirectory() as folder, closing(open_memory()) as database:
        asyncio.run(ask(make_rota(database, Path(folder))))


def test_a_call_looks_at_fifty_runs(rota: Rota) -> None:
    async def ask() -> None:
        await new_task(rota, [[b"needle"]] + [[b"hay"]] * (MOST_RUNS + 9))
        first, second = await all_pages(rota, 9, pattern="needle")
        assert (len(first.hits), first.scanned_runs, first.exhausted) == (0, MOST_RUNS, False)
        assert (len(second.hits), second.scanned_runs, second.exhausted) == (1, 10, True)

    asyncio.run(ask())


def test_a_run_that_is_gone_does_not_stop_a_search(rota: Rota) -> None:
    async def ask() -> None:
        _, (first, second) = await new_task(rota, [[b"hit"], [b"hit"] * 3])
        page = await search_logs(rota, OPERATOR, "search", pattern="hit", limit=1)
        assert page.next_place == SearchPlace(second.id, 1)
        await rota.database.write(lambda c: c.run("DELETE FROM runs WHERE id = ?", (second.id,)))
        rest = await search_logs(rota, OPERATOR, "search", pattern="hit", after=page.next_place)
        assert found_in(rest) == [(first.id, 0, "hit")]

    asyncio.run(ask())


def test_lines_are_counted_in_their_attempt_and_stay_in_it(rota: Rota) -> None:
    async def ask() -> None:
        def write(c: Connection) -> tuple[Task, Run, str]:
            task = add_task(c, name="search")
            run, second = add_running(c, task), make_id()
            row = RetrySettlement(run.id, 1, "failed", at(10), at(10), second, 1, "no", next_line=3)
            settlement.settle_retry(c, [row])
            admission.claim_direct(c, [run.id], "node", at(11))
            settlement.settle(c, [Settlement(run.id, 2, "succeeded", at(30), 0)])
            return task, run, second

        task, run, second = await rota.database.write(write)
        write_log(rota, task, run, [b"one", b"hit", b"1%\r2%", b"two", b"hit", b"hit"])
        [page] = await all_pages(rota, 9, pattern="hit")
        assert found_in(page) == [(second, 1, "hit"), (second, 2, "hit"), (run.id, 1, "hit")]
        [only] = await all_pages(rota, 9, pattern="hit", run_id=run.id)
        assert found_in(only) == [(run.id, 1, "hit")]
        assert await get_line_history(rota, OPERATOR, run.id, 2) == [["1%"], ["2%"]]
        assert await get_line_history(rota, OPERATOR, second, 2, task="search") == []
        for where, line in ((run.id, 3), (second, 3), (second, -1)):
            with pytest.raises(NotFound):
                await get_line_history(rota, OPERATOR, where, line)

    asyncio.run(ask())


class HurriedClock(HandClock):
    """A second passes at each look."""

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()


def test_a_search_that_takes_long_goes_on_in_the_next_call(rota: Rota) -> None:
    rota.clock = HurriedClock()

    async def ask() -> None:
        await new_task(rota, [[b"hit"] * 7, [b"miss"] * 3])
        pages = await all_pages(rota, 100, pattern="h.t", regex=True)
        assert len(pages) >= 10 / BUDGET_S
        assert [n for page in pages for _, n, _ in found_in(page)] == list(range(7))

    asyncio.run(ask())


@pytest.mark.parametrize(("pattern", "regex"), [("", False), ("", True), ("(", True), ("x" * 1001, False), ("(a|a)+$", True)])
def test_a_pattern_that_is_empty_bad_or_hopeless_is_refused(rota: Rota, pattern: str, regex: bool) -> None:
    async def ask() -> None:
        await new_task(rota, [[b"a" * 64 + b"b"]])
        with pytest.raises(Invalid) as refused:
            await search_logs(rota, OPERATOR, "search", pattern=pattern, regex=regex)
        assert refused.value.problems[0].location == "q"

    asyncio.run(ask())


def test_while_a_hopeless_pattern_is_tried_the_loop_goes_on(rota: Rota) -> None:
    async def ask() -> int:
        await new_task(rota, [[b"a" * 64 + b"b"]])
        searching = asyncio.ensure_future(search_logs(rota, OPERATOR, "search", pattern="(a|a)+$", regex=True))
        turns = 0
        while not searching.done():
            turns += 1
            await asyncio.sleep(0)
        assert isinstance(searching.exception(), Invalid)
        return turns

    assert asyncio.run(ask()) > 100


@pytest.mark.parametrize("text", ["", "x", "a-", "a-b", "a-1.5", "a-" + "9" * 19, "a-²"])
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        SearchPlace.parse(text)


def test_a_stranger_finds_no_task_and_root_finds_it(rota: Rota) -> None:
    async def ask() -> None:
        _, (run,) = await new_task(rota, [[b"hit"]])
        root, stranger = await new_actor(rota, "ruth", "system.root"), await new_actor(rota, "stan")

        async def search(who: Actor) -> list[Found]:
            return found_in(await search_logs(rota, who, "search", pattern="hit"))

        assert await search(OPERATOR) == await search(root) == [(run.id, 0, "hit")]
        with pytest.raises(NotFound):
            await search(stranger)
        with pytest.raises(NotFound):
            await get_line_history(rota, stranger, run.id, 0)

    asyncio.run(ask())
