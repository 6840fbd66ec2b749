"""A store that is locked, full, damaged, newer, of another chain, or that fails at any moment: a clear code, and nothing lost."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update
from sqlalchemy.exc import OperationalError

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Code
from ledger.fork_choice import Branch, TieKey, choose
from ledger.types import Amount, Work
from node.check import check_store
from node.errors import NodeError
from node.node import Node, NodeConfig
from node.store.engine import (
    OTHER_CHAIN,
    STORE_CORRUPT,
    STORE_FAILED,
    STORE_FOLDER,
    STORE_FULL,
    STORE_IN_USE,
    StoreLock,
    open_engine,
)
from node.store.migrate import STORE_NEWER, migrate
from node.store.tables import bodies, headers, metadata, records, undo
from tests.node.lives import live
from tests.node.stored_chain import TIE_KEY, StoredChain, StoredScenario, StoredShop, replay
from tests.support.memory_chain import sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, FUNDED, OWNER

KEYS = [bytes((number,)) * 32 for number in range(256)]
PARAMS = sim_params(*(signer.address for signer in FUNDED))


def broken(*_: Any) -> None:
    """A disk that fails."""
    raise OperationalError("statement", {}, sqlite3.OperationalError("disk I/O error"))


@contextmanager
def failing(engine: Engine, moment: str, after: int = 0) -> Iterator[list[int]]:
    """Let the database fail at `moment` (an event of the engine), after so many times that went well."""
    count = [0]

    def fail(*_: Any) -> None:
        count[0] += 1
        if count[0] == after + 1:
            broken()

    event.listen(engine, moment, fail)
    try:
        yield count
    finally:
        event.remove(engine, moment, fail)


def transfers(scenario: StoredScenario, count: int) -> None:
    for index in range(count):
        scenario.send("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000 + index)), author=FAN)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredShop]:
    """A shop with a life behind it; its blocks are copied from, never added to."""
    shop = StoredShop(tmp_path_factory.mktemp("lived") / "chain.sqlite", params=PARAMS)
    live(shop)
    yield shop
    shop.close()


@pytest.fixture
def copy(lived: StoredShop, tmp_path: Path) -> Path:
    """The file of a closed store that holds the whole life."""
    with (
        closing(sqlite3.connect(lived.store.path)) as source,
        closing(sqlite3.connect(tmp_path / "chain.sqlite")) as copied,
    ):
        source.backup(copied)
    return tmp_path / "chain.sqlite"


# --- locked ---


def test_a_folder_serves_one_node(tmp_path: Path) -> None:
    first = Node(NodeConfig(tmp_path, PARAMS))
    with refused(STORE_IN_USE, NodeError, path=str(tmp_path)):
        Node(NodeConfig(tmp_path, PARAMS))
    first.close()
    second = Node(NodeConfig(tmp_path, PARAMS))
    second.close()


def test_a_database_serves_one_node_whatever_their_folders_are(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared' / 'chain.sqlite'}"
    (tmp_path / "shared").mkdir()
    first = Node(NodeConfig(tmp_path / "first", PARAMS, database_url=url))
    with refused(STORE_IN_USE, NodeError, path=str(tmp_path / "shared")):
        Node(NodeConfig(tmp_path / "second", PARAMS, database_url=url))
    first.close()
    Node(NodeConfig(tmp_path / "second", PARAMS, database_url=url)).close()
    Node(NodeConfig(tmp_path / "third", PARAMS, database_url="sqlite://")).close()


def test_a_lock_is_given_back_once(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path / "new" / "folder")
    lock.release()
    again = StoreLock(tmp_path / "new" / "folder")
    lock.release()
    with refused(STORE_IN_USE, NodeError):
        StoreLock(tmp_path / "new" / "folder")
    again.release()


def test_a_folder_that_can_not_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with refused(STORE_FOLDER, NodeError, path=str(tmp_path / "file" / "data"), reason="Not a directory"):
        Node(NodeConfig(tmp_path / "file" / "data", PARAMS))


def test_a_file_locked_by_another_program_fails_clearly_and_loses_nothing(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "chain.sqlite", FAN)
    store = scenario.store
    store.chain._connection.exec_driver_sql("PRAGMA busy_timeout=50")  # not ten seconds, in a test
    block = store.build()
    before = store.tables
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with refused(STORE_IN_USE, NodeError, path=str(store.path)):
            store.take(block)
        assert store.tables == before
    assert store.take(block).is_tip
    store.close()


# --- full ---


def test_a_full_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "chain.sqlite", FAN)
    store = scenario.store
    transfers(scenario, 3)
    many = [
        scenario.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(6_000 + index)), author=FAN)
        for index in range(60)
    ]
    block = store.build(*many)
    before, root, window = store.tables, store.chain.state_root, dict(store.chain.window)
    pages = store.chain._connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    store.chain._connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    for _ in range(2):
        with refused(STORE_FULL, NodeError, path=str(store.path)):
            store.take(block)
    assert store.tables == before
    assert (store.chain.state_root, store.chain.window) == (root, window)
    assert len(store.build(*many).transactions) == 60, "and a template can be made of the same"
    store.chain._connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert store.take(block).is_tip
    store.close()


# --- damaged ---


def damage(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def no_header(content: bytearray) -> None:
    content[:100] = b"\xff" * 100


def half(content: bytearray) -> None:
    del content[len(content) // 2 :]


def no_schema(content: bytearray) -> None:
    content[100:4096] = b"\xaa" * 3996


@pytest.mark.parametrize("change", [no_header, half, no_schema], ids=lambda change: change.__name__)
def test_a_damaged_file_is_called_that(copy: Path, change: Callable[[bytearray], None]) -> None:
    damage(copy, change)
    with refused(STORE_CORRUPT, NodeError, path=str(copy)):
        StoredChain(copy, PARAMS)


def test_a_node_on_a_damaged_file_lets_everything_go(copy: Path) -> None:
    damage(copy, no_header)
    for _ in range(2):
        with refused(STORE_CORRUPT, NodeError):
            Node(NodeConfig(copy.parent, PARAMS))


def flip(path: Path, table: Any, column: str, where: Any, place: int = -1) -> None:
    """Change one bit of one value, as a dying disk does: the database itself does not notice."""
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        (value,) = connection.execute(select(table.c[column]).where(where)).one()
        changed = bytearray(value)
        changed[place] ^= 1
        assert connection.execute(update(table).where(where).values({column: bytes(changed)})).rowcount == 1
    engine.dispose()


def test_a_flipped_bit_in_a_record_is_noticed_on_opening(copy: Path) -> None:
    flip(copy, records, "value", records.c.slot == 1)
    with refused(STORE_CORRUPT, NodeError):
        StoredChain(copy, PARAMS)


def test_a_flipped_bit_in_a_header_of_the_chain_is_noticed_on_opening(copy: Path, lived: StoredShop) -> None:
    flip(copy, headers, "work", headers.c.hash == lived.chain.blocks[5].hash)
    with refused(STORE_CORRUPT, NodeError):
        StoredChain(copy, PARAMS)


def test_a_flipped_bit_in_a_recent_body_is_noticed_on_opening(copy: Path, lived: StoredShop) -> None:
    flip(copy, bodies, "block", bodies.c.hash == lived.chain.blocks[-1].hash, place=0)
    with refused(STORE_CORRUPT, NodeError):
        StoredChain(copy, PARAMS)


def test_missing_rows_are_noticed_on_opening(copy: Path, lived: StoredShop) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DELETE FROM headers WHERE hash = ?", (lived.chain.blocks[-1].hash,))
    with refused(STORE_CORRUPT, NodeError):
        StoredChain(copy, PARAMS)


@pytest.mark.parametrize("what", ["undo", "body", "side body"])
def test_damage_that_shows_during_a_reorganisation_blames_the_store_and_no_block(
    copy: Path, lived: StoredShop, tmp_path: Path, what: str
) -> None:
    other = lived.fork(tmp_path / "other.sqlite", below=3)
    transfers(other.chain, 5)
    side = other.chain.blocks[-5:]
    tip = lived.chain.blocks[-1].hash
    store = StoredChain(copy, PARAMS)
    store.take_all(side[:2])
    store.close()
    if what == "undo":
        flip(copy, undo, "data", undo.c.height == len(lived.chain.blocks) - 1, place=0)
    else:
        flip(copy, bodies, "block", bodies.c.hash == side[0].hash, place=0 if what == "body" else -10)
    store = StoredChain(copy, PARAMS)
    before = store.tables
    codes: list[str] = []
    for block in side[2:]:
        try:
            store.take(block)
        except NodeError as fault:
            codes.append(fault.code.name)
            break
    assert codes == [STORE_CORRUPT.name]
    assert store.chain.tip.hash == tip
    assert store.tables == before
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM headers WHERE invalid_code IS NOT NULL").fetchone() == (0,)
    store.close()
    other.close()


def test_a_record_that_can_not_be_read_blames_the_store_and_no_block(copy: Path, lived: StoredShop) -> None:
    """Damage after opening: the block that reads it is as good as before."""
    store = StoredChain(copy, PARAMS)
    transfer = lived.chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(5_000)), author=OWNER)
    block = store.build(transfer)
    store.chain.state.forget()
    key = b"A" + FRIEND.address
    with closing(sqlite3.connect(copy)) as connection, connection:
        (value,) = connection.execute("SELECT value FROM records WHERE key = ?", (key,)).fetchone()
        connection.execute("UPDATE records SET value = x'c1' WHERE key = ?", (key,))
    for _ in range(2):  # it stays so, whatever is tried
        with refused(STORE_CORRUPT, NodeError):
            store.take(block)
        with refused(STORE_CORRUPT, NodeError):
            store.build(transfer)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE records SET value = ? WHERE key = ?", (value, key))
    assert store.take(block).is_tip, "and it heals"
    store.close()


# --- newer, or of another chain ---


def test_a_newer_schema_is_left_alone(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = copy.read_bytes()
    with refused(STORE_NEWER, NodeError, store=str(copy), found="9999"):
        Node(NodeConfig(copy.parent, PARAMS))
    assert copy.read_bytes() == before
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    Node(NodeConfig(copy.parent, PARAMS)).close()


def test_a_store_of_two_schemas_is_called_damaged(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("INSERT INTO alembic_version VALUES ('0001x')")
    with refused(STORE_CORRUPT, NodeError):
        Node(NodeConfig(copy.parent, PARAMS))
    with refused(STORE_CORRUPT, NodeError):
        check_store(f"sqlite:///{copy}", PARAMS)


def test_a_store_of_another_chain_is_left_alone(copy: Path, lived: StoredShop) -> None:
    others = sim_params(*(signer.address for signer in FUNDED), name="another")
    with refused(OTHER_CHAIN, NodeError, found=lived.chain.chain_id):
        Node(NodeConfig(copy.parent, others))
    node = Node(NodeConfig(copy.parent, PARAMS))
    assert node.chain.state_root == lived.chain.state.root()
    node.close()


# --- failing at any moment ---


def code_of_failure(action: Callable[[], object]) -> Code | None:
    """What a node's fault was called; None if there was none."""
    try:
        action()
    except NodeError as fault:
        return fault.code
    return None


def test_a_first_opening_that_fails_leaves_no_half_made_tables(tmp_path: Path) -> None:
    codes: list[Code | None] = []
    while not codes or codes[-1] is not None:
        path = tmp_path / f"{len(codes)}.sqlite"
        engine = open_engine(f"sqlite:///{path}")
        with failing(engine, "before_cursor_execute", len(codes)):
            codes.append(code_of_failure(lambda engine=engine: migrate(engine)))
        engine.dispose()
        with closing(sqlite3.connect(path)) as connection:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        assert (tables == 0) == (codes[-1] is not None)
    assert set(codes) == {STORE_FAILED, None}
    assert len(codes) > len(metadata.tables)


def fail_everywhere(
    folder: Path, base: list[Block], blocks: list[Block], moment: str, *, step: int = 1, tie_key: TieKey = TIE_KEY
) -> int:
    """Take `blocks` on a store that holds `base`, failing at each `step`-th moment; how often it failed."""
    original = StoredChain(folder / f"{moment}-original.sqlite", PARAMS, tie_key=tie_key)
    original.take_all(base)
    side, last = blocks[:-1], blocks[-1]
    original.take_all(side)
    original.close()
    expected = replay(folder / f"{moment}-expected.sqlite", PARAMS, [])
    expected.take_all([*base, *blocks])
    wanted = expected.tables
    expected.close()
    failures, after = 0, 0
    while True:
        path = folder / f"{moment}-{after}.sqlite"
        shutil.copy(original.path, path)
        store = StoredChain(path, PARAMS, tie_key=tie_key)
        before, tip, root = store.tables, store.chain.tip, store.chain.state_root
        with failing(store.engine, moment, after) as count:
            code = code_of_failure(lambda store=store: store.take(last))
            done = count[0] <= after
        assert code is (None if done else STORE_FAILED)
        if done:
            assert store.tables == wanted
            store.close()
            return failures
        failures += 1
        assert (store.tables, store.chain.tip, store.chain.state_root) == (before, tip, root), f"{moment} {after}"
        store.take(last)
        assert store.tables == wanted, f"{moment} {after}"
        store.restart()
        assert store.tables == wanted
        store.close()
        path.unlink()
        after += step


def test_a_block_survives_a_database_that_fails_at_any_statement(lived: StoredShop, tmp_path: Path) -> None:
    blocks = lived.chain.blocks
    busiest = max(range(len(blocks)), key=lambda index: len(blocks[index].transactions))
    base, block = blocks[:busiest], blocks[busiest]
    assert fail_everywhere(tmp_path, base, [block], "before_cursor_execute") > 5
    assert fail_everywhere(tmp_path, base, [block], "commit") == 1


def test_a_reorganisation_survives_a_database_that_fails_at_any_statement(lived: StoredShop, tmp_path: Path) -> None:
    other = lived.fork(tmp_path / "other.sqlite", below=4)
    transfers(other.chain, 5)
    base, side = lived.chain.blocks, other.chain.blocks[-5:]
    # The branch is left at its last block and not at the tie before it, or there is nothing to reorganise at the end.
    tied = [Branch(block.hash, Work(0)) for block in (base[-1], side[-2])]
    tie_key = next(key for key in map(TieKey, KEYS) if choose(tied, key) == tied[0])
    assert fail_everywhere(tmp_path, base, side, "before_cursor_execute", step=11, tie_key=tie_key) > 5
    assert fail_everywhere(tmp_path, base, side, "commit", tie_key=tie_key) == 1
    other.close()
