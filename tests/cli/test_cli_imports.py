"""What starting the command line costs: every command pays it, also in a shell's completion or a loop of calls."""

import json
import subprocess
import sys

import rota

FORBIDDEN = (
    "starlette",
    "uvicorn",
    "httpx",
    "rich",
    "rota.main",
    "rota.engine",
    "rota.http",
    "rota.ops",
    "rota.server",
    "rota.store",
    "rota.surfaces",
)
LOADED = "import json, sys, rota.cli; print(json.dumps(sorted(sys.modules)))"


def run_python(*words: str) -> subprocess.CompletedProcess[str]:
    path = str(next(iter(rota.__path__))).removesuffix("/rota")
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env={"PYTHONPATH": path}, check=False)


def test_importing_the_command_line_imports_nothing_of_the_server() -> None:
    loaded = json.loads(run_python("-c", LOADED).stdout)
    assert "rota.cli" in loaded
    assert [name for name in loaded if name.startswith(FORBIDDEN)] == []


def test_python_dash_m_rota_is_the_command_line() -> None:
    result = run_python("-m", "rota", "--version")
    assert (result.returncode, result.stdout) == (0, f"rota, version {rota.__version__}\n")


def test_its_exit_code_is_that_of_the_process() -> None:
    assert run_python("-m", "rota", "no-such-command").returncode == 2
