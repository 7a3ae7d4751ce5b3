"""Devices of users that are told of the ends of runs, and which of them watch a task."""

from datetime import timedelta

from rota.core.actor import Actor
from rota.core.errors import NotFound
from rota.core.push import Platform
from rota.ops.context import Rota
from rota.ops.projecttasks import get_visible_task
from rota.store import presence, pushtokens
from rota.store.database import Connection
from rota.store.presence import Watching
from rota.store.projects import Project
from rota.store.pushtokens import PushToken


class UnknownDevice(NotFound):
    """The asker has registered no such device."""


async def register_token(rota: Rota, actor: Actor, token: str, platform: Platform) -> PushToken:
    """A device of the actor's, known by its token: it keeps its id when it comes again. At most 20 are kept, those seen last."""
    now = rota.clock.now()
    new = PushToken(id=rota.ids.new(), user_id=actor.id, token=token, platform=platform, created_at=now, last_seen_at=now)
    return await rota.database.write(lambda c: pushtokens.register_token(c, new))


async def unregister_token(rota: Rota, actor: Actor, token: str) -> None:
    """Forget the actor's device with that token, if there is one."""
    await rota.database.write(lambda c: pushtokens.delete_text(c, actor.id, token))


async def watch_task(rota: Rota, actor: Actor, project: Project, task_id: str, device_id: str) -> None:
    """A device of the actor's shows the task for some time from now. Raises NotFound, and UnknownDevice for another's."""
    now = rota.clock.now()
    expires_at = now + timedelta(seconds=rota.settings.posthog.presence_ttl)

    def write(c: Connection) -> None:
        get_visible_task(c, actor, project, task_id)
        token = pushtokens.find_token(c, device_id)
        if token is None or token.user_id != actor.id:
            raise UnknownDevice(f"there is no device {device_id}")
        presence.put_watching(
            c,
            Watching(
                task_id=task_id,
                push_token_id=device_id,
                user_id=actor.id,
                project_id=project.id,
                last_seen_at=now,
                expires_at=expires_at,
            ),
        )

    await rota.database.write(write)


async def unwatch_task(rota: Rota, actor: Actor, project: Project, task_id: str, device_id: str) -> None:
    """It shows the task no more; no error if it never did. Raises NotFound."""

    def write(c: Connection) -> None:
        get_visible_task(c, actor, project, task_id)
        presence.delete_watching(c, task_id, device_id, actor.id)

    await rota.database.write(write)
