"""Tables: coloured on a terminal, plain aligned columns everywhere else."""

import re
import sys
from collections.abc import Sequence

STYLES = {
    "succeeded": "green",
    "active": "green",
    "running": "cyan",
    "pending": "yellow",
    "paused": "yellow",
    "failed": "red",
    "timed_out": "red",
    "crashed": "red",
    "stopped": "magenta",
    "canceled": "magenta",
    "skipped": "dim",
    "queue_full": "dim",
    "missed": "dim",
}
# A title or an error may hold anything; a cell must not move the cursor.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

Row = Sequence[str | None]


def show_table(headings: Sequence[str], rows: Sequence[Row], *, empty: str) -> None:
    """Print the rows to stdout; with none of them say `empty` on stderr, so that a pipe reads nothing."""
    if not rows:
        print(empty, file=sys.stderr)
        return
    cells = [[_clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_rich(headings, cells)
    else:
        print(plain(headings, cells))


def plain(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart, `-` for an empty cell: every row has every column."""
    lines = [[heading.upper() for heading in headings], *([cell or "-" for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _clean(cell: str | None) -> str:
    return CONTROL.sub(" ", cell or "").strip()


def _show_rich(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # here, because it costs 70 ms that a pipe need not pay
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        # The first column is what is named in the next command, so it stays whole.
        table.add_column(heading.upper(), overflow="fold", no_wrap=heading == headings[0])
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    Console(highlight=False).print(table)
