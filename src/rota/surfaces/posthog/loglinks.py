"""Signed links to the logs of runs, which need no key (contract §5.5)."""

import hashlib
import hmac
import secrets
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from rota.core.errors import NotFound
from rota.core.projectrun import ProjectRun
from rota.http.address import base_url
from rota.http.routes import Ask
from rota.ops.context import Rota
from rota.store import settings

PATH = "/api/run_logs"
KEY_SETTING = "posthog_log_key"
KEY_BYTES = 32
# The same link is given for most of an hour, so that clients can keep what it answered; it is good for at least five minutes.
CACHED_S, LEAST_S = 3300, 300


class Links(Struct, frozen=True):
    """What makes links for one asker. `until`: Unix time at which those of now end."""

    base: str
    key: bytes
    until: int

    def url(self, run: ProjectRun) -> str:
        task_id = run.run.task_id
        query = urlencode({"expires": self.until, "signature": _sign(self.key, task_id, run.id, self.until)})
        return f"{self.base}{PATH}/{task_id}/{run.id}?{query}"


async def links_of(ask: Ask) -> Links:
    base = base_url(ask.scope, ask.rota.settings.daemon.external_url) + str(ask.scope.get("root_path", ""))
    now = int(ask.rota.clock.now().timestamp())
    return Links(base, await _key(ask.rota), (now // CACHED_S + 1) * CACHED_S + LEAST_S)


async def check_link(rota: Rota, task_id: str, run_id: str, expires: str, signature: str) -> None:
    """Raises NotFound for a link that is not ours, or not good any more."""
    is_number = expires.isascii() and expires.isdecimal() and len(expires) < 15
    wanted = _sign(await _key(rota), task_id, run_id, int(expires)) if is_number else ""
    is_ours = is_number and hmac.compare_digest(wanted, signature if signature.isascii() else "")
    if not is_ours or int(expires) <= rota.clock.now().timestamp():
        raise NotFound("this link is not good, or not any more")


async def _key(rota: Rota) -> bytes:
    """Made once, for the life of the database."""
    found = await rota.database.read(lambda c: settings.find_setting(c, KEY_SETTING))
    if found is None:
        made = secrets.token_urlsafe(KEY_BYTES)
        found = await rota.database.write(lambda c: settings.insert_setting(c, KEY_SETTING, made))
    return found.encode()


def _sign(key: bytes, task_id: str, run_id: str, until: int) -> str:
    return hmac.new(key, msgspec.json.encode([task_id, run_id, until]), hashlib.sha256).hexdigest()
