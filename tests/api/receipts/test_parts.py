"""The parts of the receipt store: marks of gifts, the log of reads, notes of revocations, deletion."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from api.receipts import access_log, nonces
from api.receipts.access_log import GIVEN, Read, ReadRefused
from api.receipts.nonces import Nonces
from api.receipts.revocation_notes import Note
from api.receipts.store import ReceiptStore
from ledger.domains.consent.state import SHARE, consent_key
from ledger.types import Address, Height, ProgramId, Timestamp, TxId
from node.errors import NodeError
from tests.api.receipts.test_store import FAN_ADDRESS, FRIEND_ADDRESS, NOW, make_kept

DAY = 86_400
PROGRAM = ProgramId(b"P" * 32)
PARTNER = Address(b"R" * 32)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReceiptStore]:
    found = ReceiptStore(f"sqlite:///{tmp_path / 'receipts.sqlite'}")
    yield found
    found.close()


def make_read(at: int = 0, **changes: object) -> Read:
    time = Timestamp(NOW + at)
    read = Read(FAN_ADDRESS, PARTNER, PROGRAM, SHARE, "receipts", time, time, given=3)
    return replace(read, **changes)


def make_note(scope: str = "receipts", fan: Address = FAN_ADDRESS, number: int = 1) -> Note:
    return Note(consent_key(fan, PARTNER, SHARE, scope), TxId(bytes([number]) * 32), b"raw", Height(7), NOW)


def test_gifts(store: ReceiptStore) -> None:
    random = Random(1)
    first, second = make_kept(random, 1), make_kept(random, 2)
    store.add(first)
    store.add(second)
    assert store.gifts.mark(FAN_ADDRESS, first.id, NOW, is_gift=True)
    assert store.gifts.mark(FAN_ADDRESS, first.id, Timestamp(NOW + 5), is_gift=True)
    assert not store.gifts.mark(FRIEND_ADDRESS, first.id, NOW, is_gift=False)
    assert store.gifts.all_of(FAN_ADDRESS) == [(first.id, NOW)]

    def page(**options: bool) -> list[tuple[bytes, bool]]:
        found = store.page(FAN_ADDRESS, program=None, period=None, before=None, limit=9, **options)
        return [(kept.id, kept.is_gift) for kept in found]

    assert page() == [(second.id, False), (first.id, True)]
    assert page(with_gifts=False) == [(second.id, False)]
    one = store.get(FAN_ADDRESS, first.id)
    assert one is not None and one.is_gift
    assert store.gifts.mark(FAN_ADDRESS, first.id, NOW, is_gift=False)
    assert page(with_gifts=False) == [(second.id, False), (first.id, False)]
    store.gifts.mark(FAN_ADDRESS, second.id, NOW, is_gift=True)
    store.erase(FAN_ADDRESS, NOW, wanted=second.id, program=None)
    assert store.gifts.all_of(FAN_ADDRESS) == []


def test_the_log(store: ReceiptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"code": "partner.not_granted", "given": 0}
    for at in (0, 10, 20):
        store.log.add(make_read(at, **refused))
    store.log.add(make_read(30))
    store.log.add(make_read(40, **refused, scope="history"))
    store.log.add(make_read(DAY, **refused))

    def page(before: int | None = None, limit: int = 9, at: int = DAY) -> list[Read]:
        return store.log.page(FAN_ADDRESS, now=Timestamp(NOW + at), before=before, limit=limit)

    shown = [(read.scope, read.code == GIVEN, read.times, read.first_at - NOW, read.last_at - NOW) for read in page()]
    assert shown == [
        ("receipts", False, 1, DAY, DAY),
        ("history", False, 1, 40, 40),
        ("receipts", True, 1, 30, 30),
        ("receipts", False, 3, 0, 20),
    ]
    assert page(before=page()[1].number, limit=1) == [page()[2]]
    assert [len(page(at=access_log.KEPT_SECONDS + at)) for at in (20, 21, 31, 41)] == [4, 3, 2, 1]
    store.log.add(make_read(access_log.KEPT_SECONDS + 25))
    assert len(page(at=0)) == 4, "what is too old is deleted with the next row"
    assert store.log.page(PARTNER, now=NOW, before=None, limit=9) == []
    assert [read.number for read in store.log.all_of(PARTNER, after=0, limit=2)] == [
        page()[-1].number,
        page()[-2].number,
    ]
    assert store.log.count_as_reader(PARTNER) == 4 and store.log.count_as_reader(FAN_ADDRESS) == 0
    monkeypatch.setattr(access_log, "GIVEN_PER_DAY_MAX", 1)
    with pytest.raises(ReadRefused):
        store.log.add(make_read(access_log.KEPT_SECONDS + 26))
    store.log.add(make_read(access_log.KEPT_SECONDS + 26, reader=FRIEND_ADDRESS))
    store.log.add(make_read(access_log.KEPT_SECONDS + 26, member=FRIEND_ADDRESS))
    store.log.add(make_read(access_log.KEPT_SECONDS + DAY))


def test_notes(store: ReceiptStore) -> None:
    first, second = make_note(), make_note("history")
    store.notes.save(first)
    store.notes.save(second)
    later = replace(make_note(number=2), noted_at=Timestamp(NOW + 9), lifted_by=TxId(b"g" * 32))
    store.notes.save(later)
    assert store.notes.all() == [second, later] and later.fan == FAN_ADDRESS
    store.notes.forget([first])
    assert store.notes.all() == [second, later], "the later one of the same consent stays"
    store.notes.forget([second])
    assert store.notes.all() == [later]


def test_everything_of_an_account_is_deleted(store: ReceiptStore) -> None:
    random = Random(2)
    mine, theirs = make_kept(random, 1), make_kept(random, 2, FRIEND_ADDRESS)
    for kept in (mine, theirs):
        store.add(kept)
        store.gifts.mark(kept.signed.receipt.member, kept.id, NOW, is_gift=True)
    store.log.add(make_read())
    store.log.add(make_read(member=FRIEND_ADDRESS))
    ended, standing = make_note(), make_note("history")
    store.notes.save(ended)
    store.notes.save(standing)
    deleted = store.delete_all(FAN_ADDRESS, NOW, [ended])
    store.scrub()
    assert (deleted.receipts, deleted.lines, deleted.gifts) == (1, len(mine.lines), 1)
    assert (deleted.reads, deleted.revocations) == (1, 1)
    assert store.notes.all() == [standing]
    assert store.get(FRIEND_ADDRESS, theirs.id) is not None
    assert store.log.page(FRIEND_ADDRESS, now=NOW, before=None, limit=9)
    assert store.was_erased(mine.id)
    again = store.delete_all(FAN_ADDRESS, NOW, [])
    assert (again.receipts, again.lines, again.gifts, again.reads, again.revocations) == (0, 0, 0, 0, 0)
    store.scrub()
    with pytest.raises(AssertionError):
        store.delete_all(FAN_ADDRESS, NOW, [make_note(fan=FRIEND_ADDRESS)])


def test_nonces(store: ReceiptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third, later = (bytes([number]) * 32 for number in range(4))
    monkeypatch.setattr(nonces, "NONCES_MAX", 3)

    def use(found: list[bytes], at: int) -> bool:
        return store.nonces.use(found, Timestamp(NOW + at), Timestamp(NOW + at + 60))

    assert use([first], 0)
    assert not Nonces(store._transaction).use([first], NOW, NOW), "also after a restart"
    assert not use([first], 1) and not use([second, first], 2), "none of them is taken twice"
    assert use([second, third], 3), "what was refused takes no room"
    with pytest.raises(NodeError) as caught:
        use([later], 59)
    assert caught.value.code.name == "signature.busy"
    assert use([later], 59 + nonces.SWEEP_SECONDS), "those that are too late have made room"
    assert use([first, second], 59 + nonces.SWEEP_SECONDS), "they may come again: nobody would take their signatures"
