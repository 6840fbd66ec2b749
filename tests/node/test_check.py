"""Checking a store as fsck does: a good one, and each way in which one can be damaged, on both databases."""

from pathlib import Path

import pytest

from ledger.errors import Code
from node.check import DAMAGED, NO_TABLES, CheckReport, check_store
from node.errors import NodeError
from node.store.engine import OTHER_CHAIN, STORE_CORRUPT, open_engine
from node.store.migrate import STORE_NEWER, STORE_OLDER, migrate
from node.store.reader import STORE_EMPTY
from node.store.tables import metadata
from tests.node.forged_blocks import forge
from tests.node.lives import live
from tests.node.stored_chain import StoredChain, StoredShop
from tests.node.watching import nothing_left_behind
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.shop import FUNDED
from tests.support.stores import SQLITE, change_store, copy_store, store_url

ALL = ["schema", "database", "headers", "active chain", "bodies", "undo", "state root", "rebuilt"]
PARAMS = sim_params(*(signer.address for signer in FUNDED))


@pytest.fixture(scope="module")
def lived(database: str, tmp_path_factory: pytest.TempPathFactory) -> StoredShop:
    """A shop with a life behind it, a side branch, and a block that was found invalid."""
    folder = tmp_path_factory.mktemp("lived")
    shop = StoredShop(folder / "chain.sqlite", params=PARAMS)
    live(shop)
    other = shop.fork(folder / "other.sqlite", below=3)
    other.chain.mine()
    shop.store.take(other.chain.blocks[-1])
    bad = forge(shop.store.build(), commitment={"state_root": bytes(32)})
    with pytest.raises(Exception, match="state root"):
        shop.store.take(bad)
    other.close()
    shop.close()
    return shop


@pytest.fixture
def copy(lived: StoredShop, tmp_path: Path) -> Path:
    copy_store(lived.store.path, tmp_path / "chain.sqlite")
    return tmp_path / "chain.sqlite"


def check(path: Path) -> CheckReport:
    return check_store(store_url(path), PARAMS)


def test_a_good_store_is_found_good(copy: Path, lived: StoredShop) -> None:
    seen: list[tuple[int, int]] = []
    with nothing_left_behind():
        report = check_store(store_url(copy), PARAMS, progress=lambda *done: seen.append(done))
    count = len(lived.chain.blocks)
    assert report.is_good, report.lines
    assert [line.name for line in report.lines] == ALL
    texts = {line.name: line.text for line in report.lines}
    assert texts["headers"] == f"{count + 3} linked, their work checked", "genesis, a side block and a bad one"
    assert texts["bodies"] == f"{count + 3} belong to their headers"
    assert texts["active chain"].startswith(f"height {count}, ")
    assert texts["undo"] == f"{count} blocks can be taken back"
    assert lived.chain.state.root().hex() in texts["state root"]
    assert seen[-1] == (count, count)


def test_a_quick_check_does_no_block_again(copy: Path) -> None:
    report = check_store(store_url(copy), PARAMS, is_quick=True)
    assert report.is_good
    assert [line.name for line in report.lines] == ALL[:-1]
    assert change_store(copy, "DELETE FROM history WHERE height = 5") >= 1
    assert check_store(store_url(copy), PARAMS, is_quick=True).is_good, "it does not see this"


def test_a_node_may_go_on_meanwhile(copy: Path) -> None:
    store = StoredChain(copy, PARAMS)
    store.mine()
    assert check(copy).is_good
    store.mine()
    store.close()


def test_what_a_servers_keeper_should_know_is_noted(copy: Path, database: str) -> None:
    notes = " ".join(check(copy).notes)
    assert ("fsync=off" in notes) == (database != SQLITE), "tests run without it"


ACTIVE = "(SELECT hash FROM active WHERE height = 5)"
TAMPERINGS: dict[str, tuple[str, set[str]]] = {
    "a record": (
        "UPDATE records SET value = (SELECT value FROM records WHERE slot = 2) WHERE slot = 1",
        {"state root", "rebuilt"},
    ),
    "a record that is gone": ("DELETE FROM records WHERE slot = 3", {"state root", "rebuilt"}),
    "a transaction's place": ("UPDATE transactions SET position = position + 1 WHERE height = 5", {"rebuilt"}),
    "an event": ("DELETE FROM history WHERE height = 5", {"rebuilt"}),
    "a listed thing": ("DELETE FROM listing WHERE kind = 'member'", {"rebuilt"}),
    "an undo that is gone": ("DELETE FROM undo WHERE height = 5", {"undo", "rebuilt"}),
    "an undo too many": ("INSERT INTO undo SELECT 10000, data FROM undo WHERE height = 5", {"undo", "rebuilt"}),
    "an undo of another block": (
        "UPDATE undo SET data = (SELECT data FROM undo WHERE height = 6) WHERE height = 5",
        {"rebuilt"},
    ),
    "an undo that can't be read": (
        "UPDATE undo SET data = hash FROM headers WHERE undo.height = 5",
        {"undo", "rebuilt"},
    ),
    "a body that is gone": (f"DELETE FROM bodies WHERE hash = {ACTIVE}", {"bodies", "rebuilt"}),
    "a body of another block": (
        "UPDATE bodies SET block = (SELECT block FROM bodies b JOIN active a ON a.hash = b.hash WHERE a.height = 6)"
        f" WHERE hash = {ACTIVE}",
        {"bodies", "rebuilt"},
    ),
    "a body that can't be read": (f"UPDATE bodies SET block = hash WHERE hash = {ACTIVE}", {"bodies", "rebuilt"}),
    "a body without a header": (
        "INSERT INTO bodies SELECT data, data FROM undo WHERE height = 5",
        {"bodies", "rebuilt"},
    ),
    "a header that is gone": (
        f"DELETE FROM headers WHERE hash = {ACTIVE}",
        {"headers", "active chain", "bodies", "state root", "rebuilt"},
    ),
    "a header's work": (
        f"UPDATE headers SET work = previous WHERE hash = {ACTIVE}",
        {"headers", "state root", "rebuilt"},
    ),
    "a header's time": (
        f"UPDATE headers SET effective_time = effective_time + 1 WHERE hash = {ACTIVE}",
        {"headers", "state root", "rebuilt"},
    ),
    "a header's bytes": (
        f"UPDATE headers SET raw = (SELECT raw FROM headers WHERE height = 0) WHERE hash = {ACTIVE}",
        {"headers", "active chain", "rebuilt"},
    ),
    "an active block marked as invalid": (
        f"UPDATE headers SET invalid_code = 'x' WHERE hash = {ACTIVE}",
        {"headers", "active chain", "rebuilt"},
    ),
    "a height without a block": (
        "DELETE FROM active WHERE height = 5",
        {"active chain", "undo", "state root", "rebuilt"},
    ),
    "another block at a height": (
        "UPDATE active SET hash = (SELECT h.hash FROM headers h LEFT JOIN active a ON a.hash = h.hash"
        " WHERE a.hash IS NULL AND h.invalid_code IS NULL) WHERE height = (SELECT max(height) - 2 FROM active)",
        {"active chain", "state root", "rebuilt"},
    ),
    "no last block": (
        "DELETE FROM headers WHERE height >= (SELECT max(height) FROM active)",
        {"headers", "active chain", "bodies", "state root", "rebuilt"},
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_each_damage_is_found_and_nothing_else(copy: Path, what: str) -> None:
    statement, wrong = TAMPERINGS[what]
    assert change_store(copy, statement) >= 1
    report = check(copy)
    found = {line.name for line in report.lines if not line.is_good}
    assert found, what
    assert found <= wrong, [line for line in report.lines if not line.is_good]
    assert all(line.code in {DAMAGED.name, STORE_CORRUPT.name} for line in report.lines if not line.is_good)
    assert not report.is_good


@pytest.mark.parametrize(("version", "code"), [("9999", STORE_NEWER), ("0000", STORE_NEWER)])
def test_tables_of_another_program_are_not_read(copy: Path, version: str, code: Code) -> None:
    change_store(copy, "UPDATE alembic_version SET version_num = :version", version=version)
    (line,) = check(copy).lines
    assert (line.name, line.code) == ("schema", code.name)
    assert version in line.text
    assert "?" not in line.text


def test_older_tables_are_called_that(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alembic.script.ScriptDirectory.get_current_head", lambda self: "9999")
    (line,) = check(copy).lines
    assert (line.name, line.code) == ("schema", STORE_OLDER.name)
    assert "db migrate" in line.text


def test_what_is_no_store_can_not_be_checked(lived: StoredShop, tmp_path: Path) -> None:
    url = store_url(tmp_path / "empty.sqlite")
    with refused(NO_TABLES, NodeError):
        check_store(url, PARAMS)
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    with refused(STORE_EMPTY, NodeError):
        check_store(url, PARAMS)


def test_another_chain_than_was_meant_is_no_damage(copy: Path, lived: StoredShop) -> None:
    with refused(OTHER_CHAIN, NodeError, found=lived.chain.chain_id):
        check_store(store_url(copy), sim_params(name="another"))


def test_a_file_that_is_damaged_as_a_file_is_found(copy: Path) -> None:
    if not copy.exists():
        return  # on a server there is no file of ours
    content = bytearray(copy.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = b"\xaa" * 20_000
    copy.write_bytes(content)
    with nothing_left_behind():
        report = check(copy)
    assert not report.is_good
    assert "database" in {line.name for line in report.lines if not line.is_good}


def test_an_index_that_lost_a_row_is_found(copy: Path, monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    if database == SQLITE:
        return  # it checks its indices itself
    counts = iter((7, 7, 7, 6))
    monkeypatch.setattr("node.store.soundness._count_rows", lambda *_: next(counts))
    report = check_store(store_url(copy), PARAMS, is_quick=True)
    assert [line.text for line in report.lines if not line.is_good] == [
        f"the index of the table {metadata.sorted_tables[1].name} finds 6 rows, and the table has 7"
    ]
