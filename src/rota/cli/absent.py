"""With the server down: logs that are not in the files here, for other machines have written them."""

from collections.abc import Sequence

from rota.cli.place import Place
from rota.core.errors import Conflict, RotaError
from rota.core.run import Run
from rota.datadir import NAMES, PLACE
from rota.logs import LogName
from rota.ops.context import Rota
from rota.store import nodes, sharedlogs
from rota.store.sharedlogs import SharedLog


async def find_absent(rota: Rota, place: Place, wanted: Sequence[tuple[Run, str]]) -> dict[str, RotaError]:
    """By run, where its log is. Only servers bring logs: what a command made here might not be the server's to change."""
    away = [(run, task_name) for run, task_name in wanted if not _is_whole(rota, LogName(task_name, run.created_at, run.id))]
    ids = [run.id for run, _ in away]
    told, node_of = await rota.database.read(lambda c: (sharedlogs.find_shared_logs(c, ids), nodes.find_nodes_of(c, ids)))
    own, names = "".join(_read(place, PLACE)), {place.node, *_read(place, NAMES)}
    refused = {run_id: _refuse(told.get(run_id), node_of.get(run_id), own, names) for run_id in ids}
    return {run_id: why for run_id, why in refused.items() if why is not None}


def _refuse(told: SharedLog | None, node: str | None, own: str, names: set[str]) -> Conflict | None:
    if told is not None and told.writer != own and told.seq > told.base:
        hint = "a server brings it: start the one here (rota serve), or ask another that runs"
        return Conflict("the log of this run is in the database, and not in the files here", hint=hint)
    if told is None and node is not None and node not in names:
        return Conflict(f"the log of this run is on the node {node}, and not in the files here", hint="ask the server there")
    return None


def _is_whole(rota: Rota, name: LogName) -> bool:
    return rota.logs.reader(name).page(0, 0).finalized


def _read(place: Place, file: str) -> list[str]:
    path = place.data_dir / file
    return path.read_text().splitlines() if path.exists() else []
