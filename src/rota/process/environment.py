"""What of the server's environment its children have."""

from collections.abc import Mapping

OWN_PREFIXES = ("ROTA_", "RUNWISP_")
# The server's line to systemd (sd_notify(3)): a child that has it would speak for the server.
OWN_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


def inherited(server_env: Mapping[str, str]) -> dict[str, str]:
    """The server's environment without its own settings and keys."""
    return {name: value for name, value in server_env.items() if not name.startswith(OWN_PREFIXES) and name not in OWN_NAMES}
