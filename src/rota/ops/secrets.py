"""Passwords and keys: how they are made, kept and compared. None of them is ever written down in clear."""

import base64
import hashlib
import hmac
import secrets

from rota.core.actor import KeyKind

PREFIXES: dict[KeyKind, str] = {"native": "rota_", "fylr": "fylr_", "nla": "nla_", "posthog": "phx_"}
AGENT_PREFIX = "agent_"
KEY_BYTES = 32
# RFC 7914: 16 MiB and some 50 ms for each guess.
LOG2_N, BLOCK, PARALLEL = 14, 8, 1
SALT_BYTES = 16


def new_secret(prefix: str) -> str:
    """A secret of 256 random bits that says what it is for."""
    return prefix + secrets.token_urlsafe(KEY_BYTES)


def hash_secret(secret: str) -> str:
    """What is stored of a random secret: it needs no salt and no slow hash, for nobody guesses 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hash_password(password: str) -> str:
    """`$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, in the PHC form. Takes some 50 ms, so never call it on an event loop."""
    salt = secrets.token_bytes(SALT_BYTES)
    derived = _derive(password, salt, LOG2_N, BLOCK, PARALLEL)
    return f"$scrypt$ln={LOG2_N},r={BLOCK},p={PARALLEL}${_text(salt)}${_text(derived)}"


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the stored one, in a time that does not tell how nearly. False also for a form we do not know."""
    try:
        _, scheme, costs, salt, derived = stored.split("$")
        log2_n, block, parallel = (int(part.partition("=")[2]) for part in costs.split(","))
        expected = _derive(password, _bytes(salt), log2_n, block, parallel)
        return scheme == "scrypt" and hmac.compare_digest(expected, _bytes(derived))
    except ValueError:
        return False


def _derive(password: str, salt: bytes, log2_n: int, block: int, parallel: int) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=1 << log2_n, r=block, p=parallel, maxmem=256 * 1024 * 1024, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
