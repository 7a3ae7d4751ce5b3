"""How much of a known amount of work is done, told whenever it is a percent more."""

from rota.modules.context import Context


class Portion:
    """`total` in whatever unit; `add` raises Cancelled if the run is to stop."""

    def __init__(self, ctx: Context, total: int) -> None:
        self._ctx = ctx
        self._total = total
        self._done = 0
        self._told = 0

    def add(self, amount: int) -> None:
        self._ctx.check()
        self._done += amount
        percent = min(99, self._done * 100 // max(self._total, 1))
        if percent > self._told:
            self._told = percent
            self._ctx.progress(percent)
