"""What a fleet does: labels and places, runs that wait for others, and the way to Temporal by TLS."""

import datetime
import ssl
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.e2e.fleet_of_machines import Fleet
from tests.e2e.tcp_proxy import run_proxy

pytestmark = pytest.mark.e2e

PLACES = """
[tasks.any]
run = 'echo "any $WORKER" >> $WITNESS/done; sleep 0.2'
max_concurrent = 20

[tasks.gpu]
run = 'echo "gpu $WORKER" >> $WITNESS/done; sleep 0.2'
runs_on = ["gpu"]
max_concurrent = 20

[tasks.both]
run = 'echo "both $WORKER" >> $WITNESS/done; sleep 0.2'
runs_on = ["gpu", "eu"]
max_concurrent = 20

[tasks.soon]
run = 'echo "soon $WORKER" >> $WITNESS/done'
runs_on = ["gpu"]
priority = 1
"""
FAMILY = """
[tasks.child]
max_concurrent = 4
run = "echo hello from $WORKER"
[tasks.parent]
max_concurrent = 4
steps = [
  { uses = 'task.run', with = { task = 'child' }, save_as = 'child' },
  { uses = 'debug.log', with = { message = 'child ${steps.child.state}' } },
]
"""
HELLO = """
[tasks.hello]
run = 'echo hello'
"""


def test_workers_with_one_place_and_several_labels_take_what_they_have_room_for(fleet: Fleet) -> None:
    server = fleet.serve(PLACES)
    fleet.work("w1", "--capacity", "1", "--labels", "gpu,eu")
    fleet.work("w2", "--capacity", "1", "--labels", "gpu")
    fleet.work("w3", "--capacity", "1")
    runs = [server.run(task) for _ in range(5) for task in ("any", "gpu", "both")]
    server.until(lambda: len(fleet.lines("done")) >= 3)
    soon = server.run("soon")
    at = len(fleet.lines("done"))
    for run in [*runs, soon]:
        ended = server.until_state(run)
        assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
    done = [line.split() for line in fleet.lines("done")]
    assert Counter(what for what, _ in done) == {"any": 5, "gpu": 5, "both": 5, "soon": 1}
    assert {worker for what, worker in done if what == "both"} == {"w1"}
    assert {worker for what, worker in done if what in ("gpu", "soon")} <= {"w1", "w2"}
    assert [what for what, _ in done].index("soon") - at <= 3  # what was under way, and no more
    (most,) = fleet.ask("SELECT max(fence - attempt) FROM runs")[0]
    assert most <= 15  # sent out in vain, or claimed for a place that another has taken


def test_pipelines_on_a_worker_that_wait_for_others_take_no_place_of_it(fleet: Fleet) -> None:
    server = fleet.serve(FAMILY)
    fleet.work("w1", "--capacity", "1")
    for run_id in [server.run("parent") for _ in range(3)]:
        run = server.until_state(run_id)
        assert run["state"] == "succeeded", run
        assert "child succeeded" in server.log_texts(run_id, "system")
    (slowest,) = fleet.ask("SELECT max(ended_at - created_at) / 1000000.0 FROM runs WHERE cause_run_id IS NOT NULL")[0]
    assert slowest < 4  # woken, and not only by looking now and then


def test_the_way_to_temporal_may_ask_for_tls_with_certificates_of_ones_own_and_a_key(fleet: Fleet, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.set_alpn_protocols(["h2"])
    with run_proxy(fleet.address, tls) as proxy:
        runner = "\n".join(
            [
                "tls = true", f'tls_ca = "{tmp_path}/ca.pem"', f'tls_cert = "{tmp_path}/client.pem"',
                f'tls_key = "{tmp_path}/client.key"', 'api_key = "a key"',
            ]
        )  # fmt: skip
        server = fleet.serve(HELLO, address=proxy.address, runner=runner)
        fleet.work("w1")
        run = server.run("hello")
        assert server.until_state(run)["state"] == "succeeded"
        without = fleet.settings(HELLO, address=proxy.address, runner=f'tls = true\ntls_ca = "{tmp_path}/ca.pem"')
        stranger = fleet.work("w2", settings=without)
        server.until(lambda: "Temporal does not answer" in stranger.own_log())


def make_certificates(folder: Path) -> None:
    """Of an authority, and by it of a server at 127.0.0.1 and of a client."""
    authority = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's authority")])
    write_certificate(folder / "ca", name, authority, name, authority, is_authority=True)
    for who in ("server", "client"):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
        write_certificate(folder / who, subject, ec.generate_private_key(ec.SECP256R1()), name, authority, is_authority=False)


def write_certificate(
    path: Path,
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    path.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
