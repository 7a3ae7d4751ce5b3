"""Services of compose files as units."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rota.config import Finding, Loaded, Unit
from rota.core.work import Compose

Load = Callable[..., Loaded]
Refuse = Callable[..., list[Finding]]

FILE = """\
x-common: &common
  stop_grace_period: 1m30s
services:
  web:
    <<: *common
    image: nginx
    restart: always
  db:
    image: postgres
  debug:
    image: busybox
    profiles: [dev]
"""


@pytest.fixture(autouse=True)
def compose_file(tmp_path: Path) -> Path:
    path = tmp_path / "compose.yaml"
    path.write_text(FILE)
    return path


def by_name(loaded: Loaded) -> dict[str, Unit]:
    return {unit.name: unit for unit in loaded.units}


def work(unit: Unit) -> Compose:
    assert isinstance(unit.spec.executor, Compose)
    return unit.spec.executor


def test_each_service_becomes_a_service(load_text: Load, compose_file: Path) -> None:
    units = by_name(load_text("[compose.shop]\n"))
    assert list(units) == ["shop.web", "shop.db"]
    web = units["shop.web"]
    assert work(web) == Compose(file=str(compose_file), project_name="shop", service="web")
    assert (web.spec.group, web.spec.policy.stop.grace_s) == ("shop", 90)
    assert web.spec.service is not None
    assert (web.spec.service.restart, web.spec.service.instances) == ("on_failure", 1)
    assert units["shop.db"].spec.policy.stop.grace_s == 5


def test_the_table_says_how_compose_is_called(load_text: Load, tmp_path: Path) -> None:
    text = """[compose.shop]
profiles = ["dev"]
env_file = ".env"
working_dir = "srv"
with_deps = true
pull = "always"
project_name = "live"
group = "Shop"
name_format = "{service}-of-{alias}"
"""
    units = by_name(load_text(text))
    assert list(units) == ["web-of-shop", "db-of-shop", "debug-of-shop"]
    found = work(units["debug-of-shop"])
    assert (found.profiles, found.env_file, found.working_dir) == (["dev"], str(tmp_path / ".env"), str(tmp_path / "srv"))
    assert (found.with_deps, found.pull, found.project_name) == (True, "always", "live")
    assert units["debug-of-shop"].spec.group == "Shop"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('include = ["db"]', ["a.db"]),
        ('exclude = ["db"]', ["a.web"]),
        ('include = ["debug"]', ["a.debug"]),
        ('services = ["+db"]', ["a.db"]),
        ('services = ["-db"]', ["a.web"]),
    ],
)
def test_some_are_chosen(load_text: Load, line: str, names: list[str]) -> None:
    assert list(by_name(load_text(f"[compose.a]\n{line}\n"))) == names


def test_a_sub_table_overrides_and_secrets_stay_apart(load_text: Load) -> None:
    text = """[defaults]
env = { A = "1" }
[compose.shop.web]
instances = 3
graceful_stop = "7s"
env = { B = "2" }
secrets = { TOKEN = "hidden" }
[services.front]
run = "x"
depends_on = ["shop.web"]
"""
    units = by_name(load_text(text))
    web = units["shop.web"]
    assert web.spec.service is not None
    assert (web.spec.service.instances, web.spec.policy.stop.grace_s, work(web).env) == (3, 7, {"A": "1", "B": "2"})
    assert web.secrets == {"TOKEN": "hidden"}
    assert "hidden" not in repr(web.spec)
    assert web.line == 3


def test_a_stack_is_one_service(load_text: Load, compose_file: Path) -> None:
    [unit] = load_text('[compose.shop]\nmode = "stack"\n').units
    assert unit.name == "shop"
    assert work(unit) == Compose(file=str(compose_file), project_name="shop", mode="up")
    [unit] = load_text('[compose.shop]\nimport = "stack"\n').units
    assert work(unit).mode == "up"


def test_a_single_unit_may_be_a_compose_service(load_text: Load, tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    folder.mkdir()
    (folder / "c.yml").write_text(FILE)
    text = """[tasks.web]
compose_file = "My Shop/c.yml"
[tasks.dump]
compose_file = "My Shop/c.yml"
compose_service = "db"
compose_mode = "exec"
run = "pg_dump"
params = [ { option = "--db" } ]
"""
    units = by_name(load_text(text))
    assert work(units["web"]) == Compose(file=str(folder / "c.yml"), project_name="myshop", service="web")
    assert (work(units["dump"]).mode, work(units["dump"]).script) == ("exec", "pg_dump")
    assert units["dump"].spec.inputs is not None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[compose.a]\ninclude = ["db"]\nexclude = ["web"]', 3, "exclude each other"),
        ('[compose.a]\ninclude = ["wbe"]', 2, "no service wbe; did you mean web"),
        ("[compose.a.wed]\ninstances = 2", 1, "no service of that name; did you mean web"),
        ('[compose.a]\nname_format = "{alias}"', 2, "must contain {service}"),
        ('[compose.a]\nmode = "stacks"', 2, "must be one of services, stack; did you mean stack"),
        ('[compose.a]\npull = "often"', 2, "must be one of missing, always, never"),
        ('[compose.a]\nmode = "stack"\ninclude = ["db"]', 3, "no place in a stack"),
        ('[compose.a]\nmode = "stack"\n[compose.a.web]\ninstances = 2', 3, "no place in a stack"),
        ('[compose.a]\nfile = "gone.yaml"', 2, "cannot be read"),
        ('[compose.a.web]\nrun = "x"', 2, "beside compose"),
        ('[compose.a.web]\nuser = "root"', 2, "beside compose"),
        ('[compose.a.web]\nshell = "/bin/bash"', 2, "beside compose"),
        ('[compose.a.web]\ncompose_mode = "exec"', 2, "beside compose"),
        ('[compose.a.web]\ncron = "@daily"', 2, "is a key of tasks"),
        ('[services."a.db"]\nrun = "x"\n[compose.a]', 3, "the name a.db is taken"),
        ('[tasks.t]\ncompose_service = "web"\nrun = "x"', 2, "needs compose_file"),
        ('[tasks.web]\ncompose_file = "compose.yaml"\nrun = "x"', 3, "exclude each other"),
        ('[tasks.web]\ncompose_file = "compose.yaml"\ncompose_mode = "exec"', 3, "needs run"),
        ('[tasks.t]\ncompose_file = "compose.yaml"', 1, "no service t"),
        ('[compose."a:b"]', 1, "give project_name"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(refuse: Refuse, text: str, line: int, words: str) -> None:
    found = refuse(text + "\n")
    assert any(words in finding.message for finding in found), found
    assert any(finding.line == line for finding in found if words in finding.message), found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("services: [", "is not valid YAML"),
        ("version: 3\n", "has no services"),
        ("services:\n  a: 1\n", "the service a is not a mapping"),
        ("services:\n  a: {stop_grace_period: soon}\n", "stop_grace_period of the service a"),
        ("services:\n  group: {image: x}\n", "named like a key"),
    ],
)
def test_a_compose_file_that_cannot_be_used_is_refused(refuse: Refuse, compose_file: Path, content: str, words: str) -> None:
    compose_file.write_text(content)
    [finding] = refuse("[compose.a]\n")
    assert words in finding.message


def test_without_any_file_it_says_which_were_looked_for(refuse: Refuse, compose_file: Path) -> None:
    compose_file.unlink()
    [finding] = refuse("[compose.a]\n")
    assert "docker-compose.yml" in finding.message
