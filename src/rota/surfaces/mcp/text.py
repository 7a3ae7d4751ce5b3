"""The same answers for those who read text alone."""

from rota.http.reply import encode
from rota.surfaces.mcp import wire


def text_of(called: wire.Called) -> str:
    """The result as JSON; an error as a message, its hint, and a line for each wrong field."""
    if called.error is None:
        return encode(called.result).decode()
    fault = called.error
    lines = [f"{fault.code}: {fault.message}"]
    lines += [f"- {field.location}: {field.message}" for field in fault.fields[1:]]
    return "\n".join([*lines, *([f"hint: {fault.hint}"] if fault.hint else [])])
