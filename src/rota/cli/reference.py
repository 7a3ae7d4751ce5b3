"""The reference page of the command line, made from the commands: `python -m rota.cli.reference > docs/reference/cli.md`."""

from collections.abc import Iterator

import click

from rota.cli import root

INTRODUCTION = """\
# Command line

<!-- Made by `python -m rota.cli.reference`; a test compares. -->

Every command finds its Rota by the data directory: `--data`, else `ROTA_DATA`, else the settings file, else `./.rota`. The
settings file is `--config`, else `ROTA_CONFIG`, else `./rota.toml` or `./runwisp.toml`. Where the state is in PostgreSQL, a
command has to be told which one: by the settings file, `ROTA_DATABASE` or `--database`. A password in the last is shown to
everybody on the machine by `ps`.

With a server running there, commands ask it over its control socket (`rota.sock` in that directory) as the operator. With none,
they work on the stored data themselves; `run`, `stop`, `events publish` and `reload` need a server and exit with 3.

Lists are tables: coloured on a terminal (not with `NO_COLOR`), plain aligned columns with UTC moments in a pipe. With `--json`
they are JSON in the shape of the native API, and errors are JSON on stderr:
`{"error": {"code", "message", "exit_code", "hint"?, "problems"?}}`.

| Exit code | Meaning |
|---|---|
| 0 | done |
| 1 | the run failed, the file is not valid, or the command could not do its work |
| 2 | wrong usage: an unknown command, option, task, run or user, or a value that does not fit |
| 3 | no server answers, and the command needs one |
| 130 | interrupted by Ctrl-C |
| other | `run --wait`: the exit code of the run itself, 128 + N if signal N ended it |
"""


def render_reference() -> str:
    """The whole page in Markdown."""
    context = click.Context(root, info_name="rota")
    parts = [INTRODUCTION]
    for name in root.list_commands(context):
        parts += _sections(root.commands[name], context)
    return "\n".join(parts)


def _sections(command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=command.name, parent=parent)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _sections(command.commands[name], context)
    else:
        yield _section(command, context)


def _section(command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    options = [param for param in command.params if isinstance(param, click.Option)]
    rows = [row for option in options if (row := option.get_help_record(context))]
    lines = [f"## {context.command_path}", "", f"    {context.command_path} {usage}".rstrip(), "", _text_of(command), ""]
    lines += ["| Option | Meaning |", "|---|---|", *(f"| `{name}` | {_cell(meaning)} |" for name, meaning in rows), ""]
    return "\n".join(lines)


def _text_of(command: click.Command) -> str:
    return "\n".join(line.strip() for line in (command.help or "").strip().splitlines())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").strip()


if __name__ == "__main__":
    print(render_reference(), end="")
