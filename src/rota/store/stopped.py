"""What becomes of a run that its holder gives back: it waits again, unless it was asked to stop meanwhile."""

from rota.core.outcome import STOP_OUTCOMES

_STATES = " ".join(f"WHEN '{cause}' THEN '{state}'" for cause, (state, _) in STOP_OUTCOMES.items())
_REASONS = " ".join(f"WHEN '{cause}' THEN '{reason}'" for cause, (_, reason) in STOP_OUTCOMES.items() if reason)

STATE = f"CASE stop_cause {_STATES} ELSE 'pending' END"
ADMISSION = "CASE WHEN stop_cause IS NULL THEN 'new' END"


def reason(otherwise: str) -> str:
    """The stop's reason, or that expression for a run which nobody stopped."""
    return f"CASE WHEN stop_cause IS NULL THEN {otherwise} ELSE CASE stop_cause {_REASONS} END END"


def ended_at(moment: str) -> str:
    return f"CASE WHEN stop_cause IS NOT NULL THEN {moment} END"
