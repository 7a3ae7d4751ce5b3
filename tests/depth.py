"""How thoroughly to look: `ROTA_TEST_DEPTH=deep` tries twenty times as many made-up examples and lives."""

import os

IS_DEEP = os.environ.get("ROTA_TEST_DEPTH") == "deep"


def examples(usual: int) -> int:
    return usual * 20 if IS_DEEP else usual
