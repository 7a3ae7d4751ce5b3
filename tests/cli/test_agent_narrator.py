"""How `rota agent run` shows a run."""

import pytest

from rota.cli.agent import Narrator
from rota.core.agent import journal


def entry(text: str) -> dict[str, str]:
    return {"stream": "entry", "text": f'{{"level":"info","msg":"{text}"}}'}


def test_an_answer_is_shown_once_word_by_word(capfd: pytest.CaptureFixture[str]) -> None:
    show, shown = Narrator(), []
    parts = [
        entry("A: Running"), {"text": "Once"}, {"text": "Once upon"}, {"stream": "stdout", "text": "Once upon a time"},
        {"text": ""}, {"text": "The"}, {"stream": "stdout", "text": "The end"}, entry("Response: Once upon a time The end"),
        entry("B: Running"), entry("Response: whole"), {"stream": "system", "text": "a note"},
    ]  # fmt: skip
    for part in parts:
        show(part)
        shown.append(capfd.readouterr().out)
    assert shown == ["", "Once", " upon", " a time\n", "", "The", " end\n", "", "", "", ""]


def test_how_far_it_is_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    show = Narrator()
    for part in (entry("A: Running"), entry("Response: whole"), entry("Error: none"), {"stream": "system", "text": "a note"}):
        show(part)
    told = capfd.readouterr()
    assert (told.out, told.err.splitlines()) == ("", ["A: Running", "Response: whole", "Error: none", "a note"])


def test_a_long_answer_is_one_item_and_shown_once(capfd: pytest.CaptureFixture[str]) -> None:
    long = "x" * 25_000
    pieces = [{"stream": "entry", "text": text} for text in journal.encode("info", f"Response: {long}").decode().splitlines()]
    assert len(pieces) > 1
    show = Narrator()
    for part in (*pieces, entry("B: Running"), {"stream": "stdout", "text": long}, *pieces, entry("C: Running")):
        show(part)
    told = capfd.readouterr()
    assert (told.out, told.err.splitlines()) == (f"{long}\n", [f"Response: {long}", "B: Running", "C: Running"])
