"""The settings of the server: the one table that parsing, environment, flags and the reference page are made from."""

from rota.config.access_keys import ACCESS
from rota.config.kinds import ADDRESS, BOOLEAN, enum
from rota.config.serving_keys import SERVING
from rota.config.setting import Setting
from rota.config.working_keys import WORKING

SURFACES = ("native", "runwisp", "ordinaut", "fylr", "nla", "posthog", "mcp")
TABLE: tuple[Setting, ...] = (*SERVING, *WORKING, *ACCESS)

LISTEN = {
    "address": (ADDRESS, "Where it listens."),
    "surface": (enum(*SURFACES), "Which API it serves, at its root."),
}

# Keys and sections that RunWisp knows, so that its files load. Only what would change something is warned about.
IGNORED_KEYS = {
    ("daemon", "tls"): enum("auto", "off"),
    ("daemon", "allow_cloud_dispatch"): BOOLEAN,
}
SECTIONS = tuple(dict.fromkeys(setting.section for setting in TABLE if setting.in_file))
TOP = tuple(section for section in SECTIONS if "." not in section)
# Tables that stand in a section and are read apart from it.
BELOW = {section: tuple(name.rpartition(".")[2] for name in SECTIONS if name.startswith(f"{section}.")) for section in SECTIONS}
BELOW["posthog"] += ("project",)
