"""Tokens of language models among the metrics."""

from datetime import UTC, datetime

from rota.http.metrics import metrics_text
from rota.ops.health import Load
from rota.vitals import Vitals


def test_tokens_are_counted_by_provider_and_kind():
    vitals = Vitals(datetime.now(UTC))
    vitals.count_tokens("claude", {"input_tokens": 7, "output_tokens": 12})
    vitals.count_tokens("claude", {"input_tokens": 3})
    lines = metrics_text(vitals, Load(live={})).decode().splitlines()
    assert 'rota_tokens_total{provider="claude",kind="input_tokens"} 10' in lines
    assert 'rota_tokens_total{provider="claude",kind="output_tokens"} 12' in lines
