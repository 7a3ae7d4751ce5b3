"""Small C programs, compiled on the spot: what the machine itself can do."""

import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "c"


def compile_c(name: str, folder: Path) -> Path:
    """`bench/c/<name>.c` as a program in `folder`. Raises RuntimeError where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("the references of the benches need a C compiler (cc)")
    program = folder / name
    subprocess.run([compiler, "-O2", "-o", program, SOURCES / f"{name}.c"], check=True)
    return program
