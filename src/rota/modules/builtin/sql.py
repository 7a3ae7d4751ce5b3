"""Carries out an SQL statement against a database that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
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
                "Where the rows are written, below [files] roots.",
                "Wohin die Zeilen geschrieben werden, unterhalb von [files] roots.",
            ),
            pattern=r"^/",
        ),
    ] = None,
    max_rows: Annotated[
        int, param(("Rows at most", "Höchstens Zeilen"), ("More are a failure.", "Mehr sind ein Fehler."), minimum=0)
    ] = 1_000_000,
) -> dict[str, Any]:
    """All in one transaction. `rows` of the output are those that came, or that were changed."""
    from rota.core.errors import Invalid
    from rota.modules.builtin.extra import need_sqlalchemy
    from rota.modules.places import replacing

    url = ctx.given.get("databases", {}).get(database)
    if url is None:
        known = ", ".join(ctx.given.get("databases", {})) or "none"
        raise Invalid(f"[databases] of the settings names no {database[:100]}; there are: {known}")
    need_sqlalchemy("sql")
    from rota.modules.statements import run_statement

    @contextmanager
    def into() -> Iterator[Any]:
        with replacing(csv or "", ctx.given.get("roots", [])) as file:
            yield file

    done = run_statement(
        url,
        f"the database {database}",
        statement,
        parameters or {},
        into=into if csv else None,
        most_rows=max_rows,
        check=ctx.check,
    )
    ctx.info(f"{done.rows} rows", 100)
    return {"rows": done.rows, "columns": done.columns, "csv": csv if done.columns is not None else None}
