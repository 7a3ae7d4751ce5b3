"""Records the output of one run as it comes from the pipes."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property

from rota.core.policy import LogLimit
from rota.logs.cutter import Block, LineCutter
from rota.logs.disk import find_shortage
from rota.logs.frames import FrameFile
from rota.logs.index import FULL, STREAM_CODES, STREAMS, Stream
from rota.logs.mask import MaskedStream, Secrets
from rota.logs.name import LogPaths
from rota.logs.redraw import Drawn, LiveRegion, Redraw
from rota.logs.segment import Buffers, Segment, has_log, make_folder, open_segment, rotate
from rota.logs.survey import BLOCK_BYTES

PROBE_BYTES = 10 * 1024 * 1024  # free space is looked at this often (RunWisp contract §9.4)
RETRY_MS = 5000  # after a failed write
RESUME_BYTES = 1024 * 1024  # must be free then, or the note of the loss would be all that fits

_SYSTEM = STREAM_CODES["system"]


class LogWriter:
    """Appends to the log of one run, for one attempt. Synchronous; the caller hands in the time. The file is made with the
    first line: a run that says nothing has none.

    Nothing that happens to the disk raises: recording stops, `disk_pressure` is set, and it goes on with a note of what was lost
    when the disk does. `overflowed` is set when the limit says that the run must be stopped. `is_drawing` tells that the last
    chunk was drawn over, which takes far longer to follow than plain lines: hand in little at a time then. Exactly one of
    `close` (the attempt ended) and `finalize` (the run ended) is called at the end, and nothing after it.
    """

    def __init__(
        self,
        paths: LogPaths,
        limit: LogLimit,
        secrets: Sequence[str] = (),
        *,
        min_free_space: int = 0,
        on_growth: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._paths = paths
        self._limit = limit
        self._min_free_space = min_free_space
        self._on_growth = on_growth
        self._on_close = on_close
        self._secrets = Secrets(secrets)
        self._segment: Segment | None = None
        self._fresh = True  # no output in this segment yet: a line goes in even if it alone is over the cap
        self._discarding = False
        self._has_come = False  # anything that may be part of a line
        self._unprobed = 0
        self._lost = 0
        self._retry_at_ms = 0
        self._lines = 0
        self.is_drawing = False
        self.overflowed = False
        self.disk_pressure = False
        self._is_unmade = not has_log(paths)
        if not self._is_unmade:
            self._open(0)

    # What follows the streams is made when something comes: many runs say nothing.

    @cached_property
    def _masks(self) -> list[MaskedStream] | None:
        return [MaskedStream(self._secrets) for _ in STREAMS] if self._secrets else None

    @cached_property
    def _cutters(self) -> list[LineCutter]:
        return [LineCutter() for _ in STREAMS]

    @cached_property
    def _redraws(self) -> list[Redraw]:
        return [Redraw(self._secrets.redact if self._secrets else None) for _ in STREAMS]

    @cached_property
    def _frames(self) -> FrameFile:
        return FrameFile(self._paths)

    @property
    def lines_written(self) -> int:
        """Lines in the log so far, of earlier attempts too: the number of the next line."""
        return self._segment.next_line if self._segment else self._lines

    @property
    def is_recording(self) -> bool:
        """Whether what came last was taken, as far as disk and limit go."""
        return (self._is_unmade or self._segment is not None) and not self._discarding

    def write(self, stream: Stream, chunk: bytes, at_ms: int) -> None:
        """Takes what was read from a pipe. `at_ms` is Unix time in milliseconds."""
        if self._discarding:
            return
        self._has_come = True
        before, code = self.lines_written, STREAM_CODES[stream]
        if self._masks:
            chunk = self._masks[code].feed(chunk)
        for start in range(0, len(chunk), BLOCK_BYTES):
            piece = chunk if len(chunk) <= BLOCK_BYTES else chunk[start : start + BLOCK_BYTES]
            redraw = self._redraws[code]
            self.is_drawing = False
            if redraw.is_idle and b"\r" not in piece and b"\x1b" not in piece:
                redraw.remember(piece)
                self._emit_all(code, self._cutters[code].feed(piece), at_ms)
            else:
                epoch = redraw.epoch
                self._emit_drawn(code, redraw.feed(piece, self._cutters[code]), at_ms)
                self.is_drawing = redraw.is_active or redraw.epoch != epoch
        if self._on_growth and (self.lines_written != before or self._cutters[code].held):
            self._on_growth()

    def live_regions(self) -> list[LiveRegion]:
        """What the streams draw at this moment, and may still draw over."""
        drawn = [(STREAMS[code], redraw.epoch, redraw.frame()) for code, redraw in enumerate(self._redraws)]
        return [LiveRegion(stream, epoch, frame) for stream, epoch, frame in drawn if frame is not None]

    def begun_line(self) -> str:
        """What standard output has of a line so far."""
        return self._cutters[STREAM_CODES["stdout"]].held.decode(errors="replace")

    def system(self, text: str, at_ms: int) -> None:
        """Adds lines of our own. They do not count against the size cap's policy, so keep them few."""
        before = self.lines_written
        self._note(text, at_ms)
        self._tell(before)

    def flush(self, at_ms: int) -> None:
        """Ends partial lines: nothing more comes from the process."""
        if not self._has_come:
            return
        before = self.lines_written
        for code, cutter in enumerate(self._cutters):
            redraw = self._redraws[code]
            if self._masks:
                self._emit_drawn(code, redraw.feed(self._masks[code].flush(), cutter), at_ms)
            if not redraw.is_idle:
                self._emit_drawn(code, redraw.flush(cutter), at_ms)
            self._emit_all(code, cutter.flush(), at_ms)
        self._tell(before)

    def close(self, at_ms: int) -> None:
        """Ends the attempt. A later attempt opens the log again."""
        self._end(at_ms, ended=False)

    def finalize(self, at_ms: int) -> None:
        """Ends the log: readers learn that nothing will be added."""
        self._end(at_ms, ended=True)

    def _end(self, at_ms: int, *, ended: bool) -> None:
        self.flush(at_ms)
        if not self._is_unmade:
            self._end_segment(at_ms, ended=ended)
        if self._on_close:
            self._on_close()
        if self._on_growth:
            self._on_growth()

    def _end_segment(self, at_ms: int, *, ended: bool) -> None:
        self._resume(at_ms, last=True)
        if ended:
            self._mark_ended()
        elif self._segment:
            self._keep_open(self._segment)
        if self._segment:
            self._segment.close()
            self._segment = None

    def _tell(self, before: int) -> None:
        if self._on_growth and self.lines_written != before:
            self._on_growth()

    def _emit_all(self, code: int, blocks: list[Block], at_ms: int) -> None:
        for block in blocks:
            if not self._discarding:
                self._emit(code, block, at_ms)

    def _emit_drawn(self, code: int, parts: Iterable[bytes | Drawn], at_ms: int) -> None:
        cutter = self._cutters[code]
        for part in parts:
            if isinstance(part, bytes):
                self._emit_all(code, cutter.feed(part), at_ms)
                continue
            before, lines = self.lines_written, len(part.rows)
            self._emit_all(code, cutter.feed(b"".join(row + b"\n" for row in part.rows)), at_ms)
            if part.frames and self.lines_written - before >= lines:
                self._frames.append(self.lines_written - lines, lines, part.frames)
        if self._on_growth:
            self._on_growth()

    def _emit(self, code: int, block: Block, at_ms: int) -> None:
        length = block.length
        segment = self._segment or self._resume(at_ms)
        if segment is None:
            self._lost += length
        elif segment.size + length <= self._limit.max_size:
            buffers = (block.head, block.body) if block.head else (block.body,)
            self._append(code, buffers, length, block.lines, at_ms, block.continued)
        else:
            self._emit_across(code, block, at_ms)

    def _emit_across(self, code: int, block: Block, at_ms: int) -> None:
        """A block that does not fit: what fits, then what the limit says, and so on."""
        data, start, continued = block.joined(), 0, block.continued
        while start < len(data):
            end = self._fitting_end(data, start)
            if end > start and self._segment:
                self._append(code, (data[start:end],), end - start, data.count(b"\n", start, end), at_ms, continued)
                start, continued = end, False
            elif not self._make_room(at_ms):
                self._lost += 0 if self._discarding else len(data) - start
                return

    def _fitting_end(self, data: bytes, start: int) -> int:
        room = self._limit.max_size - self._segment.size if self._segment else 0
        end = data.rfind(b"\n", start, start + max(room, 0)) + 1
        if end <= start and self._fresh and self._limit.on_full == "drop_old":
            end = data.find(b"\n", start) + 1
        return end

    def _make_room(self, at_ms: int) -> bool:
        """Does what the limit says when a segment is full. True if recording goes on in a new one."""
        if self._segment is None:
            return False
        if self._limit.on_full == "drop_old":
            return self._rotate(self._segment, at_ms)
        with suppress(OSError):  # else a later attempt finds out by itself
            self._segment.mark(FULL)
        cap = f"log size cap of {self._limit.max_size} bytes reached"
        if self._limit.on_full == "kill_task":
            self.overflowed = True
            self._note(f"{cap}: stopping the run", at_ms)
        else:
            self._note(f"{cap}: further output is dropped", at_ms)
        self._discard()
        return False

    def _rotate(self, segment: Segment, at_ms: int) -> bool:
        try:
            self._segment = rotate(self._paths, segment)
        except OSError:
            self._pause(at_ms)
            return False
        self._fresh = True
        self._note(f"log size cap of {self._limit.max_size} bytes reached: older lines are dropped", at_ms)
        return self._segment is not None

    def _discard(self) -> None:
        self._discarding = True
        self.__dict__.pop("_redraws", None)
        for cutter in self._cutters:
            cutter.drop()

    def _append(self, code: int, buffers: Buffers, length: int, lines: int, at_ms: int, continued: bool = False) -> None:
        assert self._segment  # noqa: S101 - callers looked
        try:
            self._segment.append(code, buffers, length, lines, at_ms, continued)
        except OSError:
            self._lost += length
            self._pause(at_ms)
            return
        if code != _SYSTEM:
            self._fresh = False
            self._unprobed += length
            if self._unprobed >= PROBE_BYTES:
                self._probe(at_ms)

    def _note(self, text: str, at_ms: int) -> None:
        # A cutter of its own: a note stands between partial lines, never inside one.
        data = self._secrets.redact(text.encode(errors="replace")) + b"\n"
        cutter = LineCutter()
        for block in cutter.feed(data):
            if self._segment or self._resume(at_ms):
                self._append(_SYSTEM, (block.head, block.body), block.length, block.lines, at_ms, block.continued)
            else:
                self._lost += block.length

    def _probe(self, at_ms: int) -> None:
        self._unprobed = 0
        try:
            shortage = find_shortage(self._paths.folder, self._min_free_space)
        except OSError:
            self._pause(at_ms)
            return
        if shortage:
            self._note(f"{shortage.text}: recording stops", at_ms)
            self._pause(at_ms)

    def _pause(self, at_ms: int) -> None:
        self.disk_pressure = True
        self._retry_at_ms = at_ms + RETRY_MS
        if self._segment:
            self._lines = self._segment.next_line
            self._segment.close()
            self._segment = None

    def _resume(self, at_ms: int, *, last: bool = False) -> Segment | None:
        """Makes the file, or tries to go on after a pause. At the last chance a shortage is no hindrance: the note is small."""
        if self._is_unmade:
            self._open(at_ms)
            return self._segment
        if self._segment or (at_ms < self._retry_at_ms and not last):
            return self._segment
        try:
            make_folder(self._paths)
            if last or not find_shortage(self._paths.folder, max(self._min_free_space, RESUME_BYTES)):
                self._segment = open_segment(self._paths)
        except OSError:
            self._pause(at_ms)
        if self._segment:
            self._note_loss(at_ms)
        else:
            self._retry_at_ms = at_ms + RETRY_MS
        return self._segment

    def _note_loss(self, at_ms: int) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            self._note(f"recording resumed: {lost} bytes of output were lost", at_ms)
            if self._segment is None:
                self._lost = lost

    def _open(self, at_ms: int) -> None:
        self._is_unmade = False
        try:
            self._segment = open_segment(self._paths)
            if self._segment.full and self._limit.on_full == "kill_task":
                self._segment = rotate(self._paths, self._segment)  # each attempt has the whole cap
        except OSError:
            self._pause(at_ms)
        if self._segment:
            self._fresh = self._segment.size == 0
            self._discarding = self._segment.full and self._limit.on_full == "drop_new"

    def _mark_ended(self) -> None:
        # Marks are set in place, so this works on a disk too full for another line.
        try:
            self._segment = self._segment or open_segment(self._paths)
            self._segment.mark_ended()
        except OSError:
            self.disk_pressure = True

    def _keep_open(self, segment: Segment) -> None:
        try:
            segment.make_index()
        except OSError:
            self.disk_pressure = True
