"""GET /livez, /readyz, /metrics and /v1/info."""

import httpx
import pytest
from tests.asking import People, asked, new_run, new_task

from rota.ops.context import Rota
from rota.surfaces import native

OPEN = ["/livez", "/readyz", "/metrics"]


@pytest.mark.parametrize("path", OPEN)
def test_health_needs_no_key_on_the_machine_and_one_from_elsewhere(rota: Rota, path: str) -> None:
    async def talk(who: People) -> None:
        assert (await who.nobody.get(path)).status_code == 200
        far = httpx.ASGITransport(native.app(rota), client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=far, base_url="http://rota") as outside:
            assert (await outside.get(path)).status_code == 401
            assert (await outside.get(path, headers=who.plain.headers)).status_code == 200

    asked(rota, talk)


def test_readiness_names_the_part_that_fails(rota: Rota) -> None:
    rota.vitals.problems["settler"] = "OSError: broken"

    async def talk(who: People) -> None:
        reply = await who.nobody.get("/readyz")
        assert (reply.status_code, reply.json()) == (503, {"ready": False, "reasons": {"settler": "OSError: broken"}})
        rota.vitals.problems.clear()
        assert (await who.nobody.get("/readyz")).json() == {"ready": True, "reasons": {}}

    asked(rota, talk)


def test_due_work_that_nobody_takes_up_is_a_loop_that_stands_still(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_run(who.owner, await new_task(who.owner, schedule={"kind": "cron", "expr": "@every 1m"}))
        assert (await who.nobody.get("/readyz")).status_code == 200
        rota.clock.advance(91)  # type: ignore[attr-defined]
        assert set((await who.nobody.get("/readyz")).json()["reasons"]) == {"scheduler", "dispatcher"}

    asked(rota, talk)


def test_metrics_are_open_metrics(rota: Rota) -> None:
    rota.vitals.ended["succeeded"] = 3
    rota.vitals.durations.observe(0.2)
    rota.vitals.lag_s = 0.25

    async def talk(who: People) -> None:
        await new_run(who.owner, await new_task(who.owner))
        reply = await who.nobody.get("/metrics")
        lines = reply.text.splitlines()
        assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert lines[-1] == "# EOF"
        for line in (
            'rota_runs_total{state="succeeded"} 3',
            "rota_pending_runs 1",
            "rota_running_runs 0",
            "rota_scheduler_lag_seconds 0.25",
            'rota_run_duration_seconds_bucket{le="0.1"} 0',
            'rota_run_duration_seconds_bucket{le="0.5"} 1',
            'rota_run_duration_seconds_bucket{le="+Inf"} 1',
            "rota_run_duration_seconds_count 1",
        ):
            assert line in lines
        assert all(line.startswith(("#", "rota_")) for line in lines)

    asked(rota, talk)


def test_info_tells_who_is_asking(rota: Rota) -> None:
    async def talk(who: People) -> None:
        told = (await who.plain.get("/v1/info")).json()
        assert (told["name"], told["actor"], told["now"]) == ("rota", "paul", "2026-03-02T12:00:00Z")

    asked(rota, talk)
