"""The receipt store itself: its schema, and that nothing of what was erased is left in any file."""

import asyncio
import base64
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from api.http.app import RECEIPTS_FILE, create_app
from api.http.receipt_desk import ReceiptDesk
from api.receipts.lines import lines_root
from api.receipts.store import MIGRATIONS, NOT_SQLITE, VERSION_TABLE, KeptReceipt, ReceiptStore
from api.receipts.tables import metadata
from ledger.codec import Value
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt
from ledger.hashing import LINE_SALT
from ledger.types import Address, Hash, Points, ProgramId, PublicKey, Signature, Timestamp
from node.audit import audit_store
from node.errors import NodeError
from node.store.engine import open_engine
from node.store.migrate import STORE_NEWER, migrate, refuse_newer
from tests.support.live_shop import LiveShop
from tests.support.receipt_shop import LINES, ReceiptShop
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND

FAN_ADDRESS, FRIEND_ADDRESS = Address(b"F" * 32), Address(b"G" * 32)
NOW = Timestamp(1_767_225_600)


def make_kept(random: Random, number: int, member: Address = FAN_ADDRESS) -> KeptReceipt:
    """A receipt with random lines of random length; nobody checks its signature here."""
    salt = random.randbytes(32)
    lines: tuple[Value, ...] = tuple(
        (f"article {random.getrandbits(64):016x} " * random.randint(1, 40), random.randint(1, 9))
        for _ in range(random.randint(0, 12))
    )
    receipt = Receipt(
        version=1,
        program=ProgramId(b"P" * 32),
        terms_version=1,
        member=member,
        till=PublicKey(b"T" * 32),
        sequence=number,
        time=NOW,
        net_cents=100,
        paid_with_points_cents=0,
        codes=(),
        lines_root=Hash(lines_root(salt, lines)),
        points=Points(1),
    )
    return KeptReceipt(SignedReceipt(receipt, salt, Signature(random.randbytes(64))), lines, 0, NOW)


def secrets_of(salt: bytes, lines: tuple[object, ...]) -> list[bytes]:
    """What must be gone: texts of lines, the salt, the lines' salts; each raw, in hex, in base64."""
    raw = [salt, *(LINE_SALT(salt + index.to_bytes(4, "big")) for index in range(len(lines)))]
    raw += [line[0].encode() for line in lines if isinstance(line, tuple) and isinstance(line[0], str)]
    raw += [found[:24] for found in raw] + [found[-24:] for found in raw]
    return [form for found in raw for form in (found, found.hex().encode(), base64.b64encode(found)[:-4])]


def found_in(folder: Path, wanted: list[bytes]) -> list[str]:
    """Which of `wanted` stand in any file below `folder`, and where."""
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return [f"{name}: {one[:32]!r}" for name, data in files.items() for one in wanted if one in data]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReceiptStore]:
    found = ReceiptStore(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    yield found
    found.close()


def test_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    migrate(engine, MIGRATIONS, VERSION_TABLE)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, VERSION_TABLE}
    migrate(engine, MIGRATIONS, VERSION_TABLE)
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://somebody@localhost/receipts", "postgres:///receipts"])
def test_no_server_keeps_receipts(url: str) -> None:
    """Its logs and copies would keep what was erased; the chain itself may be there."""
    with refused(NOT_SQLITE, NodeError):
        ReceiptStore(url)


def test_nothing_of_an_erased_receipt_is_left_in_the_nodes_folder(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "data")
    shop.join(FAN, FRIEND)
    desk = ReceiptShop(shop)
    mine = desk.sign()
    kept = desk.sign((("Friend's own tea", 1),), member=FRIEND.address)
    wanted = desk.hand_over(mine)
    desk.hand_over(kept, (("Friend's own tea", 1),))
    shop.earn(FAN, 114)
    before = secrets_of(mine.salt, tuple(LINES))
    assert found_in(tmp_path, before)
    assert found_in(tmp_path, [b"Friend's own tea"])
    assert desk.client.erase_receipt(desk.owner(), wanted)["erased"] == 1
    assert found_in(tmp_path, before) == []
    assert desk.client.erase_receipt(desk.owner(), wanted)["erased"] == 0
    desk.close()
    assert found_in(tmp_path, before) == []
    assert found_in(tmp_path, [b"Friend's own tea"])
    root, params = shop.node.chain.state_root, shop.chain.params
    shop.close()
    assert found_in(tmp_path, before) == []
    audit = audit_store(tmp_path / "data", params)
    assert audit.is_good and audit.state_root == root


def test_nothing_is_left_whatever_was_kept_and_erased_before(tmp_path: Path, store: ReceiptStore) -> None:
    """Pages split and merge as rows come and go: stale copies must not outlive their rows."""
    random = Random(7)
    alive: dict[bytes, KeptReceipt] = {}
    for number in range(400):
        kept = make_kept(random, number)
        store.add(kept)
        alive[kept.id] = kept
        if number % 3 == 2:
            gone = alive.pop(random.choice(list(alive)))
            store.erase(FAN_ADDRESS, NOW, wanted=gone.id, program=None)
    lost = [alive.pop(found) for found in random.sample(sorted(alive), 100)]
    for gone in lost:
        store.erase(FAN_ADDRESS, NOW, wanted=gone.id, program=None)
    store.scrub()
    wanted = [one for gone in lost for one in secrets_of(gone.signed.salt, gone.lines)]
    assert len(wanted) > 3_000
    assert found_in(tmp_path, wanted) == []
    for kept in alive.values():
        found = store.get(FAN_ADDRESS, kept.id)
        assert found is not None and found.lines == kept.lines and found.signed == kept.signed
    assert len(found_in(tmp_path, [kept.signed.salt for kept in alive.values()])) >= len(alive)


def test_a_scrub_that_was_cut_off_is_done_at_the_next_opening(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'receipts.sqlite'}"
    first = ReceiptStore(url)
    gone = make_kept(Random(1), 1)
    first.add(gone)
    assert first.erase(FAN_ADDRESS, NOW, wanted=gone.id, program=None) == 1
    first.close()
    second = ReceiptStore(url)
    assert second.get(FAN_ADDRESS, gone.id) is None
    assert found_in(tmp_path, secrets_of(gone.signed.salt, gone.lines)) == []
    assert second.was_erased(gone.id)
    second.close()


def test_a_reader_in_the_way_is_reported_and_the_next_try_succeeds(
    tmp_path: Path, store: ReceiptStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = make_kept(Random(2), 1)
    store.add(gone)
    assert store._engine is not None
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    other = open_engine(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    with other.connect() as connection:
        connection.execute(text("BEGIN"))
        connection.execute(text("SELECT count(*) FROM receipts")).scalar_one()
        store.erase(FAN_ADDRESS, NOW, wanted=gone.id, program=None)
        with pytest.raises(NodeError) as fault:
            store.scrub()
        assert fault.value.code.name in ("receipt.scrub_blocked", "store.in_use")
    other.dispose()
    store.scrub()
    assert found_in(tmp_path, secrets_of(gone.signed.salt, gone.lines)) == []


def test_the_file_is_its_owners(tmp_path: Path, store: ReceiptStore) -> None:
    store.add(make_kept(Random(3), 1))
    for path in tmp_path.glob("receipts.sqlite*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_erasures_that_come_together_share_a_scrub(store: ReceiptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(4)
    kept = [make_kept(random, number) for number in range(20)]
    for one in kept:
        store.add(one)
    scrubs: list[str] = []
    original = store.scrub
    monkeypatch.setattr(store, "scrub", lambda: (scrubs.append(threading.current_thread().name), original()))

    async def erase_all() -> list[int]:
        desk = ReceiptDesk(store)
        found = await asyncio.gather(*(desk.erase(FAN_ADDRESS, NOW, wanted=one.id) for one in kept))
        desk.close()
        desk.close()
        return list(found)

    assert asyncio.run(erase_all()) == [1] * 20
    assert 1 <= len(scrubs) < 20
    assert all(name.startswith("receipts") for name in scrubs)


def test_a_scrub_that_begins_at_once_is_not_taken_for_one_to_come(
    store: ReceiptStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread of the store may be quicker than the one that gives it work."""
    random = Random(7)
    kept = [make_kept(random, number) for number in range(3)]
    for one in kept:
        store.add(one)
    scrubs: list[None] = []
    original = store.scrub
    monkeypatch.setattr(store, "scrub", lambda: (scrubs.append(None), original()))

    async def erase_one_by_one() -> None:
        desk = ReceiptDesk(store)
        give = desk._thread.submit

        def give_and_dawdle(*work: Any) -> Any:
            given = give(*work)
            time.sleep(0.1)
            return given

        monkeypatch.setattr(desk._thread, "submit", give_and_dawdle)
        for one in kept:
            assert await desk.erase(FAN_ADDRESS, NOW, wanted=one.id) == 1
        desk.close()

    asyncio.run(erase_one_by_one())
    assert len(scrubs) == len(kept)


def test_accounts_erase_only_their_own(store: ReceiptStore) -> None:
    random = Random(5)
    mine, theirs = make_kept(random, 1), make_kept(random, 2, FRIEND_ADDRESS)
    store.add(mine)
    store.add(theirs)
    assert store.erase(FAN_ADDRESS, NOW, wanted=theirs.id, program=None) == 0
    assert store.erase(FAN_ADDRESS, NOW, wanted=None, program=None) == 1
    assert store.get(FRIEND_ADDRESS, theirs.id) is not None
    assert not store.was_erased(theirs.id)


def test_a_damaged_store_is_reported(tmp_path: Path) -> None:
    (tmp_path / "receipts.sqlite").write_bytes(b"no database" * 1_000)
    store = ReceiptStore(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    with pytest.raises(NodeError) as fault:
        store.get(FAN_ADDRESS, make_kept(Random(6), 1).id)
    assert fault.value.code.name == "store.corrupt"
    store.close()


def test_receipts_that_a_newer_program_migrated_keep_an_older_one_from_starting(tmp_path: Path) -> None:
    """As with the chain: a node that can read no revocation and erase nothing does not serve; and the file stays as it is."""
    shop, path = LiveShop(tmp_path), tmp_path / RECEIPTS_FILE
    store = ReceiptStore(f"sqlite:///{path}")
    refuse_newer(path, MIGRATIONS, VERSION_TABLE)
    assert not path.exists(), "to look makes nothing"
    store.add(make_kept(Random(7), 1))
    store.close()
    create_app(shop.node)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = path.read_bytes()
    with refused(STORE_NEWER, NodeError, store=str(path), found="9999"):
        create_app(shop.node)
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all" * 100)
    refuse_newer(path, MIGRATIONS, VERSION_TABLE)
    shop.close()
