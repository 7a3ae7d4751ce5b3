"""Signed forms and links: what a client may do without a key, to which object, and until when."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs, quote, urlencode

import msgspec
from msgspec import Struct

from rota.blobs.refusal import StorageRefused
from rota.clock import Clock
from rota.core.artifact import LINK_S

FIELDS = ("key", "policy", "signature")
MOST_FIELDS = 10


class Policy(Struct, frozen=True):
    """What a form allows. `most`: bytes; `until`: aware UTC."""

    key: str
    most: int
    until: datetime


class Signer:
    """Signs by HMAC-SHA256, and believes what it has signed. A form is never a link: what is signed begins with the method."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def form(self, key: str, most: int) -> dict[str, str]:
        """The fields of a form."""
        policy = msgspec.json.encode(Policy(key, most, self._until()))
        text = base64.urlsafe_b64encode(policy).decode()
        return {"key": key, "policy": text, "signature": self._sign("POST", text)}

    def read_form(self, fields: Mapping[str, str]) -> Policy:
        """What the fields before the file allow. Raises StorageRefused: each field must be there, and no other."""
        for name in FIELDS:
            if name not in fields:
                message = (
                    f"Bucket POST must contain a field named '{name}'. If it is specified, please check the order of the fields."
                )
                raise StorageRefused("InvalidArgument", message)
        for name in fields:
            if name not in FIELDS:
                raise StorageRefused("AccessDenied", f"Invalid according to Policy: Extra input fields: {name}", 403)
        self._check(fields["signature"], "POST", fields["policy"])
        policy = msgspec.json.decode(base64.urlsafe_b64decode(fields["policy"]), type=Policy)
        if policy.until <= self._clock.now():
            raise StorageRefused("AccessDenied", "Invalid according to Policy: Policy expired.", 403)
        if policy.key != fields["key"]:
            raise StorageRefused("AccessDenied", "Invalid according to Policy: Policy Condition failed: key", 403)
        return policy

    def link(self, key: str, name: str) -> str:
        """Path and query of a link that gives the object as a file of that name."""
        expires = str(int(self._until().timestamp()))
        signature = self._sign("GET", key, name, expires)
        return f"{quote(key)}?{urlencode({'name': name, 'expires': expires, 'signature': signature})}"

    def read_link(self, key: str, query: bytes) -> str:
        """The name of the file. Raises StorageRefused."""
        try:
            given = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            raise StorageRefused("InvalidArgument", "The link has too many parameters.") from None
        name, expires, signature = (given.get(each, [""])[0] for each in ("name", "expires", "signature"))
        self._check(signature, "GET", key, name, expires)
        if int(expires) <= self._clock.now().timestamp():
            raise StorageRefused("AccessDenied", "Request has expired", 403)
        return name

    def _until(self) -> datetime:
        return self._clock.now() + timedelta(seconds=LINK_S)

    def _sign(self, *parts: str) -> str:
        """As JSON, so that no two lists of parts are signed alike."""
        return hmac.new(self._secret, msgspec.json.encode(parts), hashlib.sha256).hexdigest()

    def _check(self, signature: str, *parts: str) -> None:
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(*parts).encode()):
            message = "The request signature we calculated does not match the signature you provided."
            raise StorageRefused("SignatureDoesNotMatch", message, 403)
