"""Reads the settings again and applies them."""

import asyncio
from typing import Any

import structlog

from rota.config import Loaded, diff_units, restart_only_changes
from rota.core.errors import Conflict
from rota.ops.installation import apply_file_tasks
from rota.server.parts import Parts
from rota.server.source import Source

log = structlog.get_logger()


class Reload:
    """All or nothing, and one after the other."""

    def __init__(self, source: Source, parts: Parts) -> None:
        self._source = source
        self._parts = parts
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self) -> dict[str, Any]:
        """Raises Invalid with every error of the file, Conflict for a change that needs a restart; nothing is changed then."""
        async with self._one_at_a_time:
            return await self._apply(self._source.load())

    async def _apply(self, loaded: Loaded) -> dict[str, Any]:
        parts = self._parts
        restart_only = restart_only_changes(parts.settings, loaded.settings)
        if restart_only:
            raise Conflict(f"only a restart changes {', '.join(restart_only)}", hint="restart the server, or undo that change")
        difference = diff_units(parts.units.all, loaded.units)
        anew = [each.name for each in difference.changed if "secrets" in each.reasons]
        await apply_file_tasks(parts.rota, [unit.spec for unit in loaded.units], anew)
        parts.units.replace(loaded.units, parts.rota.clock.now())
        parts.tell_by(loaded)
        await parts.renew_modules()
        names = [each.name for each in difference.changed]
        log.info("settings read again", added=difference.added, changed=names, removed=difference.removed)
        changed = [{"name": each.name, "reasons": each.reasons} for each in difference.changed]
        return {"added": difference.added, "changed": changed, "removed": difference.removed}
