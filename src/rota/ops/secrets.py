"""Keys: how they are made and kept. None of them is ever written down in clear."""

import hashlib
import secrets

from rota.core.actor import KeyKind

PREFIXES: dict[KeyKind, str] = {"native": "rota_", "fylr": "fylr_", "nla": "nla_", "posthog": "phx_"}
AGENT_PREFIX = "agent_"
KEY_BYTES = 32


def new_secret(prefix: str) -> str:
    """A secret of 256 random bits that says what it is for."""
    return prefix + secrets.token_urlsafe(KEY_BYTES)


def hash_secret(secret: str) -> str:
    """What is stored of a random secret: it needs no salt and no slow hash, for nobody guesses 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
