"""Figures as a table."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from bench.figure import Figure

COLORS = {"goal": "green", "floor": "yellow", "missed": "red", "no target": "dim"}


def print_table(figures: Iterable[Figure]) -> None:
    table = Table("figure", "ours", "reference", "ratio", "floor", "goal", "met", show_lines=True)
    for each in figures:
        table.add_row(
            each.name + (f"\n[dim]{each.note}[/]" if each.note else ""),
            f"{number(each.ours)} {each.unit}",
            "" if each.reference is None else f"{number(each.reference)} {each.unit}\n[dim]{each.reference_name}[/]",
            number(each.ratio),
            target(each.floor, each),
            target(each.goal, each),
            f"[{COLORS[each.met]}]{each.met}[/]",
        )
    Console(width=150).print(table)


def target(value: float | None, each: Figure) -> str:
    return "" if value is None else f"{number(value)} {'x' if each.judged == 'ratio' else each.unit}"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.10g}"
