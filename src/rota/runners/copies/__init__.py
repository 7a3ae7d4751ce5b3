"""Logs on machines that did not write them: told by who writes them, brought to where they are read."""
