"""What `rota validate` says."""

from rota.config.load import Loaded
from rota.core.errors import Invalid


def report(result: Loaded | Invalid) -> list[str]:
    """A line for each error or warning, `rota.toml:12:3 tasks.backup.crn: unknown key; did you mean cron?`; for a file
    without errors, a last line that counts its units."""
    if isinstance(result, Invalid):
        return [f"{problem.location}: {problem.message}" for problem in result.problems]
    services = sum(unit.spec.service is not None for unit in result.units)
    tasks = len(result.units) - services
    warnings = [f"{finding.location}: warning: {finding.message}" for finding in result.warnings]
    return [*warnings, f"ok: {_count(tasks, 'task')}, {_count(services, 'service')}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
