"""The promise is kept through weeks of crashes, full disks, jumping clocks and meddling hands.

`ROTA_SIM_SEEDS=200` tries more lives, `ROTA_SIM_SEEDS=1234-1240` exactly those, `ROTA_SIM_STEPS=5000` makes them longer.
"""

import os
from contextlib import closing
from pathlib import Path

import pytest
from tests.databases import open_memory
from tests.depth import examples
from tests.engine.checker import Broken
from tests.engine.simulation import Simulation

STEPS = int(os.environ.get("ROTA_SIM_STEPS", "200"))


def seeds() -> range:
    first, _, last = os.environ.get("ROTA_SIM_SEEDS", str(examples(7))).rpartition("-")
    return range(int(first), int(last) + 1) if first else range(int(last))


@pytest.mark.parametrize("seed", seeds())
def test_the_promise_is_kept_in_every_life(seed: int, tmp_path: Path) -> None:
    with closing(open_memory()) as database:
        simulation = Simulation(tmp_path, database, seed)
        try:
            simulation.run(STEPS)
        except Broken as broken:
            pytest.fail(f"ROTA_SIM_SEEDS={seed}-{seed} ROTA_SIM_STEPS={STEPS}: {broken} {dict(simulation.faults.told)}")
        finally:
            simulation.world.shut()


def test_one_seed_is_one_life(tmp_path: Path) -> None:
    assert [_life(tmp_path / name) for name in ("first", "second")] == [_life(tmp_path / "third")] * 2


def _life(folder: Path) -> list[tuple[object, ...]]:
    folder.mkdir()
    with closing(open_memory()) as database:
        simulation = Simulation(folder, database, 7)
        simulation.run(60)
        simulation.world.shut()
        return database.run(lambda c: c.rows("SELECT id, state, due_at, started_at, ended_at, fence FROM runs ORDER BY id"))
