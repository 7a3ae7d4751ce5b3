from tests.asking import People, asked, new_run, new_task

from rota.core.actor import OPERATOR
from rota.ops import artifacts
from rota.ops.artifacts import Given
from rota.ops.context import Rota

PAGE = Given(name="ü page.html", type="output", content_type="text/html", data=b"<script>alert(1)</script>")
EMPTY = Given(name="empty", type="output", source="run", data=b"")


def test_a_run_gives_its_files_to_whoever_may_see_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await new_task(who.owner))
        place = f"/v1/runs/{run['id']}/artifacts"
        assert (await who.owner.get(place)).json() == {"items": []}
        made = await artifacts.add_artifacts(rota, artifacts.run_of(OPERATOR, run["id"]), [PAGE, EMPTY])
        items = (await who.owner.get(place)).json()["items"]
        assert items[0] == {
            "id": made[0].id, "name": "ü page.html", "type": "output", "source": "", "size": 25, "content_type": "text/html",
            "uploaded_at": "2026-03-02T12:00:00Z",
        }  # fmt: skip
        for client in (who.owner, who.root, who.operator):
            reply = await client.get(f"{place}/{made[0].id}")
            assert (reply.status_code, reply.content) == (200, PAGE.data)
            assert reply.headers["content-type"] == "application/octet-stream"
            assert "filename*=UTF-8''%C3%BC%20page.html" in reply.headers["content-disposition"]
            assert (reply.headers["x-content-type-options"], reply.headers["content-length"]) == ("nosniff", "25")
        assert (await who.owner.get(f"{place}/{made[1].id}")).content == b""
        for client, status in ((who.stranger, 404), (who.plain, 404), (who.nobody, 401)):
            assert (await client.get(place)).status_code == status
            assert (await client.get(f"{place}/{made[0].id}")).status_code == status

    asked(rota, talk)


def test_there_is_no_other_file(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner)
        run, other = await new_run(who.owner, task), await new_run(who.owner, task)
        made = await artifacts.add_artifacts(rota, artifacts.run_of(OPERATOR, run["id"]), [PAGE])
        for path in (f"{other['id']}/artifacts/{made[0].id}", f"{run['id']}/artifacts/x", "x/artifacts", "x/artifacts/x"):
            reply = await who.owner.get(f"/v1/runs/{path}")
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        await rota.blobs.delete(made[0].key)
        assert (await who.owner.get(f"/v1/runs/{run['id']}/artifacts/{made[0].id}")).status_code == 404

    asked(rota, talk)
