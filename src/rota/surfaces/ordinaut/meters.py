"""What this surface counts for its metrics."""

from collections import Counter

from msgspec import Struct, field

from rota.vitals import Histogram

KEY = "rota.ordinaut.meters"


class Meters(Struct):
    """Since the start of this server."""

    requests: Histogram = field(default_factory=Histogram)
    logins: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
