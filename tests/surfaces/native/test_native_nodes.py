"""GET /v1/nodes where a server has its database to itself. Several of them: tests/e2e/test_several_nodes.py."""

import pytest
from tests.asking import People, asked

from rota.ops.context import Rota
from rota.store.nodes import Node


@pytest.mark.embedded("a server on PostgreSQL is never alone: it is a node among others")
def test_a_server_alone_is_one_node_that_plans(rota: Rota) -> None:
    rota.here = Node(id="1", name="machine", labels=["gpu"], capacity=8)
    rota.vitals.running = 3

    async def talk(who: People) -> None:
        assert (await who.plain.get("/v1/nodes")).status_code == 403
        told = (await who.root.get("/v1/nodes")).json()
        assert told["term"] is None
        (node,) = told["items"]
        assert (node["name"], node["labels"], node["capacity"], node["busy"]) == ("machine", ["gpu"], 8, 3)
        assert (node["leads"], node["is_asked"], node["seen_at"]) == (True, True, "2026-03-02T12:00:00Z")

    asked(rota, talk)
