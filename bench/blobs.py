"""Uploads a file by a signed form to a real server, beside copying the same file to the same disk."""

import asyncio
import http.client
import os
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data, new_folder
from bench.server import Server, serve
from rota.blobs import LocalBlobs
from rota.clock import SystemClock
from rota.datadir import BLOBS, DATABASE
from rota.store.database import open_sqlite

SIZE = 30 * 1024 * 1024
BOUNDARY = "bench-boundary"
BLOCK = 1024 * 1024


def measure(quick: bool) -> list[Figure]:
    """MB/s of one client, medians of rounds taken in turns; both are on the disk when they are counted."""
    rounds = 5 if quick else 15
    source = new_folder("blobs") / "source"
    source.write_bytes(os.urandom(SIZE))
    with serve(new_data()) as server:
        body, path = _form(server, source.read_bytes())
        ours_s, copy_s = in_turns(rounds, lambda: _upload(server, path, body), lambda: _copy(source))
    megabytes = SIZE / 1e6
    return [
        figure("artifact of 30 MiB uploaded by form", megabytes / ours_s, "MB/s", reference=megabytes / copy_s,
               reference_name="copy with fsync", note="one client on the loopback; parsed, counted and on the disk"),
    ]  # fmt: skip


def _form(server: Server, content: bytes) -> tuple[bytes, str]:
    """The body of an upload, and where it goes; signed with the key that the server has in its database."""
    with closing(open_sqlite(server.data / DATABASE, in_use=True)) as database:
        blobs = LocalBlobs(server.data / BLOBS, database, SystemClock())
        upload = asyncio.run(blobs.presign_post("tasks/artifacts/bench", SIZE, f"http://127.0.0.1:{server.port}"))
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    fields = "".join(f'{head}{name}"\r\n\r\n{text}\r\n' for name, text in upload.fields.items())
    body = f'{fields}{head}file"; filename="x"\r\n\r\n'.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, urlsplit(upload.url).path


def _upload(server: Server, path: str, body: bytes) -> float:
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    assert connection.getresponse().status == 204
    connection.close()
    return time.perf_counter() - started


def _copy(source: Path) -> float:
    target = source.with_name("copy")
    started = time.perf_counter()
    with source.open("rb", buffering=0) as read, target.open("wb", buffering=0) as write:
        while block := read.read(BLOCK):
            write.write(block)
        os.fsync(write.fileno())
    return time.perf_counter() - started
