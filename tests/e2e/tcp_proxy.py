"""A way to a server that can be cut, and that can ask for TLS."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Proxy:
    """`cut`: whoever is connected, or connects, hears nothing any more, and is not told so."""

    def __init__(self, target: str, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        name, _, port = target.rpartition(":")
        self._target = (name, int(port))
        self._tls = tls
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listening = threading.Event()
        self._port = 0

    @property
    def address(self) -> str:
        return f"{self._host}:{self._port}"

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._open.clear)

    def mend(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    def start(self) -> None:
        self._thread.start()
        assert self._listening.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, self._host, 0, ssl=self._tls))
        self._port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(*self._target)
            try:
                await asyncio.wait(
                    [asyncio.create_task(self._pump(reader, back)), asyncio.create_task(self._pump(there, writer))],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                back.close()
                writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()


@contextmanager
def run_proxy(target: str, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Proxy]:
    proxy = Proxy(target, tls, host)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
