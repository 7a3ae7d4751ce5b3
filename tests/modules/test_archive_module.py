"""`archive`: what is in an archive, and which archives are kept."""

import os
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.modules.given_context import Told, context

from rota.core.errors import Forbidden
from rota.modules import Cancelled, archives, places
from rota.modules.archives import Kept, archive_name, prune
from rota.modules.builtin.archive import archive

NOW = datetime(2026, 11, 22, 2, 15, tzinfo=UTC)


@pytest.fixture
def tree(tmp_path):
    source = tmp_path / "source"
    (source / "sub/empty").mkdir(parents=True)
    (source / "a.txt").write_text("alpha")
    (source / "sub/b.bin").write_bytes(bytes(range(256)) * 100)
    (source / "sub/c.tmp").write_text("not wanted")
    (source / "out").symlink_to("/etc/passwd")
    (source / "a.txt").chmod(0o640)
    os.utime(source / "a.txt", (1e9, 1e9))
    (tmp_path / "target").mkdir()
    return tmp_path


def run(tree, told=None, **more):
    ctx = context(told, roots=[str(tree)])
    return archive(ctx, source=str(tree / "source"), target=str(tree / "target"), name="backup", **more)


@pytest.mark.parametrize("form", ["tar.gz", "tar.xz", "tar"])
def test_an_archive_holds_all_there_is(tree, form):
    told = Told()
    output = run(tree, told, form=form, exclude=["*.tmp"])
    assert output["archive"].startswith(f"{tree}/target/backup-2")
    assert (output["entries"], output["bytes"], output["left_out"]) == (5, 25605, 0)
    with tarfile.open(output["archive"]) as packed:
        assert packed.getnames() == ["a.txt", "out", "sub", "sub/b.bin", "sub/empty"]
        info = packed.getmember("a.txt")
        assert (info.mode, info.mtime, info.isfile()) == (0o640, 1e9, True)
        assert packed.getmember("out").linkname == "/etc/passwd"
        content = packed.extractfile("sub/b.bin")
        assert content is not None
        assert content.read() == (tree / "source/sub/b.bin").read_bytes()
    assert told.lines[-1][0::2] == ("info", 100)
    assert Path(output["archive"]).stat().st_mode & 0o777 == 0o600


def test_archives_below_the_folder_do_not_hold_each_other(tree):
    ctx = context(roots=[str(tree)])
    for _ in range(2):
        output = archive(ctx, source=str(tree), target=str(tree / "target"), name="backup")
        with tarfile.open(output["archive"]) as packed:
            assert not [name for name in packed.getnames() if name.startswith("target/")]


def test_pipes_are_left_out_and_told(tree):
    told = Told()
    os.mkfifo(tree / "source/pipe")
    assert run(tree, told)["left_out"] == 1
    assert any(level == "warning" and "pipe" in message for level, message, _ in told.lines)


def test_a_file_that_is_cut_meanwhile_does_not_spoil_the_archive(tree, monkeypatch):
    """As if it were cut between the look at its size and its reading."""
    opened = places.open_plain

    def open_and_cut(folder, name):
        file = opened(folder, name)
        if file and name == "b.bin":
            size = os.fstat(file.fileno()).st_size
            monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((0o100644, 0, 0, 0, 0, 0, size + 10, 0, 0, 0)))
        return file

    monkeypatch.setattr(archives, "open_plain", open_and_cut)
    monkeypatch.setattr(archives, "_is_ours", lambda *_: False)
    output = run(tree)
    monkeypatch.undo()
    with tarfile.open(output["archive"]) as packed:
        content = packed.extractfile("sub/b.bin")
        assert content is not None
        assert content.read()[-10:] == bytes(10)
        assert packed.getnames()[-1] == "sub/empty"


def test_who_cancels_leaves_no_archive(tree):
    ctx = context(roots=[str(tree)])
    ctx.cancel()
    with pytest.raises(Cancelled):
        archive(ctx, source=str(tree / "source"), target=str(tree / "target"))
    assert list((tree / "target").iterdir()) == []


@pytest.mark.parametrize("name", ["source", "target"])
def test_both_folders_must_be_below_a_root(tree, name):
    paths = {"source": str(tree / "source"), "target": str(tree / "target")} | {name: "/tmp"}  # noqa: S108
    with pytest.raises(Forbidden):
        archive(context(roots=[str(tree)]), **paths)


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (Kept(), [0, 1, 2, 3, 30]),
        (Kept(count=2), [0, 1]),
        (Kept(days=2), [0, 1, 2]),
        (Kept(count=2, days=1), [0, 1]),
        (Kept(count=9, days=1), [0, 1]),
    ],
)
def test_only_old_archives_of_its_name_are_deleted(tmp_path, kept, left):
    names = {days: archive_name("backup", NOW - timedelta(days=days), "tar.gz") for days in (0, 1, 2, 3, 30)}
    others = ["backup.tar.gz", "backup-other-2020-01-01T000000Z.tar.gz", "backup-2020-13-01T000000Z.tar.gz", "backup-notes"]
    for name in [*names.values(), *others]:
        (tmp_path / name).touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    prune(folder, "backup", kept, NOW)
    os.close(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, *(names[days] for days in left)])


def test_the_newest_is_kept_however_old_it_is(tmp_path):
    (tmp_path / archive_name("backup", NOW - timedelta(days=400), "tar")).touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    assert prune(folder, "backup", Kept(days=1), NOW) == []
    os.close(folder)
