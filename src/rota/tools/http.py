"""`http.request`: one HTTP call to a target that was checked."""

from typing import Any

import msgspec

from rota.outgoing import Answer, Failed, Outgoing, Refused
from rota.tools.base import BEHIND_S, Call, Tool, ToolFault

MOST_BYTES = 1024 * 1024
KEY_HEADER = "idempotency-key"

INPUT = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "method": {"type": "string", "pattern": "^[A-Za-z]{1,20}$"},
        "url": {"type": "string"},
        "headers": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[^\\r\\n\\u0000]*$"}},
        "json": {},
        "body": {"type": "string"},
        "expect_status": {
            "oneOf": [
                {"type": "integer", "minimum": 100, "maximum": 599},
                {"type": "array", "items": {"type": "integer", "minimum": 100, "maximum": 599}},
            ]
        },
    },
    "not": {"required": ["json", "body"]},
}
OUTPUT = {
    "type": "object",
    "required": ["status", "headers", "body", "json"],
    "properties": {"status": {"type": "integer"}, "headers": {"type": "object"}, "body": {"type": "string"}},
}


def request_tool(outgoing: Outgoing) -> Tool:
    async def call(asked: Call) -> Any:
        return await _request(outgoing, asked)

    return Tool(
        name="http.request",
        description="Makes one HTTP call. 2xx and 3xx are success unless `expect_status` says otherwise.",
        call=call,
        input_schema=INPUT,
        output_schema=OUTPUT,
    )


async def _request(outgoing: Outgoing, call: Call) -> dict[str, Any]:
    given = call.arguments
    headers = {name.lower(): value for name, value in given.get("headers", {}).items()}
    body = given.get("body", "").encode()
    if "json" in given:
        body = msgspec.json.encode(given["json"])
        headers.setdefault("content-type", "application/json")
    headers.setdefault(KEY_HEADER, call.key)
    method = given.get("method", "GET").upper()
    try:
        answer = await outgoing.request(
            method, given["url"], headers, body, timeout_s=call.timeout_s + BEHIND_S, max_bytes=MOST_BYTES
        )
    except Refused as error:
        raise ToolFault(str(error), "PermissionDenied") from None
    except Failed as error:
        raise ToolFault(f"{method}: {error}") from None
    if not _is_expected(answer.status, given.get("expect_status")):
        raise ToolFault(f"{method}: HTTP status {answer.status}")
    return _told(answer)


def _is_expected(status: int, expected: int | list[int] | None) -> bool:
    if expected is None:
        return 200 <= status < 400
    return status in (expected if isinstance(expected, list) else [expected])


def _told(answer: Answer) -> dict[str, Any]:
    told = {"status": answer.status, "headers": answer.headers, "body": answer.text, "json": _json(answer.body)}
    return {**told, "truncated": True} if answer.is_cut else told


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
