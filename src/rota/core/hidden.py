"""What stands in the place of a value that is not shown."""

HIDDEN = "[redacted]"
