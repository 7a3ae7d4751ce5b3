"""The settings file: read, checked, and made into values that nothing changes."""

from rota.config.diff import Changed, Diff, diff_units, restart_only_changes
from rota.config.findings import Finding
from rota.config.load import Loaded, find_file, load
from rota.config.mcp import McpServer
from rota.config.notify import Notifier, Notifying, build_rules
from rota.config.providers import BUILT_IN as BUILT_IN_PROVIDERS
from rota.config.providers import ProviderSettings
from rota.config.reference import render_reference
from rota.config.report import count_units, explain, report
from rota.config.secret import Secret
from rota.config.settings import (
    BlobStore,
    Daemon,
    Listener,
    NotifyRules,
    Outgoing,
    RunwispAccess,
    Scheduler,
    Server,
    Settings,
    Storage,
)
from rota.config.unit import Unit

__all__ = [
    "BUILT_IN_PROVIDERS",
    "BlobStore",
    "Changed",
    "Daemon",
    "Diff",
    "Finding",
    "Listener",
    "Loaded",
    "McpServer",
    "Notifier",
    "NotifyRules",
    "Notifying",
    "Outgoing",
    "ProviderSettings",
    "RunwispAccess",
    "Scheduler",
    "Secret",
    "Server",
    "Settings",
    "Storage",
    "Unit",
    "build_rules",
    "count_units",
    "diff_units",
    "explain",
    "find_file",
    "load",
    "render_reference",
    "report",
    "restart_only_changes",
]
