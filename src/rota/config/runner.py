"""Where attempts are carried out, as the settings say it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from rota.config.secret import Secret


class RunnerSettings(Struct, frozen=True, kw_only=True):
    """All but `kind` is about Temporal."""

    kind: Literal["local", "temporal"]
    address: str
    namespace: str
    task_queue: str
    api_key: Secret | None
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None


def find_conflicts(values: Mapping[tuple[str, str], Any]) -> Iterator[tuple[str, str, str]]:
    """Settings of the runner that do not fit together: section, key and message."""
    database = values["server", "database"]
    if values["runner", "kind"] == "temporal" and not (database and database.reveal().startswith(("postgresql:", "postgres:"))):
        yield "runner", "kind", 'temporal needs [server] database = "postgresql://…": there its workers meet'
    for key in ("tls_ca", "tls_cert", "api_key"):
        if values["runner", key] and not values["runner", "tls"]:
            yield "runner", key, "needs tls = true beside it"
    for key, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        if values["runner", key] and not values["runner", other]:
            yield "runner", key, f"needs {other} beside it"
