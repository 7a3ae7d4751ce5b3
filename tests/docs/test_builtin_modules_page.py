"""The page on built-in modules does what it says."""

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from tests.receivers import answer, receiving
from tests.running import running

from rota.core.actor import OPERATOR
from rota.modules.builtin import BUILTINS
from rota.modules.catalogue import Catalogue
from rota.modules.records.deletion import POLICIES
from rota.modules.records.search import Complex, Fulltext, In, Match, Range
from rota.ops.artifacts import list_artifacts, run_of
from rota.ops.runs import wait_run
from rota.ops.starts import start_task
from rota.server import Source

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).parents[2] / "docs" / "builtin-modules.md").read_text()
(SETTINGS,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SHOP = """
CREATE TABLE products (id INTEGER PRIMARY KEY, title TEXT, maker TEXT, price INTEGER, tags TEXT, deleted_at DATETIME,
  updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE orders (id INTEGER PRIMARY KEY, product_id INTEGER);
INSERT INTO products (id, title, price) VALUES (1, 'New lamp', 20), (2, 'Old lamp', 5), (3, 'Table', 90);
"""


class Taken:
    """A mail server that takes everything."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd finds it by this name
        return "250 taken"


def rows(heading: str) -> dict[str, list[str]]:
    lines = PAGE.split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: rest for names, *rest in cells for name in re.findall(r"`([^`]+)`", names)}


def sure_and_other(cell: str) -> tuple[dict[str, Any], set[str]]:
    """What an output holds for sure, and keys whose values are other each time."""
    (text,) = re.findall(r"`(\{.*\})`", cell)
    return json.loads(text), set(re.findall(r"`(\w+)`", cell))


@pytest.fixture
def shop(tmp_path):
    for folder in ("out", "backup"):
        (tmp_path / "shop" / folder).mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / "shop/shop.db")) as database:
        database.executescript(SHOP)
    return tmp_path


async def run_all(source: Source, names: list[str]) -> dict[str, Any]:
    found = {}
    async with running(source) as rota:
        for name in names:
            start = await start_task(rota, OPERATOR, name, {})
            ended = await wait_run(rota, OPERATOR, start.run.id, 30)
            assert (ended.state, ended.error) == ("succeeded", None), name
            found[name] = ended.output
            kept = await list_artifacts(rota, run_of(OPERATOR, start.run.id))
            assert [each.name for each in kept] == (["orders.csv"] if name == "orders" else [])
    return found


def test_the_example_runs_and_gives_what_the_page_says(shop):
    told = {name: sure_and_other(cells[0]) for name, cells in rows("Task | Output of its run").items()}

    async def ask() -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        async with (
            receiving(answer(200, b"ok")) as site,
            await loop.create_server(lambda: SMTP(Taken(), hostname="mx", loop=loop), "127.0.0.1", 0) as mail,
        ):
            text = SETTINGS.replace("/srv/shop", f"{shop}/shop").replace("127.0.0.1:8080", f"127.0.0.1:{site.port}")
            text = text.replace("port = 2525", f"port = {mail.sockets[0].getsockname()[1]}").replace(
                'on_event = "run.succeeded"\n', ""
            )
            (shop / "rota.toml").write_text(text)
            source = Source(shop / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(shop / "data")})
            return await run_all(source, list(told))

    for name, output in asyncio.run(ask()).items():
        sure, others = told[name]
        shown = json.loads(json.dumps(output).replace(f"{shop}/shop", "/srv/shop"))
        assert {key: value for key, value in shown.items() if key not in others} == sure
        assert others <= shown.keys()
    assert (shop / "shop/out/products.csv").read_text().split() == ["id,title,price", "1,New", "lamp,20", "3,Table,90"]


def test_every_module_parameter_element_and_policy_is_on_the_page():
    assert set(rows("Module | What it does")) == set(BUILTINS)
    for definition in Catalogue().list():
        assert all(f"`{name}`" in PAGE for name in definition.parameters), definition.name
    kinds = {kind: re.findall(r"\w+", cells[0]) for kind, cells in rows("`type` | keys | finds records").items()}
    assert kinds == {
        str(each.__struct_config__.tag): [name for name in each.__struct_encode_fields__ if name != "bool"]
        for each in (In, Match, Fulltext, Range, Complex)
    }
    assert set(rows("`delete_policy` | What happens")) == set(POLICIES)
