"""Which store the settings choose, and one that does not answer."""

import asyncio
import importlib.util
from pathlib import Path

import pytest
from tests.e2e.free_port import free_port

from rota.blobs import LocalBlobs, build_blobs
from rota.blobs.s3 import Bucket, S3Blobs
from rota.config import Secret, Settings, load
from rota.core.errors import Invalid, NotFound, Unavailable
from rota.ops.context import Rota

S3 = '[blobs]\nkind = "s3"\nbucket = "artifacts"\nendpoint = "http://127.0.0.1:1"\n'
KEYS = 'access_key = "a-key"\nsecret_key = "a-secret"\n'


def settings_of(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "rota.toml").write_text(text)
    return load(folder / "rota.toml", environ).settings


def test_without_a_word_objects_lie_in_the_data_directory(rota: Rota, tmp_path: Path) -> None:
    chosen = settings_of(tmp_path, "").blobs
    assert isinstance(build_blobs(chosen, tmp_path, rota.database, rota.clock), LocalBlobs)


def test_a_bucket_is_chosen_by_file_or_environment(rota: Rota, tmp_path: Path) -> None:
    for chosen in (
        settings_of(tmp_path, S3 + KEYS).blobs,
        settings_of(tmp_path, S3, ROTA_BLOBS_ACCESS_KEY="a-key", ROTA_BLOBS_SECRET_KEY="a-secret").blobs,
    ):
        assert (chosen.access_key, chosen.secret_key) == (Secret("a-key"), Secret("a-secret"))
        assert "a-secret" not in repr(chosen)
        assert isinstance(build_blobs(chosen, tmp_path, rota.database, rota.clock), S3Blobs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[blobs]\nkind = "s3"\n', "needs bucket beside it"),
        (S3 + 'access_key = "a"\n', "needs secret_key beside it"),
        (S3 + 'secret_key = "a"\n', "needs access_key beside it"),
        ('[blobs]\nkind = "ftp"\n', "local"),
        ('[blobs]\nbuckets = "x"\n', "bucket"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        settings_of(tmp_path, text)
    assert told in str(refused.value.problems)


def test_without_boto3_the_server_says_what_to_install(rota: Rota, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.blobs.find_spec", lambda name: None if name == "boto3" else importlib.util.find_spec(name))
    with pytest.raises(Unavailable) as refused:
        build_blobs(settings_of(tmp_path, S3).blobs, tmp_path, rota.database, rota.clock)
    assert refused.value.hint == "pip install 'rota[s3]'"


@pytest.mark.e2e
def test_a_store_that_does_not_answer_is_unavailable_and_tells_no_secret() -> None:
    bucket = Bucket(
        name="b", endpoint=f"http://127.0.0.1:{free_port()}", access_key=Secret("a-key"), secret_key=Secret("a-secret")
    )
    with pytest.raises(Unavailable) as refused:
        asyncio.run(S3Blobs(bucket).head("a/b"))
    assert "a-secret" not in str(refused.value)
    assert not isinstance(refused.value, NotFound)
