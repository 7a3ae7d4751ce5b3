"""Ways in: one folder for each, and the one list of them."""

from collections.abc import Callable
from functools import partial

from starlette.types import ASGIApp

from rota.blobs import PREFIX
from rota.core.delivery import Body, Delivery
from rota.http.auth import by_bearer, by_first
from rota.http.mounts import Mounts, with_mounted
from rota.ops.context import Rota
from rota.store import pushing
from rota.store.database import Connection
from rota.surfaces import fylr, mcp, native, nla, ordinaut, posthog, runwisp, storage
from rota.surfaces.ordinaut.auth import TokenKeeper, by_token

Surface = Callable[[Rota], ASGIApp]


def assistants(rota: Rota) -> ASGIApp:
    """MCP, for users by their native keys and for agents by Ordinaut's access tokens."""
    return mcp.app(rota, by_first(by_bearer(rota, "native"), by_token(rota, TokenKeeper(rota))))


# name of the surface -> its app; the name is also its prefix on the main listener, but for the native API, which is at the root.
SURFACES: dict[str, Surface] = {
    "native": native.app,
    "runwisp": runwisp.app,
    "ordinaut": ordinaut.app,
    "fylr": fylr.app,
    "nla": nla.app,
    "posthog": posthog.app,
    "mcp": assistants,
}
# Those that the operator may ask over the control socket.
CONTROL: dict[str, Surface] = {
    "native": native.control_app,
    "runwisp": runwisp.control_app,
    "mcp": mcp.control_app,
}


def build_forms(rota: Rota) -> dict[str, Callable[[Connection, Delivery], Body | None]]:
    """Name of a callback's form -> what writes its body from the store, None if there is nothing left to tell. A surface that
    takes callbacks has its line here."""
    return {
        "ordinaut": ordinaut.write_notice,
        pushing.FORM: pushing.write_notice,
        nla.FORM: partial(nla.write_task, rota),
    }


def mounted(rota: Rota, surfaces: dict[str, Surface]) -> ASGIApp:
    """All of them on one listener."""
    prefixes = {f"/{name}": surface(rota) for name, surface in surfaces.items() if name != "native"}
    return Mounts(surfaces["native"](rota), {**prefixes, PREFIX: storage.app(rota)})


def alone(rota: Rota, name: str) -> ASGIApp:
    """One of them on a listener of its own, with the way to the objects that it hands out links to."""
    return with_mounted(SURFACES[name](rota), PREFIX, storage.app(rota))
