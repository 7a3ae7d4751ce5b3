"""The examples in the documentation do what it says."""

import re
from pathlib import Path

import msgspec
import pytest

from rota.config import load
from rota.core.policy import Dst
from rota.core.schedule import compile_schedule
from rota.core.task import TaskSpec

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PLACE = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")


def blocks(language: str) -> list[tuple[str, str]]:
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    found = [(page, text) for page in PAGES for text in fence.findall(page.read_text())]
    return [(f"{page.name}-{number}", text) for number, (page, text) in enumerate(found)]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in blocks("toml")])
def test_a_settings_example_loads_without_a_warning(tmp_path, text):
    file = tmp_path / "rota.toml"
    file.write_text(text)
    loaded = load(file, {"UPLOAD_TOKEN": "t0ken-of-a-test"})
    assert loaded.units
    assert loaded.warnings == []


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in blocks("json")])
def test_a_task_example_is_a_task(text, moment):
    spec = msgspec.json.decode(text, type=TaskSpec)
    assert compile_schedule(spec.schedule, dst=Dst(), anchor_at=moment).next_after(moment)


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_links_lead_somewhere(page):
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def headings(page: Path) -> set[str]:
    """As links name them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_links_into_a_page_lead_to_a_heading_of_it(page):
    places = [(page.parent / file if file else page, heading) for file, heading in PLACE.findall(page.read_text())]
    assert [f"{file.name}#{heading}" for file, heading in places if heading not in headings(file)] == []


def test_the_readme_shows_the_five_lines_that_load(tmp_path):
    five = re.search(r"    # rota.toml\n((?:    .*\n)+)", (ROOT / "README.md").read_text())
    assert five is not None
    file = tmp_path / "rota.toml"
    file.write_text(five.group(1).replace("    ", "", 1).replace("\n    ", "\n"))
    assert load(file, {}).units[0].name == "backup"


@pytest.fixture
def moment():
    from datetime import UTC, datetime

    return datetime(2027, 3, 1, tzinfo=UTC)
