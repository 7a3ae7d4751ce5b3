"""Collapses what one stream draws over and over into its last frame, and passes everything else on as it is."""

import re
from collections.abc import Callable, Generator, Iterator
from itertools import dropwhile

from msgspec import Struct

from rota.logs.cutter import LineCutter
from rota.logs.frames import History
from rota.logs.index import Stream
from rota.logs.screen import MAX_ROWS, Cells, Frame, Screen, find_token, render

# Returns to the start of a line that goes on, cursor movement, erasing. Colours are none, nor is a line that ends in CR LF.
_REDRAW = re.compile(rb"\r(?!\n)|\x1b\[[0-9;?]*[A-HJKfsu`]|\x1b[78Mc]")
_UNFINISHED = re.compile(rb"(?:\r|\x1b(?:\[[0-9;?]{0,40})?)\Z")
_LONGEST_UNFINISHED = 48
_UPWARD = tuple("AFHfu")
_UPWARD_ESCAPES = ("\x1bM", "\x1b8", "\x1bc")
LONGEST_ROW = 2000  # of a frame that is shown; the line has all of it
_RECENT_BYTES = 8 * 1024


class LiveRegion(Struct, frozen=True):
    """What a stream draws at this moment: not in the log yet. The `epoch` tells it from those that the stream drew before."""

    stream: Stream
    epoch: int
    rows: Frame


class Drawn(Struct, frozen=True):
    """Rows that will not change any more, each a line, and the frames they went through."""

    rows: list[bytes]
    frames: list[Frame]


class Redraw:
    """Watches one stream. While nothing is redrawn, bytes pass untouched.

    A part begins with the line that is redrawn, or with the lines above to which the cursor goes back. Those stand in the log
    already as they were first; of the rest only the last frame gets there.

    clean  hides what must not be shown in a row
    """

    def __init__(self, clean: Callable[[bytes], bytes] | None = None) -> None:
        self._clean = clean
        self._screen: Screen | None = None
        self._history: History | None = None
        self._held = b""
        self._recent = b""
        self._is_dirty = False
        self._went_up = False  # since the last chunk came
        self.epoch = 0

    @property
    def is_idle(self) -> bool:
        return self._screen is None and not self._held

    @property
    def is_active(self) -> bool:
        return self._screen is not None

    def remember(self, chunk: bytes) -> None:
        """To be told of what passed by while idle: the cursor may go back to it."""
        if len(chunk) >= _RECENT_BYTES:
            self._recent = chunk[-_RECENT_BYTES:]
        else:
            self._recent = (self._recent + chunk)[-_RECENT_BYTES:]

    def feed(self, chunk: bytes, cutter: LineCutter) -> Iterator[bytes | Drawn]:
        """Plain bytes and finished rows, in order. `cutter` gets the plain bytes, and is asked for the line it holds."""
        data, self._held = _without_unfinished(self._held + chunk)
        self._went_up = False
        yield from self._pass(data, cutter)

    def flush(self, cutter: LineCutter) -> Iterator[bytes | Drawn]:
        """What is held: nothing more comes."""
        data, self._held = self._held, b""
        yield from self._pass(data, cutter)
        if self._screen:
            if self._screen.rows and not render(self._screen.rows[-1].cells):
                del self._screen.rows[-1:]  # a bar that was wiped out at the end
            yield self._settle(self._screen)

    def frame(self) -> Frame | None:
        """What is drawn at this moment, or None."""
        return self._shown(self._screen.frame()) if self._screen else None

    def _pass(self, data: bytes, cutter: LineCutter) -> Iterator[bytes | Drawn]:
        while data:
            if self._screen is None:
                found = _REDRAW.search(data)
                start = data.rfind(b"\n", 0, found.start()) + 1 if found else len(data)
                if start:
                    self.remember(data[:start])
                    yield data[:start]
                if not found:
                    return
                data = (b"" if start else cutter.take()) + data[start:]
                self._begin()
            text = data.decode("utf-8", "surrogateescape")
            rest = yield from self._draw(text)
            data = rest.encode("utf-8", "surrogateescape")

    def _begin(self) -> None:
        self.epoch += 1
        above = self._recent.decode("utf-8", "replace").split("\n")[:-1]
        self._screen, self._history, self._is_dirty = Screen(above), History(), False

    def _draw(self, text: str) -> Generator[Drawn, None, str]:
        """Draws until all of it is settled or the text ends. Returns what is left of the text."""
        screen, at = self._screen, 0
        while screen and at < len(text):
            token = find_token(text, at)
            if screen.rows and screen.is_at_fresh_row and self._ends_with(screen, token[0], token[2]):
                yield self._settle(screen)
                return text[at:]
            at = token.end()
            self._apply(screen, token)
            while len(screen.rows) > MAX_ROWS:
                row = screen.take_top()
                if not row.is_old:
                    yield Drawn([self._line(row.cells)], [])
        if screen and screen.rows and screen.is_at_fresh_row and not screen.has_moved_up:
            yield self._settle(screen)
        return ""

    def _ends_with(self, screen: Screen, token: str, final: str | None) -> bool:
        """Whether what comes next, where the next line would begin, shows that all above is finished."""
        if final in _UPWARD or token in _UPWARD_ESCAPES:
            return False
        if not screen.has_moved_up:
            return True
        return not self._went_up and (token[0] not in "\r\x1b\b" or final == "m")

    def _apply(self, screen: Screen, token: "re.Match[str]") -> None:
        text, final = token[0], token[2]
        is_upward = final in _UPWARD or text in _UPWARD_ESCAPES
        if self._history and self._is_dirty and (text == "\r" or is_upward or final == "J"):
            self._history.offer(lambda: self._shown(screen.frame()))
            self._is_dirty = False
        self._went_up = self._went_up or is_upward
        if final:
            screen.control(token[1] or "", final)
        elif text[0] == "\x1b":
            _ESCAPES.get(text, _pass_over)(screen)
        elif text[0] < " " and text[0] != "\t":
            _CONTROLS.get(text, _pass_over)(screen)
        else:
            self._is_dirty = True
            screen.put(text)

    def _settle(self, screen: Screen) -> Drawn:
        self._screen = None
        rows = list(dropwhile(lambda row: row.is_old, screen.rows))
        lines = [self._line(row.cells) for row in rows]
        self.remember(b"".join(line + b"\n" for line in lines))
        frames = self._history.closed(self._shown(screen.frame())) if self._history else []
        return Drawn(lines, frames)

    def _line(self, cells: Cells) -> bytes:
        line = render(cells).encode("utf-8", "surrogateescape")
        return self._clean(line) if self._clean else line

    def _shown(self, frame: Frame) -> Frame:
        return [self._clean_text(row)[:LONGEST_ROW] for row in frame]

    def _clean_text(self, row: str) -> str:
        raw = row.encode("utf-8", "surrogateescape")
        return (self._clean(raw) if self._clean else raw).decode("utf-8", "replace")


def _without_unfinished(data: bytes) -> tuple[bytes, bytes]:
    """Cuts off what only the next chunk can tell: a CR, the beginning of a control sequence or of a character."""
    tail = data[-_LONGEST_UNFINISHED:]
    found = _UNFINISHED.search(tail)
    at = len(data) - len(tail) + found.start() if found else len(data) - _unfinished_character(tail)
    return data[:at], data[at:]


def _unfinished_character(tail: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character without ending it."""
    for back, byte in enumerate(reversed(tail[-3:]), 1):
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return back if needed > back else 0
    return 0


def _pass_over(_screen: Screen) -> None:
    """What has no meaning here."""


_ESCAPES: dict[str, Callable[[Screen], None]] = {
    "\x1b7": Screen.save,
    "\x1b8": Screen.restore,
    "\x1bM": lambda screen: screen.move_up(1),
    "\x1bc": lambda screen: screen.control("2", "J"),
}
_CONTROLS: dict[str, Callable[[Screen], None]] = {
    "\r": Screen.carriage_return,
    "\n": Screen.newline,
    "\b": Screen.backspace,
}
