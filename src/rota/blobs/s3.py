"""Objects in any store that speaks S3."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from functools import cached_property, partial
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec import Struct

from rota.blobs.base import PIECE_BYTES, Blobs, Content, Held, Upload, check_key, span
from rota.config import Secret
from rota.core.artifact import LINK_S
from rota.core.errors import NotFound, Unavailable

T = TypeVar("T")
ABSENT = ("404", "NoSuchKey", "NotFound")
CONNECT_S, READ_S, TRIES = 5, 60, 3


class Bucket(Struct, frozen=True, kw_only=True):
    """Where the objects are. `public_endpoint`: under which address clients reach it, where that is another one."""

    name: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str = "us-east-1"
    access_key: Secret | None = None
    secret_key: Secret | None = None


class S3Blobs(Blobs):
    """Calls are made in threads. Without keys the credentials are those that boto3 finds in its own places."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def presign_post(self, key: str, most_bytes: int, base_url: str) -> Upload:
        conditions = [["content-length-range", 0, most_bytes]]
        made = await self._call(
            lambda: self._public.generate_presigned_post(
                self._bucket.name, check_key(key), Conditions=conditions, ExpiresIn=LINK_S
            )
        )
        return Upload(made["url"], made["fields"])

    async def presign_get(self, key: str, name: str, base_url: str) -> str:
        """Whatever the object says of itself, a browser is told to store it, not to show it."""
        asked = {
            **self._at(key),
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "ResponseContentType": "application/octet-stream",
        }
        return str(await self._call(lambda: self._public.generate_presigned_url("get_object", Params=asked, ExpiresIn=LINK_S)))

    async def head(self, key: str) -> Held | None:
        try:
            found = await self._call(lambda: self._client.head_object(**self._at(key)))
        except NotFound:
            return None
        return Held(found["ContentLength"], found.get("ContentType") or "")

    async def get(self, key: str, first: int = 0, last: int | None = None) -> Content:
        held = await self.head(key)
        if held is None:
            raise NotFound("there is no such object")
        first, size = span(first, last, held.size)
        part = {"Range": f"bytes={first}-{first + size - 1}"} if size else {}
        asked = {**self._at(key), **part}
        found = await self._call(lambda: self._client.get_object(**asked))
        return Content(size, held.size, self._pieces(found["Body"]))

    async def put(self, key: str, data: bytes) -> None:
        await self._call(lambda: self._client.put_object(**self._at(key), Body=data))

    async def tag(self, key: str, days: int) -> None:
        tags = {"TagSet": [{"Key": "ttl_days", "Value": str(days)}]}
        await self._call(lambda: self._client.put_object_tagging(**self._at(key), Tagging=tags))

    async def delete(self, key: str) -> None:
        await self._call(lambda: self._client.delete_object(**self._at(key)))

    async def sweep(self, before: datetime) -> int:
        """The store has no halves: an upload that is broken off leaves nothing."""
        return 0

    async def _pieces(self, body: Any) -> AsyncGenerator[bytes]:
        try:
            while piece := await self._call(partial(body.read, PIECE_BYTES)):
                yield piece
        finally:
            body.close()

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket.name, "Key": check_key(key)}

    async def _call(self, work: Callable[[], T]) -> T:
        """In a thread. Raises NotFound, and Unavailable for whatever else the store says."""
        return await asyncio.to_thread(self._told, work)

    def _told(self, work: Callable[[], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            return work()
        except ClientError as error:
            word = str(error.response.get("Error", {}).get("Code", ""))
            if word in ABSENT:
                raise NotFound("there is no such object") from None
            raise Unavailable(f"the object store refuses: {word}", hint="see [blobs] in the settings") from error
        except (BotoCoreError, HTTPClientError) as error:
            raise Unavailable("the object store does not answer", hint="see [blobs] in the settings") from error

    @cached_property
    def _client(self) -> Any:
        return self._connect(self._bucket.endpoint)

    @cached_property
    def _public(self) -> Any:
        """Signs what clients are given; it asks nothing itself."""
        endpoint = self._bucket.public_endpoint
        return self._connect(endpoint) if endpoint else self._client

    def _connect(self, endpoint: str | None) -> Any:
        import boto3  # takes half a second and 30 MB, so it is loaded when an object is first asked for
        from botocore.config import Config

        bucket = self._bucket
        settings = Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"total_max_attempts": TRIES, "mode": "standard"},
            # Stores of others know no checksums in trailers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},
        )
        return boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=bucket.region,
            aws_access_key_id=bucket.access_key.reveal() if bucket.access_key else None,
            aws_secret_access_key=bucket.secret_key.reveal() if bucket.secret_key else None,
            config=settings,
        )
