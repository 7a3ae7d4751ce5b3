"""`checksum`: lists as `sha256sum` writes and reads them, and trees that differ from theirs."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.modules.given_context import Told, context

from rota.core.errors import Conflict, Forbidden
from rota.modules.builtin.checksum import checksum
from rota.modules.manifests import read_manifest, write_manifest


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "data/sub").mkdir(parents=True)
    (tmp_path / "data/a").write_text("alpha")
    (tmp_path / "data/sub/b\nc").write_text("strange name")
    (tmp_path / "data/link").symlink_to("/etc/passwd")
    return tmp_path


def run(tree, told=None, **more):
    return checksum(context(told, roots=[str(tree)]), folder=str(tree / "data"), **more)


def test_what_was_written_is_verified(tree):
    assert run(tree, mode="write") == {"files": 2, "manifest": f"{tree}/data/SHA256SUMS"}
    assert run(tree)["files"] == 2
    assert run(tree, mode="write")["files"] == 2


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5"])
def test_the_usual_programs_read_what_is_written_and_write_what_is_read(tree, algorithm):
    program = shutil.which(f"{algorithm}sum")
    assert program
    manifest = tree / "sums"
    run(tree, mode="write", manifest=str(manifest), algorithm=algorithm)
    subprocess.run([program, "--check", "--strict", "--quiet", str(manifest)], cwd=tree / "data", check=True)
    with manifest.open("wb") as file:
        subprocess.run([program, "a", "sub/b\nc"], cwd=tree / "data", check=True, stdout=file)
    assert run(tree, manifest=str(manifest), algorithm=algorithm)["files"] == 2


def test_each_difference_is_told(tree):
    run(tree, mode="write")
    (tree / "data/a").write_text("beta")
    (tree / "data/sub/b\nc").unlink()
    (tree / "data/new").touch()
    told = Told()
    with pytest.raises(Conflict, match="1 changed, 1 missing, 1 not listed"):
        run(tree, told)
    assert [line[:2] for line in told.lines] == [
        ("error", "has changed: a"),
        ("error", "is missing: sub/b\nc"),
        ("error", "is not listed: new"),
    ]


def test_further_files_may_be_allowed_and_parts_left_out(tree):
    run(tree, mode="write")
    (tree / "data/new").touch()
    assert run(tree, allow_unlisted=True)["unlisted"] == 1
    shutil.rmtree(tree / "data/sub")
    assert run(tree, exclude=["sub", "new"])["files"] == 1


@pytest.mark.parametrize("line", ["nonsense", "xyz  a", "abc a", "abc  ", "abc"])
def test_a_list_that_is_none_is_refused_by_line(tree, line):
    (tree / "sums").write_text(f"# made by hand\n\n{line}\n")
    with pytest.raises(Conflict, match="line 3 of the manifest"):
        run(tree, manifest=str(tree / "sums"))


def test_a_list_cannot_lead_out_of_the_folder(tree):
    (tree / "sums").write_text("00  ../sums\n00  /etc/passwd\n")
    told = Told()
    with pytest.raises(Conflict, match="0 changed, 2 missing"):
        run(tree, told, manifest=str(tree / "sums"), allow_unlisted=True)


def test_lists_are_below_a_root_too(tree):
    for mode in ("verify", "write"):
        with pytest.raises(Forbidden):
            run(tree, mode=mode, manifest="/tmp/sums")  # noqa: S108


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1), st.binary(min_size=4, max_size=4)
    )
)
def test_names_of_every_kind_survive(names):
    sums = {name: digest.hex() for name, digest in names.items()}
    assert read_manifest(write_manifest(sums)) == sums
