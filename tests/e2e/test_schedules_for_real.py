"""Schedules, retries, time limits and overlap with real processes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from tests import under
from tests.e2e.conftest import MakeServer
from tests.e2e.promise import check_promise
from tests.e2e.server_process import ServerProcess
from tests.e2e.witness import Witness, toml_script

pytestmark = pytest.mark.e2e


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_cron_job_runs_each_second_and_every_slot_says_so(make_server: MakeServer) -> None:
    server = make_server(f'[tasks.beat]\ncron = "* * * * * *"\nrun = {toml_script()}')
    server.start()
    server.until(lambda: len(server.runs(task="beat", state="succeeded")) >= 3)
    slots = sorted(moment(slot["nominal_at"]) for slot in server.get("/v1/tasks/beat/slots")["items"])
    assert {later - earlier for earlier, later in pairwise(slots)} == {timedelta(seconds=1)}
    late = [moment(run["started_at"]) - moment(run["nominal_at"]) for run in server.runs(task="beat") if run["started_at"]]
    assert all(timedelta(0) <= each < timedelta(seconds=1) for each in late)


def test_a_one_shot_runs_once_also_across_a_restart(make_server: MakeServer) -> None:
    server = make_server(f'[tasks.shot]\nonce = "0.3s"\nrun = {toml_script()}')
    server.start()
    server.until(lambda: server.runs(task="shot", state="succeeded"))
    server.stop()
    server.start()
    check_promise(server, {"shot": 1})
    assert len(Witness(server.folder).began()) == 1


def test_a_task_that_fails_is_tried_again_and_its_log_holds_all_attempts(make_server: MakeServer) -> None:
    delay_s = 0.5 if under.scale else 0.1  # beside it counts how long an end is on its way
    server = make_server(f"""
        [tasks.flaky]
        retry_attempts = 2
        retry_delay = "{delay_s}s"
        retry_backoff = "exponential"
        run = 'echo "try $ROTA_ATTEMPT"; test "$ROTA_ATTEMPT" = 3 || exit 7'
    """)
    server.start()
    run = server.until_state(server.run("flaky"))
    assert (run["state"], run["attempt"], run["exit_code"]) == ("succeeded", 3, 0)
    attempts = server.get(f"/v1/runs/{run['id']}/attempts")["items"]
    assert [(each["state"], each["exit_code"]) for each in attempts] == [("failed", 7), ("failed", 7)]
    assert server.log_texts(run["id"]) == ["try 1", "try 2", "try 3"]
    starts, ends = [attempts[1]["started_at"], run["started_at"]], [each["ended_at"] for each in attempts]
    waits_s = [(moment(start) - moment(end)).total_seconds() for start, end in zip(starts, ends, strict=True)]
    assert delay_s <= waits_s[0] < 2 * delay_s <= waits_s[1]


def test_what_takes_too_long_is_ended_with_its_children(make_server: MakeServer) -> None:
    server = make_server("""
        [tasks.slow]
        timeout = "0.3s"
        graceful_stop = "0.2s"
        run = '''trap '' TERM; sh -c "trap '' TERM; while :; do sleep 0.1; done" & while :; do sleep 0.1; done'''
    """)
    server.start()
    run = server.until_state(server.run("slow"))
    assert (run["state"], run["reason"]) == ("timed_out", None)
    assert server.pids_of(run["id"]) == []


def overlapping(server: ServerProcess, policy: str) -> list[tuple[str, str | None]]:
    """State and reason of three runs of one task that were asked for one after the other."""
    server.write_settings(f"""
        [tasks.one]
        on_overlap = "{policy}"
        queue_max = 1
        graceful_stop = "0.2s"
        run = {toml_script('while [ ! -e "$WITNESS/go" ]; do sleep 0.02; done')}
    """)
    server.start()
    first = server.run("one")
    server.until(lambda: Witness(server.folder).began(first))
    runs = [first, server.run("one"), server.run("one")]
    server.until_state(runs[2], "pending" if policy == "terminate" else "skipped", "queue_full", "running")
    if policy == "terminate":
        server.until_state(first)
    (server.folder / "go").touch()
    ended = [server.until_state(run_id) for run_id in runs]
    check_promise(server)
    return [(run["state"], run["reason"]) for run in ended]


@pytest.mark.parametrize(
    ("policy", "outcomes"),
    [
        ("queue", [("succeeded", None), ("succeeded", None), ("queue_full", "overlap")]),
        ("skip", [("succeeded", None), ("skipped", "overlap"), ("skipped", "overlap")]),
    ],
)
def test_a_start_beside_a_running_one_goes_by_its_policy(
    make_server: MakeServer, policy: str, outcomes: list[tuple[str, str | None]]
) -> None:
    assert overlapping(make_server(""), policy) == outcomes


def test_the_newest_start_takes_over_under_terminate(make_server: MakeServer) -> None:
    outcomes = overlapping(make_server(""), "terminate")
    assert outcomes[0] == ("stopped", "replaced")
    assert outcomes[1] in [("stopped", "replaced"), ("skipped", "replaced")]
    assert outcomes[2] == ("succeeded", None)


# Which of the slots of a sleep are made up.
MADE_UP = {"latest": slice(-1, None), "all": slice(None), "skip": slice(0, 0)}


def test_after_downtime_every_slot_says_whether_it_ran_and_why_not(make_server: MakeServer) -> None:
    settings = [f'[tasks.{policy}]\ncron = "* * * * * *"\ncatch_up = "{policy}"\nrun = {toml_script()}' for policy in MADE_UP]
    server = make_server("\n".join(settings))
    server.start()
    server.until(lambda: all(server.runs(task=policy, state="succeeded") for policy in MADE_UP))
    server.kill()
    down_at = datetime.now(UTC)
    server.until(lambda: datetime.now(UTC) > down_at + timedelta(seconds=2.2))
    server.start()
    up_at = moment(server.get("/v1/info")["started_at"])
    first = down_at.replace(microsecond=0) + timedelta(seconds=1)
    slept = [first + timedelta(seconds=ahead) for ahead in range(int((up_at - first).total_seconds()) + 1)]
    for policy, made_up in MADE_UP.items():
        server.until(lambda task=policy: _has_run_since(server, task, up_at))  # type: ignore[misc]
        told = {at: _slot(server, policy, at) for at in slept}
        assert told == {at: ("succeeded", None) if at in slept[made_up] else ("missed", "downtime") for at in slept}
        assert _slot(server, policy, slept[0] + timedelta(hours=1)) == (None, "not_due_yet")


def _has_run_since(server: ServerProcess, task: str, since: datetime) -> bool:
    return any(moment(run["nominal_at"]) > since for run in server.runs(task=task, state="succeeded"))


def _slot(server: ServerProcess, task: str, at: datetime) -> tuple[str | None, str | None]:
    """Outcome and reason of a slot, once its run has ended."""
    slot = server.get(f"/v1/tasks/{task}/slots", at=at.isoformat())["items"][0]
    if slot["run_id"] is not None:
        server.until_state(slot["run_id"])
        slot = server.get(f"/v1/tasks/{task}/slots", at=at.isoformat())["items"][0]
    return slot["outcome"], slot["reason"]


def test_tasks_wait_for_events_and_for_the_ends_of_other_tasks(make_server: MakeServer) -> None:
    server = make_server("""
        [tasks.first]
        on_event = "door.opened"
        run = 'echo "$ROTA_PARAM_EVENT"'
        [tasks.second]
        on_event = "run.succeeded.first"
        run = "true"
    """)
    server.start()
    published = server.cli("events", "publish", "door.opened", '{"door": 7}', "--json")
    assert published.returncode == 0, published.stderr
    second = server.until(lambda: server.runs(task="second", state="succeeded"))[0]
    first = server.runs(task="first")[0]
    assert second["cause_run_id"] == first["id"]
    assert '"door":7' in server.log_texts(first["id"])[0].replace(" ", "")
