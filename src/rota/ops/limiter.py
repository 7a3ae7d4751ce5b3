"""How often one client may do something that is worth guessing at."""

from collections import deque
from ipaddress import IPv6Address, ip_address, ip_network

from rota.clock import Clock
from rota.core.errors import Throttled

MOST_CLIENTS = 10_000
SITE_PREFIX = 64  # whoever has one IPv6 address has the 2^64 beside it


class Limiter:
    """Up to `most` takes per client in any `per_s` seconds.

    To count failures alone, take before trying and give back on success: many tries at one time then count as well.
    """

    def __init__(self, clock: Clock, most: int, per_s: float) -> None:
        self._clock = clock
        self._most = most
        self._per_s = per_s
        self._taken: dict[str, deque[float]] = {}

    def take(self, client: str | None) -> None:
        """Raises Throttled, with the seconds until the next is free. The control socket (None) has no limit."""
        if client is None:
            return
        now = self._clock.monotonic()
        taken = self._of(client, now)
        if len(taken) >= self._most:
            wait_s = taken[0] + self._per_s - now
            raise Throttled("too many tries from this address", retry_after_s=wait_s, hint=f"try again in {wait_s:.0f} seconds")
        taken.append(now)

    def give_back(self, client: str | None) -> None:
        """Forget the latest take."""
        taken = self._taken.get(limit_key(client)) if client is not None else None
        if taken:
            taken.pop()

    def _of(self, client: str, now: float) -> deque[float]:
        key = limit_key(client)
        taken = self._taken.pop(key, None) or deque()
        while taken and taken[0] <= now - self._per_s:
            taken.popleft()
        self._taken[key] = taken  # the one that asked last stands last
        if len(self._taken) > MOST_CLIENTS:
            del self._taken[next(iter(self._taken))]
        return taken


def limit_key(address: str) -> str:
    """Whose count an address is part of: its own, for IPv6 that of its network."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, SITE_PREFIX), strict=False))
    return str(found)
