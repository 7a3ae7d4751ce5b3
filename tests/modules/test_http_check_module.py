"""`http_check`: answers of real servers, as they should be and not."""

from typing import Any

import pytest
from tests.modules.given_context import Told, context
from tests.receivers import answer, hang, receiving

from rota.core.errors import Conflict
from rota.modules.builtin.checks import check_http
from rota.modules.builtin.http_check import http_check

pytestmark = pytest.mark.anyio
OPEN: dict[str, Any] = {"private": "allow", "allow": []}


async def test_an_answer_that_is_well_is_told():
    told = Told()
    async with receiving(answer(200, b"all is well")) as server:
        output = await http_check(context(told, **OPEN), server.url + "/health", expect_text="well")
    assert (output["status"], output["bytes"]) == (200, 11)
    assert told.lines[0][1].startswith("GET: status 200 in ")
    assert server.received[0].path == "/health"


async def test_headers_token_and_body_are_sent():
    from rota.modules import Secret

    async with receiving(answer(201)) as server:
        await http_check(
            context(**OPEN),
            server.url,
            method="POST",
            headers={"X-A": "b"},
            token=Secret("t0ken"),
            body="hi",
            expect_status=[201],
        )
    (request,) = server.received
    assert (request.headers["x-a"], request.headers["authorization"], request.body) == ("b", "Bearer t0ken", b"hi")


@pytest.mark.parametrize(
    ("replies", "more", "words"),
    [
        (answer(503), {}, "status 503, wanted 200 to 399"),
        (answer(200), {"expect_status": [204]}, "status 200, wanted 204"),
        (answer(200, b"ill"), {"expect_text": "well"}, "'well' is not in the answer"),
        (answer(200), {"slower_than_s": 1e-9}, "more than 1e-09 s"),
        (hang, {"timeout_s": 0.1}, "GET: no answer within 0.1 s"),
    ],
)
async def test_an_answer_that_is_not_is_a_failure(replies, more, words):
    async with receiving(replies) as server:
        with pytest.raises(Conflict, match=words):
            await http_check(context(**OPEN), server.url, **more)


async def test_private_addresses_are_guarded():
    refusing: tuple[dict[str, Any], ...] = ({"private": "deny", "allow": []}, {})
    async with receiving(answer(200)) as server:
        for given in refusing:
            with pytest.raises(Conflict, match="may not be called"):
                await http_check(context(**given), server.url)
        await http_check(context(private="deny", allow=["127.0.0.0/8"]), server.url)
    assert len(server.received) == 1


async def test_metadata_services_are_never_called():
    with pytest.raises(Conflict, match="may not be called"):
        await http_check(context(**OPEN), "http://169.254.169.254/latest")


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http://me:pass@host"}, "url"),
        ({"url": "http://a", "headers": ["x"]}, "headers"),
        ({"url": "http://a", "headers": {"a": 1}}, "headers"),
        ({"url": "http://a", "headers": {"a": "b\r\nc: d"}}, "headers"),
        ({"url": "http://a", "headers": {"a b": "c"}}, "headers"),
    ],
)
def test_what_cannot_be_called_is_not_saved(params, place):
    assert [problem.location for problem in check_http(params)] == [place]
