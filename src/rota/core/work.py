"""What a task does, as each kind of executor is told it. One struct per kind, one literal list."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from rota.core.agent.node import Header, Nodes
from rota.core.module import ModuleName
from rota.core.pipeline.language import Options, Steps

EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
EnvValue = Annotated[str, Meta(max_length=32_768, pattern=r"^[^\x00]*$")]


class Shell(Struct, frozen=True, kw_only=True, tag_field="kind", tag="shell", omit_defaults=True, forbid_unknown_fields=True):
    """A script for a shell, in a process group of its own (RunWisp §10).

    working_dir  the server's own where it is not given; checked when the run starts
    user         `user` or `user:group`, names or ids; needs a server that runs as root
    umask        octal digits, for the child alone
    """

    script: Annotated[str, Meta(min_length=1, pattern=r"\S")]
    shell: Annotated[str, Meta(pattern=r"^/")] = "/bin/sh"
    env: Annotated[dict[EnvName, EnvValue], Meta(max_length=256)] = {}
    working_dir: str | None = None
    user: Annotated[str, Meta(pattern=r"^[^:\s]+(:[^:\s]+)?$")] | None = None
    umask: Annotated[str, Meta(pattern=r"^0?[0-7]{3}$")] | None = None


ProjectName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
ComposeName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Compose(Struct, frozen=True, kw_only=True, tag_field="kind", tag="compose", omit_defaults=True, forbid_unknown_fields=True):
    """A service of a compose file, or the whole of it, run by `docker compose` (RunWisp §14).

    service    None for the whole stack, which mode `up` runs
    mode       run = a container of its own · up = the stack · exec = `script` inside the container that runs already
    pull       when the image is fetched; compose's own rule where it is not given
    with_deps  compose starts what the service depends on
    """

    file: Annotated[str, Meta(min_length=1)]
    project_name: ProjectName
    service: ComposeName | None = None
    mode: Literal["run", "up", "exec"] = "run"
    profiles: list[ComposeName] = []
    env_file: str | None = None
    pull: Literal["missing", "always", "never"] | None = None
    with_deps: bool = False
    env: Annotated[dict[EnvName, EnvValue], Meta(max_length=256)] = {}
    working_dir: str | None = None
    script: Annotated[str, Meta(min_length=1, pattern=r"\S")] | None = None


class Pipeline(
    Struct, frozen=True, kw_only=True, tag_field="kind", tag="pipeline", omit_defaults=True, forbid_unknown_fields=True
):
    """Steps that call tools, one after the other (core.pipeline.language). `params` are under those of the task and the run."""

    steps: Steps
    params: dict[str, Any] = {}
    options: Options = Options()


class Module(Struct, frozen=True, kw_only=True, tag_field="kind", tag="module", omit_defaults=True, forbid_unknown_fields=True):
    """A Python function with parameters (core.module). `params` are under those of the task and the run."""

    module: ModuleName
    params: dict[str, Any] = {}


Url = Annotated[str, Meta(min_length=1, max_length=8192)]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$(?!\n)")]
Headers = Annotated[dict[HeaderName, Header], Meta(max_length=100)]
HttpStatus = Annotated[int, Meta(ge=100, le=599)]


class Http(Struct, frozen=True, kw_only=True, tag_field="kind", tag="http", omit_defaults=True, forbid_unknown_fields=True):
    """Calls a URL and judges the answer. Texts in url, headers and body are templates, as in pipelines.

    body           text as it is, anything else as JSON
    expect_status  what is success; 2xx where nothing is given
    """

    url: Url
    method: Annotated[str, Meta(pattern=r"^[A-Z]{1,20}$(?!\n)")] = "GET"
    headers: Headers = {}
    body: Any = None
    expect_status: HttpStatus | list[HttpStatus] | None = None


class Agent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="agent", omit_defaults=True, forbid_unknown_fields=True):
    """Exactly one of: a chain of nodes (core.agent), a command that does the work, a URL that does it.

    variables    what templates find, under the params of the task and the run; beside params for a command or a URL
    command      program and arguments, or a script for /bin/sh; gets {"run", "params"} as JSON on stdin
    env          variables of the command
    working_dir  of the command; a folder of its own, gone after the attempt, where none is given
    url          gets a POST of {"run", "params"}; its JSON answer is the output of the run
    headers      of that POST
    """

    nodes: Nodes | None = None
    variables: dict[str, Any] = {}
    command: (
        Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
        | Annotated[str, Meta(min_length=1, pattern=r"\S")]
        | None
    ) = None
    env: Annotated[dict[EnvName, EnvValue], Meta(max_length=256)] = {}
    working_dir: str | None = None
    url: Url | None = None
    headers: Headers = {}


class Outside(Struct, frozen=True, kw_only=True, tag_field="kind", tag="outside", omit_defaults=True, forbid_unknown_fields=True):
    """Work that nobody here does: a run waits until a worker from outside takes it, gives signs of life, and tells its end.

    lease_s  a worker that is silent for longer has lost its run
    """

    lease_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0


class Project(Struct, frozen=True, kw_only=True, tag_field="kind", tag="project", omit_defaults=True, forbid_unknown_fields=True):
    """Work of a project: done as the settings say for it when a run starts, and from outside where they say nothing."""

    project_id: int


Work = Shell | Compose | Module | Pipeline | Http | Agent | Outside | Project
