import re
from pathlib import Path

import rota


@rota.module(displayname={"en-US": "Count words", "de-DE": "Wörter zählen"})
def word_count(ctx: rota.Context, folder: str, longer_than: int = 0) -> dict[str, int]:
    """Counts the words of all text files in a folder."""
    counts, files = {}, sorted(Path(folder).glob("*.txt"))
    for number, file in enumerate(files, 1):
        ctx.check()
        counts[file.name] = sum(len(word) > longer_than for word in re.findall(r"\w+", file.read_text()))
        ctx.info(f"{file.name}: {counts[file.name]} words", 100 * number // len(files))
    return counts
