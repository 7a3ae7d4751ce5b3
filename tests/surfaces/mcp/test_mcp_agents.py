"""Agents come with the access token of their Ordinaut login, to `/mcp` and to `/ordinaut/ext/mcp_http`."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.asking import client
from tests.surfaces.mcp.speaking import PIPELINE

from rota.core.actor import OPERATOR
from rota.ops import agents
from rota.ops.context import Rota
from rota.surfaces import SURFACES, mounted

SCOPES = {"writer": ["tasks:create", "tasks:read"], "reader": ["tasks:read"], "chief": ["admin"]}


async def logged_in(who: httpx.AsyncClient, rota: Rota, name: str) -> dict[str, str]:
    agent = await agents.add_agent(rota, OPERATOR, name, scopes=SCOPES[name])
    told = {"agent_id": agent.agent_id, "agent_secret": agent.agent_secret}
    reply = await who.post("http://localhost/ordinaut/agents/auth/token", json=told)
    return {"Authorization": f"Bearer {reply.json()['access_token']}"}


@pytest.mark.parametrize("root", ["/mcp", "/ordinaut/ext/mcp_http", "/ordinaut/v1/ext/mcp_http"])
def test_an_agent_has_its_own_tasks_and_what_its_scopes_name(rota: Rota, root: str) -> None:
    async def talk() -> None:
        async with client(mounted(rota, SURFACES)) as who:
            writer, reader, chief = [await logged_in(who, rota, name) for name in SCOPES]

            async def call(headers: dict[str, str], tool: str, **arguments: Any) -> Any:
                return (await who.post(f"http://localhost{root}/tools/{tool}", json=arguments, headers=headers)).json()

            assert (await call(writer, "create_task", name="greet", executor=PIPELINE))["ok"]
            assert (await call(reader, "create_task", name="greet", executor=PIPELINE))["error"]["code"] == "forbidden"
            assert (await call(writer, "run_task", task="greet"))["error"]["code"] == "forbidden"
            seen = [len((await call(each, "list_tasks"))["result"]["items"]) for each in (writer, reader, chief)]
            assert seen == [1, 0, 1]
            assert (await call({}, "list_tasks"))["code"] == "unauthorized"

            listed = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            accepted = {"Accept": "application/json, text/event-stream"}
            reply = await who.post(f"http://localhost{root}", json=listed, headers=writer | accepted)
            assert {"create_task", "wait_run"} <= {tool["name"] for tool in reply.json()["result"]["tools"]}

    asyncio.run(talk())
