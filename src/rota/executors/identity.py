"""Whom a run works as, where its task says so (RunWisp §10, `user`)."""

import grp
import os
import pwd
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_BECOME = str(Path(__file__).with_name("become.py"))


class Identity(Struct, frozen=True):
    """A user with its groups, as numbers, and what its programs expect to find in their environment."""

    uid: int
    gid: int
    groups: list[int]
    name: str
    home: str

    @property
    def variables(self) -> dict[str, str]:
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """The command that becomes this user and then `argv`.

        A program of our own in between, because `setpriv` is not everywhere the same and subprocess's `user=` forks us whole.
        """
        groups = ",".join(map(str, self.groups))
        return [sys.executable, "-I", "-S", _BECOME, str(self.uid), str(self.gid), groups, *argv]


def find_identity(user: str) -> Identity:
    """Resolves `user` or `user:group`, names or numbers. May ask a directory service, so not in the event loop.

    A number without an account needs a group beside it, and has no home but `/`. Raises LookupError for an unknown name,
    PermissionError if we are not root.
    """
    if os.geteuid() != 0:
        raise PermissionError(f"cannot run as {user}: the server does not run as root")
    name, _, group = user.partition(":")
    gid = _group_id(group) if group else None
    account = _find_account(name)
    if account:
        primary = account.pw_gid if gid is None else gid
        return Identity(account.pw_uid, primary, os.getgrouplist(account.pw_name, primary), account.pw_name, account.pw_dir)
    if gid is None or not name.isdecimal():
        raise LookupError(f"cannot run as {user}: no such user")
    return Identity(int(name), gid, [gid], name, "/")


def _find_account(name: str) -> pwd.struct_passwd | None:
    with suppress(KeyError):
        return pwd.getpwnam(name)
    if name.isdecimal():
        with suppress(KeyError, OverflowError):
            return pwd.getpwuid(int(name))
    return None


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if name.isdecimal():
            return int(name)
        raise LookupError(f"cannot run with group {name}: no such group") from None
