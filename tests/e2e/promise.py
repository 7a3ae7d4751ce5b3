"""What holds after any crash, once the server is up again and has come to rest."""

from collections import Counter

from tests.e2e.server_process import Run, ServerProcess, until
from tests.e2e.witness import Witness

from rota.core.states import ENDED, REFUSED
from rota.runners import ProcessLedger

# Of what ended so, each attempt has surely begun.
WHOLE = frozenset({"succeeded", "failed", "timed_out"})
# For what hundreds of runs come to that are left waiting.
REST_S = 90.0


def check_promise(server: ServerProcess, planned: dict[str, int] | None = None) -> None:
    """No run lost, doubled or left running without a process; one outcome for each slot; nothing pending for ever.

    planned  how many slots each of these tasks has in all
    """
    until(lambda: not _unfinished(server), lambda: f"{_unfinished(server)}\n{server.own_log()}", REST_S)
    witness, runs = Witness(server.folder), server.runs()
    witness.check()
    began = Counter(each.run_id for each in witness.began())
    assert set(began) <= {run["id"] for run in runs}, "a run was lost"
    for run in runs:
        _check_run(run, began[run["id"]])
    _check_processes(server, runs)
    for task, count in (planned or {}).items():
        _check_slots(server, task, count)
    told = server.http.get("/readyz").json()
    assert (told["ready"], told["reasons"]) == (True, {})


def check_journal(server: ServerProcess) -> None:
    """After a stop nothing is left to be repaired."""
    ledger = ProcessLedger(server.work_data / "processes.log")
    ledger.close()
    assert ledger.open_entries() == []


def _unfinished(server: ServerProcess) -> list[Run]:
    """What has not come to rest: a service's instance has, when it is up."""
    return [run for run in server.runs(state="pending,running") if run["instance"] is None or run["state"] == "pending"]


def _check_run(run: Run, began: int) -> None:
    assert began <= run["attempt"], run
    if (run["state"], run["reason"]) == ("failed", "node_died"):  # a dead server left it waiting, and there was no place
        assert began == run["attempt"] == 0, run
    elif run["state"] in WHOLE:
        assert began == run["attempt"] >= 1, run
    if run["state"] in REFUSED:
        assert began == 0, run
    assert (run["ended_at"] is not None) == (run["state"] in ENDED), run


def _check_processes(server: ServerProcess, runs: list[Run]) -> None:
    running = {run["id"] for run in runs if run["state"] == "running"}
    assert set(server.work_pids().values()) == running


def _check_slots(server: ServerProcess, task: str, count: int) -> None:
    slots = server.get(f"/v1/tasks/{task}/slots", limit=1000)["items"]
    runs = {run["id"]: run for run in server.runs(task=task)}
    assert len({slot["nominal_at"] for slot in slots}) == len(slots) == count
    assert all(slot["outcome"] in ENDED for slot in slots), slots
    of_slots = Counter(slot["run_id"] for slot in slots if slot["outcome"] != "missed")
    assert set(of_slots.values()) <= {1}, slots
    assert set(of_slots) == {run_id for run_id, run in runs.items() if run["nominal_at"] and run["state"] != "missed"}
