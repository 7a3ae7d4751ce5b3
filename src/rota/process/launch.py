"""Starts a program by the C library, while other threads go on: Python's own way holds its lock until the child calls exec."""

import ctypes
import os
import signal
from collections.abc import Iterable, Mapping, Sequence

# Python ignores these, and what is ignored stays so in a program that is started.
IGNORED = [signal.SIGPIPE, signal.SIGXFSZ]
# More than the C libraries take for any of the structures they keep to themselves (glibc: 336, 128 and 80 bytes).
_ROOM_BYTES = 512
_SETSIGDEF, _SETSID = 0x04, 0x80
CHANNEL = 3
_DEVNULL = os.fsencode(os.devnull)

_libc = ctypes.CDLL(None)


def posix_spawn(argv: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int, channel: int | None = None) -> int:
    """The pid of `argv[0]`, a path, in a session of its own, with nothing to read on stdin. It has the `channel` as number 3.

    Raises OSError with that path, and ValueError for a text with a NUL or a variable with a `=` in its name.
    """
    if any("=" in name for name in env):
        raise ValueError("illegal environment variable name")
    words, variables = _texts(argv), _texts(f"{name}={value}" for name, value in env.items())
    pid = ctypes.c_int()
    actions = ctypes.create_string_buffer(_ROOM_BYTES)
    _check(_libc.posix_spawn_file_actions_init(actions))
    try:
        _check(_libc.posix_spawn_file_actions_addopen(actions, 0, _DEVNULL, os.O_RDONLY, 0))
        _check(_libc.posix_spawn_file_actions_adddup2(actions, stdout, 1))
        _check(_libc.posix_spawn_file_actions_adddup2(actions, stderr, 2))
        if channel is not None:
            _check(_libc.posix_spawn_file_actions_adddup2(actions, channel, CHANNEL))
        _check(_libc.posix_spawn(ctypes.byref(pid), words[0], actions, _attributes, words, variables), argv[0])
    finally:
        _libc.posix_spawn_file_actions_destroy(actions)
    return pid.value


def _texts(values: Iterable[str]) -> "ctypes.Array[ctypes.c_char_p]":
    encoded = [os.fsencode(value) for value in values]
    if any(b"\0" in text for text in encoded):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _check(error: int, path: str | None = None) -> None:
    if error:
        raise OSError(error, os.strerror(error), path)


def _make_attributes() -> "ctypes.Array[ctypes.c_char]":
    signals = ctypes.create_string_buffer(_ROOM_BYTES)
    _libc.sigemptyset(signals)
    for number in IGNORED:
        _libc.sigaddset(signals, int(number))
    made = ctypes.create_string_buffer(_ROOM_BYTES)
    _check(_libc.posix_spawnattr_init(made))
    _check(_libc.posix_spawnattr_setsigdefault(made, signals))
    _check(_libc.posix_spawnattr_setflags(made, ctypes.c_short(_SETSIGDEF | _SETSID)))
    return made


_attributes = _make_attributes()
