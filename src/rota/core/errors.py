"""The errors Rota raises on purpose.

RotaError
├── Invalid            invalid        the asker gave something unusable; `problems` names each field
├── NotFound           not_found
├── Conflict           conflict       it cannot be done in the present state
│   └── Duplicate      conflict       it is there already; `existing_id` says which
├── Unauthorized       unauthorized   nobody, or nobody we know, is asking
├── Forbidden          forbidden      we know who asks, and they may not
├── TooLarge           too_large
├── Throttled          throttled      asked too often
├── Unavailable        unavailable    it would work, but not now
└── StaleFence         stale_fence    a holder that lost its run tried to write
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One unusable value. `location` is a dotted path such as `body.schedule.expr`."""

    location: str
    message: str
    value: Any = None


class RotaError(Exception):
    """Base of all errors that are meant for the asker. `code` is stable; `hint` is the next step, if there is one."""

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Invalid(RotaError):
    """Unusable input. Nothing was changed."""

    code = "invalid"

    def __init__(self, message: str, problems: Iterable[Problem] = (), *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = list(problems)

    @classmethod
    def at(cls, location: str, message: str, value: Any = None) -> "Invalid":
        """The common case: one field, one problem."""
        return cls(f"{location}: {message}", [Problem(location, message, value)])


class NotFound(RotaError):
    code = "not_found"


class Conflict(RotaError):
    code = "conflict"


class Duplicate(Conflict):
    """`existing_id`: of the one that is there already."""

    def __init__(self, message: str, existing_id: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.existing_id = existing_id


class Unauthorized(RotaError):
    code = "unauthorized"


class Forbidden(RotaError):
    code = "forbidden"


class TooLarge(RotaError):
    code = "too_large"


class Throttled(RotaError):
    """`retry_after_s`: seconds until it is worth asking again."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after_s: float = 1.0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Unavailable(RotaError):
    code = "unavailable"


class StaleFence(RotaError):
    code = "stale_fence"
