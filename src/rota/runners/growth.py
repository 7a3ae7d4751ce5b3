"""Tells those who follow a run's log that it has grown."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rota.logs import Growth, LiveRegion


class LogGrowth:
    """Wake-ups by run. A log nobody follows costs one look into a dictionary.

    listener  hears of each run whose log has grown, where there is somebody to be told of it
    """

    def __init__(self) -> None:
        self.listener: Callable[[str], object] | None = None
        self._growths: dict[str, Growth] = {}
        self._followers: Counter[str] = Counter()
        self._regions: dict[str, Callable[[], list[LiveRegion]]] = {}
        self._begun: dict[str, Callable[[], str]] = {}

    def begin(self, run_id: str, regions: Callable[[], list[LiveRegion]], begun: Callable[[], str] = str) -> None:
        """A writer has the log of that run from now on."""
        self._regions[run_id] = regions
        self._begun[run_id] = begun

    def end(self, run_id: str) -> None:
        self._regions.pop(run_id, None)
        self._begun.pop(run_id, None)

    def regions(self, run_id: str) -> list[LiveRegion]:
        """What the run draws at this moment, and may still draw over: not in its log yet."""
        found = self._regions.get(run_id)
        return found() if found else []

    def begun_line(self, run_id: str) -> str:
        """What the run has said of a line that has not ended."""
        found = self._begun.get(run_id)
        return found() if found else ""

    @property
    def followed(self) -> list[str]:
        """The runs whose logs are followed at this moment."""
        return list(self._growths)

    @property
    def is_followed(self) -> bool:
        return bool(self._growths)

    def notify(self, run_id: str) -> None:
        """Of a run that is carried out here."""
        if self.listener is not None:
            self.listener(run_id)
        self.wake(run_id)

    def wake(self, run_id: str) -> None:
        """There is more to read of a run."""
        growth = self._growths.get(run_id)
        if growth:
            growth.notify()

    @contextmanager
    def following(self, run_id: str) -> Iterator[Growth]:
        """For the time of following; `wait` of what it gives is the `wakeup` of `logs.follow`. The run need not have begun."""
        growth = self._growths.setdefault(run_id, Growth())
        self._followers[run_id] += 1
        try:
            yield growth
        finally:
            self._followers[run_id] -= 1
            if not self._followers[run_id]:
                del self._followers[run_id], self._growths[run_id]
