"""Stores of objects: one folder's or one bucket's; and the one place that chooses."""

from pathlib import Path

from rota.blobs.base import Blobs, Content, Held, Upload
from rota.blobs.local import PREFIX, LocalBlobs
from rota.blobs.refusal import StorageRefused
from rota.clock import Clock
from rota.config import BlobStore
from rota.store.database import Database

__all__ = ["PREFIX", "Blobs", "Content", "Held", "LocalBlobs", "StorageRefused", "Upload", "build_blobs"]


def build_blobs(chosen: BlobStore, folder: Path, database: Database, clock: Clock) -> Blobs:
    """The store that the settings name. Nothing is opened or asked yet."""
    if chosen.kind == "local":
        return LocalBlobs(folder, database, clock)
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
