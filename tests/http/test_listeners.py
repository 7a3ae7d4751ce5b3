"""What becomes of answers that are on their way when the server stops."""

import asyncio

from starlette.types import Receive, Scope, Send

from rota.http.listeners import Listeners


def test_a_stop_waits_for_an_answer_that_has_begun_and_lets_nobody_else_in() -> None:
    asked, told = asyncio.Event(), asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        asked.set()
        await told.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    async def talk() -> bytes:
        listeners = Listeners()
        host, _, port = listeners.listen("127.0.0.1:0", app).rpartition(":")
        await listeners.start()
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asked.wait()
        stopping = asyncio.create_task(listeners.stop())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        told.set()
        await stopping
        answer = await reader.read()
        writer.close()
        try:
            await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return answer
        raise AssertionError("somebody was let in")

    head, _, body = asyncio.run(talk()).partition(b"\r\n\r\n")
    assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"done")
