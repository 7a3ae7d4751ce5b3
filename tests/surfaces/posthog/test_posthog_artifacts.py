"""Artifacts of tasks and runs (contract §5.6, §9; checklist lines 5 and 6)."""

import asyncio
import base64
from typing import Any

import httpx
import pytest
from tests.factories import make_new_run
from tests.surfaces.posthog.projects_asking import Client, People, asked

from rota.blobs import PREFIX
from rota.core.artifact import MissingArtifacts
from rota.http.mounts import with_mounted
from rota.ops.context import Rota
from rota.store import artifacts, runs
from rota.store.database import Connection
from rota.surfaces import storage

MIB = 1024 * 1024
SPEC = {"name": "spec.pdf", "type": "user_attachment", "source": "user_attachment", "content_type": "application/pdf"}
STAGED, NOWHERE = "/tasks/{}/staged_artifacts", "0b6e4c1e-3f0f-4a55-9d0e-6c2f1f2b7a10"


async def upload(who: People, prepared: dict[str, Any], content: bytes) -> int:
    app = with_mounted(who.app, PREFIX, storage.app(who.rota))
    post = prepared["presigned_post"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return (await client.post(post["url"], data=post["fields"], files={"file": ("x", content)})).status_code


async def prepare(asker: Client, task_id: str, **fields: Any) -> dict[str, Any]:
    item = {**SPEC, "size": 9, **fields}
    reply = await asker.post(f"{STAGED.format(task_id)}/prepare_upload", {"artifacts": [item]})
    made: dict[str, Any] = reply["artifacts"][0]
    return made


def to_finalize(prepared: dict[str, Any], **fields: Any) -> dict[str, Any]:
    kept = {name: prepared[name] for name in ("id", "name", "type", "source", "storage_path", "content_type")}
    return {**kept, **fields}


async def finalize(asker: Client, task_id: str, *items: dict[str, Any], status: int = 200) -> Any:
    return await asker.post(f"{STAGED.format(task_id)}/finalize_upload", {"artifacts": list(items)}, status)


async def new_run(rota: Rota, task_id: str, *artifact_ids: str) -> str:
    new = make_new_run(task_id)

    def write(c: Connection) -> None:
        runs.insert_runs(c, [new])
        artifacts.claim_staged(c, task_id, artifact_ids, new.run.id, rota.clock.now())

    await rota.database.write(write)
    return new.run.id


async def staged(who: People, task_id: str, content: bytes = b"%PDF-1.7\n", **fields: Any) -> dict[str, Any]:
    prepared = await prepare(who.owner, task_id, **fields)
    assert await upload(who, prepared, content) == 204
    made: dict[str, Any] = (await finalize(who.owner, task_id, to_finalize(prepared)))["artifacts"][0]
    return made


def test_what_is_prepared_uploaded_and_finalized_is_given_to_one_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        prepared = await prepare(who.owner, task_id, size=4)
        path = f"tasks/artifacts/team_{who.project}/task_{task_id}/staged/{prepared['id']}/spec.pdf"
        assert prepared["presigned_post"].pop("fields").keys() == {"key", "policy", "signature"}
        assert prepared == {
            **SPEC, "id": prepared["id"], "size": 4, "storage_path": path, "expires_in": 3600,
            "presigned_post": {"url": "http://localhost:8000/blobs"},
        }  # fmt: skip
        again = await prepare(who.owner, task_id, size=4)
        assert await upload(who, again, b"%PDF-1.7\n") == 204
        kept = to_finalize(again)
        made = await finalize(who.owner, task_id, kept)
        at = "2026-03-02T12:00:00.000000+00:00"
        assert made == {"artifacts": [{**kept, "size": 9, "uploaded_at": at}]}
        assert await finalize(who.owner, task_id, kept) == made
        run_id = await new_run(rota, task_id, kept["id"], kept["id"])
        with pytest.raises(MissingArtifacts):
            await new_run(rota, task_id, kept["id"])
        manifest = await rota.database.read(lambda c: artifacts.list_artifacts(c, run_id))
        assert [(each.id, each.key, each.size) for each in manifest] == [(kept["id"], kept["storage_path"], 9)]
        refused = await finalize(who.owner, task_id, kept, status=400)
        assert refused == {"error": "Artifact is attached to a run already"}

    asked(rota, talk)


def test_a_run_is_made_with_its_artifacts_or_not_at_all(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        one, two = await staged(who, task_id), await staged(who, task_id, b"x", name="b.txt", content_type="")
        wanted = {"pending_user_artifact_ids": [two["id"], one["id"], two["id"]]}
        task = await who.owner.post(f"/tasks/{task_id}/run", wanted)
        assert task["latest_run"]["artifacts"] == [two, one]
        fresh = await staged(who, task_id)
        refused = await who.owner.post(f"/tasks/{task_id}/run", {"pending_user_artifact_ids": [fresh["id"], one["id"], "x"]}, 400)
        assert refused == {
            "detail": "Some pending_user_artifact_ids are invalid or expired",
            "missing_artifact_ids": [one["id"], "x"],
        }
        assert (await who.owner.get(f"/tasks/{task_id}/runs"))["count"] == 1
        again = await who.owner.post(f"/tasks/{task_id}/run", {"pending_user_artifact_ids": [fresh["id"]]})
        assert again["latest_run"]["artifacts"] == [fresh]

    asked(rota, talk)


def test_names_are_reduced_and_types_and_sizes_held_to(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        assert (await prepare(who.owner, task_id, name=" ../../x/ü.txt "))["name"] == "ü.txt"
        assert (await prepare(who.owner, task_id, name="x/"))["name"] == "artifact"
        place = f"{STAGED.format(task_id)}/prepare_upload"
        wrong: list[tuple[dict[str, Any], str, str]] = [
            ({"size": 30 * MIB + 1}, "max_value", "artifacts__0__size"),
            ({"size": 0}, "min_value", "artifacts__0__size"),
            ({"size": "x"}, "invalid_input", "artifacts__0__size"),
            ({"size": 10 * MIB + 1}, "invalid_input", "artifacts__0__size"),
            ({"name": "x" * 256}, "max_length", "artifacts__0__name"),
            ({"type": "foo"}, "invalid_choice", "artifacts__0__type"),
            ({"source": "x" * 65}, "max_length", "artifacts__0__source"),
            ({"content_type": None}, "null", "artifacts__0__content_type"),
        ]
        for fields, code, attr in wrong:
            told = await who.owner.post(place, {"artifacts": [{**SPEC, "size": 1, **fields}]}, 400)
            assert (told["code"], told["attr"]) == (code, attr), fields
        bodies: list[dict[str, Any]] = [{}, {"artifacts": []}, {"artifacts": "x"}]
        for body in bodies:
            assert (await who.owner.post(place, body, 400))["attr"] == "artifacts"
        empty = await who.owner.post(place, {"artifacts": []}, 400)
        assert (empty["code"], empty["detail"]) == ("invalid_input", "At least one artifact is required")
        assert await rota.database.read(lambda c: c.rows("SELECT COUNT(*) FROM artifacts")) == [(2,)]

    asked(rota, talk)


def test_nothing_is_recorded_if_one_of_them_cannot_be(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id, other_id = [(await who.owner.task(title=title))["id"] for title in "ab"]
        good, absent = await prepare(who.owner, task_id), await prepare(who.owner, task_id)
        foreign, large = await prepare(who.owner, other_id), await prepare(who.owner, task_id, name="a.bin", size=10 * MIB)
        large["content_type"] = ""
        for prepared in (good, foreign):
            assert await upload(who, prepared, b"x") == 204
        assert await upload(who, large, b"x" * (10 * MIB + 1)) == 204
        invalid, gone = "Artifact storage path is invalid for this task", "Artifact upload not found in object storage"
        wrong = [
            (to_finalize(foreign), invalid),
            (to_finalize(good, id=absent["id"]), invalid),
            (to_finalize(good, storage_path=good["storage_path"].replace("/staged/", "/../staged/")), invalid),
            (to_finalize(good, storage_path="/etc/passwd"), invalid),
            (to_finalize(good, storage_path=good["storage_path"] + "/../x"), gone),
            (to_finalize(absent), gone),
            (to_finalize(large, name="b.PDF"), "b.PDF exceeds the 10MB attachment limit for PDFs in cloud runs"),
        ]
        for item, message in wrong:
            assert await finalize(who.owner, task_id, to_finalize(good), item, status=400) == {"error": message}
            stored = await rota.database.read(lambda c: artifacts.find_stored(c, task_id, [good["id"]]))
            assert stored[good["id"]].state == "prepared"
        assert len((await finalize(who.owner, task_id, to_finalize(good), to_finalize(large)))["artifacts"]) == 2

    asked(rota, talk)


def test_two_may_finalize_the_same_at_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        prepared = await prepare(who.owner, task_id)
        assert await upload(who, prepared, b"x") == 204
        one, two = await asyncio.gather(*(finalize(who.owner, task_id, to_finalize(prepared)) for _ in range(2)))
        assert one == two
        run_id = await new_run(rota, task_id, prepared["id"])
        assert len(await rota.database.read(lambda c: artifacts.list_artifacts(c, run_id))) == 1

    asked(rota, talk)


def test_files_are_added_to_a_run_and_read_back(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        first = await staged(who, task_id)
        run_id = await new_run(rota, task_id, first["id"])
        place = f"/tasks/{task_id}/runs/{run_id}/artifacts"
        text = {"name": "plan.md", "type": "plan", "content": " # Plän \n"}
        raw = {"name": "a.bin", "type": "output", "content": base64.b64encode(b"\x00\xff").decode(), "content_encoding": "base64"}
        manifest = (await who.owner.post(place, {"artifacts": [text, raw]}))["artifacts"]
        assert [(each["name"], each["size"]) for each in manifest] == [("spec.pdf", 9), ("plan.md", 10), ("a.bin", 2)]
        assert manifest[1]["storage_path"].startswith(f"tasks/artifacts/team_{who.project}/task_{task_id}/run_{run_id}/")
        item = {"name": "out.txt", "type": "output", "size": 3}
        prepared = (await who.owner.post(f"{place}/prepare_upload/", {"artifacts": [item]}))["artifacts"][0]
        assert await upload(who, prepared, b"abc") == 204
        for _ in range(2):
            whole = await who.owner.post(f"{place}/finalize_upload", {"artifacts": [to_finalize(prepared)]})
            assert [each["name"] for each in whole["artifacts"]] == ["spec.pdf", "plan.md", "a.bin", "out.txt"]
        for each, content in zip(whole["artifacts"], (b"%PDF-1.7\n", " # Plän \n".encode(), b"\x00\xff", b"abc"), strict=True):
            where = {"storage_path": each["storage_path"]}
            reply = await who.reader.ask("POST", f"{place}/download", where)
            assert (reply.status_code, reply.content) == (200, content)
            assert reply.headers["content-disposition"].startswith(f'attachment; filename="{each["name"]}"')
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["content-type"] == "application/octet-stream"
            link = await who.reader.post(f"{place}/presign", where)
            assert link["expires_in"] == 3600
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(with_mounted(who.app, PREFIX, storage.app(rota)))
            ) as client:
                assert (await client.get(link["url"])).content == content

    asked(rota, talk)


def test_what_cannot_be_added_to_a_run_adds_nothing(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        run_id, other_run = await new_run(rota, task_id), await new_run(rota, task_id)
        place = f"/tasks/{task_id}/runs/{run_id}/artifacts"
        good = {"name": "a.txt", "type": "output", "content": "x"}
        bad = {**good, "content": "not base64!", "content_encoding": "base64"}
        assert (await who.owner.post(place, {"artifacts": [good, bad]}, 400))["attr"] == "artifacts__1__content"
        large = {"name": "a.pdf", "type": "user_attachment", "content": "x" * (10 * MIB + 1)}
        told = await who.owner.post(place, {"artifacts": [good, large]}, 400)
        assert told == {"error": "a.pdf exceeds the 10MB attachment limit for PDFs in cloud runs"}
        item = {"name": "out.txt", "type": "output", "size": 3}
        prepared = (await who.owner.post(f"{place}/prepare_upload", {"artifacts": [item]}))["artifacts"][0]
        assert await upload(who, prepared, b"abc") == 204
        elsewhere = f"/tasks/{task_id}/runs/{other_run}/artifacts/finalize_upload"
        told = await who.owner.post(elsewhere, {"artifacts": [to_finalize(prepared)]}, 400)
        assert told == {"error": "Artifact storage path is invalid for this run"}
        assert await rota.database.read(lambda c: artifacts.list_manifests(c, [run_id, other_run])) == {run_id: [], other_run: []}
        for path in ("presign", "download"):
            for key in (prepared["storage_path"], "../../etc/passwd", "x"):
                await who.owner.post(f"{place}/{path}", {"storage_path": key}, 404)
            assert (await who.owner.post(f"{place}/{path}", {}, 400))["attr"] == "storage_path"

    asked(rota, talk)


def test_artifacts_are_as_visible_as_their_task(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        run_id = await new_run(rota, task_id, (await staged(who, task_id))["id"])
        path = {"storage_path": "x"}
        item = {"artifacts": [{**SPEC, "size": 1}]}
        brought = {"artifacts": [{**SPEC, "id": "x", "storage_path": "x"}]}
        inline = {"artifacts": [{**SPEC, "content": "x"}]}
        run = f"/tasks/{task_id}/runs/{run_id}/artifacts"
        routes: list[tuple[str, dict[str, Any]]] = [
            (f"{STAGED.format(task_id)}/prepare_upload", item), (f"{STAGED.format(task_id)}/finalize_upload", brought),
            (run, inline), (f"{run}/prepare_upload", item), (f"{run}/finalize_upload", brought),
            (f"{run}/presign", path), (f"{run}/download", path),
        ]  # fmt: skip
        for place, body in routes:
            assert (await who.member.ask("POST", place, body)).status_code == 404, place
            assert (await who.stranger.ask("POST", place, body)).status_code == 403, place
            assert (await who.limited.ask("POST", place, body)).status_code == 403, place
            assert (await who.nobody.ask("POST", place, body)).status_code == 401, place
            is_reading = place.endswith(("presign", "download"))
            reply = await who.reader.ask("POST", place, body)
            assert reply.status_code == (404 if is_reading else 403), place
            if not is_reading:
                assert "task:write" in reply.json()["detail"]
            for wrong in (place.replace(task_id, NOWHERE), place.replace(run_id, NOWHERE), place.replace(task_id, "x")):
                if wrong != place:
                    assert (await who.owner.ask("POST", wrong, body)).status_code == 404, wrong
        other = (await who.owner.task(title="b"))["id"]
        await who.owner.post(run.replace(task_id, other) + "/presign", path, 404)

    asked(rota, talk)


def test_an_upload_that_was_not_finalized_is_there_after_a_restart_and_goes_in_time(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await who.owner.task(title="a"))["id"]
        prepared = await prepare(who.owner, task_id)
        assert await upload(who, prepared, b"x") == 204
        rota.clock.advance(7199)  # type: ignore[attr-defined]
        assert (await finalize(who.owner, task_id, to_finalize(prepared)))["artifacts"][0]["size"] == 1
        rota.clock.advance(86_399)  # type: ignore[attr-defined]
        await new_run(rota, task_id, prepared["id"])
        late = await staged(who, task_id)
        rota.clock.advance(86_400)  # type: ignore[attr-defined]
        with pytest.raises(MissingArtifacts):
            await new_run(rota, task_id, late["id"])

    asked(rota, talk)
