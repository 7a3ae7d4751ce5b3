"""`python -m bench.page [--add] RESULTS.json`: puts measured figures into the table of docs/performance.md.

With `--add` the rows that are there stay, but for those of the same names. For figures that have names of their own.
"""

import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.figure import Figure
from bench.machine import Machine
from bench.report import number, target

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEAD = "| Figure | Rota | Reference, same run | Ratio | Floor | Goal | Reaches |\n|---|---|---|---|---|---|---|\n"


class Results(Struct):
    """What `python -m bench --json` writes."""

    machine: Machine
    figures: list[Figure]


def main() -> None:
    results = msgspec.json.decode(Path(sys.argv[-1]).read_bytes(), type=Results)
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    before, _, tail = rest.partition(END)
    if "--add" in sys.argv:
        shown = with_rows(before, results.figures)
    else:
        shown = f"\n{describe(results.machine)}\n\n{table(results.figures)}"
    PAGE.write_text(f"{head}{BEGIN}{shown}{END}{tail}")


def with_rows(before: str, figures: list[Figure]) -> str:
    names = {f"| {each.name} " for each in figures}
    kept = [line for line in before.splitlines(keepends=True) if line[: line.find("|", 1)] not in names]
    return "".join([*kept, *map(row, figures)])


def describe(machine: Machine) -> str:
    return (
        f"{machine.cores} cores ({machine.cpu}), {machine.memory_gib:g} GiB, {machine.kernel}, Python {machine.python}, "
        f"SQLite {machine.sqlite}. Flushing 4 KiB to its disk took {machine.fsync_us:g} µs. The load average was "
        f"{machine.load:g} when the run began."
    )


def table(figures: list[Figure]) -> str:
    return HEAD + "".join(map(row, figures))


def row(each: Figure) -> str:
    reference = "" if each.reference is None else f"{number(each.reference)} {each.unit}: {each.reference_name}"
    cells = [
        each.name,
        f"**{number(each.ours)} {each.unit}**",
        reference,
        number(each.ratio),
        target(each.floor, each),
        target(each.goal, each),
        each.met if each.met != "no target" else "",
    ]
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    main()
