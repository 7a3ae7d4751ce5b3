"""Whether something on the web answers as it should, and how fast."""

import asyncio
import socket
from typing import Annotated, Any, Literal

from rota.modules.builtin.words import both, param
from rota.modules.context import Context
from rota.modules.decorator import module
from rota.modules.hints import Secret

MOST_BYTES = 1024 * 1024


@module(
    displayname=both("HTTP check", "HTTP-Prüfung"),
    description=both(
        "Calls a URL and fails if the answer is not as it should be.",
        "Ruft eine URL auf und scheitert, wenn die Antwort nicht wie erwartet ist.",
    ),
)
async def http_check(
    ctx: Context,
    url: Annotated[str, param(("URL", "URL"), ("What is called.", "Was aufgerufen wird."), min_length=1, max_length=4000)],
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT"], param(("Method", "Methode"), ("Of the call.", "Des Aufrufs."))
    ] = "GET",
    headers: Annotated[
        dict[str, str] | None,
        param(("Headers", "Kopfzeilen"), ("Sent along, names and texts.", "Werden mitgesandt, Namen und Texte.")),
    ] = None,
    token: Annotated[
        Secret | None,
        param(
            ("Token", "Token"),
            ("Sent as `Authorization: Bearer`; shown nowhere.", "Wird als `Authorization: Bearer` gesandt und nirgends gezeigt."),
            max_length=4000,
            pattern=r"^[!-~]+\Z",
        ),
    ] = None,
    body: Annotated[str, param(("Body", "Inhalt"), ("Sent as it is.", "Wird gesandt, wie er ist."))] = "",
    expect_status: Annotated[
        list[int],
        param(
            ("Status", "Status"),
            ("Statuses that are well; without any, 200 to 399.", "Status, die gut sind; ohne Angabe 200 bis 399."),
            minimum=100,
            maximum=599,
        ),
    ] = [],  # noqa: B006  never changed
    expect_text: Annotated[
        str,
        param(("Text", "Text"), ("Must be somewhere in the first MiB of the answer.", "Muss im ersten MiB der Antwort stehen.")),
    ] = "",
    slower_than_s: Annotated[
        float,
        param(
            ("Too slow after (s)", "Zu langsam nach (s)"),
            ("An answer that takes longer is a failure; 0: none is.", "Eine langsamere Antwort gilt als Fehler; 0: keine."),
            minimum=0,
            maximum=300,
        ),
    ] = 0.0,
    timeout_s: Annotated[
        float,
        param(("Time limit (s)", "Zeitgrenze (s)"), ("For all of the call.", "Für den ganzen Aufruf."), minimum=0.1, maximum=300),
    ] = 10.0,
) -> dict[str, Any]:
    """Redirects are answers like any other. Addresses are guarded, whoever made the task ([outgoing])."""
    from rota.core.errors import Conflict
    from rota.outgoing import Failed, Guard, Outgoing, Refused

    sent = dict(headers or {})
    if token:
        sent["authorization"] = f"Bearer {token!s}"
    outgoing = Outgoing(Guard(ctx.given.get("private", "deny"), tuple(ctx.given.get("allow", []))), _resolve)
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        answer = await outgoing.request(method, url, sent, body.encode(), timeout_s=timeout_s, max_bytes=MOST_BYTES)
    except (Failed, Refused) as error:
        raise Conflict(f"{method}: {error}") from None
    finally:
        await outgoing.close()
    took_s = loop.time() - start
    ctx.info(f"{method}: status {answer.status} in {took_s * 1000:.0f} ms", 100)
    for problem in _problems(answer.status, answer.body, took_s, expect_status, expect_text, slower_than_s):
        raise Conflict(problem)
    return {"status": answer.status, "took_ms": round(took_s * 1000), "bytes": len(answer.body), "is_cut": answer.is_cut}


def _problems(
    status: int, body: bytes, took_s: float, expect_status: list[int], expect_text: str, slower_than_s: float
) -> list[str]:
    problems = []
    if not (status in expect_status if expect_status else 200 <= status < 400):
        problems.append(f"status {status}, wanted {', '.join(map(str, expect_status)) or '200 to 399'}")
    if expect_text and expect_text.encode() not in body:
        problems.append(f"{expect_text[:100]!r} is not in the answer")
    if slower_than_s and took_s > slower_than_s:
        problems.append(f"took {took_s:.2f} s, more than {slower_than_s:g} s")
    return problems


async def _resolve(host: str, port: int) -> list[str]:
    """By the loop's own threads, which end with it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
