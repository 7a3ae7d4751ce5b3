"""`sql`: statements against databases that the settings name, on both kinds."""

import csv
import subprocess
import sys

import pytest
from tests.modules.given_context import Told, context

from rota.core.errors import Conflict, Forbidden, Invalid, Unavailable
from rota.modules import Cancelled
from rota.modules.builtin.sql import sql


@pytest.fixture
def run(collection, tmp_path):
    def runs(statement, told=None, database="shop", **more):
        ctx = context(told, roots=[str(tmp_path)], databases={"shop": collection.url})
        return sql(ctx, database, statement, **more)

    return runs


def test_rows_are_counted(run):
    told = Told()
    assert run("SELECT id, title FROM assets", told) == {"rows": 3, "columns": ["id", "title"], "csv": None}
    assert told.lines == [("info", "3 rows", 100)]


def test_changes_are_counted_and_kept(run, collection):
    assert run("UPDATE people SET name = name || '!'")["rows"] == 2
    assert collection.values("SELECT name FROM people ORDER BY id") == ["Ada!", "Bob!"]


def test_values_have_names(run):
    values = {"year": 1990, "title": "Red%"}
    assert run("SELECT 1 FROM assets WHERE year >= :year AND title LIKE :title", parameters=values)["rows"] == 1
    with pytest.raises(Conflict, match=r"the database shop: .*name"):
        run("SELECT :name", parameters={"other": 1})


def test_without_values_colons_and_percents_are_only_signs(run):
    assert run("SELECT ':name' AS a, '100%' AS b FROM assets WHERE title LIKE '%100%'")["rows"] == 1


def test_rows_are_written_as_csv(run, tmp_path):
    path = tmp_path / "out.csv"
    output = run("SELECT id, title, note FROM assets ORDER BY id", csv=str(path))
    assert (output["rows"], output["csv"]) == (3, str(path))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["id", "title", "note"], ["1", "Red car", "by the sea"], ["2", "Blue car", ""], ["3", "Red 100% wool", "a_b"]]
    assert run("DELETE FROM loans", csv=str(path))["csv"] is None


def test_a_plain_name_makes_an_artifact(run, tmp_path, monkeypatch):
    with pytest.raises(Unavailable, match="csv needs a path"):
        run("SELECT 1 AS one", csv="one.csv")
    monkeypatch.setenv("ROTA_ARTIFACTS", str(tmp_path / "kept"))
    assert run("SELECT 1 AS one", csv="one.csv")["csv"] == "one.csv"
    assert (tmp_path / "kept/one.csv").read_text().split() == ["one", "1"]


def test_rows_of_a_change_are_written_too(run, tmp_path, collection):
    path = tmp_path / "gone.csv"
    assert run("DELETE FROM loans RETURNING id", csv=str(path))["rows"] == 3
    assert path.read_text().split() == ["id", "21", "22", "23"]
    assert collection.values("SELECT count(*) FROM loans") == [0]


def test_too_many_rows_are_a_failure_that_changes_nothing(run, tmp_path, collection):
    with pytest.raises(Conflict, match="more than 2 rows"):
        run("DELETE FROM loans RETURNING id", max_rows=2, csv=str(tmp_path / "out.csv"))
    assert collection.values("SELECT count(*) FROM loans") == [3]
    assert not list(tmp_path.glob("*out.csv*"))


def test_what_the_database_refuses_is_told_in_its_words(run):
    with pytest.raises(Conflict, match=r"the database shop: .*nowhere"):
        run("SELECT * FROM nowhere")


def test_only_databases_of_the_settings_are_asked(run, tmp_path):
    for name in ("other", f"sqlite:///{tmp_path}/collection.db"):
        with pytest.raises(Invalid, match="there are: shop"):
            run("SELECT 1", database=name)


def test_csv_goes_below_a_root_alone(run):
    with pytest.raises(Forbidden):
        run("SELECT 1", csv="/tmp/out.csv")  # noqa: S108


@pytest.mark.parametrize("statement", ["ATTACH '{path}' AS other", "VACUUM INTO '{path}'"])
def test_sqlite_reaches_no_other_file(run, collection, tmp_path, statement):
    if "sqlite" not in collection.url:
        return
    with pytest.raises(Conflict):
        run(statement.format(path=tmp_path / "other.db"))
    assert not (tmp_path / "other.db").exists()


def test_who_cancels_changes_nothing(collection):
    ctx = context(databases={"shop": collection.url})
    ctx.cancel()
    with pytest.raises(Cancelled):
        sql(ctx, "shop", "DELETE FROM loans RETURNING id")
    assert collection.values("SELECT count(*) FROM loans") == [3]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////nowhere/at/all.db", "the file of the database shop is not there"),
        ("mysql+pymysql://me:hunter2@db/shop", "needs the driver pymysql"),
        ("odd://me:hunter2@db/shop", "of no kind that SQLAlchemy knows"),
    ],
)
def test_a_database_that_cannot_be_opened_is_told_without_its_url(url, words):
    with pytest.raises(Unavailable, match=words) as caught:
        sql(context(databases={"shop": url}), "shop", "SELECT 1")
    assert "hunter2" not in str(caught.value)


def test_without_the_extra_it_says_how_to_install_it():
    code = """
import sys
sys.modules["sqlalchemy"] = None
from rota.core.errors import Unavailable
from rota.modules.builtin.extra import need_sqlalchemy
try:
    need_sqlalchemy("sql")
except Unavailable as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "sql needs SQLAlchemy: pip install rota[sql]\n"
