"""Titles, slugs and repositories of tasks of projects."""

import pytest

from rota.core.errors import Invalid
from rota.core.projecttask import generate_title, read_repository, slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Default Project", "DEF-12"), ("My Big API", "MBA-12"), ("My Big api", "MYB-12"), ("a b", "AB-12"), ("x", "X-12"),
        ("…!", "TSK-12"), ("", "TSK-12"), ("ABCD", "ABC-12"), ("a1 b2", "A1B-12"), ("ßab", "SSAB-12"),
    ],
)  # fmt: skip
def test_a_slug_has_three_letters_of_the_name(name: str, slug: str) -> None:
    assert slug_of(name, 12) == slug


@pytest.mark.parametrize(
    ("description", "title"),
    [("", "Untitled Task"), ("  \n ", "Untitled Task"), ("\n\n a \n b", "a"), ("a\r\nb", "a"), ("é" * 61, "é" * 57 + "...")],
)
def test_a_title_is_the_first_line(description: str, title: str) -> None:
    assert generate_title(description) == title


@pytest.mark.parametrize("text", ["a", "a/", "/a", "a//b", "a/b/", " / ", "/"])
def test_a_repository_has_two_parts(text: str) -> None:
    with pytest.raises(Invalid, match="organization/repository"):
        read_repository(text)


def test_a_repository_is_kept_in_lower_case() -> None:
    assert (read_repository("Acme/Web.js"), read_repository("")) == ("acme/web.js", "")
