"""What a server says once it serves."""

from rota import __version__
from rota.config import count_units
from rota.ops.agents import SYSTEM_ID
from rota.server.parts import Parts


def greeting(parts: Parts, where: str, system_secret: str | None) -> str:
    """`where`: the address of the main listener. `system_secret`: if it was made just now."""
    tasks, services = count_units(parts.units.all)
    file, data = parts.units.origin.path or "no file", parts.settings.server.data
    scheme = "https" if parts.settings.daemon.tls else "http"
    main = f"{scheme}://{where}"
    lines = [
        f"Rota {__version__} serves {tasks} and {services} from {file}",
        f"  API      {main}/v1/    health {main}/readyz    metrics {main}/metrics",
        *(f"  {listener.surface:<8} {scheme}://{listener.address}/" for listener in parts.settings.listen),
        f"  look     rota tasks · rota runs · rota logs TASK -f        (--data {data})",
    ]
    if system_secret:
        lines.append(f"  agents   the system agent {SYSTEM_ID} has the secret {system_secret} (shown this once)")
    return "\n".join(lines)
