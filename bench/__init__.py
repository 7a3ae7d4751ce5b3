"""Measures Rota, each figure beside its reference in the same run. `python -m bench`."""
