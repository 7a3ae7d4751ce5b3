"""Did you mean: the nearest of the names there are."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name most like `word`, ignoring case; None when nothing comes near."""
    by_fold = {name.casefold(): name for name in names}
    found = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.5)
    return by_fold[found[0]] if found else None
