"""Bearer tokens and addresses."""

from typing import Any

import pytest

from rota.core.errors import Unauthorized
from rota.http.auth import bearer_of, is_local


def scope(**fields: Any) -> dict[str, Any]:
    return {"type": "http", "headers": [], **fields}


@pytest.mark.parametrize("value", [b"Bearer abc", b"bearer abc", b"BEARER  abc "])
def test_a_token_is_found_whatever_the_case_of_its_scheme(value: bytes) -> None:
    assert bearer_of(scope(headers=[(b"authorization", value)])) == "abc"


NO_TOKEN = [(), (b"authorization", b"Bearer"), (b"authorization", b"Basic abc"), (b"cookie", b"Bearer abc")]


@pytest.mark.parametrize("header", NO_TOKEN)
def test_without_a_token_nobody_is_asking(header: tuple[bytes, ...]) -> None:
    with pytest.raises(Unauthorized):
        bearer_of(scope(headers=[header] if header else []))


@pytest.mark.parametrize(
    ("client", "local"),
    [
        (("127.0.0.1", 1), True),
        (("127.8.8.8", 1), True),
        (("::1", 1), True),
        (("::ffff:127.0.0.1", 1), True),
        (None, True),
        (("", 0), True),
        (("192.0.2.1", 1), False),
        (("::ffff:192.0.2.1", 1), False),
        (("2001:db8::1", 1), False),
        (("somewhere", 1), False),
    ],
)
def test_the_machine_itself_is_loopback_or_the_control_socket(client: tuple[str, int] | None, local: bool) -> None:
    assert is_local(scope(client=client)) is local
