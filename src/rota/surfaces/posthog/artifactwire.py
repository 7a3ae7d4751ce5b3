"""Artifacts as this API writes them (contract §5.6): every key is always there."""

from datetime import UTC
from typing import Any, Literal

from msgspec import Struct

from rota.core import artifact as core_artifact
from rota.core.artifact import LINK_S
from rota.ops import artifacts as ops

Encoding = Literal["utf-8", "base64"]


class Described(Struct, kw_only=True):
    """What is said of every artifact, whether it is there yet or not. `size` in bytes."""

    id: str
    name: str
    type: str
    source: str
    size: int
    content_type: str
    storage_path: str


class Artifact(Described, kw_only=True):
    """`size` as the store has counted it."""

    uploaded_at: str


class Artifacts(Struct, kw_only=True):
    artifacts: list[Artifact]


class PresignedPost(Struct, kw_only=True):
    url: str
    fields: dict[str, str]


class Prepared(Described, kw_only=True):
    """`size` as declared; `expires_in` seconds."""

    presigned_post: PresignedPost
    expires_in: int = LINK_S


class PreparedArtifacts(Struct, kw_only=True):
    artifacts: list[Prepared]


class Link(Struct, kw_only=True):
    url: str
    expires_in: int = LINK_S


class Labelled(Struct, kw_only=True):
    """For descriptions, as the bodies below: what a client calls an artifact."""

    name: str
    type: str
    source: str = ""
    content_type: str = ""


class PrepareItem(Labelled, kw_only=True):
    size: int


class PrepareBody(Struct, kw_only=True):
    artifacts: list[PrepareItem]


class FinalizeItem(Labelled, kw_only=True):
    id: str
    storage_path: str


class FinalizeBody(Struct, kw_only=True):
    artifacts: list[FinalizeItem]


class InlineItem(Labelled, kw_only=True):
    content: str
    content_encoding: Encoding = "utf-8"


class InlineBody(Struct, kw_only=True):
    artifacts: list[InlineItem]


class PathBody(Struct, kw_only=True):
    storage_path: str


def artifact_wire(artifact: core_artifact.Artifact) -> Artifact:
    uploaded_at = artifact.uploaded_at.astimezone(UTC).isoformat(timespec="microseconds")
    return Artifact(**_described(artifact), uploaded_at=uploaded_at)


def prepared_wire(prepared: ops.Prepared) -> Prepared:
    upload = prepared.upload
    return Prepared(**_described(prepared.artifact), presigned_post=PresignedPost(url=upload.url, fields=upload.fields))


def _described(artifact: core_artifact.Artifact) -> dict[str, Any]:
    told = {name: getattr(artifact, name) for name in Described.__struct_fields__ if name != "storage_path"}
    return {**told, "storage_path": artifact.key}
