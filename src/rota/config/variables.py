"""The variables of a unit's processes: visible and secret ones, layer over layer (RunWisp §10)."""

from msgspec import Struct

from rota.config.document import Table
from rota.config.dotenv import read_dotenv
from rota.config.kinds import ENV, PATH, BadValue

MOST_VARIABLES = 256


class Variables(Struct, frozen=True):
    """Visible and secret variables, each with what its file held already beneath it."""

    env: dict[str, str]
    secrets: dict[str, str]

    def __repr__(self) -> str:
        return f"Variables({len(self.env)} visible, {len(self.secrets)} secret)"


def read_variables(table: Table) -> Variables:
    """The four keys of one table: file entries beneath inline ones."""
    return Variables(_read_layer(table, "env_file", "env"), _read_layer(table, "secrets_file", "secrets"))


def layered(lower: Variables, upper: Variables) -> Variables:
    return Variables(lower.env | upper.env, lower.secrets | upper.secrets)


def check_count(table: Table, variables: Variables) -> None:
    if len(variables.env) + len(variables.secrets) > MOST_VARIABLES:
        key = "env" if "env" in table.values else "secrets"
        table.error(f"env and secrets have more than {MOST_VARIABLES} entries together", *([key] if key in table.values else []))


def _read_layer(table: Table, file_key: str, key: str) -> dict[str, str]:
    name = table.read(file_key, PATH)
    inline = table.read(key, ENV) or {}
    if name is None:
        return dict(inline)
    try:
        return {**read_dotenv(table.document.resolve(name)), **inline}
    except BadValue as error:
        table.error(str(error), file_key, quotes=True)
        return dict(inline)
