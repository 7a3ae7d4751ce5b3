"""Operations on devices: registering them, and telling which task they show."""

from rota.http.reply import Reply, no_content, ok
from rota.http.routes import Ask
from rota.ops import pushtokens
from rota.surfaces.posthog import translate, wire
from rota.surfaces.posthog.fields import Field, Fields, choice, text, uuid
from rota.surfaces.posthog.operation import Op, id_of, project_of

TOKEN = Field(text(512, blank=False), required=True)
REGISTER: Fields = {"token": TOKEN, "platform": Field(choice(("ios", "android", "web")), required=True)}
UNREGISTER: Fields = {"token": TOKEN}
DEVICE: Fields = {"device_id": Field(uuid, required=True)}
# Some clients drop the body of a DELETE.
IN_QUERY: Fields = {"device_id": Field(uuid)}


async def register_token(ask: Ask) -> Reply:
    token = await pushtokens.register_token(ask.rota, ask.actor, ask.body["token"], ask.body["platform"])
    return ok(translate.token_wire(token))


async def unregister_token(ask: Ask) -> Reply:
    await pushtokens.unregister_token(ask.rota, ask.actor, ask.body["token"])
    return no_content()


async def watch_task(ask: Ask) -> Reply:
    task_id, device_id = id_of(ask, "task_id"), ask.body["device_id"]
    await pushtokens.watch_task(ask.rota, ask.actor, project_of(ask), task_id, device_id)
    return no_content()


async def unwatch_task(ask: Ask) -> Reply:
    task_id = id_of(ask, "task_id")
    await pushtokens.unwatch_task(ask.rota, ask.actor, project_of(ask), task_id, ask.body["device_id"])
    return no_content()


DEVICE_ROUTES: tuple[Op, ...] = (
    Op(
        method="POST", path="/tasks/{task_id}/presence", handler=watch_task, summary="A device shows the task",
        scope="task:write", body=DEVICE, shown_body=wire.DeviceBody, status=204, errors=(404,),
    ),
    Op(
        method="DELETE", path="/tasks/{task_id}/presence", handler=unwatch_task, summary="A device shows it no more",
        scope="task:write", body=DEVICE, query=IN_QUERY, shown_body=wire.DeviceBody, status=204, errors=(404,),
    ),
    Op(
        method="POST", path="/api/users/{user_id}/push_tokens", handler=register_token, summary="Register a device",
        scope="user:write", body=REGISTER, shown_body=wire.TokenBody, reply=wire.PushToken,
    ),
    Op(
        method="POST", path="/api/users/{user_id}/push_tokens/unregister", handler=unregister_token,
        summary="Forget a device", scope="user:write", body=UNREGISTER, shown_body=wire.TokenBody, status=204,
    ),
)  # fmt: skip
