"""What every store of objects can do."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from datetime import datetime

from msgspec import Struct

from rota.core.artifact import is_sound_key
from rota.core.errors import Invalid

PIECE_BYTES = 256 * 1024


class Upload(Struct, frozen=True):
    """A form that lets whoever has it upload one object: each of `fields` as it is, then `file`, to `url` as
    multipart/form-data (Amazon S3, "POST Object")."""

    url: str
    fields: dict[str, str]


class Held(Struct, frozen=True):
    """What a store says of an object. `size` in bytes; `content_type` is empty where it does not know."""

    size: int
    content_type: str = ""


class Content(Struct, frozen=True):
    """An object, or the bytes asked for, piece by piece. `size`: of these bytes; `whole`: of the object."""

    size: int
    whole: int
    pieces: AsyncGenerator[bytes]


class Blobs(ABC):
    """A store of objects under keys. Keys are those of `core.artifact`; any other is Invalid.

    Unavailable is raised where the store does not answer or has no room. Objects appear whole or not at all, and are durable
    when the call that brought them returns. Another object under the same key takes the place of the one before.
    """

    def find_gap(self) -> str | None:
        """Why an object may be there for some of those who need it and not for others; None where all have all."""
        return None

    @abstractmethod
    async def presign_post(self, key: str, most_bytes: int, base_url: str) -> Upload:
        """Lets a client upload up to so many bytes under exactly that key within an hour.

        base_url  how the client reaches this server; a store of its own does not need it
        """

    @abstractmethod
    async def presign_get(self, key: str, name: str, base_url: str) -> str:
        """A link that gives the object, as a file with that name, for an hour."""

    @abstractmethod
    async def head(self, key: str) -> Held | None:
        """Whether it is there."""

    @abstractmethod
    async def get(self, key: str, first: int = 0, last: int | None = None) -> Content:
        """Its bytes from `first` to `last`, both counted. Raises NotFound, Conflict where another machine may have it, and
        Invalid where the object has no such bytes."""

    @abstractmethod
    async def put(self, key: str, data: bytes) -> None: ...

    @abstractmethod
    async def tag(self, key: str, days: int) -> None:
        """Tell a store that expires objects by the tag `ttl_days` how long this one is wanted; others need no telling."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """No error if it is not there."""

    @abstractmethod
    async def sweep(self, before: datetime) -> int:
        """Remove what uploads that were broken off before that moment left. Returns how many."""


def check_key(key: str) -> str:
    """Raises Invalid for a key that is not one of ours, such as one with `..` in it."""
    if not is_sound_key(key):
        raise Invalid.at("key", "is not a key of this store")
    return key


def span(first: int, last: int | None, whole: int) -> tuple[int, int]:
    """The first byte, and how many. Raises Invalid for what lies outside."""
    end = whole if last is None else min(last + 1, whole)
    if first < 0 or (first >= whole and first > 0) or end < first:
        raise Invalid.at("range", f"lies outside of {whole} bytes")
    return first, end - first
