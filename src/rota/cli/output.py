"""Results on stdout: JSON that scripts read."""

import json
from typing import Any


def show_json(value: Any) -> None:
    """One indented JSON document, in the shape of the native API."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_line(value: Any) -> None:
    """One JSON document on one line."""
    print(json.dumps(value, ensure_ascii=False), flush=True)
