"""Tokens of language models among the metrics."""

from datetime import UTC, datetime

from msgspec.json import decode, encode

from rota.http.metrics import metrics_text
from rota.ops.health import Load
from rota.vitals import Spent, Vitals


def test_tokens_are_counted_by_provider_and_kind():
    vitals = Vitals(datetime.now(UTC))
    vitals.count_tokens("claude", {"input_tokens": 7, "output_tokens": 12})
    vitals.count_tokens("claude", {"input_tokens": 3})
    lines = metrics_text(vitals, Load(live={})).decode().splitlines()
    assert 'rota_tokens_total{provider="claude",kind="input_tokens"} 10' in lines
    assert 'rota_tokens_total{provider="claude",kind="output_tokens"} 12' in lines


def test_what_workers_have_counted_is_told_by_the_server_that_settles_it_and_once():
    worker, server = Vitals(datetime.now(UTC)), Vitals(datetime.now(UTC))
    server.observe_step(0.2)
    for seconds in (0.2, 7.0):
        worker.observe_step(seconds)
        worker.count_tokens("claude", {"input_tokens": 7})
    spent = worker.take_spent()
    assert spent is not None and worker.take_spent() is None
    server.add_spent(decode(encode(spent), type=Spent))
    assert (sum(server.steps.counts), server.steps.sum_s) == (3, 0.2 + 7.2)
    assert server.tokens == {("claude", "input_tokens"): 14}
