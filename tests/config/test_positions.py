"""Where keys and values stand."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.config.positions import KeyPath, scan

TEXT = '''\
# a comment [not.a.header]
title = "x"   # [neither]
[tasks."a.b"]
run = """
cron = "not a key"
"quotes\\""""
  cron   =  '* * * * *'
retry.delay = "5s"
env = { A = "1", "B C" = "},]", 'd' = [1, [2, 3]] }
params = [
  { option = "--db", choices = ["main", "audit"] },  # , ]
  { flag = "--dry-run" },
]
literal = \'\'\'
[x]\'\'\'
[[notifier]]
id = "one"
[[notifier]]
id = "two"
[notifier.headers]
x = 1979-05-27 07:32:00
'''


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("title",), (2, 1), (2, 9)),
        (("tasks", "a.b"), (3, 1), (3, 1)),
        (("tasks", "a.b", "run"), (4, 1), (4, 7)),
        (("tasks", "a.b", "cron"), (7, 3), (7, 13)),
        (("tasks", "a.b", "retry", "delay"), (8, 7), (8, 15)),
        (("tasks", "a.b", "env", "B C"), (9, 18), (9, 26)),
        (("tasks", "a.b", "env", "d", 1, 0), (9, 44), (9, 44)),
        (("tasks", "a.b", "params", 0, "choices", 1), (11, 41), (11, 41)),
        (("tasks", "a.b", "params", 1, "flag"), (12, 5), (12, 12)),
        (("tasks", "a.b", "literal"), (14, 1), (14, 11)),
        (("notifier", 1, "id"), (19, 1), (19, 6)),
        (("notifier", 1, "headers", "x"), (21, 1), (21, 5)),
    ],
)
def test_it_knows_where_keys_and_values_begin(path: KeyPath, key: tuple[int, int], value: tuple[int, int]) -> None:
    mark = scan(TEXT)[path]
    assert (tuple(mark.key), tuple(mark.value)) == (key, value)


def test_every_key_of_a_document_has_a_mark() -> None:
    assert scan(TEXT).keys() >= _paths((), tomllib.loads(TEXT))


def _paths(path: KeyPath, value: Any) -> set[KeyPath]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ({path} if path else set()).union(*(_paths((*path, key), item) for key, item in items))


VALUES = st.recursive(
    st.one_of(st.text("ab\"\\'}],#= é\n", max_size=8).map(lambda text: ("text", text)), st.integers().map(lambda n: ("int", n))),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: ("list", items)),
    max_leaves=6,
)


def _written(value: tuple[str, Any]) -> str:
    kind, content = value
    if kind == "list":
        return "[ " + ",\n ".join(map(_written, content)) + "]"
    if kind == "int":
        return str(content)
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{escaped}"""' if "\n" in content else f'"{escaped}"'


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_whatever_stands_before_a_key_its_line_is_found(values: list[tuple[str, Any]]) -> None:
    lines = [f"k{number} = {_written(value)} # [x" for number, value in enumerate(values)]
    text = "\n".join(lines)
    tomllib.loads(text)
    marks = scan(text)
    for number in range(len(values)):
        before = "\n".join(lines[:number]) + ("\n" if number else "")
        assert marks[(f"k{number}",)].key == (before.count("\n") + 1, 1)
