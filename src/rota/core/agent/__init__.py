"""Agents: a chain of nodes over shared variables. `node` tells what there is, `chain` what becomes of it."""
