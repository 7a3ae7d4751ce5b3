"""Programs of supervisord as services, and as tasks where they are not restarted."""

import configparser
import re
import shlex
from collections.abc import Iterator
from typing import Any

from rota.convert.draft import Draft, Entry, name_of, unique_names
from rota.core.errors import Invalid

# What needs no word: every run has its log, its own process group, and stdout and stderr told apart.
IMPLIED = {
    "command", "process_name", "redirect_stderr", "stopasgroup", "killasgroup",
    "stdout_capture_maxbytes", "stderr_capture_maxbytes",
    "stdout_logfile", "stderr_logfile", "stdout_logfile_backups", "stderr_logfile_backups", "stderr_logfile_maxbytes",
    "stdout_syslog", "stderr_syslog", "stdout_events_enabled", "stderr_events_enabled",
}  # fmt: skip
READ = {
    "autorestart", "autostart", "directory", "environment", "exitcodes", "numprocs", "numprocs_start", "priority", "startretries",
    "startsecs", "stdout_logfile_maxbytes", "stopsignal", "stopwaitsecs", "umask", "user",
}  # fmt: skip
_EXPANSION = re.compile(r"%\(([A-Za-z_][A-Za-z0-9_]*)\)(0?\d*)[sd]")
_PAIR = re.compile(r"""\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,]*)\s*(?:,|$)""")


def convert_supervisord(text: str, *, here: str = ".") -> Draft:
    """Units of a configuration file that stands in the folder `here`. Raises Invalid if it cannot be read at all."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",), delimiters=("=", ":"))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise Invalid(f"not a configuration of supervisord: {str(error).splitlines()[0]}") from None
    draft = Draft()
    groups = dict(_groups(parser))
    for section in parser.sections():
        kind, _, name = section.partition(":")
        if kind == "program":
            draft.entries.append(_Program(name.strip(), dict(parser[section]), here, groups).entry())
        elif kind in ("eventlistener", "fcgi-program"):
            draft.checks.append(f"[{section}] has no counterpart here and is not carried over")
        elif kind == "include":
            draft.checks.append(f"[include] {parser[section].get('files', '')}: give these files to the import too")
    unique_names(draft.entries)
    return draft


def _groups(parser: configparser.RawConfigParser) -> Iterator[tuple[str, str]]:
    for section in parser.sections():
        if section.startswith("group:"):
            for name in parser[section].get("programs", "").split(","):
                yield name.strip(), section.partition(":")[2].strip()


class _Program:
    """One `[program:NAME]`."""

    def __init__(self, name: str, values: dict[str, str], here: str, groups: dict[str, str]) -> None:
        self._name, self._values, self._here = name, values, here
        self._group = groups.get(name)
        self._checks: list[str] = []

    def entry(self) -> Entry:
        restarts = self._values.get("autorestart", "unexpected").strip().lower()
        is_task = restarts in ("false", "0", "no", "off")
        keys: dict[str, Any] = {"run": self._script()}
        keys |= {"group": self._group} if self._group else {}
        keys |= {"run_on_start": True} if is_task and self._is_on("autostart", True) else {}
        keys |= self._service_keys() if not is_task else {}
        keys |= self._common_keys()
        if restarts == "unexpected" and not is_task:
            self._checks.append(
                "supervisord started it again only after an exit code that is not in exitcodes; a service always is"
            )
        self._checks += [f"{key} is not carried over" for key in self._values if key not in IMPLIED | READ]
        return Entry(
            "tasks" if is_task else "services", name_of(self._name, "program"), keys, self._checks, is_off=not keys["run"]
        )

    def _script(self) -> str:
        """Supervisord needs no shell, so what a shell would read anew is quoted."""
        command = self._values.get("command", "")
        try:
            words = [_quoted(self._expanded(word)) for word in shlex.split(command)]
        except ValueError:
            self._checks.append("the command's quotes do not match; it is not carried over")
            return ""
        return "exec " + " ".join(words) if words else ""

    def _service_keys(self) -> dict[str, Any]:
        values = self._values
        keys: dict[str, Any] = {}
        if not self._is_on("autostart", True):
            keys["autostart"] = False
        keys |= self._numbers({"numprocs": "instances", "priority": "priority", "startretries": "start_retries"})
        seconds = self._number("startsecs", 1)
        keys["healthy_after"] = f"{seconds}s" if seconds else "1ms"
        if values.get("numprocs_start", "0").strip() != "0":
            self._checks.append("numprocs_start: instances count from 0 (RUNWISP_INSTANCE_INDEX)")
        return keys

    def _common_keys(self) -> dict[str, Any]:
        values = self._values
        keys: dict[str, Any] = {}
        for theirs, ours in (("directory", "working_dir"), ("user", "user")):
            if values.get(theirs):
                keys[ours] = self._expanded(values[theirs], in_shell=False)
        if values.get("umask"):
            keys["umask"] = values["umask"].strip().zfill(3)
        if values.get("stopsignal"):
            keys["stop_signal"] = "SIG" + values["stopsignal"].strip().upper().removeprefix("SIG")
        keys["graceful_stop"] = f"{self._number('stopwaitsecs', 10)}s"
        codes = [int(code) for code in values.get("exitcodes", "").split(",") if code.strip().isdecimal()]
        keys |= {"exit_codes": codes} if codes else {}
        size = values.get("stdout_logfile_maxbytes", "").strip().lower()
        keys |= {"log_max_size": size} if size not in ("", "0") else {}
        env = {
            key: self._expanded(value.strip("\"'"), in_shell=False) for key, value in _PAIR.findall(values.get("environment", ""))
        }
        return keys | ({"env": env} if env else {})

    def _expanded(self, text: str, *, in_shell: bool = True) -> str:
        """`%(…)s` filled in or, in a command, the name of a variable between NULs."""

        def fill(match: re.Match[str]) -> str:
            known = {"program_name": self._name, "here": self._here, "group_name": self._group or self._name}
            name = match[1]
            if name in known:
                return known[name]
            variable = name.removeprefix("ENV_") if name.startswith("ENV_") else "RUNWISP_INSTANCE_INDEX"
            if not in_shell:
                self._checks.append(f"%({name})s cannot stand there; write it out")
                return match[0]
            if variable == "RUNWISP_INSTANCE_INDEX" and name != "process_num":
                self._checks.append(f"%({name})s is taken for the number of the instance")
            return f"\0{variable}\0"

        return _EXPANSION.sub(fill, text).replace("%%", "%")

    def _numbers(self, names: dict[str, str]) -> dict[str, int]:
        return {ours: self._number(theirs, 0) for theirs, ours in names.items() if theirs in self._values}

    def _number(self, key: str, default: int) -> int:
        text = self._values.get(key, str(default)).strip()
        if not text.lstrip("-").isdecimal():
            self._checks.append(f"{key} is no number and is not carried over")
            return default
        return int(text)

    def _is_on(self, key: str, default: bool) -> bool:
        return self._values.get(key, str(default)).strip().lower() in ("true", "1", "yes", "on")


def _quoted(word: str) -> str:
    """For a shell: what stands between NULs is a variable, all else is meant literally."""
    parts = word.split("\0")
    return (
        "".join(f'"${{{part}}}"' if place % 2 else shlex.quote(part) if part else "" for place, part in enumerate(parts)) or "''"
    )
