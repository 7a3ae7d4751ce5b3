"""One measured figure beside its reference, and whether it reaches what was asked of it."""

import statistics
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Verdict = Literal["goal", "floor", "missed", "no target"]


class Figure(Struct, frozen=True, kw_only=True):
    """What was measured.

    ratio  ours / reference
    floor  the least that is asked, of `ours` or of `ratio` as `judged` says; None where nothing is asked
    goal   what is hoped for
    met    `goal`, `floor`, `missed`, or `no target`
    note   what a reader has to know to read the number rightly
    """

    name: str
    ours: float
    unit: str
    reference: float | None = None
    reference_name: str | None = None
    ratio: float | None = None
    floor: float | None = None
    goal: float | None = None
    judged: Literal["ours", "ratio"] = "ours"
    met: Verdict = "no target"
    note: str | None = None


def figure(
    name: str,
    ours: float,
    unit: str,
    *,
    reference: float | None = None,
    reference_name: str | None = None,
    floor: float | None = None,
    goal: float | None = None,
    judged: Literal["ours", "ratio"] = "ours",
    less_is_better: bool = False,
    note: str | None = None,
) -> Figure:
    """A figure with its ratio and its verdict."""
    ratio = ours / reference if reference else None
    value = ratio if judged == "ratio" else ours
    return Figure(
        name=name,
        ours=_rounded(ours),
        unit=unit,
        reference=None if reference is None else _rounded(reference),
        reference_name=reference_name,
        ratio=None if ratio is None else _rounded(ratio),
        floor=floor,
        goal=goal,
        judged=judged,
        met=_verdict(value, floor, goal, -1 if less_is_better else 1),
        note=note,
    )


def in_turns(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turns so that a noisy machine disturbs all alike."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def percentile(values: list[float], part: float) -> float:
    """The value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def _verdict(value: float | None, floor: float | None, goal: float | None, sign: int) -> Verdict:
    if value is None or (floor is None and goal is None):
        return "no target"
    if goal is not None and value * sign >= goal * sign:
        return "goal"
    if floor is not None and value * sign >= floor * sign:
        return "floor" if goal is not None else "goal"
    return "missed"


def _rounded(value: float) -> float:
    """Three digits that count; whole numbers from a thousand on."""
    return round(value) if abs(value) >= 1000 else float(f"{value:.3g}")
