"""A crontab as tasks: crontab(5) with Debian's and cronie's habits."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from rota.convert.draft import Draft, Entry, name_of, unique_names
from rota.core.errors import Invalid
from rota.core.policy import Dst
from rota.core.schedule import CronSchedule, compile_schedule

_SETTING = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|\"[^\"]*\"|'[^']*')\s*=\s*(.*?)\s*$")
_NICKNAME = re.compile(r"(@[A-Za-z]+)\s+(.*)$")
_FIELDS = re.compile(r"((?:\S+\s+){5})(.*)$")
_USER = re.compile(r"(\S+)\s+(.*)$")
# An unescaped % ends the command; what follows is its input, line by line.
_PERCENT = re.compile(r"(?<!\\)%")
ANY_MOMENT = datetime(2020, 1, 1, tzinfo=UTC)
OVERLAP = "cron starts a job although its last run still goes on; here the next one waits (on_overlap, max_concurrent)"


def convert_crontab(text: str, *, is_system: bool = False) -> Draft:
    """Tasks of a crontab. `is_system`: each job names its user, as in /etc/crontab and /etc/cron.d."""
    draft, settings, remark = Draft(checks=[OVERLAP]), dict[str, str](), ""
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            remark = stripped.lstrip("# ").strip()
        elif (setting := _SETTING.match(line)) and not stripped.startswith(("*", "@")):
            settings[setting[1].strip("\"'")] = _unquoted(setting[2])
        else:
            draft.entries.append(_job(stripped, settings, remark, is_system=is_system))
            remark = ""
    unique_names(draft.entries)
    return draft


def _job(line: str, settings: Mapping[str, str], remark: str, *, is_system: bool) -> Entry:
    line = line.removeprefix("-")  # SUSE: not in syslog
    match = _NICKNAME.match(line) or _FIELDS.match(line)
    if not match:
        return Entry("tasks", "unreadable", {"run": line}, ["this line is no job; it is not carried over"], is_off=True)
    when, command = " ".join(match[1].split()), match[2]
    user = None
    if is_system and (named := _USER.match(command)):
        user, command = named[1], named[2]
    script, checks = _script(command)
    entry = Entry("tasks", name_of(_program(command), "job"), checks=checks)
    entry.keys = {"run": script, **({"description": remark[:200]} if remark else {})}
    _schedule(entry, when)
    _surroundings(entry, settings, user)
    return entry


def _schedule(entry: Entry, when: str) -> None:
    if when == "@reboot":
        entry.keys["run_on_start"] = True
        entry.checks.append("@reboot ran once for each start of the machine; this runs at each start of the server")
        return
    entry.keys["cron"] = when
    entry.keys["catch_up"] = "skip"  # cron makes up nothing
    try:
        compile_schedule(CronSchedule(expr=when), dst=Dst(), anchor_at=ANY_MOMENT)
    except Invalid as error:
        entry.is_off = True
        entry.checks.append(f"the schedule cannot be carried over: {error.problems[0].message}")


def _surroundings(entry: Entry, settings: Mapping[str, str], user: str | None) -> None:
    others = dict(settings)
    zone, shell, mail = others.pop("CRON_TZ", None), others.pop("SHELL", None), others.pop("MAILTO", None)
    home = others.pop("HOME", None)
    for name in ("LOGNAME", "USER", "MAILFROM", "RANDOM_DELAY", "START_HOURS_RANGE"):
        if others.pop(name, None) is not None:
            entry.checks.append(f"{name} of the crontab is not carried over")
    if shell and not shell.startswith("/"):
        entry.checks.append(f"SHELL={shell} is no absolute path and is not carried over")
        shell = None
    optional: dict[str, Any] = {"timezone": zone, "shell": shell, "user": user, "env": others}
    entry.keys |= {key: value for key, value in optional.items() if value}
    if home or user is None:
        entry.keys["working_dir"] = home or "~/"
    else:
        entry.checks.append(f"cron started it in the home of {user}; set working_dir if it relies on that")
    if mail:
        entry.checks.append(f"cron mailed its output to {mail}; name a notifier in notify_on_failure to hear of failures")


def _script(command: str) -> tuple[str, list[str]]:
    """The command, its input as a here-document, and what is to be checked."""
    first, *given = _PERCENT.split(command)
    script, checks = first.replace("\\%", "%").strip(), []
    if given:
        lines = "\n".join(part.replace("\\%", "%") for part in given)
        script = f"{script} <<'END_OF_INPUT'\n{lines}\nEND_OF_INPUT\n"
        checks.append("what stood behind % is its input, here as a here-document")
    if ";" in script:
        script = f"set +e\n{script}"
        checks.append("`set +e` keeps it from stopping at the first failing command, as cron's shell does not")
    return script, checks


def _program(command: str) -> str:
    """The first word that is neither a variable, a directory to go to, nor a wrapper."""
    skipped = {"cd", "nice", "ionice", "env", "exec", "sudo", "flock", "timeout", "test", "[", "nohup", "sh", "bash", "-c"}
    for part in re.split(r"&&|;|\|\|", command):
        words = [word.strip("\"'") for word in part.split()]
        if words[:1] == ["cd"]:
            continue
        for word in words:
            if word not in skipped and not word.startswith("-") and "=" not in word and not word.isdigit():
                return PurePath(word).name
    return ""


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
