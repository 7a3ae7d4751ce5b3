"""`rota password`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from rota.clock import SystemClock
from rota.ops.door import Door

Call = Callable[..., Result]
RANDOM, SET, OFF = Door(SystemClock()), Door(SystemClock(), "chosen"), Door(SystemClock(), is_open=True)


@pytest.mark.parametrize("server", [RANDOM], indirect=True)
def test_it_prints_the_random_password_alone(call: Call, told: Callable[..., Any], server: Path) -> None:
    assert call("password").stdout == f"{RANDOM.password}\n"
    assert told("password", "--json") == {"password": RANDOM.password, "ephemeral": True}


@pytest.mark.parametrize("server", [OFF], indirect=True)
def test_it_exits_with_5_when_authentication_is_off(call: Call, server: Path) -> None:
    result = call("password")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "authentication is off" in result.stderr


@pytest.mark.parametrize("server", [SET], indirect=True)
def test_it_does_not_show_what_the_operator_chose(call: Call, server: Path) -> None:
    result = call("password")
    assert result.exit_code != 0
    assert "RUNWISP_PASSWORD" in result.stderr
    assert "chosen" not in result.output


def test_it_needs_a_server(call: Call, world: Any) -> None:
    world.task("backup")
    assert call("password").exit_code == 3
