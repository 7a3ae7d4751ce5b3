"""Who asks: a user, by a personal API key in the Authorization header (contract §3)."""

from starlette.types import Scope

from rota.core.actor import Actor
from rota.http.auth import Authenticate, by_bearer, find_bearer
from rota.ops.context import Rota
from rota.surfaces.posthog.errors import NotAuthenticated


def by_personal_key(rota: Rota) -> Authenticate:
    """Raises NotAuthenticated where none is shown, and Unauthorized for one that is not good."""
    known = by_bearer(rota, "posthog")

    async def authenticate(scope: Scope) -> Actor:
        if find_bearer(scope) is None:
            raise NotAuthenticated("no key was shown")
        return await known(scope)

    return authenticate
