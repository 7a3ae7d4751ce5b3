"""Processes of this machine: starting them, finding all of them again, and ending them."""

from rota.process.child import Child, seal_descriptors, spawn
from rota.process.ladder import end_group, end_tree, is_gone_within
from rota.process.poller import Poller
from rota.process.table import boot_id, find_start_ticks
from rota.process.tree import RUN_ID_VARIABLE, Tree, find_survivors

__all__ = [
    "RUN_ID_VARIABLE",
    "Child",
    "Poller",
    "Tree",
    "boot_id",
    "end_group",
    "end_tree",
    "find_start_ticks",
    "find_survivors",
    "is_gone_within",
    "seal_descriptors",
    "spawn",
]
