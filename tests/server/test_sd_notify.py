"""What systemd is told."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rota.sd_notify import READY, ServiceManager


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(systemd: socket.socket) -> list[str]:
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(systemd.recv(4096).decode())
    return found


def manager(systemd: socket.socket, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": systemd.getsockname(), **more})


def test_a_state_is_one_datagram(systemd: socket.socket) -> None:
    manager(systemd).tell(READY)
    assert heard(systemd) == ["READY=1"]


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"rota-test-{os.getpid()}"
        listener.bind(f"\0{name}")
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).tell(READY)
        assert listener.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens() -> None:
    ServiceManager({}).tell(READY)
    ServiceManager({"NOTIFY_SOCKET": "/nonexistent/socket"}).tell(READY)


def test_a_reload_says_when_it_began_and_that_it_is_over(systemd: socket.socket) -> None:
    with pytest.raises(ValueError, match="bad"), manager(systemd).reloading():
        raise ValueError("bad file")
    began, over = heard(systemd)
    assert began.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert over == "READY=1"


def test_the_watchdog_is_fed_twice_as_often_as_it_asks(systemd: socket.socket) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(manager(systemd, WATCHDOG_USEC="20000", WATCHDOG_PID=str(os.getpid())).keep_watchdog())
        await asyncio.sleep(0.035)
        task.cancel()

    asyncio.run(scenario())
    assert 2 <= len(heard(systemd)) <= 4


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_of_nobody_or_of_another_process_is_not_fed(systemd: socket.socket, environ: dict[str, str]) -> None:
    asyncio.run(manager(systemd, **environ).keep_watchdog())
    assert heard(systemd) == []
