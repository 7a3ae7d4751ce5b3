"""What is looked for in logs: a text, or an expression that no one can stall the server with."""

import re
from collections.abc import Callable

from rota.core.errors import Invalid

LONGEST_PATTERN = 1000
# For one line; then the expression is one that tries every way there is.
LINE_S = 0.25
AT = "q"


class Pattern:
    """A text, or a regular expression with `regex`; in either case of letters unless `case`.

    Raises Invalid at `q` for an empty or overlong pattern and for what is no expression.
    """

    def __init__(self, pattern: str, *, regex: bool = False, case: bool = False) -> None:
        if not pattern:
            raise Invalid.at(AT, "must not be empty")
        if len(pattern) > LONGEST_PATTERN:
            raise Invalid.at(AT, f"must not be longer than {LONGEST_PATTERN} characters")
        self._text = None if regex else re.compile(re.escape(pattern), 0 if case else re.IGNORECASE)
        self._matches = _matcher_of(pattern, case) if regex else lambda line: self.may_be_in(line)

    def may_be_in(self, lines: str) -> bool:
        """False if none of these lines can match."""
        return self._text is None or self._text.search(lines) is not None

    def matches(self, line: str) -> bool:
        """Raises Invalid if the expression takes too long on this line."""
        return self._matches(line)


def _matcher_of(pattern: str, case: bool) -> Callable[[str], bool]:
    # Its searches end at a deadline, and other threads go on meanwhile.
    import regex

    try:
        compiled = regex.compile(pattern, regex.VERSION0 | (0 if case else regex.IGNORECASE))
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise Invalid.at(AT, f"is not a regular expression: {error}", pattern) from error

    def matches(line: str) -> bool:
        try:
            return compiled.search(line, timeout=LINE_S, concurrent=True) is not None
        except TimeoutError:
            raise Invalid.at(AT, "takes too long: it tries too many ways to match a line", pattern) from None

    return matches
