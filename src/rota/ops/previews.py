"""What a task would do, told before it does it."""

from typing import Any

from rota.core.actor import Actor
from rota.core.pipeline import language
from rota.core.pipeline.language import StepPreview
from rota.core.work import Pipeline
from rota.ops.context import Rota
from rota.ops.starts import params_of
from rota.ops.tasks import get_task


async def preview_steps(rota: Rota, actor: Actor, reference: str, params: dict[str, Any]) -> list[StepPreview] | None:
    """The steps of a pipeline as they would be called now with these params; None for a task of another executor.

    Raises NotFound, and Invalid at `body.params.<key>` for params that the task's `inputs` do not allow.
    """
    task = await get_task(rota, actor, reference)
    work = task.spec.executor
    if not isinstance(work, Pipeline):
        return None
    began = rota.clock.now().isoformat()
    given = {**work.params, **params_of(task, params)}
    about = {"_task_id": task.id, "_task_title": task.spec.title or task.name, "_execution_start": began}
    return language.preview(work.steps, given, now=began, typed=work.options.typed_templates, **about)
