"""`[posthog]` and `[posthog.push]`."""

from collections.abc import Callable
from typing import Any

import pytest

from rota.config.push import build_push
from rota.core.push import PushRules

KEY = "A" * 42 + "E"


def test_nobody_is_told_unless_the_settings_say_how(load_text: Callable[..., Any]) -> None:
    settings = load_text("").settings
    assert build_push(settings.posthog_push) is None
    assert (settings.posthog.presence_ttl, settings.posthog.requests_per_minute) == (60.0, 480)


def test_browsers_are_told_by_web_push_where_there_is_a_key(load_text: Callable[..., Any]) -> None:
    text = f"""[posthog]
presence_ttl = "2s"
[posthog.push]
sender = "expo"
label = "Ours"
vapid_key = "{KEY}"
vapid_contact = "mailto:ops@example.org"
"""
    settings = load_text(text).settings
    rules = build_push(settings.posthog_push)
    assert rules == PushRules(way="expo", web="webpush", label="Ours")
    assert [rules.way_to(platform) for platform in ("ios", "web")] == ["expo", "webpush"]
    assert settings.posthog.presence_ttl == 2.0
    assert KEY not in repr(settings)
    alone = build_push(load_text(text.replace("expo", "webpush")).settings.posthog_push)
    assert alone is not None
    assert [alone.way_to(platform) for platform in ("android", "web")] == [None, "webpush"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sender = "pigeon"', "must be one of"),
        ('sender = "webhook"', "webhook needs url beside it"),
        ('sender = "webpush"', "webpush needs vapid_key beside it"),
        (f'vapid_key = "{KEY}"', "needs vapid_contact beside it"),
        ('vapid_key = "short"', "32 bytes in base64url"),
        ('url = "ftp://x"', "http or https"),
        ("nonsense = 1", "unknown key"),
    ],
)
def test_what_cannot_work_is_an_error_in_its_line(refuse: Callable[..., Any], text: str, message: str) -> None:
    (finding,) = refuse(f"[posthog.push]\n{text}\n")
    assert message in str(finding.message)
    assert "posthog" in str(finding)
