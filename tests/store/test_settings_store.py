from rota.store import settings
from rota.store.connection import Connection


def test_a_value_is_remembered_until_another_takes_its_place(c: Connection) -> None:
    assert settings.find_setting(c, "seen_at") is None
    settings.upsert_setting(c, "seen_at", "1")
    settings.upsert_setting(c, "seen_at", "2")
    assert settings.find_setting(c, "seen_at") == "2"
