"""No secret is in any answer of RunWisp's API (checklist line 1)."""

import asyncio
import os
from pathlib import Path

from tests.listening import listening
from tests.surfaces.runwisp.serving import Place, serving

from rota.core.actor import OPERATOR
from rota.core.ulid import to_ulid
from rota.modules.catalogue import Catalogue
from rota.ops import starts
from rota.surfaces import runwisp
from rota.surfaces.runwisp.told import show_run

VALUES = ("inline-hunter2", "from-a-file-hunter3", "default-hunter4")
KEYS = ("INLINE_KEY", "FILE_KEY", "DEFAULT_KEY")
TOML = """
[defaults]
secrets = { DEFAULT_KEY = "default-hunter4" }
[tasks.t]
run = 'echo "$INLINE_KEY $FILE_KEY $DEFAULT_KEY" | tee /dev/stderr; exit 1'
secrets = { INLINE_KEY = "inline-hunter2" }
secrets_file = "s"
[services.s]
run = 'echo "$INLINE_KEY"; exec sleep 30'
secrets = { INLINE_KEY = "inline-hunter2" }
"""


def test_line_1_no_answer_holds_a_secret_key_or_value(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("FILE_KEY=from-a-file-hunter3\n")

    async def talk() -> None:
        async with serving(tmp_path, TOML) as place:
            run = await place.run("t")
            (tmp_path / "runwisp.toml").write_text(TOML.replace("echo", "echo again").replace("hunter2", "hunter5"))
            place.rota.own_log.write("the first line\n")
            told = [await read(place, route.path, run["id"]) for route in runwisp.ROUTES if route.method == "GET"]
            told.append(str(await place.post("/api/reload")))
            assert "[redacted] [redacted] [redacted]" in "".join(told)
            for text in told:
                assert not [secret for secret in (*VALUES, *KEYS, "hunter5") if secret in text], text[:500]

    asyncio.run(talk())


MODULE = """
import rota

@rota.module(displayname="Open")
def open_up(token: rota.Secret = None):
    raise RuntimeError("closed")
"""
WITH_MODULE = """
[modules]
paths = ["own.py"]
[tasks.m]
executor = { kind = "module", module = "open_up" }
notify_on_failure = ["inapp"]
"""


def test_the_secret_params_of_modules_are_in_no_answer_and_no_webhook(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(MODULE)

    async def talk() -> None:
        async with serving(tmp_path, WITH_MODULE) as place:
            modules = Catalogue([str(tmp_path / "own.py")], env=os.environ)
            modules.read()
            place.rota.modules = modules
            start = await starts.start_task(place.rota, OPERATOR, "m", {"token": "hunter22"})
            shown = await place.get(f"/api/runs/{to_ulid(start.run.id)}")
            assert shown["params"] == {"token": "[redacted]"}
            assert "hunter22" not in str(await place.runs("m"))
            assert "hunter22" not in str(show_run(modules, start.run, "m"))

    asyncio.run(talk())


async def read(place: Place, path: str, run_id: str) -> str:
    """What is answered, or for a stream what comes first."""
    path = path.replace("{task}", "t").replace("{id}", run_id).replace("{n}", "0").replace("{name}", "Task")
    if path.endswith("stream"):
        async with listening(place.app, path) as listener:
            return "".join(map(str, await listener.all())) if "runs/" in path and "log" in path else str(await listener.next())
    return (await place.client.get(path, params={"q": "redacted"} if "search" in path else {})).text
