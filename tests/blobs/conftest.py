"""Stores of objects, and who uploads to them from outside: every contract is tested on both."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct
from tests.asking import make_rota
from tests.blobs.seaweed import run_bucket
from tests.databases import open_memory

from rota.blobs import PREFIX, Blobs, Upload
from rota.blobs.s3 import Bucket, S3Blobs
from rota.http.mounts import Mounts
from rota.ops.context import Rota
from rota.surfaces import native, storage

BASE = "http://rota"


class Outside(Struct):
    """A store, and the way of its clients to it."""

    blobs: Blobs
    app: Any = None

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=None if self.app is None else httpx.ASGITransport(self.app))

    async def upload(self, form: Upload, content: bytes, **changed: str) -> httpx.Response:
        async with self.client() as client:
            return await client.post(form.url, data={**form.fields, **changed}, files={"file": ("any name", content)})

    async def follow(self, link: str, **headers: str) -> httpx.Response:
        async with self.client() as client:
            return await client.get(link, headers=headers)


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with closing(open_memory()) as database:
        yield make_rota(database, tmp_path)


@pytest.fixture
def local(rota: Rota) -> Outside:
    return Outside(rota.blobs, Mounts(native.app(rota), {PREFIX: storage.app(rota)}))


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with run_bucket(tmp_path_factory.mktemp("seaweed")) as bucket:
        yield bucket


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.e2e)])
def outside(request: pytest.FixtureRequest) -> Outside:
    if request.param == "local":
        found: Outside = request.getfixturevalue("local")
        return found
    return Outside(S3Blobs(request.getfixturevalue("bucket")))
