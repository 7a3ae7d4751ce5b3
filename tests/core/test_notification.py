from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import NOON, at, make_run, make_task, spec

from rota.core.message import FIELDS, TAIL_BYTES, compose, fill, find_unknown_fields, headline, in_words, shorten
from rota.core.notification import Alert, Note, Route, Rules, absorb, fingerprint, kind_of, summarise
from rota.core.run import Run
from rota.core.task import Notify, Task

BELL_ALONE = Rules(always=("inapp",))


def make_note(seconds: float = 0, **fields: object) -> Note:
    run = make_run("t", **{"state": "failed", "exit_code": 4, "error": "exit code 4", **fields})
    return Note(kind=kind_of(run) or "run.failed", task="dump", task_id="t", run=run, at=at(seconds), since=at(seconds))


def file_task(**notify: object) -> Task:
    return make_task(spec=spec(name="db-dump", notify=Notify(**notify)), source="file")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "reason", "kind"),
    [
        ("running", None, "run.started"),
        ("succeeded", None, "run.succeeded"),
        ("failed", None, "run.failed"),
        ("failed", "log_overflow", "run.failed"),
        ("queue_full", "overlap", "run.failed"),
        ("timed_out", None, "run.timeout"),
        ("stopped", "shutdown", "run.stopped"),
        ("canceled", None, "run.stopped"),
        ("crashed", "node_died", "run.crashed"),
        ("missed", "downtime", "run.missed"),
        ("failed", "start_failed", "service.fatal"),
        ("skipped", "overlap", None),
        ("pending", None, None),
    ],
)
def test_what_a_state_is_to_whoever_is_told(state: str, reason: str | None, kind: str | None) -> None:
    assert kind_of(make_run("t", state=state, reason=reason)) == kind


def test_without_rules_nobody_is_told_of_anything() -> None:
    assert not Rules().concerns("run.failed", file_task())
    assert Rules().targets("run.failed", file_task()) == []


def test_failures_ring_the_bell_and_nothing_else_does() -> None:
    assert BELL_ALONE.targets("run.crashed", file_task()) == ["inapp"]
    assert BELL_ALONE.targets("run.succeeded", file_task()) == []
    assert not BELL_ALONE.concerns("run.succeeded", file_task())


def test_the_global_ones_are_added_to_every_list() -> None:
    rules = Rules(always=("inapp", "ops"))
    task = file_task(on_success=["chat:#db"], on_failure=["chat", "ops"])
    assert rules.targets("run.succeeded", task) == ["chat:#db", "inapp", "ops"]
    assert rules.targets("run.failed", task) == ["chat", "ops", "inapp"]


def test_no_global_ones_are_silence_but_for_what_is_listed() -> None:
    assert Rules().targets("run.failed", file_task(on_failure=["ops"])) == ["ops"]


@pytest.mark.parametrize(
    ("route", "matches"),
    [
        (Route(targets=("x",)), True),
        (Route(targets=("x",), kinds=frozenset({"run.failed"})), True),
        (Route(targets=("x",), kinds=frozenset({"run.timeout"})), False),
        (Route(targets=("x",), severities=frozenset({"error"})), True),
        (Route(targets=("x",), severities=frozenset({"info"})), False),
        (Route(targets=("x",), task="db-*"), True),
        (Route(targets=("x",), task="DB-*"), False),
        (Route(targets=("x",), task="db"), False),
        (Route(targets=("x",), kinds=frozenset({"run.failed"}), severities=frozenset({"warn"})), False),
    ],
)
def test_a_route_matches_all_that_it_names(route: Route, matches: bool) -> None:
    assert (Rules(routes=(route,)).targets("run.failed", file_task()) == ["x"]) is matches


def test_a_target_that_is_named_twice_is_told_once() -> None:
    rules = Rules(always=("inapp",), routes=(Route(targets=("ops", "inapp")), Route(targets=("ops", "ops:late"))))
    assert rules.targets("run.started", file_task()) == ["ops", "inapp", "ops:late"]


def test_missed_slots_are_told_of_unless_the_task_says_no() -> None:
    rules = Rules(always=("inapp",), routes=(Route(targets=("ops",)),))
    assert rules.targets("run.missed", file_task()) == ["ops", "inapp"]
    assert rules.targets("run.missed", file_task(on_missed=False)) == []


def test_a_task_made_over_an_api_chooses_no_recipients() -> None:
    rules = Rules(notifiers=frozenset({"ops"}))
    task = make_task(spec=spec(notify=Notify(on_failure=["ops", "ops:boss@example.com", "none", "inapp"])), source="api")
    assert rules.targets("run.failed", task) == ["ops", "inapp"]


def test_the_first_is_told_and_those_like_it_are_held_until_ten() -> None:
    rules, alert, told = Rules(always=("inapp",)), None, []
    for number in range(24):
        alert, note = absorb(rules, alert, make_note(number))
        told += [(number, note.stage, note.count)] if note else []
    assert told == [(0, "first", 1), (10, "check_in", 10), (20, "check_in", 10)]
    assert alert is not None
    assert alert.held == 3


def test_the_window_begins_anew_with_each_that_is_told() -> None:
    rules = Rules(window_s=100, ring=2)
    alert, _ = absorb(rules, None, make_note(0))
    assert alert.ends_at == at(100)
    alert, _ = absorb(rules, alert, make_note(50))
    assert alert.ends_at == at(100)
    alert, note = absorb(rules, alert, make_note(60))
    assert (note.count if note else 0, alert.ends_at, alert.held) == (2, at(160), 0)


def test_after_the_window_the_next_is_a_first_one() -> None:
    rules = Rules(window_s=100)
    alert, _ = absorb(rules, None, make_note(0))
    alert, note = absorb(rules, alert, make_note(100))
    assert note is not None
    assert (note.stage, alert.ends_at) == ("first", at(200))


def test_a_summary_tells_how_many_and_since_when() -> None:
    rules = Rules(window_s=100)
    alert, _ = absorb(rules, None, make_note(0))
    for seconds in (10, 20, 30):
        alert, _ = absorb(rules, alert, make_note(seconds))
    after, note = summarise(rules, alert, at(100))
    assert (note.stage, note.count, note.since, note.at) == ("summary", 3, at(10), at(30))
    assert (after.held, after.ends_at) == (0, at(200))


def test_nothing_is_held_where_the_settings_say_so() -> None:
    alert: Alert | None = None
    for seconds in range(3):
        alert, note = absorb(Rules(outbound=False), alert, make_note(seconds))
        assert note is not None
        assert note.stage == "first"


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 12), st.integers(0, 200))
def test_every_happening_is_told_of_exactly_once(gaps: list[int], ring: int, window_s: int) -> None:
    rules, alert, told, now = Rules(ring=ring, window_s=window_s), None, 0, 0
    for gap in gaps:
        now += gap
        if alert is not None and alert.held and alert.ends_at <= at(now):
            alert, note = summarise(rules, alert, alert.ends_at)
            told += note.count
        alert, first = absorb(rules, alert, make_note(now))
        told += first.count if first else 0
        assert alert.held < ring
    assert told + (alert.held if alert else 0) == len(gaps)


def test_task_kind_and_end_reason_make_likeness() -> None:
    same = {fingerprint(make_note(seconds)) for seconds in range(3)}
    others = {fingerprint(make_note(state="timed_out")), fingerprint(make_note(reason="log_overflow"))}
    assert len(same) == 1
    assert len(same | others) == 3


def ended(**fields: object) -> Run:
    return make_run(
        "t", **{"state": "failed", "exit_code": 4, "error": "exit code 4", "started_at": NOON, "ended_at": at(31), **fields}
    )


def test_a_message_tells_all_that_is_known() -> None:
    note = Note(kind="run.failed", task="dump", task_id="t", run=ended(nominal_at=NOON, trigger="schedule"), at=NOON, since=NOON)
    message = compose(note, ["one", "two", "three", "four"], "https://t.example/tasks/dump/01")
    assert message.headline == "dump failed"
    assert message.text.splitlines() == [
        "exit code 4, after 31 s",
        "Started by schedule, 2026-03-02 12:00:00 UTC",
        "",
        "two",
        "three",
        "four",
        "",
        "https://t.example/tasks/dump/01",
    ]


def test_only_failures_and_timeouts_show_output() -> None:
    note = Note(kind="run.crashed", task="dump", task_id="t", run=ended(state="crashed", error="x"), at=NOON, since=NOON)
    assert "secret" not in compose(note, ["secret"]).text


def test_a_summary_says_how_often() -> None:
    note = Note(kind="run.failed", task="dump", task_id="t", run=ended(), at=at(60), since=NOON, count=7, stage="summary")
    assert headline(note) == "7 more times: dump failed"
    assert "7 since 2026-03-02 12:00:00 UTC" in compose(note).text


@given(st.lists(st.text(), max_size=6))
def test_the_last_lines_fit_their_size(lines: list[str]) -> None:
    shown = shorten(lines)
    assert len(shown) <= 3
    assert sum(len(line.encode()) for line in shown) <= TAIL_BYTES


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.45, "450 ms"), (31, "31 s"), (3720, "1 h 2 min"), (90_061, "1 d 1 h"), (59.7, "1 min")]
)
def test_a_span_in_words(seconds: float, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


def test_a_template_takes_every_field() -> None:
    note = Note(kind="run.failed", task="dump", task_id="t", run=ended(), at=NOON, since=NOON)
    text = fill("\n".join(f"{name}={{{{ {name} }}}}" for name in FIELDS), note, ["last"], "https://t")
    assert "exit_code=4" in text
    assert "task=dump" in text
    assert "{{" not in text
    assert find_unknown_fields("{{task}} {{tsk}} {{ headline }} {{}}") == ["tsk", ""]
