"""One setting of the server, as the tables of settings list them."""

from msgspec import Struct

from rota.config.kinds import Kind


class Setting(Struct, frozen=True):
    """One setting.

    default  as it would be written; None = unset
    env      variables that set it, the first over the others
    in_file  False for what may not be written to disk
    """

    section: str
    key: str
    kind: Kind
    default: str | None
    meaning: str
    env: tuple[str, ...] = ()
    in_file: bool = True

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def field(self) -> str:
        """The section's place in the settings that were read."""
        return self.section.replace(".", "_")

    @property
    def path(self) -> tuple[str, ...]:
        """Its place in a settings file."""
        return (*self.section.split("."), self.key)
