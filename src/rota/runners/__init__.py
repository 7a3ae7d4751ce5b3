"""Where attempts are carried out."""

from rota.runners.base import Claim, Delivered, Finished, Runner
from rota.runners.growth import LogGrowth
from rota.runners.leavings import Leavings
from rota.runners.ledger import LedgerEntry, ProcessLedger
from rota.runners.local import LocalRunner
from rota.runners.survivors import end_survivors

__all__ = [
    "Claim",
    "Delivered",
    "Finished",
    "Leavings",
    "LedgerEntry",
    "LocalRunner",
    "LogGrowth",
    "ProcessLedger",
    "Runner",
    "end_survivors",
]
