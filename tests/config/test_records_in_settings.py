"""Record stores, named databases and folders for modules in the settings file."""

import pytest

from rota.config.databases import NamedDatabase
from rota.config.secret import Secret

RECORDS = """
[records]
url = "postgresql://rota:s3cret@db/records"

[records.objecttypes.asset]
table = "public.assets"
label = "title"
fields = ["title", "owner_id"]
tags = "tags"
trash = "deleted_at"
changed = "updated_at"
referred_by = ["loans.asset_id", "public.assets.parent_id"]
metadata = "meta"
mapping = { title = "iptc.headline" }
masks = { short = ["title"] }
"""
TYPE = "[records]\nurl = 'sqlite://'\n[records.objecttypes.a]\ntable = 't'\nlabel = 'l'\n"


def test_a_record_store_is_read_whole(load_text):
    records = load_text(RECORDS).settings.records
    assert records.url == Secret("postgresql://rota:s3cret@db/records")
    assert "s3cret" not in repr(records)
    (asset,) = records.objecttypes
    assert (asset.name, asset.id, asset.table, asset.label) == ("asset", "id", "public.assets", "title")
    assert asset.referred_by == ("loans.asset_id", "public.assets.parent_id")
    assert (asset.mapping, asset.masks) == ({"title": "iptc.headline"}, {"short": ("title",)})


def test_without_one_there_is_none(load_text):
    assert load_text("").settings.records.url is None


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[records]\nurl = 'sqlite://'\n", "records", "needs a table"),
        ("[records]\nbatch = 0\n", "records.batch", "from 1 to 10000"),
        ("[records]\nurl = 'nowhere'\n", "records.url", "must be a SQLAlchemy URL"),
        ("[records]\nurl = 'sqlite://'\n[records.objecttypes.a]\ntable = 't'\n", "records.objecttypes.a", "needs label"),
        (TYPE + "tabel = 't'\n", "records.objecttypes.a.tabel", "did you mean table"),
        (TYPE + "referred_by = ['loans']\n", "records.objecttypes.a.referred_by[0]", "must be table.column"),
        (TYPE + "mapping = { id = 'a' }\n", "records.objecttypes.a.mapping.id", "a meaning of its own"),
        (TYPE + "mapping = { x = '' }\n", "records.objecttypes.a.mapping.x", "keys with dots"),
        (TYPE + "masks = { m = ['x'] }\n", "records.objecttypes.a.masks.m[0]", "x is not in the mapping"),
        ("[databases.a]\n", "databases.a", "needs url"),
        ("[databases.'a b']\nurl = 'sqlite://'\n", "databases.a b", "must be 1 to 64"),
        ("[files]\nroots = ['data']\n", "files.roots[0]", "must be an absolute path"),
    ],
)
def test_what_does_not_fit_is_named(refuse, text, key, words):
    found = {finding.key: finding.message for finding in refuse(text)}
    assert words in found[key]


def test_a_url_that_does_not_fit_is_not_repeated(refuse):
    assert "hunter2" not in repr(refuse("[databases.a]\nurl = '://me:hunter2@db'\n"))


def test_databases_and_folders_have_names_and_places(load_text):
    settings = load_text("[files]\nroots = ['/srv/data']\n[databases.shop]\nurl = 'sqlite:////srv/shop.db'\n").settings
    assert settings.databases == (NamedDatabase("shop", Secret("sqlite:////srv/shop.db")),)
    assert settings.files.roots == ("/srv/data",)
