"""Artifacts as this API writes them (contract §5.6): every key is always there."""

from datetime import UTC
from typing import Literal

from msgspec import Struct

from rota.core import artifact as core_artifact
from rota.core.artifact import LINK_S
from rota.ops import artifacts as ops

Encoding = Literal["utf-8", "base64"]


class Artifact(Struct, kw_only=True):
    """`size` in bytes, as the store has counted them."""

    id: str
    name: str
    type: str
    source: str
    size: int
    content_type: str
    storage_path: str
    uploaded_at: str


class Artifacts(Struct, kw_only=True):
    artifacts: list[Artifact]


class PresignedPost(Struct, kw_only=True):
    url: str
    fields: dict[str, str]


class Prepared(Struct, kw_only=True):
    """`size` as declared; `expires_in` seconds."""

    id: str
    name: str
    type: str
    source: str
    size: int
    content_type: str
    storage_path: str
    presigned_post: PresignedPost
    expires_in: int = LINK_S


class PreparedArtifacts(Struct, kw_only=True):
    artifacts: list[Prepared]


class Link(Struct, kw_only=True):
    url: str
    expires_in: int = LINK_S


class PrepareItem(Struct, kw_only=True):
    """For descriptions, as the bodies below."""

    name: str
    type: str
    size: int
    source: str = ""
    content_type: str = ""


class PrepareBody(Struct, kw_only=True):
    artifacts: list[PrepareItem]


class FinalizeItem(Struct, kw_only=True):
    id: str
    name: str
    type: str
    storage_path: str
    source: str = ""
    content_type: str = ""


class FinalizeBody(Struct, kw_only=True):
    artifacts: list[FinalizeItem]


class InlineItem(Struct, kw_only=True):
    name: str
    type: str
    content: str
    content_encoding: Encoding = "utf-8"
    source: str = ""
    content_type: str = ""


class InlineBody(Struct, kw_only=True):
    artifacts: list[InlineItem]


class PathBody(Struct, kw_only=True):
    storage_path: str


def artifact_wire(artifact: core_artifact.Artifact) -> Artifact:
    return Artifact(
        id=artifact.id,
        name=artifact.name,
        type=artifact.type,
        source=artifact.source,
        size=artifact.size,
        content_type=artifact.content_type,
        storage_path=artifact.key,
        uploaded_at=artifact.uploaded_at.astimezone(UTC).isoformat(timespec="microseconds"),
    )


def prepared_wire(prepared: ops.Prepared) -> Prepared:
    artifact, upload = prepared.artifact, prepared.upload
    return Prepared(
        id=artifact.id,
        name=artifact.name,
        type=artifact.type,
        source=artifact.source,
        size=artifact.size,
        content_type=artifact.content_type,
        storage_path=artifact.key,
        presigned_post=PresignedPost(url=upload.url, fields=upload.fields),
    )
