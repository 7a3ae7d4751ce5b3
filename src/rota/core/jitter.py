"""Where in its jitter window each task starts, so that tasks due together spread out (RunWisp §6.6)."""

from collections.abc import Iterable, Sequence

from msgspec import Struct


class Window(Struct, frozen=True, order=True):
    """One task's window: from `phase_s` (seconds into the day) it may slip by up to `length_s`."""

    phase_s: int
    length_s: int
    name: str

    @property
    def end_s(self) -> int:
        return self.phase_s + self.length_s


def offsets(windows: Iterable[Window]) -> dict[str, int]:
    """Seconds each task starts behind its tick; 0 for one whose window meets no other.

    Windows that overlap form a cluster; each cluster is spread with the largest gap that keeps everyone inside. The same
    tasks always get the same places: there is no chance in it.
    """
    placed: dict[str, int] = {}
    for cluster in _clusters(sorted(windows)):
        placed.update(_spread(cluster))
    return placed


def _clusters(windows: Sequence[Window]) -> list[list[Window]]:
    clusters: list[list[Window]] = []
    end_s = -1
    for window in windows:
        if clusters and window.phase_s <= end_s:
            clusters[-1].append(window)
        else:
            clusters.append([window])
        end_s = max(end_s, window.end_s)
    return clusters


def _spread(cluster: list[Window]) -> dict[str, int]:
    low, high = 0, max(window.length_s for window in cluster)
    while low < high:
        middle = (low + high + 1) // 2
        if all(place <= window.end_s for window, place in _places(cluster, middle)):
            low = middle
        else:
            high = middle - 1
    return {window.name: place - window.phase_s for window, place in _places(cluster, low)}


def _places(cluster: list[Window], gap_s: int) -> list[tuple[Window, int]]:
    """Left to right, each at its phase or `gap_s` behind the one before."""
    places: list[tuple[Window, int]] = []
    for window in cluster:
        earliest = places[-1][1] + gap_s if places else window.phase_s
        places.append((window, max(window.phase_s, earliest)))
    return places
