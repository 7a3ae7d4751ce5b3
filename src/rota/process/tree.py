"""All processes that one run has started, wherever they went."""

import os
import signal
from collections.abc import Collection, Iterable
from contextlib import suppress

from msgspec import Struct

from rota.process.table import Entry, Identity, find_process, find_variable, list_processes

# Each process of a run inherits it, and keeps it when it leaves the session and loses its parent.
RUN_ID_VARIABLE = "ROTA_RUN_ID"
# Beside it, of which claim: another server on this machine may go on with the run.
FENCE_VARIABLE = "ROTA_FENCE"


Mark = tuple[str | None, str | None]


class Tree(Struct, frozen=True):
    """The processes of one run. Its first one, the leader, has a session and a group of its own, both numbered `pid`.

    pid    0 where it is not known; such a tree is found by its mark alone
    fence  of the claim that it was started under; 0 for processes that do not tell theirs
    """

    run_id: str
    pid: int
    start_ticks: int
    fence: int = 0

    @property
    def has_group(self) -> bool:
        """Whether anybody is in the leader's group; a zombie nobody has waited for is. Costs one system call."""
        if not self.pid:
            return False
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def signal_group(self, number: signal.Signals) -> None:
        if self.pid:  # 0 would be our own group
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def has_leader(self) -> bool:
        """Whether the leader itself lives, and not another process that has got its pid."""
        now = find_process(self.pid) if self.pid else None
        return now is not None and now.start_ticks == self.start_ticks and not now.is_dead

    def is_among(self, marks: Iterable[Mark]) -> bool:
        return any(map(self._bears, marks))

    def list_living(self, *, escaped: bool, known: Collection[Identity] = ()) -> list[Entry]:
        """Reads all of /proc: some milliseconds, so not in the event loop.

        Those of the leader's group and session; with `escaped` also those that carry the run's mark, those that are known
        already, and all descendants. What is older than the leader cannot be of the run, so it is not looked into.
        """
        young = [entry for entry in list_processes() if entry.start_ticks >= self.start_ticks and entry.pid != os.getpid()]
        found = {entry.pid for entry in young if self.pid in (entry.pid, entry.group, entry.session) or entry.identity in known}
        if escaped:
            found |= {entry.pid for entry in young if self._is_marked(entry)}
            _add_descendants(found, young)
        _reap_adopted(entry for entry in young if entry.is_dead and entry.pid in found - {self.pid})
        return [entry for entry in young if entry.pid in found and not entry.is_dead]

    def list_marked(self) -> list[Entry]:
        """Those that carry the run's mark, and their descendants: where the leader is gone, its number says nothing any more."""
        living = [entry for entry in list_processes() if not entry.is_dead]
        found = {entry.pid for entry in living if self._is_marked(entry)}
        _add_descendants(found, living)
        found -= _ancestors(os.getpid())
        return [entry for entry in living if entry.pid in found]

    def _is_marked(self, entry: Entry) -> bool:
        return not entry.is_dead and self._bears(_mark_of(entry))

    def _bears(self, mark: Mark) -> bool:
        run_id, fence = mark
        return run_id == self.run_id and (not self.fence or fence in (None, str(self.fence)))


def signal_one(entry: Entry, number: signal.Signals) -> None:
    """Signals this very process, never another one that has got its pid."""
    try:
        fd = os.pidfd_open(entry.pid)
    except OSError:
        return
    try:
        now = find_process(entry.pid)
        if now and now.start_ticks == entry.start_ticks:
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(fd, number)
    finally:
        os.close(fd)


def find_survivors(trees: Iterable[Tree]) -> list[Tree]:
    """Those of a dead server's trees in which somebody lives, by pid with the very same start time, or by the run's mark.

    Reads all of /proc. A leader that died leaves its descendants to be found by their mark. We ourselves may have been
    started from a run, so we and our ancestors never count.
    """
    ours = _ancestors(os.getpid())
    living = [entry for entry in list_processes() if not entry.is_dead and entry.pid not in ours]
    marks = [mark for entry in living if (mark := _mark_of(entry))[0] is not None]
    return [tree for tree in trees if tree.is_among(marks) or tree.has_leader()]


def _mark_of(entry: Entry) -> Mark:
    """Run id and fence, as far as it says them."""
    run_id = find_variable(entry.pid, RUN_ID_VARIABLE)
    return run_id, None if run_id is None else find_variable(entry.pid, FENCE_VARIABLE)


def _add_descendants(found: set[int], entries: list[Entry]) -> None:
    size = -1
    while size != len(found):
        size = len(found)
        found.update(entry.pid for entry in entries if entry.parent in found)


def _reap_adopted(entries: Iterable[Entry]) -> None:
    """As pid 1 of a container we inherit orphans; nobody but us can wait for them."""
    for entry in entries:
        if entry.parent == os.getpid():
            with suppress(ChildProcessError):
                os.waitpid(entry.pid, os.WNOHANG)


def _ancestors(pid: int) -> set[int]:
    found: set[int] = set()
    while pid and (entry := find_process(pid)):
        found.add(pid)
        pid = entry.parent
    return found
