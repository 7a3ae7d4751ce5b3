import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rota.core.errors import Conflict, Unavailable
from rota.store.owner import take_ownership

HOLD = """
import sys
from rota.store.owner import take_ownership
held = take_ownership(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with take_ownership(tmp_path / "data"):
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        assert (tmp_path / "data" / "server.lock").read_text() == f"{os.getpid()}\n"


def test_a_second_taker_is_told_who_holds_what(tmp_path: Path) -> None:
    with take_ownership(tmp_path), pytest.raises(Conflict) as caught:
        take_ownership(tmp_path)
    assert str(os.getpid()) in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint is not None


def test_it_can_be_taken_again_after_release(tmp_path: Path) -> None:
    take_ownership(tmp_path).release()
    with take_ownership(tmp_path) as again:
        again.release()
        again.release()
    with take_ownership(tmp_path) as third:
        assert third.directory == tmp_path


def test_a_killed_holder_leaves_it_free(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match=str(child.pid)):
            take_ownership(tmp_path)
        child.kill()
    take_ownership(tmp_path).release()


def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be made"):
        take_ownership(tmp_path / "file" / "data")
