"""The `docker` command on this machine: whether it is there, and the containers of ours that are to go."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence

PROBES = (("version",), ("compose", "version"))
PROBE_S = 10.0
# What was found is believed for so long; what was missing is looked for again sooner.
BELIEVED_S = 60.0
MISSED_S = 5.0
OWN_LABEL = "rota.unit"


class Docker:
    """Asks `docker` found on the PATH of `env`. Its answers may take seconds, and are waited for beside the event loop."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problem: str | None = None
        self._valid_until = 0.0

    @property
    def path(self) -> str | None:
        return shutil.which("docker", path=self._env.get("PATH"))

    async def find_problem(self) -> str | None:
        """Why compose cannot be used at this moment; None if it can. Asked anew now and then."""
        if time.monotonic() >= self._valid_until:
            self._problem = await asyncio.to_thread(self._probe)
            self._valid_until = time.monotonic() + (MISSED_S if self._problem else BELIEVED_S)
        return self._problem

    async def remove(self, unit: str) -> int:
        """Remove the containers that were started for a unit, and nobody else's. Answers how many there were."""
        return await asyncio.to_thread(self._remove, unit)

    def _probe(self) -> str | None:
        if self.path is None:
            return "there is no docker command on this machine"
        for probe in PROBES:
            done = self._ask(probe)
            if done is None or done.returncode != 0:
                said = " ".join(done.stderr.split())[:200] if done else ""
                return f"`docker {' '.join(probe)}` fails" + (f": {said}" if said else "")
        return None

    def _remove(self, unit: str) -> int:
        listed = self._ask(("ps", "--all", "--quiet", "--filter", f"label={OWN_LABEL}={unit}"))
        found = listed.stdout.split() if listed and listed.returncode == 0 else []
        if found:
            self._ask(("rm", "--force", *found))
        return len(found)

    def _ask(self, words: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
        """None if there is no answer."""
        try:
            return subprocess.run(
                [self.path or "docker", *words], env=dict(self._env), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=PROBE_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
