"""Carries out the session that a page of the documentation shows, and compares what it prints with what the page says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import under

import rota

DOCS = Path(__file__).parents[1] / "docs"
# `rota` and `python` are those of the tests.
ENVIRON = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(Path(rota.__file__).parents[1]),
    "TZ": "UTC",
}
DATA, WORKER_DATA = ".rota", ".rota-worker"
VARIABLES = {
    "server.database": "ROTA_DATABASE",
    "runner.kind": "ROTA_RUNNER",
    "runner.address": "ROTA_TEMPORAL_ADDRESS",
    "runner.task_queue": "ROTA_TEMPORAL_TASK_QUEUE",
}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def steps(text: str) -> list[tuple[str, str]]:
    """Each command with what it prints; `…` stands for anything."""
    parts = [part for block in blocks(text, "console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


@contextmanager
def serving(folder: Path, says: str, *words: str, listen: str = "127.0.0.1:0", **environ: str) -> Iterator[str]:
    """A server on the settings in a folder: the line with which it says so. With a worker, if it is to be one of a fleet."""
    with ExitStack() as stack:
        if under.scale:
            from tests.fleet import share_blobs

            share_blobs(folder / DATA, folder / WORKER_DATA)
            stack.enter_context(_saying("rota worker", folder, environ, "worker", "--data", WORKER_DATA))
        yield stack.enter_context(_saying(says, folder, environ, "serve", "--listen", listen, *words))


@contextmanager
def _saying(says: str, folder: Path, environ: Mapping[str, str], *words: str) -> Iterator[str]:
    """`rota` with these words, once it has printed a line that says this."""
    line = [sys.executable, "-u", "-m", "rota", *words]
    known = {**environ_in(folder), **environ}
    with subprocess.Popen(line, cwd=folder, env=known, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(printed for printed in process.stdout if says in printed)
        finally:
            process.terminate()


def environ_in(folder: Path) -> dict[str, str]:
    """What everything is started with there: on PostgreSQL, and with Temporal, if those are to be under it."""
    if not under.scale:
        return ENVIRON
    from tests.fleet import fleet_of

    return ENVIRON | {VARIABLES[key]: value for key, value in fleet_of(folder).items()}


def check_session(text: str, folder: Path, ports: Mapping[str, str], **environ: str) -> None:
    """`ports`: those that the page shows, with what they are here."""
    said = steps(text)
    assert said
    script = _replace("".join(f"echo '@@'; {command}\necho\n" for command, _ in said), ports)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**environ_in(folder), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answers = _replace(done.stdout, {here: shown for shown, here in ports.items()}).split("@@\n")[1:]
    assert len(answers) == len(said), done.stderr
    for (command, printed), answer in zip(said, answers, strict=True):
        pattern = ".*".join(re.escape(part) for part in printed.strip().split("…"))
        assert re.fullmatch(pattern, answer.strip(), re.DOTALL), f"{command}\n{answer}\nfor\n{printed}\n{done.stderr}"


def _replace(text: str, ports: Mapping[str, str]) -> str:
    """A port that stands for itself, and not within a longer number."""
    for old, new in ports.items():
        text = re.sub(rf"(?<!\d){old}(?!\d)", new, text)
    return text
