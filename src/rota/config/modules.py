"""Where modules are, as `[modules]` says it: folders, files and import paths."""

import re

from rota.config.kinds import BadValue, Kind, list_of, text_kind

_IMPORT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?")


def is_path(place: str) -> bool:
    """Whether it is a file or folder; what else there is, is imported."""
    return "/" in place or place.endswith(".py") or place.startswith(("~", "."))


def _place(text: str) -> str:
    if not is_path(text) and not _IMPORT.fullmatch(text):
        raise BadValue("must be a folder or file, written with a /, or an import path such as acme.tasks")
    return text


MODULE_PLACES: Kind = list_of(text_kind("folder, file or import path", _place))
