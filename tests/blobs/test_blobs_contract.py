"""What holds for every store of objects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from tests.blobs.conftest import BASE, Outside
from tests.factories import NOON

from rota.blobs import Blobs, Upload
from rota.core.errors import Invalid, NotFound

T = TypeVar("T")
KEY = "tasks/artifacts/team_1/task_T/staged/5f0c/données 1.pdf"
MIB = 1024 * 1024


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def read(blobs: Blobs, key: str, first: int = 0, last: int | None = None) -> bytes:
    content = await blobs.get(key, first, last)
    data = b"".join([piece async for piece in content.pieces])
    assert len(data) == content.size
    return data


async def size_of(blobs: Blobs, key: str) -> int | None:
    held = await blobs.head(key)
    return None if held is None else held.size


def test_what_is_put_is_there_until_it_is_deleted(outside: Outside) -> None:
    async def talk() -> None:
        blobs = outside.blobs
        await blobs.delete(KEY)
        assert await blobs.head(KEY) is None
        await blobs.put(KEY, b"one")
        await blobs.put(KEY, b"three")
        assert await size_of(blobs, KEY) == 5
        assert await read(blobs, KEY) == b"three"
        await blobs.tag(KEY, 30)
        assert await read(blobs, KEY) == b"three"
        await blobs.delete(KEY)
        assert await blobs.head(KEY) is None
        with pytest.raises(NotFound):
            await blobs.get(KEY)

    run(talk())


def test_parts_of_an_object_are_read(outside: Outside) -> None:
    async def talk() -> None:
        await outside.blobs.put(KEY, b"0123456789")
        assert await read(outside.blobs, KEY, 2, 4) == b"234"
        assert await read(outside.blobs, KEY, 7) == b"789"
        assert await read(outside.blobs, KEY, 9, 100) == b"9"
        with pytest.raises(Invalid):
            await outside.blobs.get(KEY, 10)
        await outside.blobs.put(KEY, b"")
        assert await read(outside.blobs, KEY) == b""

    run(talk())


@pytest.mark.parametrize("size", [0, 1, 30 * MIB], ids=["nothing", "a byte", "30 MiB"])
def test_an_upload_by_form_arrives_as_it_was(outside: Outside, size: int) -> None:
    content = (b"\r\n--\x00\xff" * (size // 6 + 1))[:size]

    async def talk() -> None:
        form = await outside.blobs.presign_post(KEY, 30 * MIB + 65_536, BASE)
        assert form.fields["key"] == KEY
        reply = await outside.upload(form, content)
        assert reply.status_code == 204, reply.text
        assert await size_of(outside.blobs, KEY) == size
        assert await read(outside.blobs, KEY) == content

    run(talk())


@pytest.mark.parametrize("most", [0, 10, 30 * MIB])
def test_a_byte_more_than_the_form_allows_is_refused(outside: Outside, most: int) -> None:
    async def talk() -> None:
        await outside.blobs.put(KEY, b"before")
        form = await outside.blobs.presign_post(KEY, most, BASE)
        reply = await outside.upload(form, b"x" * (most + 1))
        assert (reply.status_code, "EntityTooLarge" in reply.text) == (400, True)
        assert await read(outside.blobs, KEY) == b"before"

    run(talk())


def tampered(form: Upload) -> dict[str, dict[str, str]]:
    signature = next(name for name in form.fields if name.endswith("signature"))
    policy = form.fields["policy"]
    return {
        "key": {"key": KEY + "x"},
        "signature": {signature: "0" * len(form.fields[signature])},
        "empty signature": {signature: ""},
        "policy": {"policy": policy[:-8] + ("A" if policy[-8] != "A" else "B") + policy[-7:]},
        "no policy": {"policy": ""},
    }


@pytest.mark.parametrize("which", ["key", "signature", "empty signature", "policy", "no policy"])
def test_a_form_that_was_changed_is_refused(outside: Outside, which: str) -> None:
    async def talk() -> None:
        await outside.blobs.delete(KEY)
        form = await outside.blobs.presign_post(KEY, 100, BASE)
        reply = await outside.upload(form, b"x", **tampered(form)[which])
        assert reply.status_code in (400, 403), reply.text
        assert "<Error><Code>" in reply.text.replace("\n", "")
        assert await outside.blobs.head(KEY) is None
        assert await outside.blobs.head(KEY + "x") is None

    run(talk())


def test_a_link_gives_the_object_as_a_file_and_nothing_else(outside: Outside) -> None:
    async def talk() -> None:
        await outside.blobs.put(KEY, b"<script>alert(1)</script>")
        link = await outside.blobs.presign_get(KEY, "données 1.html", BASE)
        reply = await outside.follow(link)
        assert (reply.status_code, reply.content) == (200, b"<script>alert(1)</script>")
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["content-disposition"].startswith("attachment;")
        assert "filename*=UTF-8''donn%C3%A9es%201.html" in reply.headers["content-disposition"]
        part = await outside.follow(link, Range="bytes=1-6")
        assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"script", "bytes 1-6/25")
        assert (await outside.follow(link.replace("donn", "dont"))).status_code in (403, 404)
        async with outside.client() as client:
            assert (await client.post(link)).status_code >= 400
            assert (await client.delete(link)).status_code >= 400
        assert await outside.blobs.head(KEY) is not None
        await outside.blobs.delete(KEY)
        assert (await outside.follow(link)).status_code == 404

    run(talk())


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../b", "../a", "a\x00b", "a//b", "a\\b", "."])
def test_keys_that_lead_elsewhere_are_refused(outside: Outside, key: str) -> None:
    async def talk() -> None:
        blobs = outside.blobs
        for work in (
            blobs.head(key), blobs.get(key), blobs.put(key, b""), blobs.delete(key), blobs.tag(key, 1),
            blobs.presign_post(key, 1, BASE), blobs.presign_get(key, "a", BASE),
        ):  # fmt: skip
            with pytest.raises(Invalid):
                await work

    run(talk())


def test_a_sweep_leaves_objects_alone(outside: Outside) -> None:
    async def talk() -> None:
        await outside.blobs.put(KEY, b"kept")
        await outside.blobs.sweep(NOON.replace(year=2999))
        assert await read(outside.blobs, KEY) == b"kept"

    run(talk())
