"""Calls to the outside: to a checked address, within limits of time and size, and without following redirects."""

from rota.outgoing.address import Guard, Refused, Tier, tier_of
from rota.outgoing.caller import Answer, Failed, Outgoing, Streamed
from rota.outgoing.retryafter import retry_after_s

__all__ = ["Answer", "Failed", "Guard", "Outgoing", "Refused", "Streamed", "Tier", "retry_after_s", "tier_of"]
