"""Ways in: one folder for each, and the one list of them."""

from collections.abc import Callable

from starlette.types import ASGIApp

from rota.http.mounts import Mounts
from rota.ops.context import Rota
from rota.surfaces import native, runwisp

Surface = Callable[[Rota], ASGIApp]

# name of the surface -> its app; the name is also its prefix on the main listener, but for the native API, which is at the root.
SURFACES: dict[str, Surface] = {
    "native": native.app,
    "runwisp": runwisp.app,
}
# Those that the operator may ask over the control socket.
CONTROL: dict[str, Surface] = {
    "native": native.control_app,
    "runwisp": runwisp.control_app,
}


def mounted(rota: Rota, surfaces: dict[str, Surface]) -> ASGIApp:
    """All of them on one listener."""
    prefixes = {f"/{name}": surface(rota) for name, surface in surfaces.items() if name != "native"}
    return Mounts(surfaces["native"](rota), prefixes)
