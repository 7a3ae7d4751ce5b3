"""What is not there, and what may have been meant."""

import difflib

import pytest
from tests.factories import make_id, make_task, spec

from rota.core.actor import OPERATOR
from rota.core.errors import NotFound
from rota.ops import access
from rota.ops.context import Rota
from rota.store import tasks
from rota.store.connection import Connection


def test_a_wrong_name_is_compared_with_a_few_of_very_many(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def count(word: str, names: list[str], n: int) -> list[str]:
        compared.append(len(names))
        return access_matches(word, names, n=n)

    def add(c: Connection) -> None:
        for number in range(1000):
            tasks.insert_task(c, make_task(id=make_id(), spec=spec(name=f"backup-customer-{number:05d}-database")))

    access_matches = difflib.get_close_matches
    monkeypatch.setattr(access, "get_close_matches", count)
    rota.database.run(add)
    with pytest.raises(NotFound) as caught:
        rota.database.run(lambda c: access.get_task(c, OPERATOR, "backup-customer-00500-databose"))
    assert caught.value.hint == "did you mean backup-customer-00500-database?"
    assert compared == [400]
