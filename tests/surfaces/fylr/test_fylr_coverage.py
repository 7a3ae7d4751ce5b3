"""The page of what is the same speaks of every route and field, and the API describes itself."""

import re
from pathlib import Path

from tests.surfaces.fylr.users_asking import People, asked

from rota.ops.context import Rota
from rota.surfaces import fylr
from rota.surfaces.fylr import wire
from rota.surfaces.fylr.routes import OAUTH, TOKENS

PAGE = (Path(__file__).parents[3] / "src/rota/surfaces/fylr/COVERAGE.md").read_text()


def test_every_route_has_its_line() -> None:
    told = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", PAGE, re.MULTILINE))
    routes = {f"{route.method} {route.path}" for route in fylr.ROUTES}
    assert told == routes | {f"{route.method} {OAUTH}{route.path}" for route in TOKENS}


def test_every_field_of_a_task_has_its_line() -> None:
    section = PAGE.partition("## A task's fields")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(wire.Task.__struct_encode_fields__)


def test_the_api_describes_itself_to_anybody(rota: Rota) -> None:
    async def talk(who: People) -> None:
        document = (await who.nobody.get("/openapi.json")).json()
        operations = {(path, method) for path, methods in document["paths"].items() for method in methods}
        assert len(operations) == len(fylr.ROUTES) + len(TOKENS)
        shapes = document["components"]["schemas"]
        assert shapes["TaskBody"]["properties"].keys() == shapes["Task"]["properties"].keys()
        token = document["paths"]["/api/oauth2/token"]["post"]
        assert list(token["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
        answered = {status for methods in document["paths"].values() for each in methods.values() for status in each["responses"]}
        assert not answered & {"415", "422"}

    asked(rota, talk)
