"""What `rota validate` says of a settings file, and the server of why it does not take one."""

from collections.abc import Sequence

from rota.config.load import Loaded
from rota.config.unit import Unit
from rota.core.errors import Invalid, RotaError


def report(result: Loaded | Invalid) -> list[str]:
    """A line for each error or warning, `rota.toml:12:3 tasks.backup.crn: unknown key; did you mean cron?`; for a file
    without errors, a last line that counts its units."""
    if isinstance(result, Invalid):
        return [f"{problem.location}: {problem.message}" for problem in result.problems]
    warnings = [f"{finding.location}: warning: {finding.message}" for finding in result.warnings]
    return [*warnings, f"ok: {', '.join(count_units(result.units))}"]


def explain(error: RotaError) -> str:
    """Every problem of a file on a line of its own; any other error with its hint."""
    if isinstance(error, Invalid) and error.problems:
        return "\n".join(report(error))
    return f"{error.message} ({error.hint})" if error.hint else error.message


def count_units(units: Sequence[Unit]) -> tuple[str, str]:
    """`("3 tasks", "1 service")`."""
    services = sum(unit.spec.service is not None for unit in units)
    return _count(len(units) - services, "task"), _count(services, "service")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
