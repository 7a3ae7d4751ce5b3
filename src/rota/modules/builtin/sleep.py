"""Waits, and tells how far it has come: to try out schedules, cancels and time limits (fylr §7)."""

import time
from typing import Annotated

from rota.modules import Context, Param, Secret, module

STEPS = 10


@module(
    displayname={"en-US": "Sleep", "de-DE": "Schlafen"},
    description={"en-US": "Waits for some seconds.", "de-DE": "Wartet einige Sekunden."},
    debug=True,
)
def sleep(
    ctx: Context,
    runtime: Annotated[
        int,
        Param(
            minimum=0,
            displayname={"en-US": "Seconds", "de-DE": "Sekunden"},
            description={"en-US": "How long it takes.", "de-DE": "Wie lange es dauert."},
        ),
    ] = 0,
    secret: Annotated[
        Secret | None,
        Param(displayname={"en-US": "Secret", "de-DE": "Geheimnis"}, description={"en-US": "Not used.", "de-DE": "Ohne Zweck."}),
    ] = None,
    input: Annotated[  # noqa: A002  the parameter's name is given (fylr §7)
        str, Param(displayname={"en-US": "Text", "de-DE": "Text"}, description={"en-US": "Not used.", "de-DE": "Ohne Zweck."})
    ] = "default test string",
) -> dict[str, int]:
    """Steps are a tenth of the whole, or a second, whatever is longer."""
    ctx.info(f"sleeping for {runtime} s", 0)
    start = time.monotonic()
    step_s = max(1.0, runtime / STEPS)
    while (left_s := runtime - (time.monotonic() - start)) > 0:
        ctx.sleep(min(step_s, left_s))
        percent = int(min(99, 100 * (time.monotonic() - start) / runtime))
        ctx.debug(f"{percent} % of {runtime} s are over", percent)
    ctx.info("awake", 100)
    return {"slept_s": runtime}
