"""The loops that make tasks happen."""
