"""Secrets of a task reach its process and nothing else."""

import pytest
from tests.e2e.conftest import MakeServer

pytestmark = pytest.mark.e2e

TOKEN = "tok-9f8e7d6c5b4a"
PASSWORD = "hunter2-from-the-environment"
FROM_FILE = "s3cr3t-out-of-a-file"
SECRETS = (TOKEN, PASSWORD, FROM_FILE)


def test_secrets_are_in_no_answer_no_log_and_no_file(make_server: MakeServer) -> None:
    server = make_server(
        f"""
        [tasks.leak]
        secrets = {{ TOKEN = "{TOKEN}", PASSWORD = "${{UPSTREAM_PASSWORD}}" }}
        secrets_file = "more.env"
        retry_attempts = 1
        retry_delay = "0s"
        run = '''
        test -n "$TOKEN$PASSWORD$MORE" && echo "$TOKEN $PASSWORD" && echo "$MORE" >&2
        printf 'tok-9f8e'; sleep 0.1; printf '7d6c5b4a and on\n'
        exit 1
        '''
        """,
        environ={"UPSTREAM_PASSWORD": PASSWORD},
    )
    (server.folder / "more.env").write_text(f"MORE={FROM_FILE}\n")
    server.start()
    run = server.until_state(server.run("leak"))
    assert (run["state"], run["attempt"]) == ("failed", 2)
    assert any("and on" in text for text in server.log_texts(run["id"]))
    paths = (
        "/v1/tasks",
        "/v1/tasks/leak",
        "/v1/runs",
        f"/v1/runs/{run['id']}",
        f"/v1/runs/{run['id']}/log",
        "/v1/info",
        "/metrics",
    )
    told = [server.http.get(path).text for path in paths]
    told += [server.http.post("/v1/reload").text]
    told += [server.cli(*words).stdout for words in (("tasks", "--json"), ("logs", "leak"), ("validate",))]
    server.write_settings(server.config.read_text().replace("retry_delay", "retry_dealy"))
    refused = server.cli("validate")
    told += [refused.stdout, refused.stderr, server.http.post("/v1/reload").text]
    server.stop()
    told += [server.own_log()]
    told += [path.read_bytes().decode(errors="replace") for path in server.data.rglob("*") if path.is_file()]
    assert refused.returncode != 0
    assert [(secret, text[:200]) for text in told for secret in SECRETS if secret in text] == []


def test_who_reads_the_environment_of_a_run_finds_no_settings_of_the_server(make_server: MakeServer) -> None:
    server = make_server("[tasks.env]\nrun = 'env'", environ={"ROTA_RUNWISP_PASSWORD": PASSWORD, "RUNWISP_NO_AUTH_": "x"})
    server.start()
    run = server.until_state(server.run("env"))
    texts = server.log_texts(run["id"])
    assert f"ROTA_RUN_ID={run['id']}" in texts
    assert not any(PASSWORD in text for text in texts)
