"""HTTP without httptools."""

from uvicorn.protocols.http.h11_impl import H11Protocol

from rota.http.counted import Counted


class CountedH11(Counted, H11Protocol):
    """HTTP/1.1 by h11."""
