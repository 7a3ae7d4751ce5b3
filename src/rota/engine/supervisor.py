"""Keeps services alive: every instance that should run and does not gets a new run when its time has come."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct, field, structs

from rota.bus import LoopName
from rota.core.retry import RESTART_CAP_S
from rota.core.run import Run, Trigger
from rota.core.service import Dependency, Instance, ServicePolicy, ready_at
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.leftover import end_leftovers
from rota.engine.loop import Tick
from rota.store import instances, runs, tasks
from rota.store.database import Connection
from rota.store.runs import NewRun


class Scene(Struct):
    """All services and their instances as one pass finds them."""

    services: dict[str, Task]
    remembered: dict[tuple[str, int], Instance]
    live: dict[str, list[Run]]

    def wanted(self, name: str) -> Dependency | None:
        task = next((task for task in self.services.values() if task.name == name), None)
        if task is None or task.spec.service is None:
            return None
        numbers = range(task.spec.service.instances)
        return Dependency(
            is_wanted=task.status == "active",
            healthy_after_s=task.spec.service.healthy_after_s,
            up_since=[run.started_at for run in self.live[task.id] if run.state == "running" and run.started_at],
            is_fatal=all(self.instance(task.id, number).fatal for number in numbers),
        )

    def instance(self, task_id: str, number: int) -> Instance:
        return self.remembered.get((task_id, number)) or Instance(task_id=task_id, number=number)


class Plan(Struct):
    starts: list[NewRun] = field(default_factory=list)
    extra: list[Run] = field(default_factory=list)
    granted: list[Instance] = field(default_factory=list)
    next_at: list[datetime] = field(default_factory=list)


class Supervisor:
    """Restart delays, giving up and dependencies are decided by `core.service`; what is remembered stands in the store."""

    name: LoopName = "supervisor"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since = engine.clock.now()

    async def boot(self) -> None:
        """A new start of the server forgives: counters and FATAL are cleared, `autostart = false` stays down."""
        self._engine.announce(await self._engine.write_led(self._boot))

    def _boot(self, c: Connection) -> list[Run]:
        for task in tasks.list_services(c):
            instances.delete_instances(c, task.id, 0)
            if task.spec.service is not None and not task.spec.service.autostart:
                tasks.update_status(c, task.id, "paused", from_=["active"], now=self._engine.clock.now())
        return end_leftovers(c, self._engine, self._engine.clock.now())

    async def tick(self) -> Tick:
        engine, now = self._engine, self._engine.clock.now()
        plan = await engine.write_led(lambda c: self._supervise(c, now))
        if plan.starts or plan.extra:
            engine.bus.wake("dispatcher")
            engine.announce((new.run for new in plan.starts), "run.created")
        return Tick({"starts": len(plan.starts), "extra": len(plan.extra)}, next_at=min(plan.next_at, default=None))

    def _supervise(self, c: Connection, now: datetime) -> Plan:
        scene, plan = self._look(c), Plan()
        for task in sorted(scene.services.values(), key=_start_order):
            if task.status == "active" and task.spec.service is not None:
                self._fill(scene, task, task.spec.service, now, plan)
        runs.insert_runs(c, plan.starts)
        instances.upsert_instances(c, plan.granted)
        for run in plan.extra:
            runs.request_stop(c, run.id, "removed", now)
        return plan

    def _look(self, c: Connection) -> Scene:
        services = {task.id: task for task in tasks.list_services(c)}
        self._engine.known.note(services.values())
        live: dict[str, list[Run]] = defaultdict(list)
        for run in runs.list_live(c, list(services)):
            live[run.task_id].append(run)
        remembered = {(instance.task_id, instance.number): instance for instance in instances.list_instances(c, None)}
        return Scene(services, remembered, live)

    def _fill(self, scene: Scene, task: Task, policy: ServicePolicy, now: datetime, plan: Plan) -> None:
        taken = {run.instance for run in scene.live[task.id]}
        plan.extra += [run for run in scene.live[task.id] if run.instance is not None and run.instance >= policy.instances]
        for number in sorted(set(range(policy.instances)) - taken):
            instance = scene.instance(task.id, number)
            if instance.fatal or instance.done:
                continue
            start_at = _restart_at(instance, policy, now) or self._ready_at(scene, task, policy, now)
            if start_at > now:
                plan.next_at.append(start_at)
            else:
                trigger: Trigger = "api" if instance.asked else "service"
                plan.starts.append(NewRun.of(task, self._engine.ids.new(), trigger, now, instance=number))
                plan.granted += [structs.replace(instance, asked=False)] if instance.asked else []

    def _ready_at(self, scene: Scene, task: Task, policy: ServicePolicy, now: datetime) -> datetime:
        """A first start waits for what the service depends on; a restart does not."""
        dependencies: Iterable[Dependency | None] = map(scene.wanted, policy.depends_on)
        waiting_since = min(now, max(self._since, task.updated_at))
        return ready_at([dependency for dependency in dependencies if dependency], waiting_since)


def _restart_at(instance: Instance, policy: ServicePolicy, now: datetime) -> datetime | None:
    """When a restart is due: at once if the wait is longer than any, for then the clock was set back meanwhile."""
    longest = timedelta(seconds=max(RESTART_CAP_S, policy.restart_delay_s))
    return now if instance.start_at and instance.start_at > now + longest else instance.start_at


def _start_order(task: Task) -> tuple[int, str]:
    return (task.spec.service.order if task.spec.service else 0, task.name)
