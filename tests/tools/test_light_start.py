"""What a server without pipelines does not pay for."""

import json
import subprocess
import sys

PROGRAM = """
import json, sys
import rota.main
from rota.config import load
from rota.outgoing import Guard, Outgoing
from rota.tools import build_toolbox
build_toolbox(load(None, {}).settings, Outgoing(Guard()))
print(json.dumps([name for name in ("jmespath", "jsonschema", "mcp", "pydantic") if name in sys.modules]))
"""


def test_expressions_schemas_and_the_mcp_sdk_are_loaded_when_they_are_first_needed():
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == []
