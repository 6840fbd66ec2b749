"""Verifying a store from genesis: a good one, and each way in which it can be a bad one."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.params import Params
from node.audit import BAD_BLOCK, NO_STORE, ROWS_DIFFER, AuditReport, audit_store
from node.errors import NodeError
from node.replay import OTHER_GENESIS
from node.store.engine import STORE_CORRUPT
from node.store.scan import BLOCK_MISSING
from tests.node.lives import live
from tests.node.stored_chain import StoredShop
from tests.node.watching import nothing_left_behind
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.stores import SQLITE, change_store, copy_store, store_url

OTHER_PARAMS = sim_params(name="another")


@pytest.fixture(scope="module")
def lived(database: str, tmp_path_factory: pytest.TempPathFactory) -> StoredShop:
    shop = StoredShop(tmp_path_factory.mktemp("lived") / "chain.sqlite")
    live(shop)
    shop.close()
    return shop


@pytest.fixture
def folder(lived: StoredShop, tmp_path: Path) -> Path:
    copy_store(lived.store.path, tmp_path / "chain.sqlite")
    return tmp_path


def audit(folder: Path, params: Params, **options: Any) -> AuditReport:
    """Audit what a test calls chain.sqlite: the file in the folder, or what stands for it on a server."""
    url = store_url(folder / "chain.sqlite")
    return audit_store(folder, params, database_url=None if url.startswith("sqlite") else url, **options)


def test_a_good_store_is_found_good(folder: Path, lived: StoredShop) -> None:
    seen: list[tuple[int, int]] = []
    with nothing_left_behind():
        report = audit(folder, lived.chain.params, progress=lambda *done: seen.append(done))
    count = len(lived.chain.blocks)
    assert report.is_good
    assert report.findings == []
    assert (report.chain_id, report.tip) == (lived.chain.chain_id, lived.chain.blocks[-1].hash)
    assert (report.height, report.blocks) == (count, count)
    assert report.state_root == lived.chain.state.root()
    assert report.transactions == sum(len(block.transactions) for block in lived.chain.blocks)
    assert report.skipped == {"earn.no_member": 1}
    assert report.entries == report.transactions + 1, "one batch had two entries"
    assert report.chain == lived.chain.state.chain
    assert report.programs == {lived.program: lived.books}
    assert seen == [(height, count) for height in range(1, count + 1)]


def test_a_damaged_page_where_no_row_lies_is_found(folder: Path, lived: StoredShop, database: str) -> None:
    """Every row is as it was: only the pages themselves tell."""
    if database != SQLITE:
        return  # tests/node/store/test_soundness.py shows it on a server
    path = folder / "chain.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("CREATE TABLE rubbish (a BLOB)")
        connection.execute("INSERT INTO rubbish VALUES (randomblob(100000))")
        connection.execute("DROP TABLE rubbish")
        connection.commit()
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] > 3
    content = bytearray(path.read_bytes())
    trunk = (int.from_bytes(content[32:36], "big") - 1) * size
    content[trunk + 4 : trunk + 8] = (2**20).to_bytes(4, "big")  # so many free pages cannot stand on one page
    path.write_bytes(content)
    report = audit(folder, lived.chain.params)
    assert [finding.code for finding in report.findings] == [STORE_CORRUPT.name], report.findings
    assert report.tip == lived.chain.blocks[-1].hash, "the blocks verified all the same"


TAMPERINGS = {
    "records": "UPDATE records SET value = (SELECT value FROM records WHERE slot = 2) WHERE slot = 1",
    "transactions": "UPDATE transactions SET position = position + 1 WHERE height = 1",
    "history": "DELETE FROM history WHERE height = (SELECT max(height) FROM history)",
    "listing": "INSERT INTO listing SELECT parent, kind, parent, height, sequence FROM listing WHERE kind = 'member' LIMIT 1",
}


@pytest.mark.parametrize("table", TAMPERINGS)
def test_rows_that_do_not_follow_from_the_blocks_are_found(folder: Path, lived: StoredShop, table: str) -> None:
    assert change_store(folder / "chain.sqlite", TAMPERINGS[table]) >= 1
    (finding,) = audit(folder, lived.chain.params).findings
    assert finding.code == ROWS_DIFFER.name
    assert f"the table {table} " in finding.text


def test_a_block_that_is_not_valid_is_found(folder: Path, lived: StoredShop) -> None:
    """A store whose maker put a block into it that no honest node would have taken: here, one that belongs elsewhere."""
    change_store(
        folder / "chain.sqlite",
        "UPDATE bodies SET block = (SELECT block FROM bodies WHERE hash = :other) WHERE hash = :hash",
        other=lived.chain.blocks[8].hash,
        hash=lived.chain.blocks[4].hash,
    )
    (finding,) = audit(folder, lived.chain.params).findings
    assert finding.code == BAD_BLOCK.name
    assert finding.text.startswith("audit.block: block 5 does not verify: block.unknown_parent")


def test_a_missing_block_is_found(folder: Path, lived: StoredShop) -> None:
    change_store(folder / "chain.sqlite", "DELETE FROM bodies WHERE hash = :hash", hash=lived.chain.blocks[-1].hash)
    (finding,) = audit(folder, lived.chain.params).findings
    assert (finding.code, finding.height) == (BLOCK_MISSING.name, len(lived.chain.blocks))


def test_a_body_with_one_flipped_byte_is_found(folder: Path, lived: StoredShop) -> None:
    """The store can be opened and its tables agree; only the bytes of one block are not what they were."""
    block = lived.chain.blocks[6]
    raw = bytearray(block.encode())
    raw[-3] ^= 1
    statement = "UPDATE bodies SET block = :block WHERE hash = :hash"
    change_store(folder / "chain.sqlite", statement, block=bytes(raw), hash=block.hash)
    report = audit(folder, lived.chain.params)
    (finding,) = report.findings
    assert (finding.code, finding.height) == (BAD_BLOCK.name, 7)
    assert (report.height, report.blocks) == (6, 6), "what came before was verified and counted"


def test_a_store_of_other_params_is_found(folder: Path) -> None:
    report = audit(folder, OTHER_PARAMS)
    (finding,) = report.findings
    assert finding.code == OTHER_GENESIS.name
    assert report.blocks == 0


def test_what_is_no_store_can_not_be_audited(tmp_path: Path) -> None:
    with refused(NO_STORE, NodeError, path=str(tmp_path)):
        audit_store(tmp_path, OTHER_PARAMS)
    (tmp_path / "chain.sqlite").write_bytes(b"no database" * 100)
    with nothing_left_behind(), refused(STORE_CORRUPT, NodeError):
        audit_store(tmp_path, OTHER_PARAMS)
    assert (tmp_path / "chain.sqlite").read_bytes() == b"no database" * 100


def test_an_audit_changes_nothing(folder: Path, lived: StoredShop) -> None:
    path = folder / "chain.sqlite"
    before = path.read_bytes() if path.exists() else b""
    audit(folder, lived.chain.params)
    assert (path.read_bytes() if path.exists() else b"") == before


def test_a_node_that_goes_on_meanwhile_is_no_false_store(folder: Path, lived: StoredShop, database: str) -> None:
    """What is written while the audit runs is not seen by it."""
    seen: list[int] = []

    def write_meanwhile(height: int, total: int) -> None:
        if not seen:
            assert change_store(folder / "chain.sqlite", "DELETE FROM history") >= 1
        seen.append(height)

    if database == SQLITE:
        with closing(sqlite3.connect(folder / "chain.sqlite")) as connection:
            assert connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    assert audit(folder, lived.chain.params, progress=write_meanwhile).is_good
    assert seen
    assert not audit(folder, lived.chain.params).is_good
