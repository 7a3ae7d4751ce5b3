"""What a run may be given, how it is checked, and how it reaches a script (RunWisp §11)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Input(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One value a run may be given.

    kind  env = a variable of the process · arg = one token · option = `key value` (glued if the key ends in `=`) ·
          flag = the key itself when true
    """

    kind: Literal["env", "arg", "option", "flag"]
    key: Annotated[str, Meta(min_length=1, max_length=100)]
    type: Literal["string", "number"] = "string"
    default: str | None = None
    required: bool = False
    choices: list[str] | None = None
    allow_custom: bool = False
    description: str | None = None
