"""How we speak to Temporal: one activity for each attempt, named after its claim."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import Struct

from rota.config import Settings
from rota.core.errors import Invalid, Unavailable
from rota.core.silence import Silence

if TYPE_CHECKING:
    from temporalio.client import ActivityHandle, Client

ACTIVITY = "attempt"
# Waits in a queue at most this long; then it is given back, and whoever looks for a place says what is in the way.
PATIENCE = timedelta(seconds=10)
# An attempt without a time-out of its own.
LONGEST = timedelta(days=3650)
# How long a worker may take beyond the task's time-out, which it keeps itself: to stop the work, and to ship its log.
GRACE = timedelta(seconds=120)
RPC = timedelta(seconds=10)

# What an activity answers; behind the last the worker's name stands.
DONE, REFUSED, FULL = "done", "refused", "full"
# How an activity ended otherwise. `silent`: no sign of life; `unstarted`: nobody took it; `forgotten`: Temporal knows of none.
How = Literal["done", "refused", "full", "silent", "unstarted", "canceled", "failed", "forgotten", "recalled"]


class End(NamedTuple):
    """How it ended; `worker` is who had no room for it. `recalled`: by us, before anybody could take it."""

    how: How
    worker: str | None = None


class Errand(Struct, frozen=True):
    """An attempt, as it is handed out. `labels` in the order of the alphabet; `timeout_s` is the task's, and its grace's."""

    run_id: str
    fence: int
    labels: tuple[str, ...]
    timeout_s: float | None

    @property
    def id(self) -> str:
        return f"{self.run_id}-{self.fence}"


def queue_of(prefix: str, labels: Iterable[str]) -> str:
    """The task queue of those who offer these labels."""
    return ":".join([prefix, *filter(None, [",".join(sorted(labels))])])


class Link:
    """A connection that is made when it is first needed, and again when it broke. Raises Unavailable while it cannot be."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.runner
        # A worker has lost its attempts when Temporal has heard nothing of them for so long.
        self.silence = Silence(settings.server.lost_after)
        self._client: Client | None = None
        self._making = asyncio.Lock()

    async def client(self) -> "Client":
        async with self._making:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    def queue(self, labels: Iterable[str]) -> str:
        return queue_of(self._settings.task_queue, labels)

    async def start(self, errand: Errand) -> "ActivityHandle[str]":
        """Hand it out, unless it is already: an id is good for one. Raises Unavailable; it may have been handed out then."""
        from temporalio.common import ActivityIDConflictPolicy, ActivityIDReusePolicy, RetryPolicy
        from temporalio.exceptions import ActivityAlreadyStartedError
        from temporalio.service import RPCError

        client = await self.client()
        limit = LONGEST if errand.timeout_s is None else timedelta(seconds=errand.timeout_s) + GRACE
        try:
            return await client.start_activity(
                ACTIVITY, args=[errand.run_id, errand.fence], id=errand.id, task_queue=self.queue(errand.labels),
                result_type=str, schedule_to_start_timeout=PATIENCE, start_to_close_timeout=min(limit, LONGEST),
                heartbeat_timeout=self.silence.lost_after, retry_policy=RetryPolicy(maximum_attempts=1), rpc_timeout=RPC,
                id_reuse_policy=ActivityIDReusePolicy.REJECT_DUPLICATE, id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING,
            )  # fmt: skip
        except ActivityAlreadyStartedError:
            return client.get_activity_handle(errand.id, result_type=str)
        except RPCError as error:
            raise _unavailable(error) from error

    async def cancel(self, handle: "ActivityHandle[str]", why: str) -> None:
        """Ask for it to end; one that has ended is left alone. Raises Unavailable."""
        from temporalio.service import RPCError, RPCStatusCode

        try:
            await handle.cancel(reason=why, rpc_timeout=RPC)
        except RPCError as error:
            if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
                raise _unavailable(error) from error

    async def until_over(self, handle: "ActivityHandle[str]") -> End:
        """How it ended, as soon as it has. Raises Unavailable."""
        from temporalio.client import ActivityFailureError
        from temporalio.service import RPCError, RPCStatusCode

        try:
            answer = await handle.result()
        except ActivityFailureError as failure:
            return _end_of(failure.cause)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return End("forgotten")
            raise _unavailable(error) from error
        how, _, worker = answer.partition(" ")
        return End(how if how in (DONE, REFUSED, FULL) else "failed", worker or None)  # type: ignore[arg-type]

    async def _connect(self) -> "Client":
        load_temporal()
        from temporalio.client import Client
        from temporalio.service import RPCError

        said = self._settings
        try:
            async with asyncio.timeout(RPC.total_seconds()):
                return await Client.connect(
                    said.address,
                    namespace=said.namespace,
                    api_key=said.api_key.reveal() if said.api_key else None,
                    tls=self._tls(),
                )
        except (RuntimeError, TimeoutError, RPCError) as error:
            raise Unavailable(f"Temporal does not answer at {said.address}: {str(error) or 'no answer in time'}") from error
        except OSError as error:
            raise Unavailable(f"{error.filename} cannot be read: {error.strerror}") from error

    def _tls(self) -> Any:
        from temporalio.service import TLSConfig

        said = self._settings
        if not said.tls:
            return False
        return TLSConfig(
            server_root_ca_cert=_read(said.tls_ca), client_cert=_read(said.tls_cert), client_private_key=_read(said.tls_key)
        )


def load_temporal() -> None:
    """Raises Invalid where the package is not installed."""
    try:
        import temporalio.client  # noqa: F401
    except ImportError:
        raise Invalid.at("runner.kind", "Temporal's package is not installed: pip install 'rota[temporal]'", "temporal") from None


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"Temporal: {error}")


def _end_of(cause: BaseException | None) -> End:
    from temporalio.exceptions import CancelledError, TimeoutError, TimeoutType  # noqa: A004

    if isinstance(cause, CancelledError):
        return End("canceled")
    if isinstance(cause, TimeoutError):
        known: dict[Any, How] = {TimeoutType.HEARTBEAT: "silent", TimeoutType.SCHEDULE_TO_START: "unstarted"}
        return End(known.get(cause.type, "failed"))
    return End("failed")
