"""The way to objects of the data directory: signed forms in, signed links out, refusals in the words of S3."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.asking import HandClock, make_rota
from tests.databases import open_memory

from rota.blobs import PREFIX, LocalBlobs, Upload
from rota.blobs.incoming import FOLDER
from rota.http.mounts import Mounts
from rota.ops.context import Rota
from rota.surfaces import native, storage
from rota.surfaces.storage.app import MOST_BODY

KEY, BASE = "tasks/artifacts/task_T/staged/5f0c/a.txt", "http://rota"
BOUNDARY = "xyz"
Talk = Callable[[httpx.AsyncClient, Upload], Awaitable[None]]


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with closing(open_memory()) as database:
        yield make_rota(database, tmp_path)


def talked(rota: Rota, talk: Talk, most: int = 10) -> None:
    async def whole() -> None:
        app = Mounts(native.app(rota), {PREFIX: storage.app(rota)})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
            await talk(client, await rota.blobs.presign_post(KEY, most, BASE))

    asyncio.run(whole())


def body_of(*parts: tuple[str, bytes], end: str = "--\r\n") -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
    text = b"".join(head % (BOUNDARY.encode(), name.encode()) + content + b"\r\n" for name, content in parts)
    return text + f"--{BOUNDARY}{end}".encode()


def fields_of(form: Upload) -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for name, text in form.fields.items()]


async def post(client: httpx.AsyncClient, body: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
    told = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **headers}
    return await client.post("/blobs", content=body, headers=told)


def code_of(reply: httpx.Response) -> str:
    assert reply.headers["content-type"] == "application/xml"
    found = re.search("<Error><Code>(.*?)</Code><Message>.+</Message>", reply.text)
    assert found is not None, reply.text
    return found[1]


def files_in(rota: Rota) -> list[Path]:
    assert isinstance(rota.blobs, LocalBlobs)
    return [path for path in rota.blobs._folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda fields, file: [file, *fields], 400, "InvalidArgument"),
        (lambda fields, file: [*fields[:2], file, fields[2]], 400, "InvalidArgument"),
        (lambda fields, file: [*fields, file, ("x", b"y")], 400, "InvalidArgument"),
        (lambda fields, file: [*fields, file, file], 400, "InvalidArgument"),
        (lambda fields, file: [*fields, ("Content-Type", b"text/html"), file], 403, "AccessDenied"),
        (lambda fields, file: [*fields, fields[0], file], 400, "MalformedPOSTRequest"),
        (lambda fields, file: [*fields], 400, "InvalidArgument"),
        (lambda fields, file: [file], 400, "InvalidArgument"),
        (lambda fields, file: [*fields, ("", b"x"), file], 400, "MalformedPOSTRequest"),
        (lambda fields, file: [*fields, ("x", b"y" * 30_000), file], 400, "MaxPostPreDataLengthExceededError"),
        (lambda fields, file: [(f"f{n}", b"") for n in range(60)], 400, "MaxPostPreDataLengthExceededError"),
        (lambda fields, file: [("key", b"a/../b"), *fields[1:], file], 403, "AccessDenied"),
        (lambda fields, file: [("key", KEY.encode() + b"\x00"), *fields[1:], file], 403, "AccessDenied"),
        (lambda fields, file: [*fields, ("file", b"x" * 11)], 400, "EntityTooLarge"),
    ],
)
def test_a_form_that_is_not_as_it_was_handed_out_leaves_nothing(rota: Rota, change: Any, status: int, code: str) -> None:
    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        reply = await post(client, body_of(*change(fields_of(form), ("file", b"data"))))
        assert (reply.status_code, code_of(reply)) == (status, code)
        assert files_in(rota) == []

    talked(rota, talk)


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"--xyz", b"--xyz\r\nno header", body_of(("file", b"x"))[:-30]],
)
def test_what_is_no_form_is_refused(rota: Rota, body: bytes) -> None:
    async def talk(client: httpx.AsyncClient, _form: Upload) -> None:
        assert (await post(client, body)).status_code == 400

    talked(rota, talk)


def test_other_media_and_methods_are_refused(rota: Rota) -> None:
    async def talk(client: httpx.AsyncClient, _form: Upload) -> None:
        for media in ("application/json", "multipart/form-data", f"multipart/form-data; boundary={'x' * 5000}"):
            assert (await client.post("/blobs", content=b"{}", headers={"Content-Type": media})).status_code in (400, 412)
        for method, path in (("PUT", "/blobs/x"), ("DELETE", "/blobs/x"), ("GET", "/blobs"), ("POST", "/blobs/x")):
            assert code_of(await client.request(method, path)) == "MethodNotAllowed"

    talked(rota, talk)


def test_an_upload_that_breaks_off_leaves_nothing(rota: Rota) -> None:
    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        whole = body_of(*fields_of(form), ("file", b"x" * 5))
        reply = await post(client, whole[:-12])
        assert (reply.status_code, code_of(reply)) == (400, "MalformedPOSTRequest")
        assert files_in(rota) == []
        assert (await post(client, whole)).status_code == 204
        assert len(files_in(rota)) == 1

    talked(rota, talk)


def test_a_form_is_good_for_an_hour_and_works_again_until_then(rota: Rota) -> None:
    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        body = body_of(*fields_of(form), ("file", b"x"))
        clock = rota.clock
        assert isinstance(clock, HandClock)
        clock.advance(3599)
        assert (await post(client, body)).status_code == 204
        clock.advance(1)
        reply = await post(client, body)
        assert (reply.status_code, code_of(reply)) == (403, "AccessDenied")
        assert "expired" in reply.text

    talked(rota, talk)


def test_size_is_counted_and_not_believed(rota: Rota) -> None:
    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        body = body_of(*fields_of(form), ("file", b"x" * 3_000_000))

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 65_536):
                yield body[start : start + 65_536]

        reply = await post(client, pieces())
        assert (reply.status_code, code_of(reply)) == (400, "EntityTooLarge")
        for told in ("99999999999", "x", "9" * 30):
            reply = await post(client, b"", **{"Content-Length": told})
            assert (reply.status_code, code_of(reply)) == (400, "EntityTooLarge")
        assert files_in(rota) == []

    talked(rota, talk)


def test_nobody_is_listened_to_for_ever(rota: Rota) -> None:
    heard = 0

    async def endless(form: Upload) -> AsyncIterator[bytes]:
        nonlocal heard
        yield body_of(*fields_of(form), ("file", b"x"))
        while heard < 2 * MOST_BODY:
            heard += 1_000_000
            yield b"-" * 1_000_000

    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        assert code_of(await post(client, endless(form))) == "EntityTooLarge"
        assert heard <= MOST_BODY + 1_000_000
        assert files_in(rota) == []

    talked(rota, talk)


def test_links_are_bound_to_key_name_hour_and_method(rota: Rota) -> None:
    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        await rota.blobs.put(KEY, b"0123456789")
        await rota.blobs.put("other", b"x")
        link = await rota.blobs.presign_get(KEY, "a.txt", BASE)
        assert (await client.get(link)).content == b"0123456789"
        head = await client.head(link)
        assert (head.status_code, head.headers["content-length"]) == (200, "10")
        changed = [
            link.replace(KEY, "other"), link.replace("name=a", "name=b"), re.sub(r"expires=\d", "expires=9", link),
            re.sub("signature=.", "signature=x", link), link.partition("?")[0], f"{link.partition('&')[0]}&expires=&signature=",
            f"{BASE}/blobs/{KEY}?signature={form.fields['signature']}&name={form.fields['policy']}",
        ]  # fmt: skip
        for each in changed:
            reply = await client.get(each)
            assert (reply.status_code, code_of(reply)) == (403, "SignatureDoesNotMatch"), each
        assert code_of(await client.get(link + "&x=1" * 20)) == "InvalidArgument"
        tricks = ["../" + KEY, "%2e%2e/rota.db", "..%2frota.db", "%00", "//etc/passwd", "incoming/x"]
        for each in tricks:
            assert (await client.get(link.replace(KEY, each))).status_code in (403, 404, 405), each
        clock = rota.clock
        assert isinstance(clock, HandClock)
        clock.advance(3600)
        reply = await client.get(link)
        assert (reply.status_code, code_of(reply)) == (403, "AccessDenied")

    talked(rota, talk)


@pytest.mark.parametrize(
    ("asked", "status", "content", "place"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-100", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=9-100", 206, b"9", "bytes 9-9/10"),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
    ],
)
def test_ranges_are_given(rota: Rota, asked: str, status: int, content: bytes, place: str | None) -> None:
    async def talk(client: httpx.AsyncClient, _form: Upload) -> None:
        await rota.blobs.put(KEY, b"0123456789")
        reply = await client.get(await rota.blobs.presign_get(KEY, "a", BASE), headers={"Range": asked})
        assert (reply.status_code, reply.content, reply.headers.get("content-range")) == (status, content, place)

    talked(rota, talk)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_ranges_behind_the_end_are_refused(rota: Rota, asked: str) -> None:
    async def talk(client: httpx.AsyncClient, _form: Upload) -> None:
        await rota.blobs.put(KEY, b"0123456789")
        reply = await client.get(await rota.blobs.presign_get(KEY, "a", BASE), headers={"Range": asked})
        assert (reply.status_code, code_of(reply)) == (416, "InvalidRange")

    talked(rota, talk)


def test_names_of_files_cannot_break_out_of_their_header(rota: Rota) -> None:
    async def talk(client: httpx.AsyncClient, _form: Upload) -> None:
        await rota.blobs.put(KEY, b"x")
        reply = await client.get(await rota.blobs.presign_get(KEY, 'a"; filename=evil.html\r\nX-Evil: 1', BASE))
        assert "x-evil" not in reply.headers
        assert reply.headers["content-disposition"].count('"') == 2
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")

    talked(rota, talk)


def test_what_broke_off_is_swept(rota: Rota, tmp_path: Path) -> None:
    async def talk(_client: httpx.AsyncClient, _form: Upload) -> None:
        await rota.blobs.put(KEY, b"kept")
        left = tmp_path / "blobs" / FOLDER / "left"
        left.write_bytes(b"half")
        left.with_name("gone").symlink_to(tmp_path / "nothing")  # as one that is put in its place at this moment
        assert await rota.blobs.sweep(rota.clock.now().replace(year=2001)) == 0
        assert await rota.blobs.sweep(rota.clock.now().replace(year=2999)) == 1
        assert len(files_in(rota)) == 1
        assert files_in(rota)[0].stat().st_mode & 0o077 == 0

    talked(rota, talk)


def test_an_upload_does_not_use_up_the_space_that_is_to_stay_free(rota: Rota, tmp_path: Path) -> None:
    rota.blobs = LocalBlobs(tmp_path / "blobs", rota.database, rota.clock, min_free=1 << 60)

    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        reply = await post(client, body_of(*fields_of(form), ("file", b"x")))
        assert (reply.status_code, code_of(reply)) == (503, "ServiceUnavailable")
        assert files_in(rota) == []

    talked(rota, talk)


def test_the_key_that_signs_stays_with_the_database(rota: Rota, tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient, form: Upload) -> None:
        rota.blobs = LocalBlobs(tmp_path / "blobs", rota.database, rota.clock)
        assert (await rota.blobs.presign_post(KEY, 10, BASE)) == form
        assert (await post(client, body_of(*fields_of(form), ("file", b"x")))).status_code == 204

    talked(rota, talk)
