"""Operations on artifacts: those staged for a task's next run, and those of a run."""

import base64
import binascii
from typing import Any

from rota.core.artifact import LONGEST_KEY, LONGEST_NAME, MOST_AT_ONCE, MOST_BYTES
from rota.core.errors import Unavailable
from rota.http.address import base_url
from rota.http.attachment import attachment
from rota.http.reply import PieceReply, Reply, ok
from rota.http.routes import Ask
from rota.ops import artifacts, projectartifacts
from rota.ops.artifacts import Asked, Brought, Given, Reach
from rota.surfaces.posthog import artifactwire as wire
from rota.surfaces.posthog.errors import Refused, Wrong
from rota.surfaces.posthog.fields import INVALID, Field, Fields, Read, choice, integer, list_of, table, text
from rota.surfaces.posthog.operation import Op, id_of, project_of

TYPES = (
    "plan", "context", "reference", "output", "artifact", "tree_snapshot", "user_attachment", "skill_bundle",
)  # fmt: skip
EMPTY = "At least one artifact is required"
# Base64 makes three bytes four, and JSON adds a little.
MOST_INLINE = MOST_BYTES * 4 // 3 + 1024 * 1024


def _content(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise Wrong(INVALID, "Not a valid string.", at)
    return value  # to the last blank


_LABELS: Fields = {
    "name": Field(text(LONGEST_NAME), required=True),
    "type": Field(choice(TYPES), required=True),
    "source": Field(text(64), default=""),
    "content_type": Field(text(255), default=""),
}
PATH: Fields = {"storage_path": Field(text(LONGEST_KEY), required=True)}


def _list(fields: Fields) -> Fields:
    several: Read = list_of(table(fields), empty=EMPTY, most=MOST_AT_ONCE)
    return {"artifacts": Field(several, required=True)}


PREPARE = _list({**_LABELS, "size": Field(integer(1, MOST_BYTES), required=True)})
FINALIZE = _list({"id": Field(text(128), required=True), **_LABELS, **PATH})
INLINE = _list(
    {
        **_LABELS,
        "content": Field(_content, required=True),
        "content_encoding": Field(choice(("utf-8", "base64")), default="utf-8"),
    }
)


def _staged(ask: Ask) -> Reach:
    return projectartifacts.staged_of(ask.actor, project_of(ask), id_of(ask, "task_id"))


def _of_run(ask: Ask) -> Reach:
    return projectartifacts.run_of(ask.actor, project_of(ask), id_of(ask, "task_id"), id_of(ask, "run_id"))


async def prepare_staged(ask: Ask) -> Reply:
    return await _prepare(ask, _staged(ask))


async def prepare_of_run(ask: Ask) -> Reply:
    return await _prepare(ask, _of_run(ask))


async def finalize_staged(ask: Ask) -> Reply:
    return await _finalize(ask, _staged(ask))


async def finalize_of_run(ask: Ask) -> Reply:
    return await _finalize(ask, _of_run(ask))


async def upload_inline(ask: Ask) -> Reply:
    given = [
        Given(data=_decoded(item, number), **{name: item[name] for name in _LABELS})
        for number, item in enumerate(ask.body["artifacts"])
    ]
    manifest = await artifacts.add_artifacts(ask.rota, _of_run(ask), given)
    return ok(wire.Artifacts(artifacts=[wire.artifact_wire(each) for each in manifest]))


async def presign(ask: Ask) -> Reply:
    key = ask.body["storage_path"]
    return ok(wire.Link(url=await artifacts.link_artifact(ask.rota, _of_run(ask), key, _base(ask))))


async def download(ask: Ask) -> PieceReply:
    artifact = await artifacts.get_artifact(ask.rota, _of_run(ask), key=ask.body["storage_path"])
    content = await artifacts.open_artifact(ask.rota, artifact)
    return attachment(artifact.name, content.pieces, content.size)


async def _prepare(ask: Ask, reach: Reach) -> Reply:
    asked = [Asked(**item) for item in ask.body["artifacts"]]
    try:
        prepared = await artifacts.prepare_artifacts(ask.rota, reach, asked, _base(ask))
    except Unavailable:
        raise Refused("Unable to generate upload URL") from None
    return ok(wire.PreparedArtifacts(artifacts=[wire.prepared_wire(each) for each in prepared]))


async def _finalize(ask: Ask, reach: Reach) -> Reply:
    brought = [Brought(key=item.pop("storage_path"), **item) for item in ask.body["artifacts"]]
    taken = await artifacts.finalize_artifacts(ask.rota, reach, brought)
    return ok(wire.Artifacts(artifacts=[wire.artifact_wire(each) for each in taken]))


def _decoded(item: dict[str, Any], number: int) -> bytes:
    content: str = item["content"]
    if item["content_encoding"] == "utf-8":
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise Wrong(INVALID, "Content is not valid base64.", f"artifacts__{number}__content") from None


def _base(ask: Ask) -> str:
    return base_url(ask.scope, ask.rota.settings.daemon.external_url)


STAGED, OF_RUN = "/tasks/{task_id}/staged_artifacts", "/tasks/{task_id}/runs/{run_id}/artifacts"
_PREPARE: dict[str, Any] = {
    "method": "POST", "scope": "task:write", "body": PREPARE, "shown_body": wire.PrepareBody,
    "reply": wire.PreparedArtifacts, "errors": (404,),
}  # fmt: skip
_FINALIZE: dict[str, Any] = {**_PREPARE, "body": FINALIZE, "shown_body": wire.FinalizeBody, "reply": wire.Artifacts}
_INLINE: dict[str, Any] = {**_FINALIZE, "body": INLINE, "shown_body": wire.InlineBody}
_READ: dict[str, Any] = {
    "method": "POST", "scope": "task:read", "body": PATH, "shown_body": wire.PathBody, "errors": (404,),
}  # fmt: skip
ARTIFACT_ROUTES: tuple[Op, ...] = (
    Op(
        path=f"{STAGED}/prepare_upload",
        handler=prepare_staged,
        summary="Get forms to upload files by, for the next run",
        **_PREPARE,
    ),
    Op(path=f"{STAGED}/finalize_upload", handler=finalize_staged, summary="Keep what was uploaded for a day", **_FINALIZE),
    Op(path=OF_RUN, handler=upload_inline, summary="Add files to a run", most=MOST_INLINE, **_INLINE),
    Op(path=f"{OF_RUN}/prepare_upload", handler=prepare_of_run, summary="Get forms to upload files of a run by", **_PREPARE),
    Op(path=f"{OF_RUN}/finalize_upload", handler=finalize_of_run, summary="Add what was uploaded to a run", **_FINALIZE),
    Op(
        path=f"{OF_RUN}/presign", handler=presign, summary="A link to a file of a run, good for an hour", reply=wire.Link, **_READ
    ),
    Op(path=f"{OF_RUN}/download", handler=download, summary="A file of a run", media_type="application/octet-stream", **_READ),
)
