"""The least that can answer a validated POST: Starlette and msgspec on uvicorn, as a server that stores nothing."""

import socket

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rota.ops.documents import TaskBody

decoder = msgspec.json.Decoder(TaskBody)
encoder = msgspec.json.Encoder()


async def create(request: Request) -> Response:
    task = decoder.decode(await request.body())
    return Response(encoder.encode(task), 201, media_type="application/json")


def main() -> None:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{bound.getsockname()[1]}/", flush=True)
    app = Starlette(routes=[Route("/tasks", create, methods=["POST"])])
    settings = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False)
    uvicorn.Server(settings).run([bound])


if __name__ == "__main__":
    main()
