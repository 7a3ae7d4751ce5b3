"""Which searches are taken and which are refused, and with what words."""

import pytest

from rota.core.errors import Invalid
from rota.modules.records.search import Complex, Fulltext, In, Match, Range, find_search_problems, read_search

MATCH = {"type": "match", "fields": ["title"], "string": "red"}


def test_every_element_of_the_language_is_read():
    search = read_search(
        {
            "objecttypes": ["asset"],
            "incremental": True,
            "search": [
                {"type": "in", "fields": ["_tags._id"], "in": [1, 2], "bool": "must_not"},
                MATCH | {"mode": "wildcard"},
                {"type": "fulltext", "string": "red car"},
                {"type": "range", "field": "year", "from": 1990},
                {"type": "complex", "bool": "should", "search": [MATCH]},
            ],
        }
    )
    assert [type(each) for each in search.search] == [In, Match, Fulltext, Range, Complex]
    assert [each.occur for each in search.search] == ["must_not", "must", "must", "must", "should"]
    assert search.incremental


def test_a_search_may_be_empty_if_there_are_objecttypes():
    assert find_search_problems({"search": [], "objecttypes": ["asset"]}) == []
    assert find_search_problems({"objecttypes": ["asset"]}) == []


def deep(levels):
    return MATCH if levels == 0 else {"type": "complex", "search": [deep(levels - 1)]}


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        (None, "search", "must be an object"),
        ([MATCH], "search", "must be an object"),
        ({}, "search.search", "may be empty only if objecttypes is not"),
        ({"search": [], "objecttypes": []}, "search.search", "may be empty only if objecttypes is not"),
        ({"search": MATCH}, "search.search", "Expected `array`"),
        ({"search": [MATCH], "sort": []}, "search", "`sort`"),
        ({"search": [MATCH | {"type": "nested"}]}, "search.search[0].type", "'nested'"),
        ({"search": [MATCH | {"bool": "maybe"}]}, "search.search[0].bool", "'maybe'"),
        ({"search": [MATCH | {"phrase": True}]}, "search.search[0]", "`phrase`"),
        ({"search": [MATCH | {"string": " "}]}, "search.search[0].string", "matching regex"),
        ({"search": [{"type": "match", "string": "x"}]}, "search.search[0]", "`fields`"),
        ({"search": [{"type": "in", "fields": ["id"], "in": []}]}, "search.search[0].in", "length >= 1"),
        ({"search": [{"type": "in", "fields": ["id"], "in": [[1]]}]}, "search.search[0].in[0]", "got `array`"),
        ({"search": [{"type": "range", "field": "year"}]}, "search.search[0]", "needs from or to"),
        ({"search": [{"type": "complex", "search": []}]}, "search.search[0].search", "length >= 1"),
        ({"search": [{"type": "complex", "search": [MATCH | {"a": 1}]}]}, "search.search[0].search[0]", "`a`"),
        ({"objecttypes": ["a", "a"]}, "search.objecttypes", "twice"),
        ({"objecttypes": ["a"], "incremental": "yes"}, "search.incremental", "Expected `bool`"),
        ({"search": [deep(9)]}, "search.search[0]" + ".search[0]" * 5, "deeper than 5"),
        ({"search": [MATCH] * 201}, "search.search", "more than 200"),
    ],
)
def test_what_is_not_in_the_language_is_refused_at_its_place(value, place, words):
    with pytest.raises(Invalid) as caught:
        read_search(value)
    (problem, *_) = caught.value.problems
    assert (problem.location, words in problem.message) == (place, True), problem.message
