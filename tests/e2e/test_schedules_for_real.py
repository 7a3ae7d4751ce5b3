"""Schedules, retries, time limits and overlap with real processes."""

from datetime import UTC, datetime, timedelta

import pytest
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
    assert {later - earlier for earlier, later in zip(slots, slots[1:], strict=False)} == {timedelta(seconds=1)}
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
    server = make_server("""
        [tasks.flaky]
        retry_attempts = 2
        retry_delay = "0.1s"
        retry_backoff = "exponential"
        run = 'echo "try $ROTA_ATTEMPT"; test "$ROTA_ATTEMPT" = 3 || exit 7'
    """)
    server.start()
    run = server.until_state(server.run("flaky"))
    assert (run["state"], run["attempt"], run["exit_code"]) == ("succeeded", 3, 0)
    attempts = server.get(f"/v1/runs/{run['id']}/attempts")["items"]
    assert [(each["state"], each["exit_code"]) for each in attempts] == [("failed", 7), ("failed", 7)]
    assert server.log_texts(run["id"]) == ["try 1", "try 2", "try 3"]
    waits = [moment(attempts[1]["started_at"]) - moment(attempts[0]["ended_at"]), moment(run["started_at"]) - moment(attempts[1]["ended_at"])]  # noqa: E501
    assert [wait >= timedelta(seconds=least) for wait, least in zip(waits, (0.1, 0.2), strict=True)] == [True, True]


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


@pytest.mark.parametrize("policy", ["latest", "all", "skip"])
def test_after_downtime_every_slot_says_whether_it_ran_and_why_not(make_server: MakeServer, policy: str) -> None:
    server = make_server(f"""
        [tasks.beat]
        cron = "* * * * * *"
        catch_up = "{policy}"
        run = {toml_script()}
    """)
    server.start()
    server.until(lambda: server.runs(task="beat", state="succeeded"))
    server.kill()
    down_at = datetime.now(UTC)
    server.until(lambda: datetime.now(UTC) > down_at + timedelta(seconds=2.2))
    server.start()
    up_at = datetime.now(UTC)
    server.until(lambda: any(moment(run["nominal_at"]) > up_at for run in server.runs(task="beat", state="succeeded")))
    missed_at = [(down_at + timedelta(seconds=ahead)).replace(microsecond=0) for ahead in (1, 2)]
    told = [server.get("/v1/tasks/beat/slots", at=at.isoformat())["items"][0] for at in missed_at]
    made_up = {"latest": [False, True], "all": [True, True], "skip": [False, False]}[policy]
    for slot, ran in zip(told, made_up, strict=True):
        server.until_state(slot["run_id"])
        slot = server.get("/v1/tasks/beat/slots", at=slot["nominal_at"])["items"][0]
        assert (slot["outcome"], slot["reason"]) == (("succeeded", None) if ran else ("missed", "downtime"))
    far = server.get("/v1/tasks/beat/slots", at=(up_at + timedelta(hours=1)).replace(microsecond=0).isoformat())["items"][0]
    assert (far["outcome"], far["reason"]) == (None, "not_due_yet")


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
