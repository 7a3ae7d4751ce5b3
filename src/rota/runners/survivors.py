"""Ends what an earlier life of this server left running."""

import asyncio
from collections.abc import Iterable

import structlog

from rota.process import end_group, find_survivors
from rota.runners.ledger import LedgerEntry

logger = structlog.get_logger("rota.runner")


async def end_survivors(entries: Iterable[LedgerEntry]) -> int:
    """Stops every process of these attempts, all at once. Returns how many attempts had any.

    A process counts only with the very pid and start time of the entry, or with the run's mark in its environment.
    """
    survivors = await asyncio.to_thread(find_survivors, [entry.tree for entry in entries])
    left = await asyncio.gather(*map(end_group, survivors))
    for tree, count in zip(survivors, left, strict=True):
        logger.warning("ended what a run had left running", run_id=tree.run_id, pid=tree.pid, not_ended=count)
    return len(survivors)
