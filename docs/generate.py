"""Writes the pages of docs/reference that are made from the code. A test compares."""

from collections.abc import Callable
from pathlib import Path

from rota import config
from rota.cli import reference as cli_reference
from rota.http.reference import render_reference
from rota.surfaces.native.routes import describe

API = """<!-- Made by docs/generate.py; a test compares. -->

All routes of the native API and the objects they take and give. How to ask, how refusals look, and what each route means in
detail: [coverage](../../src/rota/surfaces/native/COVERAGE.md). The same for machines: `GET /v1/openapi.json`."""

FOLDER = Path(__file__).parent / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "settings.md": config.render_reference,
    "cli.md": cli_reference.render_reference,
    "api.md": lambda: render_reference("Native API", API, describe()),
}


def main() -> None:
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render())


if __name__ == "__main__":
    main()
