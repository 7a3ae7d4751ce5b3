"""`shell.run`: a script, as part of the run. Only where the settings allow it, for owners with the right `task.shell`."""

from typing import Any

from rota.tools.base import Call, Script, Tool, ToolFault

INPUT = {
    "type": "object",
    "required": ["script"],
    "additionalProperties": False,
    "properties": {
        "script": {"type": "string", "pattern": "\\S"},
        "env": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "additionalProperties": {"type": "string"},
        },
        "working_dir": {"type": "string"},
        "exit_codes": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": 255}},
    },
}
OUTPUT = {"type": "object", "required": ["exit_code", "stdout", "stderr"]}


async def _run(call: Call) -> Any:
    given = call.arguments
    script = Script(
        text=given["script"],
        env={"ROTA_IDEMPOTENCY_KEY": call.key, **given.get("env", {})},
        working_dir=given.get("working_dir"),
        exit_codes=given.get("exit_codes", (0,)),
    )
    result = await call.run_script(script)
    if result.error is not None:
        raise ToolFault(result.error)
    return {"exit_code": result.exit_code, "stdout": result.stdout, "stderr": result.stderr}


RUN = Tool(
    name="shell.run",
    description="Runs a script by /bin/sh. Its key is in ROTA_IDEMPOTENCY_KEY.",
    call=_run,
    input_schema=INPUT,
    output_schema=OUTPUT,
    right="task.shell",
)
