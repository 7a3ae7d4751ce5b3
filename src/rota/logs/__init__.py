"""Run logs: files that are appended, paged, followed and rotated."""
