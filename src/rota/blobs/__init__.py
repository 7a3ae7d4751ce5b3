"""Stores of objects: one folder's or one bucket's; and the one place that chooses."""

from importlib.util import find_spec
from pathlib import Path

from rota.blobs.base import Blobs, Content, Held, Upload
from rota.blobs.local import PREFIX, LocalBlobs
from rota.blobs.refusal import StorageRefused
from rota.clock import Clock
from rota.config import BlobStore
from rota.core.errors import Unavailable
from rota.store.database import Database

__all__ = ["PREFIX", "Blobs", "Content", "Held", "LocalBlobs", "StorageRefused", "Upload", "build_blobs"]


def build_blobs(chosen: BlobStore, folder: Path, database: Database, clock: Clock, min_free: int = 0) -> Blobs:
    """The store that the settings name. Nothing is opened or asked yet.

    min_free  bytes of the disk that objects leave free

    Raises Unavailable where what it needs is not installed.
    """
    if chosen.kind == "local":
        return LocalBlobs(folder, database, clock, min_free)
    if find_spec("boto3") is None:
        raise Unavailable("artifacts in a bucket need boto3, which is not installed", hint="pip install 'rota[s3]'")
    from rota.blobs.s3 import Bucket, S3Blobs

    bucket = Bucket(
        name=chosen.bucket or "",
        endpoint=chosen.endpoint,
        public_endpoint=chosen.public_endpoint,
        region=chosen.region,
        access_key=chosen.access_key,
        secret_key=chosen.secret_key,
    )
    return S3Blobs(bucket)
