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


def with_mounted(root: ASGIApp, prefix: str, app: ASGIApp) -> ASGIApp:
    """One app under a prefix of any depth, and `root` for the rest. It sees its paths behind `root_path`."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        base = str(scope.get("root_path", "")) + prefix
        is_below = scope["type"] == "http" and (scope["path"] == base or str(scope["path"]).startswith(f"{base}/"))
        await (app({**scope, "root_path": base}, receive, send) if is_below else root(scope, receive, send))

    return serve
