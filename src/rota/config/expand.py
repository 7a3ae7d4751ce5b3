"""`${VAR}`, `${file:path}` and paths inside string values (RunWisp §3.1)."""

from collections.abc import Mapping
from pathlib import Path

from rota.config.kinds import BadValue


def expand(text: str, environ: Mapping[str, str], directory: Path) -> str:
    """Text with its references replaced once; `$${` gives `${`. Raises BadValue for what is unset, missing or unterminated."""
    parts, position = [], 0
    while (start := text.find("${", position)) >= 0:
        if start > position and text[start - 1] == "$":
            parts.append(text[position : start - 1] + "${")
            position = start + 2
            continue
        end = text.find("}", start)
        if end < 0:
            raise BadValue("has a ${ without its }; write $${ for a literal ${")
        parts += [text[position:start], _value(text[start + 2 : end], environ, directory)]
        position = end + 1
    return "".join([*parts, text[position:]])


def _value(reference: str, environ: Mapping[str, str], directory: Path) -> str:
    if reference.startswith("file:"):
        return read_text(resolve_path(reference[5:], directory, environ)).strip()
    if reference not in environ:
        raise BadValue(f"the variable {reference} is not set" if reference else "has a ${} without a name")
    return environ[reference]


def resolve_path(text: str, directory: Path, environ: Mapping[str, str]) -> Path:
    """A path as written in a file of that directory: absolute, below the home directory (`~/`), or relative to the file."""
    home = environ.get("HOME")
    if text.startswith("~/") and home:
        return Path(home, text[2:])
    return directory / text


def read_text(path: Path) -> str:
    """A file's text, a byte order mark left out. Raises BadValue that names the file."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadValue(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadValue(f"{path} is not UTF-8 text") from None
    except ValueError:
        raise BadValue("is not a path") from None
