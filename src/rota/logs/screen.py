"""A small terminal (ECMA-48): what a part of the output looks like that is drawn over and over."""

import re
from collections.abc import Sequence

from msgspec import Struct, field

MAX_ROWS = 100
MAX_COLUMNS = 64 * 1024

Frame = list[str]
Cells = list[str]  # of each column its character, behind the colours it is drawn in

_TOKEN = re.compile(
    r"[^\x00-\x08\x0a-\x1f\x7f]+"  # characters, tabs too
    r"|\x1b\[([0-9;?]*)[ -/]*([@-~])"  # control sequence: arguments, final
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # a title or a link
    r"|\x1b[ -/]*[0-~]"  # escape sequence
    r"|.",
    re.DOTALL,
)
_RESET = "\x1b[0m"
_LONGEST_STYLE = 64


class Row(Struct):
    """`is_old`: it stands in the log already, and nothing was drawn over it."""

    cells: Cells = field(default_factory=list)
    is_old: bool = False


class Screen:
    """Rows that may still change, with a cursor. It has no height or width of its own: rows are made as they are reached.

    above  rows that stand in the log just before, the nearest last: a cursor that goes up gets there
    """

    def __init__(self, above: Sequence[str] = ()) -> None:
        self._above = list(above)
        self.rows: list[Row] = []
        self.row = 0
        self.column = 0
        self.has_moved_up = False
        self.style = ""
        self._saved = (0, 0)

    @property
    def is_at_fresh_row(self) -> bool:
        """Whether the cursor stands where the next line would begin."""
        return self.row >= len(self.rows) and self.column == 0

    def frame(self) -> Frame:
        return [render(row.cells) for row in self.rows]

    def put(self, text: str) -> None:
        """Draws at the cursor. What is wider than a row can be goes on in the next."""
        while len(text) > (room := MAX_COLUMNS - self.column):
            self._put(text[:room])
            self.newline()
            text = text[room:]
        self._put(text)

    def _put(self, text: str) -> None:
        cells = [self.style + character for character in text] if self.style else list(text)
        row = self._current()
        if self.column > len(row):
            row.extend(" " * (self.column - len(row)))
        row[self.column : self.column + len(cells)] = cells
        self.column += len(cells)

    def newline(self) -> None:
        self._current()
        self.row, self.column = self.row + 1, 0

    def move_up(self, count: int) -> None:
        self.has_moved_up = True
        missing = min(count, MAX_ROWS) - self.row
        if missing > 0:
            self._fetch_above(missing)
        self.row = max(0, self.row - count)

    def control(self, arguments: str, final: str) -> None:
        """One control sequence. What has no meaning here is passed over."""
        numbers = [int(part) if part.isdigit() else 0 for part in arguments.split(";")]
        count = max(1, min(numbers[0], MAX_COLUMNS))
        match final:
            case "m":
                self._set_style(arguments)
            case "A" | "F":
                self.move_up(count)
            case "B" | "E":
                self.row = min(self.row + count, max(len(self.rows), self.row))
            case "C":
                self.column = min(self.column + count, MAX_COLUMNS)
            case "D":
                self.column = max(0, self.column - count)
            case "G" | "`":
                self.column = count - 1
            case "H" | "f":
                self.has_moved_up = True
                self.row = min(count - 1, len(self.rows))
                self.column = max(1, min(numbers[1] if len(numbers) > 1 else 1, MAX_COLUMNS)) - 1
            case "J":
                self._erase_rows(numbers[0])
            case "K":
                self._erase_in_row(numbers[0])
            case "s":
                self.save()
            case "u":
                self.restore()
        if final in "EF":
            self.column = 0

    def save(self) -> None:
        self._saved = (self.row, self.column)

    def restore(self) -> None:
        self.has_moved_up = self.has_moved_up or self._saved[0] < self.row
        self.row, self.column = min(self._saved[0], len(self.rows)), self._saved[1]

    def carriage_return(self) -> None:
        self.column = 0

    def backspace(self) -> None:
        self.column = max(0, self.column - 1)

    def take_top(self) -> Row:
        """Removes the first row for good, as a terminal that scrolls does."""
        self.row = max(0, self.row - 1)
        return self.rows.pop(0)

    def _current(self) -> Cells:
        while self.row >= len(self.rows):
            self.rows.append(Row())
        row = self.rows[self.row]
        row.is_old = False
        return row.cells

    def _fetch_above(self, count: int) -> None:
        """Rows that were written as plain lines become part of what is drawn; where they are not known, empty ones."""
        known = self._above[-count:]
        self._above = []
        texts = ["" for _ in range(count - len(known))] + known
        self.rows[:0] = [Row(list(text), is_old=True) for text in texts]
        self.row += count

    def _erase_rows(self, what: int) -> None:
        if what == 0:
            self._erase_in_row(0)
            del self.rows[self.row + 1 :]
        elif what == 1:
            for row in self.rows[: self.row]:
                row.cells, row.is_old = [], False
            self._erase_in_row(1)
        else:
            self.has_moved_up = True
            self.rows = []
            self.row = 0

    def _erase_in_row(self, what: int) -> None:
        if self.row >= len(self.rows):
            return
        cells = self._current()
        if what == 0:
            del cells[self.column :]
        elif what == 1:
            cells[: self.column + 1] = [" "] * min(len(cells), self.column + 1)
        else:
            cells.clear()

    def _set_style(self, arguments: str) -> None:
        added = f"\x1b[{arguments}m"
        if arguments in ("", "0"):
            self.style = ""
        else:
            self.style = self.style + added if len(self.style) + len(added) <= _LONGEST_STYLE else added


def find_token(text: str, at: int) -> "re.Match[str]":
    """The run of characters, or the control sequence, at a place inside the text."""
    found = _TOKEN.match(text, at)
    assert found  # noqa: S101 - the last branch matches anything
    return found


def render(cells: Cells) -> str:
    """The text of a row, without the blanks at its end."""
    text = "".join(cells)
    return (text if len(text) == len(cells) else _render_styled(cells)).rstrip(" ")


def _render_styled(cells: Cells) -> str:
    out: list[str] = []
    style = ""
    for cell in cells:
        wanted = cell[:-1]
        if wanted != style:
            out.append(wanted[len(style) :] if style and wanted.startswith(style) else (_RESET if style else "") + wanted)
            style = wanted
        out.append(cell[-1])
    return "".join(out) + (_RESET if style else "")
