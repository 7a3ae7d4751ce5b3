"""Other task queues, each in an environment of its own that goes with its folder."""

import subprocess
import sys
from pathlib import Path


def install(folder: Path, *packages: str) -> Path:
    """The Python of a new environment with these packages."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    return python


def run_peer(python: Path, program: str, url: str, count: int) -> float:
    """Tasks per second, as a program of this folder prints them last."""
    words = [str(python), str(Path(__file__).parent / program), url, str(count)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr.strip()[-2000:]}")
    return float(done.stdout.split()[-1])
