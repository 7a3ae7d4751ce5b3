import sys

import pytest

from rota.cli.table import plain, show_table


class Terminal:
    """Standard output as a terminal that keeps what it is sent."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


def test_plain_columns_are_aligned_and_every_row_has_every_column() -> None:
    assert plain(("name", "state"), [("backup", "active"), ("a", "")]).splitlines() == [
        "NAME    STATE",
        "backup  active",
        "a       -",
    ]


def test_a_pipe_gets_no_colour_and_no_box(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name", "state"), [("backup", "failed")], empty="none")
    assert capsys.readouterr().out == "NAME    STATE\nbackup  failed\n"


def test_an_empty_table_leaves_stdout_empty(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name",), [], empty="No tasks.")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "No tasks.\n")


def test_a_cell_cannot_send_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("title",), [("\x1b[2Jgone\nnext",)], empty="none")
    assert capsys.readouterr().out == "TITLE\n[2Jgone next\n"


def test_a_terminal_gets_colour(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal)
    show_table(("state",), [("failed",)], empty="none")
    assert "\x1b[31mfailed" in terminal.text


def test_no_color_is_respected(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", terminal)
    show_table(("state",), [("failed",)], empty="none")
    assert "failed" in terminal.text
    assert "\x1b[3" not in terminal.text
