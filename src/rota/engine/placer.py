"""Keeps runs back that nobody could carry out."""

from collections.abc import Iterable, Mapping, Sequence

from rota.core.run import Run
from rota.core.task import Task
from rota.engine.context import Engine
from rota.runners.base import Runner
from rota.store.database import Connection


class Placer:
    """What the runner says of places, for the dispatcher.

    unfit  tasks whose runs were claimed and could not be placed: they are not claimed again until they can
    stuck  tasks whose runs wait for a place: their queues are looked at in each pass, so that none is overtaken
    """

    def __init__(self, runner: Runner, engine: Engine) -> None:
        self._runner = runner
        self._engine = engine
        self.unfit: set[str] = set()
        self.stuck: set[str] = set()

    def find_obstacle(self, task: Task) -> str | None:
        """Why a run of this task could not be started now, by this server or by another."""
        return None if self.is_offered_elsewhere(task) else self._find_own(task)

    def is_offered_elsewhere(self, task: Task) -> bool:
        """Whether another server carries such work out, though it may be busy."""
        seat = self._engine.seat
        return seat is not None and any(labels.issuperset(task.spec.runs_on) for labels in seat.offers)

    def _find_own(self, task: Task) -> str | None:
        return self._runner.find_obstacles([task])[0]

    def look_again(self, c: Connection) -> list[str]:
        """The tasks that still cannot be placed."""
        known = self._engine.known.get(c, self.unfit) if self.unfit else {}
        self.unfit = {task_id for task_id, task in known.items() if self._find_own(task)}
        return sorted(self.unfit)

    def misplaced(self, claimed: Sequence[Run], known: Mapping[str, Task]) -> list[tuple[Run, str]]:
        """Those that cannot start if the others do, and why: since they were admitted places were taken, or owners left."""
        obstacles = self._runner.find_obstacles([known[run.task_id] for run in claimed])
        found = [(run, obstacle) for run, obstacle in zip(claimed, obstacles, strict=True) if obstacle]
        self.unfit.update(run.task_id for run, _ in found)
        self.stuck.update(run.task_id for run, _ in found)
        return found

    def split(self, services: Iterable[tuple[str, Task]]) -> tuple[list[str], list[tuple[str, str]]]:
        """Instances of services, as (run id, task): those that can start, and the others with what is in their way."""
        runs = list(services)
        obstacles = self._runner.find_obstacles([task for _, task in runs])
        told = [(run_id, obstacle) for (run_id, _), obstacle in zip(runs, obstacles, strict=True)]
        return [run_id for run_id, why in told if not why], [(run_id, why) for run_id, why in told if why]
