"""Files of variables: `KEY=VALUE` lines (RunWisp §10)."""

from pathlib import Path

from rota.config.expand import read_text
from rota.config.kinds import BadValue, find_env_problem


def read_dotenv(path: Path) -> dict[str, str]:
    """Variables in the order of the file, a later line over an earlier one. Values are literal: nothing is expanded, one
    pair of matching quotes around them is taken off.

    Raises BadValue that names file and line, never a value.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        key, equals, value = entry.partition("=")
        key, value = key.strip(), _unquoted(value.strip())
        problem = find_env_problem(key, value) if equals else "is not KEY=VALUE"
        if problem:
            raise BadValue(f"{path}, line {number}: {problem}")
        found[key] = value
    return found


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
