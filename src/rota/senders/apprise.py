"""Sends through Apprise, which knows many services. It runs in processes of its own: it is large, and it blocks."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import msgspec

from rota.core.delivery import Sent, judge_answer
from rota.senders.base import Endpoint, Parcel, redact

MOST_PROCESSES = 2
# Loading Apprise costs about a second of a processor, so a process stays for what may follow.
IDLE_S = 20.0
TIMEOUT_S = 45.0
# What it needs to find its way out, and nothing of the server's own.
PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
             "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PYTHONPATH", "VIRTUAL_ENV")  # fmt: skip


class Courier:
    """One process that sends one message at a time. Its calls block, so they belong into a thread."""

    def __init__(self) -> None:
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rota.senders.courier"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
        )

    def ask(self, order: bytes) -> bytes:
        """An order and its answer, a line each. Empty if the process is gone."""
        assert self._process.stdin and self._process.stdout  # noqa: S101  both are pipes
        try:
            self._process.stdin.write(order + b"\n")
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except OSError:
            return b""

    def end(self) -> None:
        """Kill it, whatever it does, and wait for it."""
        self._process.kill()
        self._process.communicate()


class AppriseSender:
    """Keeps up to two couriers, and none when there was nothing to send for a while."""

    def __init__(self) -> None:
        self._idle: list[Courier] = []
        self._places = asyncio.Semaphore(MOST_PROCESSES)
        self._threads: ThreadPoolExecutor | None = None
        self._rest: asyncio.TimerHandle | None = None

    async def send(self, endpoint: Endpoint, parcel: Parcel, now: datetime) -> Sent:
        order = msgspec.json.encode(
            {
                "url": endpoint.url,
                "options": endpoint.options,
                "title": parcel.title,
                "text": parcel.text,
                "severity": parcel.severity,
            }
        )
        async with self._places:
            answer = await self._ask(order)
        return _judge(answer, endpoint)

    async def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._dismiss()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def _ask(self, order: bytes) -> Mapping[str, Any]:
        loop = asyncio.get_running_loop()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MOST_PROCESSES + 1, "courier")
        courier = self._idle.pop() if self._idle else await loop.run_in_executor(self._threads, Courier)
        asked = loop.run_in_executor(self._threads, courier.ask, order)
        try:
            answer = await asyncio.wait_for(asyncio.shield(asked), TIMEOUT_S)
        except (TimeoutError, asyncio.CancelledError) as error:
            courier.end()  # which also ends the reading of its answer
            if isinstance(error, asyncio.CancelledError):
                raise
            return {"ok": False, "error": f"no answer within {TIMEOUT_S:g} s"}
        if not answer:
            courier.end()
            return {"ok": False, "error": "the process that sends has died"}
        self._idle.append(courier)
        self._rest_later(loop)
        found: dict[str, Any] = msgspec.json.decode(answer)
        return found

    def _rest_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = loop.call_later(IDLE_S, self._dismiss)

    def _dismiss(self) -> None:
        while self._idle:
            self._idle.pop().end()


def _judge(answer: Mapping[str, Any], endpoint: Endpoint) -> Sent:
    code = answer.get("code")
    if answer["ok"]:
        return Sent(code=code)
    words = redact(str(answer.get("error") or "not sent"), endpoint)
    if not isinstance(code, int) or code < 300:
        return Sent(code=code, error=words, is_final=bool(answer.get("final")))
    judged = judge_answer(code, answer.get("retry_after_s"))
    return Sent(code=code, error=words, is_final=judged.is_final, retry_after_s=judged.retry_after_s)
