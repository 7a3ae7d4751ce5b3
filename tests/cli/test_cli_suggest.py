import pytest

from rota.cli.suggest import nearest


@pytest.mark.parametrize(
    ("typed", "meant"), [("bakcup", "backup"), ("Backup", "backup"), ("backup-daily", "backup"), ("zzz", None)]
)
def test_the_nearest_name_is_suggested(typed: str, meant: str | None) -> None:
    assert nearest(typed, ["backup", "report", "web"]) == meant
