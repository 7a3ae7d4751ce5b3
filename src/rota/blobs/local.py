"""Objects in a folder of the data directory, with forms and links of our own."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from rota.blobs.base import PIECE_BYTES, Blobs, Content, Held, Upload, check_key, span
from rota.blobs.incoming import FOLDER, Incoming
from rota.blobs.signing import Policy, Signer
from rota.clock import Clock
from rota.core.errors import Conflict, NotFound, Unavailable
from rota.store import settings
from rota.store.database import Database

# Where the app stands that takes the forms and gives what the links name.
PREFIX = "/blobs"
KEY_SETTING = "blobs_key"
KEY_BYTES = 48
GAP = 'artifacts are kept in a folder of each machine that no other can reach; set [blobs] kind = "s3" on all of them'


class LocalBlobs(Blobs):
    """One file an object, named by the hash of its key: no key can lead anywhere else.

    The key that signs is made once, for the life of the database. `min_free`: bytes of the disk that stay free.

    is_shared  whether other machines serve, or carry out, the same runs: this folder is not theirs
    takes      whether what is put here is found again: on a machine that others do not ask, it is not
    """

    def __init__(self, folder: Path, database: Database, clock: Clock, min_free: int = 0) -> None:
        self._folder = folder
        self._min_free = min_free
        self._database = database
        self._clock = clock
        self._signer: Signer | None = None
        self.is_shared: Callable[[], bool] = lambda: False
        self.takes = True

    def find_gap(self) -> str | None:
        return GAP if self.is_shared() else None

    async def signer(self) -> Signer:
        if self._signer is None:
            made = secrets.token_urlsafe(KEY_BYTES)
            secret = await self._database.write(lambda c: settings.insert_setting(c, KEY_SETTING, made))
            self._signer = Signer(secret.encode(), self._clock)
        return self._signer

    async def presign_post(self, key: str, most_bytes: int, base_url: str) -> Upload:
        return Upload(f"{base_url}{PREFIX}", (await self.signer()).form(check_key(key), most_bytes))

    async def presign_get(self, key: str, name: str, base_url: str) -> str:
        return f"{base_url}{PREFIX}/{(await self.signer()).link(check_key(key), name)}"

    async def head(self, key: str) -> Held | None:
        try:
            return Held((await asyncio.to_thread(self._place(key).stat)).st_size)
        except FileNotFoundError:
            self._check_gap()
            return None

    async def get(self, key: str, first: int = 0, last: int | None = None) -> Content:
        try:
            file = await asyncio.to_thread(open, self._place(key), "rb", 0)
        except FileNotFoundError:
            self._check_gap()
            raise NotFound("there is no such object") from None
        try:
            whole = file.seek(0, 2)
            first, size = span(first, last, whole)
            file.seek(first)
        except BaseException:
            file.close()
            raise
        return Content(size, whole, _pieces(file, size))

    async def put(self, key: str, data: bytes) -> None:
        if not self.takes:
            raise Conflict(GAP)
        await asyncio.to_thread(self._write, key, data)

    async def tag(self, key: str, days: int) -> None:
        """Nothing to tell: what is to go is deleted by us."""
        check_key(key)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._place(key).unlink, missing_ok=True)

    async def sweep(self, before: datetime) -> int:
        return await asyncio.to_thread(self._sweep, before.timestamp())

    def read_form(self, signer: Signer, fields: Mapping[str, str]) -> Incoming:
        """Where a form's file goes. Blocks. Raises StorageRefused for a form that is not ours or allows nothing more."""
        policy: Policy = signer.read_form(fields)
        return self._begin(policy.key, policy.most)

    def _check_gap(self) -> None:
        if self.is_shared():
            raise Conflict(f"this machine does not have the object: {GAP}")

    def _place(self, key: str) -> Path:
        name = hashlib.sha256(check_key(key).encode()).hexdigest()
        return self._folder / name[:2] / name

    def _begin(self, key: str, most: int) -> Incoming:
        """Raises Unavailable where it could use up the room that is to stay free."""
        place = self._place(key)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk = os.statvfs(self._folder)
        if self._min_free and disk.f_bavail * disk.f_frsize < self._min_free + most:
            raise Unavailable("there is too little free space on the disk", hint="see min_free_space in the settings")
        return Incoming(self._folder, place, most)

    def _write(self, key: str, data: bytes) -> None:
        incoming = self._begin(key, len(data))
        try:
            incoming.write(data)
            incoming.finish()
        finally:
            incoming.abort()

    def _sweep(self, before: float) -> int:
        folder, swept = self._folder / FOLDER, 0
        for path in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError):  # it became an object meanwhile, or was broken off
                if path.stat().st_mtime < before:
                    path.unlink()
                    swept += 1
        return swept


async def _pieces(file: BinaryIO, size: int) -> AsyncGenerator[bytes]:
    with file:
        while size and (piece := await asyncio.to_thread(file.read, min(size, PIECE_BYTES))):
            size -= len(piece)
            yield piece
