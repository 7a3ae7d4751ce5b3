"""How an instance of a service is kept alive: restart delays, giving up, health, order."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from rota.core.errors import Problem
from rota.core.outcome import Outcome
from rota.core.policy import Backoff, Seconds, SomeSeconds
from rota.core.retry import RESTART_CAP_S, curve_s


class ServicePolicy(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What being a service adds to a task (RunWisp §3.3, §8.2). A run of at least `healthy_after_s` counts as healthy."""

    instances: Annotated[int, Meta(ge=1, le=64)] = 1
    restart_delay_s: Seconds = 1.0
    restart_backoff: Backoff = "exponential"
    healthy_after_s: SomeSeconds = 60.0
    start_retries: Annotated[int, Meta(ge=0, le=100)] = 3
    order: int = 0
    autostart: bool = True
    depends_on: list[str] = []
    restart: Literal["always", "on_failure"] = "always"


class Instance(Struct, frozen=True, kw_only=True):
    """What is remembered of one instance between its runs.

    restarts       restarts since it was last healthy: the place on the delay curve
    fast_failures  failures in a row that came before `healthy_after_s`
    start_at       not started before this moment
    fatal          it gave up; an operator's start or restart clears it
    done           it succeeded, and its policy restarts failures alone
    asked          its next start is an operator's, not our own
    """

    task_id: str
    number: int
    restarts: int = 0
    fast_failures: int = 0
    start_at: datetime | None = None
    fatal: bool = False
    done: bool = False
    asked: bool = False


def after_exit(policy: ServicePolicy, instance: Instance, outcome: Outcome, uptime_s: float, now: datetime) -> Instance:
    """The instance after one of its runs ended (RunWisp §8.2).

    One that was stopped to be started anew, by an operator or for its changed document, begins afresh and at once.

    A healthy run forgives all earlier restarts. A failure before `healthy_after_s` counts towards giving up, a clean exit
    forgives. The delay is taken from the counter first, then the counter rises: 1, 2, 4, 8 … capped at 60 s.
    """
    if outcome.reason == "replaced":
        return Instance(task_id=instance.task_id, number=instance.number)
    healthy = uptime_s >= policy.healthy_after_s
    restarts = 0 if healthy else instance.restarts
    fast = instance.fast_failures + 1 if outcome.is_failure and not healthy else 0
    if fast > policy.start_retries:
        return structs.replace(instance, fast_failures=fast, fatal=True, start_at=None)
    if policy.restart == "on_failure" and outcome.state == "succeeded":
        return structs.replace(instance, restarts=0, fast_failures=0, done=True, start_at=None)
    wait_s = curve_s(policy.restart_backoff, policy.restart_delay_s, RESTART_CAP_S, restarts + 1)
    return structs.replace(instance, restarts=restarts + 1, fast_failures=fast, start_at=now + timedelta(seconds=wait_s))


class Dependency(Struct, frozen=True, kw_only=True):
    """What another service waits for: whether it is meant to run at all, and since when its instances are up."""

    is_wanted: bool
    healthy_after_s: float
    up_since: list[datetime]
    is_fatal: bool = False

    def healthy_at(self) -> datetime | None:
        """When its oldest instance has been up for long enough; None while none is up."""
        return min(self.up_since) + timedelta(seconds=self.healthy_after_s) if self.up_since else None


# A service starts anyway when what it waits for is not healthy this long after it should have been (RunWisp §8.3).
PATIENCE_S = 5.0


def ready_at(dependencies: Iterable[Dependency], waiting_since: datetime) -> datetime:
    """When a service may start for the sake of what it depends on; a moment in the past means now.

    Each dependency holds it up until it is healthy, and never longer than its own `healthy_after_s` and some patience.
    One that is stopped or has given up holds up nobody: nothing ever waits for ever.
    """
    moments = [waiting_since]
    for dependency in dependencies:
        if not dependency.is_wanted or dependency.is_fatal:
            continue
        give_up_at = waiting_since + timedelta(seconds=dependency.healthy_after_s + PATIENCE_S)
        moments.append(min(dependency.healthy_at() or give_up_at, give_up_at))
    return max(moments)


def check_dependencies(depends_on: Mapping[str, Iterable[str]]) -> list[Problem]:
    """Unknown names, self-reference and cycles among services; each problem names the service and prints the path."""
    problems = [
        Problem(
            f"services.{name}.depends_on",
            f"no service is named {other!r}" if other != name else "a service cannot wait for itself",
        )
        for name, others in depends_on.items()
        for other in others
        if other not in depends_on or other == name
    ]
    cycle = _find_cycle(depends_on)
    if cycle and len(cycle) > 2:
        problems.append(Problem(f"services.{cycle[0]}.depends_on", "the services wait for each other: " + " -> ".join(cycle)))
    return problems


def _find_cycle(graph: Mapping[str, Iterable[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done or name not in graph:
            return None
        found = next(filter(None, (visit(other, [*path, name]) for other in sorted(graph[name]))), None)
        done.add(name)
        return found

    return next(filter(None, (visit(name, []) for name in sorted(graph))), None)


def stop_first(live: Mapping[str, Iterable[str]]) -> list[str]:
    """Of the services that still run, with what each depends on, those that may be stopped now: nobody running needs them.

    All of them if they need each other in a circle.
    """
    needed = {other for name, others in live.items() for other in others if other != name}
    return [name for name in live if name not in needed] or list(live)
