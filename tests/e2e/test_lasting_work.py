"""Work that a worker has for longer than anybody would wait for a sign of life of it."""

import pytest
from tests.e2e.conftest import MakeServer

pytestmark = pytest.mark.e2e

# Temporal waits five, and its SDK five more.
LONG = """
[tasks.long]
run = 'echo begun; sleep 12; echo done; exit 3'
"""


def test_work_goes_on_and_is_told_however_long_it_lasts(make_server: MakeServer) -> None:
    server = make_server(LONG, scale=True)
    server.start()
    run = server.until_state(server.run("long"))
    assert (run["state"], run["exit_code"], run["attempt"]) == ("failed", 3, 1)
    assert server.log_texts(run["id"]) == ["begun", "done"]
    assert server.own_log().count("error") == 0
