"""The settings of one server, built once and handed on as a value."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from rota.config.databases import NamedDatabase
from rota.config.mcp import McpServer
from rota.config.projects import ProjectSettings
from rota.config.providers import ProviderSettings
from rota.config.records import Records
from rota.config.runner import RunnerSettings
from rota.config.secret import Secret
from rota.config.zone import TimezoneSource


class Server(Struct, frozen=True, kw_only=True):
    """`lost_after` is seconds."""

    listen: str
    data: Path
    database: Secret | None
    max_concurrent_runs: int
    labels: tuple[str, ...]
    node: str | None
    lost_after: float
    trust_proxy: tuple[str, ...]
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["auto", "text", "json"]


class Scheduler(Struct, frozen=True, kw_only=True):
    """`timezone` is resolved; `timezone_source` tells whether it was configured or is the host's."""

    timezone: str
    timezone_source: TimezoneSource


class Storage(Struct, frozen=True, kw_only=True):
    """Bytes; 0 = off."""

    max_size: int
    min_free_space: int


class Daemon(Struct, frozen=True, kw_only=True):
    """Names and meaning are RunWisp's; `shutdown_timeout` is seconds."""

    shutdown_timeout: float
    external_url: str | None
    metrics_enabled: bool
    metrics_listen: str | None
    tls_cert: Path | None
    tls_key: Path | None
    include: tuple[str, ...]

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificates and key, if it is to be HTTPS."""
        return (self.tls_cert, self.tls_key) if self.tls_cert and self.tls_key else None


class Outgoing(Struct, frozen=True, kw_only=True):
    """`private` is resolved: what is not set follows from the listeners."""

    private: Literal["allow", "deny"]
    allow: tuple[str, ...]


class NotifyRules(Struct, frozen=True, kw_only=True):
    """[notify] as RunWisp has it; spans are seconds."""

    global_notifiers: tuple[str, ...]
    default_timeout: float
    history_keep: int
    history_keep_for: float
    coalesce_window: float
    occurrence_ring: int
    coalesce_outbound: bool


class Tools(Struct, frozen=True, kw_only=True):
    """What pipelines can call beside the built-in tools."""

    shell: bool
    simulate_unknown: bool
    catalog: Path | None
    namespaces: list[str]


class Modules(Struct, frozen=True, kw_only=True):
    """Where modules are, and the processes that work on them. Seconds and bytes; `memory_max` 0 = no limit."""

    paths: tuple[str, ...]
    workers: int
    warm: int
    idle_timeout: float
    recycle_after: int
    memory_max: int


class Files(Struct, frozen=True, kw_only=True):
    """Folders that modules may read and write, absolute."""

    roots: tuple[str, ...]


class BlobStore(Struct, frozen=True, kw_only=True):
    """Where artifacts are kept. All but `kind` is about a store that speaks S3."""

    kind: Literal["local", "s3"]
    bucket: str | None
    endpoint: str | None
    public_endpoint: str | None
    region: str
    access_key: Secret | None
    secret_key: Secret | None


class OrdinautAccess(Struct, frozen=True, kw_only=True):
    """How agents are let in, how often they may ask, and how long their tasks wait between tries (seconds)."""

    jwt_secret: Secret | None
    access_token_minutes: int
    refresh_token_days: int
    rate_limit: Literal["auto", "on", "off"]
    requests_per_minute: int
    requests_per_hour: int
    legacy_tokens: bool
    backoff_base: float
    backoff_max: float


class PosthogAccess(Struct, frozen=True, kw_only=True):
    """How often a key may ask, and how long a device counts as watching, in seconds."""

    requests_per_minute: int
    requests_per_hour: int
    presence_ttl: float


class PosthogPush(Struct, frozen=True, kw_only=True):
    """How the devices of users are told."""

    sender: Literal["none", "log", "webhook", "expo", "webpush"]
    url: Secret | None
    token: Secret | None
    label: str
    vapid_key: Secret | None
    vapid_contact: str | None


class RunwispAccess(Struct, frozen=True, kw_only=True):
    password: Secret | None
    no_auth: bool


class Listener(Struct, frozen=True, kw_only=True):
    """A port of its own for one surface."""

    address: str
    surface: str


class Settings(Struct, frozen=True, kw_only=True):
    """Everything a server is told, in the order defaults, file, environment, flags. Each key is described in `table`."""

    server: Server
    scheduler: Scheduler
    storage: Storage
    daemon: Daemon
    outgoing: Outgoing
    notify: NotifyRules
    tools: Tools
    modules: Modules
    files: Files
    runner: RunnerSettings
    blobs: BlobStore
    ordinaut: OrdinautAccess
    posthog: PosthogAccess
    posthog_push: PosthogPush
    runwisp: RunwispAccess
    listen: tuple[Listener, ...]
    mcp: tuple[McpServer, ...] = ()
    providers: tuple[ProviderSettings, ...] = ()
    projects: tuple[ProjectSettings, ...] = ()
    databases: tuple[NamedDatabase, ...] = ()
    records: Records = Records()

    def project(self, project_id: int) -> ProjectSettings:
        """What the settings say for a project, or what holds where they say nothing."""
        return next((each for each in self.projects if each.id == project_id), ProjectSettings(id=project_id))
