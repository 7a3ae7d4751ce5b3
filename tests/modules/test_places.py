"""Modules reach what is below the roots of the settings, and nothing else."""

import os
import socket

import pytest

from rota.core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from rota.modules.places import open_file, open_folder, replacing


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root/deep").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("s3cret")
    (tmp_path / "root/deep/file").write_text("inside")
    return tmp_path / "root"


def read(path, *roots):
    with open_file(str(path), [str(each) for each in roots]) as file:
        return file.read()


def test_what_is_below_a_root_is_read(root, tmp_path):
    assert read(root / "deep/file", tmp_path / "other", root) == b"inside"
    assert read(root / "deep/../deep/file", root) == b"inside"
    with open_folder(str(root), [str(root)]) as folder:
        assert os.listdir(folder) == ["deep"]  # noqa: PTH208  a descriptor


@pytest.mark.parametrize("path", ["/etc/passwd", "{root}/../outside/secret", "{root}-other/x", "{root}/link/secret"])
def test_what_is_elsewhere_is_not(root, path):
    (root / "link").symlink_to("../outside")
    with pytest.raises(Forbidden, match=r"\[files\] roots"):
        read(path.format(root=root), root)


def test_a_link_is_no_file(root):
    (root / "link").symlink_to("../outside/secret")
    with pytest.raises(NotFound):
        read(root / "link", root)


def test_links_between_folders_below_are_followed(root):
    (root / "link").symlink_to("deep")
    assert read(root / "link/file", root) == b"inside"


def test_a_root_may_be_a_link_itself(root, tmp_path):
    (tmp_path / "other").symlink_to(root)
    assert read(tmp_path / "other/deep/file", tmp_path / "other") == b"inside"


def test_without_roots_nothing_may_be_touched(root):
    with pytest.raises(Unavailable, match=r"\[files\] roots of the settings must name"):
        read(root / "deep/file")


@pytest.mark.parametrize("path", ["deep/file", "", "/x\0y/z"])
def test_paths_are_absolute(root, path):
    with pytest.raises(Invalid):
        read(path, root)


def test_what_is_no_plain_file_is_not_waited_for(root):
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(root, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        for name in ("pipe", "socket", "deep", "nothing"):
            with pytest.raises(NotFound):
                read(root / name, root)


def test_a_file_takes_its_place_whole_or_not_at_all(root):
    target = root / "deep/file"
    with pytest.raises(ZeroDivisionError), replacing(str(target), [str(root)]) as file:
        file.write(b"half")
        1 / 0  # noqa: B018
    assert (target.read_text(), len(list((root / "deep").iterdir()))) == ("inside", 1)
    with replacing(str(target), [str(root)]) as file:
        file.write(b"whole")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("whole", 0o600)


def test_what_a_killed_run_left_is_written_over(root):
    (root / ".new.part").write_text("much more than is written now")
    with replacing(str(root / "new"), [str(root)]) as file:
        file.write(b"new")
    assert (root / "new").read_text() == "new"


def test_two_runs_do_not_write_the_same_file(root):
    with replacing(str(root / "new"), [str(root)]) as file:
        file.write(b"first")
        with pytest.raises(Conflict, match="written by another run"), replacing(str(root / "new"), [str(root)]):
            pass
    assert (root / "new").read_text() == "first"


def test_a_link_is_not_written_through(root, tmp_path):
    (root / ".new.part").symlink_to(tmp_path / "outside/secret")
    with pytest.raises(OSError, match="symbolic"), replacing(str(root / "new"), [str(root)]):
        pass
    (root / "other").symlink_to(tmp_path / "outside/secret")
    with replacing(str(root / "other"), [str(root)]) as file:
        file.write(b"mine")
    assert (tmp_path / "outside/secret").read_text() == "s3cret"
    assert (root / "other").read_text() == "mine"
