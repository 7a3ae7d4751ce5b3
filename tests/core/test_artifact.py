import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core import artifact
from rota.core.artifact import ArtifactRefused, base_name, check_size, folder_of, is_sound_key, key_of, run_prefix, staged_prefix

ID = "5f0c2f7c9a5b4d0e8b1a6f3d2c4e7a90"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("spec.pdf", "spec.pdf"),
        ("  spec.pdf \n", "spec.pdf"),
        ("/etc/passwd", "passwd"),
        ("../../x.txt", "x.txt"),
        ("C:\\Users\\ann\\x.txt", "x.txt"),
        ("folder/", "artifact"),
        ("..", "artifact"),
        (".", "artifact"),
        ("", "artifact"),
        ("a\x00b\r\nc.txt", "abc.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("données 日本.pdf", "données 日本.pdf"),
    ],
)
def test_a_name_is_what_is_behind_the_last_slash_and_can_be_seen(given: str, kept: str) -> None:
    assert base_name(given) == kept


@given(st.text(max_size=300))
def test_no_name_makes_a_key_that_leads_elsewhere(name: str) -> None:
    prefix = staged_prefix(folder_of("0b6e4c1e-3f0f-4a55-9d0e-6c2f1f2b7a10", 1))
    key = key_of(prefix, ID, name)
    assert key.startswith(f"{prefix}{ID}/")
    assert key.count("/") == prefix.count("/") + 1
    assert is_sound_key(key)
    assert len(key) <= artifact.LONGEST_KEY
    assert "${" not in key


def test_a_name_that_is_too_long_in_bytes_is_cut_before_its_ending() -> None:
    key = key_of("x/", ID, "日" * 200 + ".pdf")
    assert key.endswith("日.pdf")
    assert len(key.rpartition("/")[2].encode()) <= 255


def test_keys_say_project_task_and_run() -> None:
    folder = folder_of("T", 7)
    assert key_of(staged_prefix(folder), ID, "a.txt") == f"tasks/artifacts/team_7/task_T/staged/{ID}/a.txt"
    assert key_of(run_prefix(folder, "R"), ID, "a.txt") == f"tasks/artifacts/team_7/task_T/run_R/{ID}/a.txt"
    assert folder_of("T") == "tasks/artifacts/task_T/"


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "a/../b", "a/./b", "..", "a\x00b", "a\\b", "a\nb", "日" * 400])
def test_tricks_are_no_keys(key: str) -> None:
    assert not is_sound_key(key)


def test_a_file_may_have_thirty_megabytes_and_an_attached_pdf_ten() -> None:
    check_size("a.bin", "user_attachment", "", 30 * MIB)
    check_size("a.pdf", "output", "application/pdf", 30 * MIB)
    check_size("a.pdf", "user_attachment", "", 10 * MIB)
    with pytest.raises(ArtifactRefused, match=r"^a.bin exceeds the 30MB attachment limit$"):
        check_size("a.bin", "user_attachment", "", 30 * MIB + 1)
    for name, content_type in (("spec.PDF", ""), ("spec", "Application/PDF; charset=x")):
        with pytest.raises(ArtifactRefused, match=r"exceeds the 10MB attachment limit for PDFs in cloud runs$"):
            check_size(name, "user_attachment", content_type, 10 * MIB + 1)
