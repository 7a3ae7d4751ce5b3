"""Work on records that is killed: no batch is half done, and the next run does the rest."""

import subprocess
import sys

import pytest
from tests.modules.record_tables import Heard

from rota.modules.records.consolidation import Merge, consolidate
from rota.modules.records.retagging import tag_records
from rota.modules.records.search import read_search
from rota.modules.records.tagging import read_tag_change

KILLED = """
import os, signal, sys
from tests.modules.record_tables import Collection, Heard
from rota.modules.records import consolidation, retagging
from rota.modules.records.search import read_search
from rota.modules.records.tagging import read_tag_change

work, deadly = sys.argv[2], int(sys.argv[3])
owner, name = (retagging, "change_tags") if work == "tag" else (consolidation, "discard")
real, calls = getattr(owner, name), 0


def written_and_killed(*given):
    global calls
    done, calls = real(*given), calls + 1
    if calls == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return done


setattr(owner, name, written_and_killed)
store = Collection(sys.argv[1]).open(batch=2)
if work == "tag":
    search, change = read_search({"objecttypes": ["asset"]}), read_tag_change({"tags": [{"_id": 5, "set": True}]})
    retagging.tag_records(store, search, change, {}, Heard())
else:
    consolidation.consolidate(store, consolidation.Merge(sources=[1, 3], target=2, dry_run=False), Heard())
"""


def kill(collection, work, call=1):
    command = [sys.executable, "-c", KILLED, collection.url, work, str(call)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr


@pytest.mark.e2e
@pytest.mark.parametrize(("call", "tagged"), [(1, []), (2, [1, 2])])
def test_a_batch_that_was_written_and_not_committed_is_undone(collection, call, tagged):
    kill(collection, "tag", call)
    assert collection.values("SELECT id FROM assets WHERE tags IS NOT NULL ORDER BY id") == tagged
    swept = tag_records(
        collection.open(),
        read_search({"objecttypes": ["asset"]}),
        read_tag_change({"tags": [{"_id": 5, "set": True}]}),
        {},
        Heard(),
    )
    assert (swept.done, swept.changed) == (3, 3 - len(tagged))


@pytest.mark.e2e
def test_a_consolidation_goes_on_where_it_was_killed(collection):
    kill(collection, "merge")
    assert collection.values("SELECT asset_id FROM loans ORDER BY id") == [2, 2, 2]
    assert collection.values("SELECT count(*) FROM assets WHERE deleted_at IS NULL") == [3]
    merged = consolidate(collection.open(), Merge(sources=[1, 3], target=2, dry_run=False), Heard())
    assert (merged.relinked, merged.deleted) == (0, 2)
