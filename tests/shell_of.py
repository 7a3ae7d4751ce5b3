"""The shell executor of a spec, for tests that know it has one."""

from rota.core.task import TaskSpec
from rota.core.work import Shell


def shell_of(spec: TaskSpec) -> Shell:
    assert isinstance(spec.executor, Shell)
    return spec.executor
