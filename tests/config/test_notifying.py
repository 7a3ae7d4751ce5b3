"""Notifiers, routes and lists of the settings file (RunWisp §15)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rota.config import Finding, Loaded, load
from rota.core.notification import Route
from rota.core.task import Notify

Load = Callable[..., Loaded]
Refuse = Callable[..., list[Finding]]

HOOK = '[[notifier]]\nid = "ops"\ntype = "webhook"\nurl = "https://example.com/hook"\n'
MAIL = '[[notifier]]\nid = "mail"\ntype = "smtp"\nhost = "mx"\nfrom = "a@b.c"\nto = ["d@e.f"]\n'
ROUTE = '[[notification_route]]\nnotify = ["inapp"]\n'
ALL = f"""\
[notify]
global_notifiers = ["inapp", "ops"]
default_timeout = "1m"
{HOOK}headers = {{ X-Team = "night" }}
secret = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
{MAIL}
[[notifier]]
id = "chat"
type = "slack"
webhook_url = "https://hooks.slack.com/services/T0/B0/x1"
channel = "#night"
[[notifier]]
id = "game"
type = "discord"
webhook_url = "https://discord.com/api/webhooks/123/ab-c"
[[notifier]]
id = "bot"
type = "telegram"
bot_token = "123:abc"
chat_id = "-100"
parse_mode = "HTML"
[[notifier]]
id = "any"
type = "apprise"
url = "ntfys://topic"
[[notification_route]]
match = {{ kind = ["run.failed", "service.fatal"], severity = ["error"], task = "db-*" }}
notify = ["chat:#db", "mail"]
[[notification_route]]
notify = ["any"]
[tasks.a]
run = "x"
notify_on_failure = ["chat:#a", "inapp"]
notify_on_success = ["bot"]
notify_on_missed = false
"""


def test_every_kind_of_notifier_loads(load_text: Load) -> None:
    loaded = load_text(ALL)
    assert loaded.warnings == []
    assert [(notifier.id, notifier.type) for notifier in loaded.notifying.notifiers] == [
        ("ops", "webhook"), ("mail", "smtp"), ("chat", "slack"), ("game", "discord"), ("bot", "telegram"), ("any", "apprise"),
    ]  # fmt: skip
    assert loaded.settings.notify.global_notifiers == ("inapp", "ops")
    assert loaded.settings.notify.default_timeout == 60


def test_routes_and_lists_are_read(load_text: Load) -> None:
    loaded = load_text(ALL)
    first, second = loaded.notifying.routes
    assert first == Route(
        targets=("chat:#db", "mail"),
        kinds=frozenset({"run.failed", "service.fatal"}),
        severities=frozenset({"error"}),
        task="db-*",
    )
    assert second == Route(targets=("any",))
    assert loaded.units[0].spec.notify == Notify(on_failure=["chat:#a", "inapp"], on_success=["bot"], on_missed=False)


def test_no_secret_is_shown(load_text: Load) -> None:
    shown = repr(load_text(ALL).notifying)
    for secret in ("example.com", 'night"', "MfKQ", "hooks.slack", "123/ab-c", "123:abc", "ntfys"):
        assert secret not in shown


def test_the_bell_alone_is_global_unless_said_otherwise(load_text: Load) -> None:
    assert load_text("").settings.notify.global_notifiers == ("inapp",)
    assert load_text("[notify]\nglobal_notifiers = []\n").settings.notify.global_notifiers == ()


def test_missed_ticks_are_told_of_unless_defaults_say_otherwise(load_text: Load) -> None:
    loaded = load_text(
        '[defaults]\nnotify_on_missed = false\n[tasks.a]\nrun = "x"\n[tasks.b]\nrun = "x"\nnotify_on_missed = true\n'
    )
    assert [unit.spec.notify.on_missed for unit in loaded.units] == [False, True]


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ('[[notifier]]\ntype = "slak"\nid = "a"', "notifier[0].type", "did you mean slack"),
        ('[[notifier]]\nid = "a"', "notifier[0]", "needs a type"),
        ('[[notifier]]\ntype = "webhook"\nurl = "http://x"', "notifier[0]", "needs id"),
        ('[[notifier]]\ntype = "webhook"\nid = "inapp"\nurl = "http://x"', "notifier[0].id", "not inapp"),
        ('[[notifier]]\ntype = "webhook"\nid = "a:b"\nurl = "http://x"', "notifier[0].id", "letters"),
        (f"{HOOK}{HOOK}", "notifier[1].id", "is taken"),
        ('[[notifier]]\ntype = "webhook"\nid = "a"', "notifier[0]", "needs url"),
        ('[[notifier]]\ntype = "webhook"\nid = "a"\nurl = "ftp://x"', "notifier[0].url", "http or https"),
        (f'{HOOK}headers = {{ "a b" = "c" }}', "notifier[0].headers.a b", "is not a header"),
        (f'{HOOK}headers = {{ a = "b\\nc" }}', "notifier[0].headers.a", "is not a header"),
        (f'{HOOK}secret = "short"', "notifier[0].secret[0]", "base64"),
        (f'{HOOK}channel = "#x"', "notifier[0].channel", "unknown key"),
        ('[[notifier]]\ntype = "slack"\nid = "a"\nwebhook_url = "https://x"\nchannel = "x"', "notifier[0].channel", "#channel"),
        ('[[notifier]]\ntype = "discord"\nid = "a"\nwebhook_url = "https://x"', "notifier[0].webhook_url", "Discord"),
        ('[[notifier]]\ntype = "telegram"\nid = "a"\nbot_token = "x"', "notifier[0]", "needs chat_id"),
        (f"{MAIL}to = []".replace('to = ["d@e.f"]\n', ""), "notifier[0].to", "must not be empty"),
        (f'{MAIL}username = "u"', "notifier[0].username", "go together"),
        (f'{MAIL}username = "u"\npassword = "p"\ntls = "none"', "notifier[0].tls", "in the clear"),
        (f'{MAIL}tls = "ssl"', "notifier[0].tls", "must be one of"),
        (f'{HOOK}template_path = "none.txt"', "notifier[0].template_path", "none.txt"),
        ("[[notification_route]]\nmatch = {}", "notification_route[0]", "needs notify"),
        ('[[notification_route]]\nnotify = ["op"]', "notification_route[0].notify[0]", "no notifier op"),
        (f'{HOOK}[[notification_route]]\nnotify = ["oops"]', "notification_route[0].notify[0]", "did you mean ops"),
        (f'{ROUTE}match = {{ kind = ["run.fail"] }}', "notification_route[0].match.kind[0]", "run.failed"),
        (f'{ROUTE}match = {{ level = "x" }}', "notification_route[0].match.level", "unknown key"),
        ('[tasks.a]\nrun = "x"\nnotify_on_failure = ["ops"]', "tasks.a.notify_on_failure[0]", "no notifier ops"),
        ('[services.a]\nrun = "x"\nnotify_on_missed = true', "services.a.notify_on_missed", "tasks"),
        ('[notify]\nglobal_notifiers = ["ops"]', "notify.global_notifiers[0]", "no notifier ops"),
        ("[notify]\noccurrence_ring = 0", "notify.occurrence_ring", "whole number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_by_its_place(refuse: Refuse, text: str, key: str, message: str) -> None:
    found = {finding.key: finding.message for finding in refuse(text + "\n")}
    assert message in found[key]


def test_a_template_is_read_and_its_fields_are_checked(tmp_path: Path, load_text: Load, refuse: Refuse) -> None:
    (tmp_path / "good.txt").write_text("{{headline}} {{ exit_code }}")
    (tmp_path / "bad.txt").write_text("{{headlin}}")
    assert load_text(f'{HOOK}template_path = "good.txt"\n').notifying.notifiers[0].template == "{{headline}} {{ exit_code }}"
    assert "did you mean headline" in refuse(f'{HOOK}template_path = "bad.txt"\n')[0].message


def test_included_files_may_have_notifiers_and_routes(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text(f'{HOOK}[[notification_route]]\nnotify = ["ops"]\n')
    (tmp_path / "rota.toml").write_text('[daemon]\ninclude = ["more.toml"]\n[tasks.a]\nrun = "x"\nnotify_on_failure = ["ops"]\n')
    loaded = load(tmp_path / "rota.toml", {})
    assert [notifier.id for notifier in loaded.notifying.notifiers] == ["ops"]
    assert len(loaded.notifying.routes) == 1
