"""Words that are good for one use, whichever of several servers is asked: signed by a key in the store, used up there."""

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime

from rota.ops.context import Rota
from rota.ops.revocations import use_up
from rota.store import settings
from rota.store.database import Connection

KEY_SETTING = "word_key"
KEY_BYTES = 32
# Hex digits: when it ends (seconds since 1970), chance, signature.
UNTIL, CHANCE, SIGNED = 8, 24, 32
WORD = re.compile(f"[0-9a-f]{{{UNTIL + CHANCE + SIGNED}}}")


class SharedWords:
    """`use`: what they are for; a word for one use is none for another. See Words."""

    def __init__(self, rota: Rota, lifetime_s: int, use: str) -> None:
        self._rota = rota
        self._lifetime_s = lifetime_s
        self._use = use
        self._key: bytes | None = None

    async def issue(self) -> str:
        until = int(self._rota.clock.now().timestamp()) + self._lifetime_s
        text = f"{until:0{UNTIL}x}{secrets.token_hex(CHANCE // 2)}"
        return text + self._sign(text, await self._find_key())

    async def use(self, word: str) -> bool:
        if not WORD.fullmatch(word):
            return False
        text, signature = word[:-SIGNED], word[-SIGNED:]
        if not hmac.compare_digest(self._sign(text, await self._find_key()), signature):
            return False
        until = datetime.fromtimestamp(int(text[:UNTIL], 16), UTC)
        return self._rota.clock.now() < until and await use_up(self._rota, f"word:{text}", until)

    def _sign(self, text: str, key: bytes) -> str:
        return hmac.new(key, f"{self._use} {text}".encode(), hashlib.sha256).hexdigest()[:SIGNED]

    async def _find_key(self) -> bytes:
        if self._key is None:
            known = await self._rota.database.read(lambda c: settings.find_setting(c, KEY_SETTING))
            self._key = bytes.fromhex(await self._rota.database.write(_make) if known is None else known)
        return self._key


def _make(c: Connection) -> str:
    return settings.insert_setting(c, KEY_SETTING, secrets.token_hex(KEY_BYTES))
