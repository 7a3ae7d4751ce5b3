"""`events.publish`: an event, which starts the tasks that wait for it."""

from typing import Any

from rota.core.schedule.event import LONGEST_TOPIC
from rota.tools.base import Call, Tool

INPUT = {
    "type": "object",
    "required": ["topic"],
    "additionalProperties": False,
    "properties": {
        "topic": {"type": "string", "minLength": 1, "maxLength": LONGEST_TOPIC},
        "payload": {"type": "object"},
    },
}
OUTPUT = {"type": "object", "required": ["event_id", "started"]}


async def _publish(call: Call) -> Any:
    return await call.platform.publish(call.run, call.arguments["topic"], call.arguments.get("payload", {}), call.key)


PUBLISH = Tool(
    name="events.publish",
    description="Publishes an event. Publishing again after a crash is the same event.",
    call=_publish,
    input_schema=INPUT,
    output_schema=OUTPUT,
    scopes=("events:publish",),
)
