"""Carries out an SQL statement against a database that the settings name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from rota.modules.builtin.words import both, param
from rota.modules.context import Context
from rota.modules.decorator import module


@module(
    displayname=both("SQL", "SQL"),
    description=both(
        "Carries out a statement against a database of the settings, its rows as CSV if wanted.",
        "Führt eine Anweisung gegen eine Datenbank der Einstellungen aus, die Zeilen auf Wunsch als CSV.",
    ),
)
def sql(
    ctx: Context,
    database: Annotated[
        str,
        param(
            ("Database", "Datenbank"), ("Its name in [databases] of the settings.", "Ihr Name in [databases] der Einstellungen.")
        ),
    ],
    statement: Annotated[
        str, param(("Statement", "Anweisung"), ("One of SQL.", "Eine in SQL."), min_length=1, max_length=100_000, pattern=r"\S")
    ],
    parameters: Annotated[
        dict[str, Any] | None,
        param(("Values", "Werte"), ("Of :name in the statement.", "Von :name in der Anweisung.")),
    ] = None,
    csv: Annotated[
        str | None,
        param(
            ("CSV file", "CSV-Datei"),
            (
                "For the rows: a name, for an artifact of the run, or a path below [files] roots.",
                "Für die Zeilen: ein Name, für ein Artefakt des Laufs, oder ein Pfad unterhalb von [files] roots.",
            ),
            pattern=r"^(/.+|[A-Za-z0-9_][A-Za-z0-9._-]{0,199})\Z",
        ),
    ] = None,
    max_rows: Annotated[
        int, param(("Rows at most", "Höchstens Zeilen"), ("More are a failure.", "Mehr sind ein Fehler."), minimum=0)
    ] = 1_000_000,
) -> dict[str, Any]:
    """All in one transaction. `rows` of the output are those that came, or that were changed."""
    from rota.core.errors import Invalid
    from rota.modules.builtin.extra import need_sqlalchemy

    url = ctx.given.get("databases", {}).get(database)
    if url is None:
        known = ", ".join(ctx.given.get("databases", {})) or "none"
        raise Invalid(f"[databases] of the settings names no {database[:100]}; there are: {known}")
    need_sqlalchemy("sql")
    from rota.modules.statements import run_statement

    done = run_statement(
        url,
        f"the database {database}",
        statement,
        parameters or {},
        into=partial(_open_csv, csv, ctx.given.get("roots", [])) if csv else None,
        most_rows=max_rows,
        check=ctx.check,
    )
    ctx.info(f"{done.rows} rows", 100)
    return {"rows": done.rows, "columns": done.columns, "csv": csv if done.columns is not None else None}


@contextmanager
def _open_csv(csv: str, roots: list[str]) -> Iterator[Any]:
    from rota.core.errors import Unavailable
    from rota.modules.places import replacing

    if not csv.startswith("/"):
        folder = os.environ.get("ROTA_ARTIFACTS")
        if not folder:
            raise Unavailable("runs have no artifacts here; csv needs a path")
        Path(folder).mkdir(parents=True, exist_ok=True)
        csv, roots = f"{folder}/{csv}", [folder]
    with replacing(csv, roots) as file:
        yield file
