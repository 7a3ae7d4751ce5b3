"""Artifacts: files that belong to a run, and those that wait for one. Names, limits, and where each of them lies."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.errors import Invalid

MEGABYTE = 1024 * 1024
MOST_BYTES = 30 * MEGABYTE
MOST_PDF_BYTES = 10 * MEGABYTE
# What the form around a file may add to its declared size.
FORM_BYTES = 65_536
MOST_AT_ONCE = 100
LONGEST_NAME, LONGEST_KEY = 255, 500
# Of a name within a key, or of a file: stores and folders count bytes, and keys in S3 have 1,024 of them.
MOST_NAME_BYTES = 255
UNNAMED = "artifact"
ATTACHMENT, PDF = "user_attachment", "application/pdf"
# How long a link or a form that was handed out is good for.
LINK_S = 3600
# A form's upload may begin in its last second and take as long again. What was not finalized by then goes.
UPLOAD_TIME = timedelta(hours=2)
# A finalized artifact waits so long for a run, and what was uploaded for a run is kept so long.
STAGED_DAYS, KEPT_DAYS = 1, 30


class Artifact(Struct, frozen=True, kw_only=True):
    """A file of a run.

    id            32 hexadecimal digits
    name          without folders; shown, never used as a path
    type, source  labels of whoever made it
    size          bytes; declared by the client until the upload is finalized, counted by the store from then on
    key           where the store has it
    uploaded_at   when that was told to us
    """

    id: str
    name: str
    type: str
    source: str = ""
    size: int
    content_type: str = ""
    key: str
    uploaded_at: datetime


class ArtifactRefused(Invalid):
    """One of the artifacts cannot be taken as it is; none of them was."""


class MissingArtifacts(Invalid):
    """Some of the artifacts a run was to have are unknown, expired, or another run's. Nothing was created."""

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing_artifact_ids = list(missing)
        super().__init__("Some pending_user_artifact_ids are invalid or expired")


def base_name(name: str) -> str:
    """The last part of a path, without what cannot be seen; `artifact` if nothing is left."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if character.isprintable()).strip()[:LONGEST_NAME]
    return UNNAMED if shown in ("", ".", "..") else shown


def folder_of(task_id: str, project_id: int | None = None) -> str:
    """Where everything of a task lies; the ids are ours and hold no slash."""
    team = "" if project_id is None else f"team_{project_id}/"
    return f"tasks/artifacts/{team}task_{task_id}/"


def staged_prefix(folder: str) -> str:
    return f"{folder}staged/"


def run_prefix(folder: str, run_id: str) -> str:
    return f"{folder}run_{run_id}/"


def key_of(prefix: str, artifact_id: str, name: str) -> str:
    """The key of a new artifact. `${filename}` has a meaning in upload forms, so no key says it."""
    return f"{prefix}{artifact_id}/{clip_name(base_name(name).replace('${', '_{'))}"


def clip_name(name: str) -> str:
    """A name that every store and folder takes: cut to 255 bytes before its ending."""
    while len(name.encode()) > MOST_NAME_BYTES:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[:-1]}{dot}{ending}" if len(stem) > 1 else name[:-1]
    return name.strip()


def is_sound_key(key: str) -> bool:
    """Whether a key is one that we could have made: relative, without tricks, of a length that every store takes."""
    parts = key.split("/")
    plain = key.isprintable() and "\\" not in key and not any(part in ("", ".", "..") for part in parts)
    return plain and len(key.encode()) <= 1024


def most_bytes(name: str, type: str, content_type: str) -> int:  # noqa: A002  the word of the wire
    """How large such an artifact may be."""
    is_pdf = name.lower().endswith(".pdf") or content_type.partition(";")[0].strip().lower() == PDF
    return MOST_PDF_BYTES if type == ATTACHMENT and is_pdf else MOST_BYTES


def check_size(name: str, type: str, content_type: str, size: int) -> None:  # noqa: A002
    """Raises ArtifactRefused for one that is larger than it may be."""
    most = most_bytes(name, type, content_type)
    if size > most:
        why = " for PDFs in cloud runs" if most == MOST_PDF_BYTES else ""
        raise ArtifactRefused(f"{name} exceeds the {most // MEGABYTE}MB attachment limit{why}")
