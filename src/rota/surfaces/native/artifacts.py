"""Handlers of artifacts."""

from rota.core.artifact import Artifact
from rota.http.attachment import attachment
from rota.http.reply import PieceReply, Reply, ok
from rota.http.routes import Ask
from rota.ops import artifacts
from rota.surfaces.native import wire


async def list_artifacts(ask: Ask) -> Reply:
    found = await artifacts.list_artifacts(ask.rota, artifacts.run_of(ask.actor, ask.path["id"]))
    return ok(wire.ArtifactList([_wire(each) for each in found]))


async def download(ask: Ask) -> PieceReply:
    reach = artifacts.run_of(ask.actor, ask.path["id"])
    artifact = await artifacts.get_artifact(ask.rota, reach, artifact_id=ask.path["artifact_id"])
    content = await artifacts.open_artifact(ask.rota, artifact)
    return attachment(artifact.name, content.pieces, content.size)


def _wire(artifact: Artifact) -> wire.Artifact:
    return wire.Artifact(
        id=artifact.id,
        name=artifact.name,
        type=artifact.type,
        source=artifact.source,
        size=artifact.size,
        content_type=artifact.content_type,
        uploaded_at=artifact.uploaded_at,
    )
