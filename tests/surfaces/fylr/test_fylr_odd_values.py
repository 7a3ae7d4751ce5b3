"""Whatever is sent, the answer is an envelope of this API and never a fault."""

from typing import Any

import msgspec
from tests.surfaces.fylr.users_asking import TASK, People, asked

from rota.ops.context import Rota
from rota.surfaces.fylr import wire

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 2**63, 2**80, -(2**63) - 1, 1e308, "", "x", "\x00", "💤" * 300, "2026-13-45T00:00:00Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z", [], [None], [[]], {}, {"": None}, {"a": {"b": [1, {"c": "\x00"}]}},
    [{"hours": [True]}], [{"hours": [2**70]}], [{"timezone": ""}], [{"timezone": "../../etc/passwd"}], [{"weekdays": [5]}],
    {"recipients": None}, {"recipients": [None]}, {"recipients": [{"email": "a@b\r\nBcc: c@d"}]},
    {"recipients": [{"email": "@"}]},
)  # fmt: skip


def test_odd_values_in_every_field_are_taken_or_refused_with_reasons(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task()
        fields = [*wire.TaskBody.__struct_encode_fields__, "unknown", "__proto__"]
        for field in fields:
            for value in ODD:
                for method, path, version in (("POST", "", 1), ("PATCH", f"/{made['_id']}", made["_version"] + 1)):
                    raw = msgspec.json.encode({"task": {"task_module": "sleep", "_version": version, field: value}})
                    reply = await who.owner.client.request(
                        method, TASK + path, content=raw, headers={"Content-Type": "application/json"}
                    )
                    assert reply.status_code in (200, 400), (method, field, value, reply.text)
                    if reply.status_code == 200 and method == "PATCH":
                        made = reply.json()["task"]
                    assert reply.status_code == 200 or reply.json()["statuscode"] == 400
        assert (await who.owner.ask("GET", limit=1))["count"] > 1

    asked(rota, talk)
