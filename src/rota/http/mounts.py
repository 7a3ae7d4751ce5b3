"""Several apps on one listener: each under its prefix, and one for the rest."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class Mounts:
    """`prefixes` begin with a slash and end without one. An app sees its paths from its own root."""

    def __init__(self, root: ASGIApp, prefixes: Mapping[str, ASGIApp]) -> None:
        self._root = root
        self._prefixes = dict(prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._root(scope, receive, send)
            return
        first, _, _ = str(scope["path"]).removeprefix("/").partition("/")
        app = self._prefixes.get(f"/{first}")
        if app is None:
            await self._root(scope, receive, send)
        else:
            await app({**scope, "root_path": f"{scope.get('root_path', '')}/{first}"}, receive, send)
