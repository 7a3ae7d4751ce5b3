"""Modules over the native API: which there are, who may use them, and what is checked and hidden."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.asking import People, asked, new_run, new_task

from rota.modules.catalogue import Catalogue
from rota.ops.context import Rota

TEXT = """
import rota

@rota.module(displayname={"de-DE": "Sichern", "en-US": "Back up"})
def back_up(folder: str, token: rota.Secret, keep: int = 3):
    return keep
"""
GIVEN = {"folder": "/srv", "token": "hunter22"}


@pytest.fixture
def rota(rota: Rota, tmp_path: Path) -> Rota:
    (tmp_path / "own.py").write_text(TEXT)
    rota.modules = Catalogue([str(tmp_path / "own.py")], env=os.environ)
    assert rota.modules.read() == []
    return rota


def module(**params: Any) -> dict[str, Any]:
    return {"kind": "module", "module": "back_up", "params": params}


def test_modules_are_listed_for_who_may_use_them(rota: Rota) -> None:
    async def talk(who: People) -> None:
        assert (await who.plain.get("/v1/modules")).status_code == 403
        items = (await who.root.get("/v1/modules")).json()["items"]
        (own,) = (each for each in items if each["name"] == "back_up")
        assert own["displayname"] == {"de-DE": "Sichern", "en-US": "Back up"}
        assert own["params"][0]["parameters"]["token"] == {"type": "secret", "position": 1, "required": True}
        refused = await who.plain.post("/v1/tasks", json={"name": "b", "executor": module(**GIVEN)})
        assert (refused.status_code, "system.task" in refused.text) == (403, True)

    asked(rota, talk)


@pytest.mark.parametrize(
    ("executor", "places"),
    [
        ({"kind": "module", "module": "backup"}, {"body.executor.module": "did you mean back_up?"}),
        (
            module(folder=1, token=2),
            {"body.executor.params.folder": "must be a text", "body.executor.params.token": "must be a text"},
        ),
        (module(**GIVEN, kep=1), {"body.executor.params.kep": "did you mean keep?"}),
        (module(folder="/srv"), {"body.executor.params.token": "is required"}),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(rota: Rota, executor: dict[str, Any], places: dict[str, str]) -> None:
    async def talk(who: People) -> None:
        schedule = {"kind": "cron", "expr": "0 3 * * *"}
        answer = await who.root.post("/v1/tasks", json={"name": "b", "executor": executor, "schedule": schedule})
        assert answer.status_code == 422
        found = {problem["location"]: problem["message"] for problem in answer.json()["errors"]}
        assert found.keys() == places.keys()
        assert all(places[place] in message for place, message in found.items())
        assert "hunter22" not in answer.text

    asked(rota, talk)


def test_what_a_task_leaves_open_is_given_with_a_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.root, executor=module(folder="/srv"))
        refused = await who.root.post("/v1/tasks/backup/run", json={"params": {"keep": "x"}})
        assert refused.status_code == 422
        assert [each["location"] for each in refused.json()["errors"]] == ["body.params.keep", "body.params.token"]
        run = await new_run(who.root, task, token="hunter22", keep=1)
        assert run["params"] == {"token": "[redacted]", "keep": 1}

    asked(rota, talk)


def test_a_secret_is_shown_nowhere_and_survives_being_sent_back(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.root, executor=module(**GIVEN), params={"token": "hunter33"})
        assert task["executor"]["params"] == {"folder": "/srv", "token": "[redacted]"}
        run = await new_run(who.root, task)
        pages = [f"/v1/tasks/{task['id']}", "/v1/tasks", "/v1/runs", f"/v1/runs/{run['id']}"]
        shown = [(await who.root.get(page)).text for page in pages]
        assert not any("hunter" in text for text in shown)
        changed = {"executor": task["executor"] | {"params": task["executor"]["params"] | {"keep": 9}}, "params": task["params"]}
        await who.root.patch(f"/v1/tasks/{task['id']}", json=changed)
        rows = await rota.database.read(lambda c: c.rows("SELECT doc FROM tasks"))
        assert '"token":"hunter22"' in rows[0][0]
        assert '"token":"hunter33"' in rows[0][0]
        assert '"keep":9' in rows[0][0]

    asked(rota, talk)
