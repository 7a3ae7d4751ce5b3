"""A fleet of which parts are lost: machines, Temporal, the database, the way between them."""

import os
import time

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.fleet_of_machines import Fleet
from tests.e2e.forker import Forker
from tests.e2e.separate_network import separate_network
from tests.e2e.server_process import ServerProcess
from tests.e2e.tcp_proxy import run_proxy
from tests.postgres_server import run_server
from tests.temporal_server import run_temporal

pytestmark = pytest.mark.e2e

FROZEN_S = 60.0 if os.environ.get("ROTA_TEST_DEPTH") == "deep" else 12.0
# Says who works, and goes on saying it.
LONG = """
[tasks.long]
run = '''
echo "began $WORKER" | tee -a $WITNESS/long
while true; do sleep 0.05; date +%s.%N >> $WITNESS/beats.$WORKER; echo on; done'''
resume_after_crash = true
max_concurrent = 5
"""
TURN = """
[tasks.turn]
run = 'echo "+ $ROTA_RUN_ID $WORKER" >> $WITNESS/turns; sleep 0.4; echo "- $ROTA_RUN_ID $WORKER" >> $WITNESS/turns; echo done'
max_concurrent = 50
queue_max = 100
"""
AWAY = """
[tasks.brief]
run = 'echo began | tee -a $WITNESS/away; until [ -e $WITNESS/end ]; do sleep 0.05; done; echo ended'
[tasks.lost]
run = 'echo began >> $WITNESS/away; exec sleep 600'
max_concurrent = 2
"""
WEB = """
[services.web]
run = 'echo "$WORKER $$" >> $WITNESS/web; exec sleep 600'
instances = 2
"""


def beats(fleet: Fleet, worker: str) -> list[float]:
    return [float(line) for line in fleet.lines(f"beats.{worker}")]


def is_over(server: ServerProcess, run_ids: list[str]) -> bool:
    return all(server.get(f"/v1/runs/{run_id}")["state"] == "succeeded" for run_id in run_ids)


def most_at_once(lines: list[str]) -> int:
    count = most = 0
    for line in lines:
        count += 1 if line[0] == "+" else -1
        most = max(most, count)
    return most


def test_services_are_placed_again_when_their_worker_dies_and_end_when_they_are_stopped(fleet: Fleet) -> None:
    server = fleet.serve(WEB)
    first, second = fleet.work("w1", "--capacity", "2"), fleet.work("w2", "--capacity", "2")
    server.until(lambda: len(fleet.lines("web")) == 2)
    lost = [line for line in fleet.lines("web") if line.startswith("w1")]
    first.kill()
    server.until(lambda: len(fleet.lines("web")) == 2 + len(lost))
    after = fleet.lines("web")[2:]
    assert [line.split()[0] for line in after] == ["w2"] * len(lost)
    server.until(lambda: len(server.work_pids()) == 2)
    assert second.end() == 0
    assert server.work_pids() == {}
    fleet.work("w3")
    server.until(lambda: len(server.work_pids()) == 2)
    server.post("/v1/tasks/web/pause")
    server.until(lambda: not server.work_pids())


def test_what_ends_or_is_lost_while_temporal_is_away_is_known_at_once(
    make_server: MakeServer, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with run_temporal(tmp_path_factory.mktemp("temporal")) as temporal:
        fleet.address = temporal.address
        server = fleet.serve(AWAY)
        fleet.work("w1")
        brief, lost, stopped = server.run("brief"), server.run("lost"), server.run("lost")
        server.until(lambda: len(fleet.lines("away")) == 3)
        temporal.stop()
        server.post(f"/v1/runs/{stopped}/cancel")
        fleet.note("end")
        assert server.until_state(brief)["state"] == "succeeded"
        assert server.log_texts(brief) == ["began", "ended"]
        ended = server.until_state(lost)
        assert (ended["state"], ended["reason"], server.pids_of(lost)) == ("crashed", "node_died", [])
        assert server.until_state(stopped)["state"] == "canceled"


@pytest.mark.parametrize("memory", ["kept", "lost"])
def test_what_temporal_does_not_hear_of_is_ended_and_done_again_when_it_is_back(
    make_server: MakeServer, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory, memory: str
) -> None:
    with run_temporal(tmp_path_factory.mktemp("temporal")) as temporal:
        fleet.address = temporal.address
        server = fleet.serve(LONG)
        fleet.work("w1")
        run = server.run("long")
        server.until(lambda: fleet.lines("long"))
        temporal.stop()
        server.until(lambda: not server.pids_of(run))
        server.until(lambda: "temporal" in server.http.get("/readyz").text)
        waiting = server.run("long")
        ended = server.run("long")
        server.post(f"/v1/runs/{ended}/cancel")
        assert server.until_state(ended)["state"] == "canceled"
        if memory == "lost":
            temporal.forget()
        temporal.start()
        server.until(lambda: len(fleet.lines("long")) == 3)
        for each in (run, waiting):
            server.post(f"/v1/runs/{each}/cancel")
            assert server.until_state(each)["state"] == "canceled"
        server.until(lambda: "temporal" not in server.http.get("/readyz").text)


@pytest.mark.parametrize("away_s", [0.0, 6.0])
def test_work_goes_on_while_the_database_is_away_and_is_told_when_it_is_back(
    make_server: MakeServer, forker: Forker, fleet: Fleet, away_s: float
) -> None:
    with run_server() as postgres:
        fleet.database = postgres.url
        server = fleet.serve(TURN + LONG)
        fleet.work("w1")
        server.until(lambda: server.get("/v1/nodes")["items"][1:])
        long, turns = server.run("long"), [server.run("turn") for _ in range(3)]
        server.until(lambda: len(fleet.lines("turns")) >= 3)
        postgres.stop()
        time.sleep(away_s)
        count = len(beats(fleet, "w1"))
        postgres.start()
        server.until(lambda: is_over(server, turns))
        assert len(fleet.lines("turns")) == 6
        assert [server.log_texts(run) for run in turns] == [["done"]] * 3
        server.until(lambda: len(beats(fleet, "w1")) > count)
        assert fleet.lines("long") == ["began w1"]
        server.post(f"/v1/runs/{long}/cancel")
        assert server.until_state(long)["state"] == "canceled"
        server.stop()


def test_a_fleet_is_as_full_as_its_workers_whoever_of_several_servers_leads(fleet: Fleet) -> None:
    a = fleet.serve(TURN + LONG)
    b = fleet.serve(TURN + LONG, "b")
    fleet.work("w1", "--capacity", "2")
    runs = [server.run("turn") for _ in range(6) for server in (a, b)]
    b.until(lambda: len(fleet.lines("turns")) >= 4)
    a.kill()
    b.until(lambda: is_over(b, runs))
    turns = fleet.lines("turns")
    assert (len(turns), most_at_once(turns)) == (2 * len(runs), 2)
    assert fleet.ask("SELECT count(*) FROM runs WHERE attempt <> 1") == [(0,)]
    a.start()
    again = [a.run("turn") for _ in range(4)]
    a.until(lambda: is_over(a, again))
    assert most_at_once(fleet.lines("turns")) == 2
    long = a.run("long")  # asked of the one that does not lead
    a.until(lambda: beats(fleet, "w1"))
    a.post(f"/v1/runs/{long}/cancel")
    assert a.until_state(long)["state"] == "canceled"


def test_a_worker_that_is_cut_off_has_ended_its_work_before_another_begins(fleet: Fleet) -> None:
    with separate_network() as network, run_proxy(fleet.address, host=network.host if network else "127.0.0.1") as proxy:
        server = fleet.serve(LONG)
        fleet.work("w1", settings=fleet.settings(LONG, address=proxy.address), network=network)
        run = server.run("long")
        server.until(lambda: len(beats(fleet, "w1")) > 2)
        fleet.work("w2")
        (network or proxy).cut()
        server.until(lambda: beats(fleet, "w2"))
        assert beats(fleet, "w1")[-1] < beats(fleet, "w2")[0]
        assert fleet.lines("long") == ["began w1", "began w2"]
        server.post(f"/v1/runs/{run}/cancel")
        assert server.until_state(run)["state"] == "canceled"
        proxy.mend()


def test_a_server_and_a_worker_that_are_killed_at_once_lose_nothing(fleet: Fleet) -> None:
    server = fleet.serve(LONG + TURN)
    first = fleet.work("w1", "--capacity", "2")
    run, waiting = server.run("long"), [server.run("turn") for _ in range(3)]
    server.until(lambda: fleet.lines("turns") and beats(fleet, "w1"))
    server.kill()
    first.kill()
    server.start()
    fleet.work("w2")
    server.until(lambda: len(beats(fleet, "w2")) > 2)
    assert beats(fleet, "w1")[-1] < beats(fleet, "w2")[0]
    ended = [server.until_state(each) for each in waiting]
    assert {(each["state"], each["reason"]) for each in ended} <= {("succeeded", None), ("crashed", "node_died")}
    assert len([line for line in fleet.lines("turns") if line[0] == "+"]) == len(waiting)
    server.post(f"/v1/runs/{run}/cancel")
    assert server.until_state(run)["state"] == "canceled"


def test_a_server_that_follows_no_workers_does_not_begin_again_what_they_do(fleet: Fleet) -> None:
    server = fleet.serve(LONG)
    fleet.work("w1")
    run = server.run("long")
    server.until(lambda: fleet.lines("long"))
    server.stop()
    as_it_was = server.config.read_text()
    server.config.write_text(as_it_was.replace('kind = "temporal"', 'kind = "local"'))
    server.launch()
    server.until(lambda: not server.is_alive)
    assert f"{run} on a" in server.own_log()
    server.config.write_text(as_it_was)
    server.start()
    server.post(f"/v1/runs/{run}/cancel")
    assert server.until_state(run)["state"] == "canceled"
    assert fleet.lines("long") == ["began w1"]


def test_a_frozen_worker_is_told_by_nobody_and_whatever_it_says_later_is_refused(fleet: Fleet) -> None:
    server = fleet.serve(LONG)
    first = fleet.work("w1")
    run = server.run("long")
    server.until(lambda: "on" in server.log_texts(run))
    fleet.work("w2")
    frozen_at = time.time()
    first.freeze()
    server.until(lambda: beats(fleet, "w2"))
    assert beats(fleet, "w1")[-1] < beats(fleet, "w2")[0]
    assert time.time() - frozen_at < 25
    server.until(lambda: "began w2" in server.log_texts(run))
    time.sleep(max(0.0, frozen_at + FROZEN_S - time.time()))
    count = len(beats(fleet, "w1"))
    first.thaw()
    server.until(lambda: "was lost" in first.own_log())
    assert (len(beats(fleet, "w1")), len(server.pids_of(run)) > 0) == (count, True)
    assert server.get(f"/v1/runs/{run}")["state"] == "running"
    assert fleet.ask(
        f"SELECT count(*) FROM placements p JOIN nodes n ON n.id = p.worker WHERE run_id = '{run}' AND closed = 0"
    ) == [(1,)]
    texts = server.log_texts(run)
    assert texts[texts.index("began w2") + 1 :].count("began w1") == 0
    server.post(f"/v1/runs/{run}/cancel")
    assert server.until_state(run)["state"] == "canceled"


def test_a_worker_that_comes_and_goes_loses_nothing_and_does_nothing_twice_at_once(fleet: Fleet) -> None:
    server = fleet.serve(TURN.replace("run = ", "resume_after_crash = true\nrun = "))
    runs = [server.run("turn") for _ in range(8)]
    worker = fleet.work("w1", "--capacity", "2")
    for _ in range(3):
        count = len(fleet.lines("turns"))
        server.until(lambda: len(fleet.lines("turns")) > count)  # noqa: B023  at once
        worker.kill()
        server.until(lambda: not server.work_pids())  # what it was starting at that moment may have its files for a moment longer
        worker.start()
    server.until(lambda: is_over(server, runs), timeout_s=40)
    ended = [line for line in fleet.lines("turns") if line[0] == "-"]
    assert len(ended) >= len(runs)
    assert fleet.ask("SELECT count(*) FROM runs WHERE attempt <> 1") == [(0,)]
