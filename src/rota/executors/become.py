"""Becomes another user and then the given program. Run as a script of its own: UID GID GROUPS PROGRAM [ARGUMENT...]."""

import os
import signal
import sys


def become(uid: int, gid: int, groups: list[int], argv: list[str]) -> None:
    # What we were started with: the interpreter adds LC_CTYPE to its own copy.
    with open("/proc/self/environ", "rb") as environ:  # noqa: PTH123  pathlib would double the time this takes to start
        env = dict(item.split(b"=", 1) for item in environ.read().split(b"\0") if b"=" in item)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    os.chdir(".")  # the new user must be allowed to be here
    # The interpreter ignores these two, and what is ignored stays so in the program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execve(argv[0], argv, env)  # noqa: S606  no shell on purpose


if __name__ == "__main__":
    try:
        become(int(sys.argv[1]), int(sys.argv[2]), [int(group) for group in sys.argv[3].split(",")], sys.argv[4:])
    except OSError as error:
        sys.stderr.write(f"cannot become user {sys.argv[1]}: {error}\n")
        sys.exit(126)
