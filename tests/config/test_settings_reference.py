"""The reference page, the tables it is made from, and what validation says."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from rota.config import Loaded, Settings, load, render_reference, report
from rota.config.table import TABLE
from rota.config.unit_keys import KEYS
from rota.core.errors import Invalid
from rota.core.policy import Policy
from rota.core.service import ServicePolicy
from rota.core.task import TaskSpec
from rota.core.work import Shell

Load = Callable[..., Loaded]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == render_reference(), "write render_reference() to docs/reference/settings.md"


def test_every_setting_and_key_is_on_the_page() -> None:
    page = render_reference()
    for name in [setting.key for setting in TABLE] + [key.name for key in KEYS]:
        assert re.search(rf"^\| `{name}`", page, re.MULTILINE)


def test_the_table_and_the_struct_have_the_same_settings() -> None:
    derived = {"scheduler.timezone_source"}
    sections = msgspec.structs.fields(Settings)
    fields = {f"{section.name}.{name}" for section in sections for name in getattr(section.type, "__struct_fields__", ())}
    derived |= {name for name in fields if name.startswith("records.")}  # in the file alone, and described by RECORDS_KEYS
    assert fields - derived == {"_".join(setting.section.split(".")) + f".{setting.key}" for setting in TABLE}


def test_no_two_settings_share_a_variable() -> None:
    names = [name for setting in TABLE for name in setting.env]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.name}-{key.on[0]}")
def test_a_key_goes_to_a_field_that_exists_and_its_default_can_be_read(key: object) -> None:
    assert isinstance(key, type(KEYS[0]))
    if key.default is not None:
        key.kind.from_text(key.default)
    if key.target is None:
        return
    roots: dict[str, object] = {"spec": TaskSpec, "policy": Policy, "service": ServicePolicy, "shell": Shell}
    first, *steps = key.target.split(".")
    owner = roots[first]
    for step in steps:
        fields = {field.name: field.type for field in msgspec.structs.fields(owner)}  # type: ignore[arg-type]
        owner = fields[step]


def test_a_report_has_a_line_for_each_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rota.toml").write_text('[tasks.backup]\nrun = "x"\n  crn = "@daily"\ntimeout = 5\n')
    with pytest.raises(Invalid) as caught:
        load("rota.toml", {})
    lines = report(caught.value)
    assert lines[0] == "rota.toml:3:3 tasks.backup.crn: unknown key; did you mean cron?"
    assert lines[1].startswith("rota.toml:4:11 tasks.backup.timeout: must be a duration in quotes")
    assert str(caught.value) == "rota.toml has 2 errors"


def test_a_report_of_a_good_file_has_its_warnings_and_counts(load_text: Load) -> None:
    loaded = load_text('[tasks.a]\nrun = "x"\napi_trigger = false\n[services.b]\nrun = "x"\n[services.c]\nrun = "x"\n')
    lines = report(loaded)
    assert re.search(r"rota\.toml:3:1 tasks\.a\.api_trigger: warning: nothing can start", lines[0])
    assert lines[1:] == ["ok: 1 task, 2 services"]
