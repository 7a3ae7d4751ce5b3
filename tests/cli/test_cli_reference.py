from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rota.cli import root
from rota.cli.reference import render_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
FIXED = {
    "serve": {"--config", "--data", "--listen", "--database"},
    "validate": {"--data", "--json"},
    "user add": {"--email", "--right", "--password-stdin", "--data", "--json"},
    "project add": {"--data", "--json"},
    "project join": {"--user", "--data", "--json"},
    "key add": {"--user", "--for", "--scope", "--project", "--data", "--json"},
    "agent add": {"--scope", "--data", "--json"},
    "tasks": {"--data", "--json"},
    "runs": {"--task", "--state", "-n", "--data", "--json"},
    "run": {"--param", "--wait", "--data", "--json"},
    "logs": {"-f", "-n", "--data", "--json"},
    "stop": {"--timeout", "--data", "--json"},
    "next": {"-n", "--data", "--json"},
    "events publish": {"--data", "--json"},
    "reload": {"--data", "--json"},
    "config": {"--data", "--json"},
}


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} ")
        else:
            yield f"{prefix}{name}", command


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text() == render_reference(), "make it anew: python -m rota.cli.reference > docs/reference/cli.md"


def test_every_command_has_its_section() -> None:
    page = render_reference()
    assert all(f"\n## rota {name}\n" in page for name, _ in commands(root))


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{name} {option.opts[0]}"
        for name, command in commands(root)
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


@pytest.mark.parametrize("name", FIXED)
def test_the_options_that_scripts_rely_on_are_there(name: str) -> None:
    command = dict(commands(root))[name]
    assert {word for param in command.params for word in param.opts} >= FIXED[name]
