"""What figures of a large program's fans take: segments, the reach of a plan, and the report, by processor time.

The chain's store and the receipt store are filled with made-up rows, not with signed transactions: one member in three lets the
program personalise, has bought twenty times, and was told ten messages. `cold` is the first walk of a node, `warm` the ones after
it, which read of a fan only whether anything of it has changed.
"""

import asyncio
import hashlib
import itertools
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from api.consent.gate import ConsentGate
from api.http.receipt_desk import ReceiptDesk
from api.personalization.basis import basis_of
from api.personalization.consent_gate import PersonalGate
from api.personalization.groups import PlanTally, ReportTally, SegmentsTally, Tally
from api.personalization.model_keeper import LISTED_AT_ONCE, REVIEWED_AT_ONCE
from api.personalization.service import Personalization
from api.receipts.personal_tables import feedback, messages
from api.receipts.store import KeptReceipt, ReceiptStore
from api.receipts.tables import receipts
from bench_chain import bench_terms
from ledger.codec import pack
from ledger.domains.consent.state import PERSONALISE, Consent, consent_key
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, encode_receipt
from ledger.domains.loyalty.state import Lot, Member, Program, member_key, program_key, terms_key
from ledger.header import Header
from ledger.state import encode_record
from ledger.types import (
    Address,
    Amount,
    BlockHash,
    CompactBits,
    Day,
    Hash,
    Points,
    ProgramId,
    PublicKey,
    RecordKey,
    Signature,
    Timestamp,
)
from node.clock import ManualClock
from node.store.engine import open_engine
from node.store.migrate import migrate
from node.store.reader import Reader
from node.store.tables import active, headers, listing, records

NOW = Timestamp(1_800_000_000)
DAY_SECONDS = 86_400
PROGRAM, OWNER = ProgramId(b"p" * 32), Address(b"o" * 32)
AGREED_EVERY = 3
RECEIPTS, LINES, MESSAGES, LOTS = 20, 4, 10, 3
CATEGORIES = ("bakery", "dairy", "fruit", "tea", "fish")
TOPICS = ("replenish", "discovery", "winning_back")
ROWS_AT_ONCE = 2_000


class NoRevocations:
    """Nobody took a consent back."""

    async def load(self) -> None:
        """Nothing is noted."""

    def stands(self, *_: Any) -> bool:
        """None does."""
        return False


def member_address(number: int) -> Address:
    """The address of a member by its number."""
    return Address(hashlib.sha256(number.to_bytes(8, "big")).digest())


def fill_chain(engine: Engine, members: int) -> None:
    """A program with members, of whom some agreed."""
    genesis = Header(1, BlockHash(bytes(32)), Hash(bytes(32)), NOW, CompactBits(0), 0)
    slots = itertools.count()

    def rows() -> Iterator[dict[str, Any]]:
        yield from _records(
            slots, program_key(PROGRAM), Program(OWNER, b"", Amount(0), "Shop", "point", 0, 0, ((1, 0),))
        )
        yield from _records(slots, terms_key(PROGRAM, 1), bench_terms())
        lots = tuple((1, Day(9), Day(99_999 + number), Points(10)) for number in range(LOTS))
        member = _member(lots)
        consent = Consent(b"", Amount(0), Amount(0), NOW, Timestamp(0), Timestamp(0))
        for number in range(members):
            address = member_address(number)
            yield from _records(slots, member_key(PROGRAM, address), member)
            if number % AGREED_EVERY == 0:
                yield from _records(slots, consent_key(address, PROGRAM, PERSONALISE, ""), consent)

    def listed() -> Iterator[dict[str, Any]]:
        for number in range(members):
            address, place = member_address(number), {"height": 1 + number // 1_000, "sequence": number % 1_000}
            yield {"parent": PROGRAM, "kind": "member", "id": address, **place}
            if number % AGREED_EVERY == 0:
                yield {"parent": address, "kind": "consent", "id": PROGRAM + bytes([PERSONALISE]), **place}

    with engine.begin() as connection:
        head = {"hash": genesis.hash, "height": 0, "previous": bytes(32), "raw": genesis.encode(), "work": bytes(32)}
        times = {"effective_time": 0, "anchor_parent_time": 0}
        connection.execute(insert(headers), [{**head, **times}])
        connection.execute(insert(active), [{"height": 0, "hash": genesis.hash}])
        for table, made in ((records, rows()), (listing, listed())):
            while part := list(itertools.islice(made, ROWS_AT_ONCE)):
                connection.execute(insert(table), part)


def _member(lots: tuple[Lot, ...]) -> Member:
    return Member(
        b"", Amount(0), Amount(0), Timestamp(1), Timestamp(0), Hash(b""), 0, Day(0), Amount(0), lots, Timestamp(0), 0
    )


def _records(slots: Iterator[int], key: RecordKey, record: Any) -> Iterator[dict[str, Any]]:
    yield {"slot": next(slots), "key": key, "value": encode_record(key, record), "next_free": 0}


def fill_receipts(store: ReceiptStore, members: int) -> None:
    """What those who agreed bought and were told; a third of them bought nothing in the last months."""
    chance, sequence = random.Random("groups"), itertools.count()

    def bought() -> Iterator[dict[str, Any]]:
        for number in range(0, members, AGREED_EVERY):
            fan, since = member_address(number), chance.choice((10, 40, 150)) * DAY_SECONDS
            for place in range(RECEIPTS):
                at = (
                    NOW - since - (RECEIPTS - place) * chance.randint(3, 9) * DAY_SECONDS + chance.randint(0, 9) * 3_600
                )
                yield _receipt(fan, next(sequence), at, chance)

    def told() -> Iterator[dict[str, Any]]:
        for number in range(0, members, AGREED_EVERY):
            fan = member_address(number)
            for place in range(MESSAGES):
                at = NOW - (10 + 20 * place) * DAY_SECONDS
                yield {
                    "message": hashlib.sha256(fan + bytes([place])).digest(),
                    "member": fan,
                    "program": PROGRAM,
                    "topic": TOPICS[place % len(TOPICS)],
                    "decided_at": at,
                    "ready_at": at,
                    "expires_at": at + DAY_SECONDS,
                    "is_held_out": chance.random() < 0.1,
                    "document": '{"kind": "anticipate", "texts": {"en": "' + "x" * 800 + '"}}',
                }

    def done() -> Iterator[dict[str, Any]]:
        for number in range(0, members, AGREED_EVERY):
            fan = member_address(number)
            for place, kind in ((1, "opened"), (2, "clicked"), (3, "dismissed"), (4, "opt_out"))[: number % 5]:
                message = hashlib.sha256(fan + bytes([place])).digest()
                at = NOW - 5 * DAY_SECONDS
                yield {"message": message, "member": fan, "program": PROGRAM, "kind": kind, "at": at, "received_at": at}

    with store._transaction() as connection:
        for table, made in ((receipts, bought()), (messages, told()), (feedback, done())):
            while part := list(itertools.islice(made, ROWS_AT_ONCE)):
                connection.execute(insert(table), part)


def _receipt(fan: Address, sequence: int, at: int, chance: random.Random) -> dict[str, Any]:
    lines = tuple(
        (f"item{chance.randint(1, 300)}", 1, chance.randint(99, 1_999), chance.choice((0, 0, 30))) for _ in range(LINES)
    )
    time_, net = Timestamp(at), Amount(sum(line[2] for line in lines))
    receipt = Receipt(
        1, PROGRAM, 1, fan, PublicKey(b"t" * 32), sequence, time_, net, 0, (), Hash(b"r" * 32), Points(net // 100)
    )
    signed = SignedReceipt(receipt, hashlib.sha256(sequence.to_bytes(8, "big")).digest(), Signature(bytes(64)))
    return {
        "receipt": KeptReceipt(signed, lines, 0, time_).id,
        "member": fan,
        "program": PROGRAM,
        "period": 0,
        "till": b"t" * 32,
        "sequence": sequence,
        "time": at,
        "received_at": at,
        "signed": encode_receipt(signed),
        "lines": pack(lines),
    }


def fill_products(store: ReceiptStore) -> None:
    """The brand's feed."""
    feed = [(f"item{number}", {"category": CATEGORIES[number % len(CATEGORIES)]}) for number in range(1, 301)]
    store.products.put(PROGRAM, feed, NOW, zone="", is_whole=True)


def prepare(folder: Path, members: int) -> None:
    """Fill both stores in a folder."""
    engine = open_engine(f"sqlite:///{folder / 'chain.sqlite'}")
    migrate(engine)
    fill_chain(engine, members)
    engine.dispose()
    store = ReceiptStore(f"sqlite:///{folder / 'receipts.sqlite'}")
    fill_products(store)
    fill_receipts(store, members)
    store.close()


async def time_walks(personal: Personalization) -> dict[str, Any]:
    """Processor seconds of the first walk for segments, and of one for each figure after it; and the figures."""
    answer: dict[str, Any] = {}
    tallies: tuple[tuple[str, Callable[[int], Tally]], ...] = (
        ("cold", lambda _: SegmentsTally()),
        ("segments", lambda _: SegmentsTally()),
        ("plan", lambda now: PlanTally({"stage": "cooling"}, "winning_back", 20, 20_000, now)),
        ("report", ReportTally),
    )
    for name, make in tallies:
        began, wall = time.process_time(), time.perf_counter()
        found = await personal.tally(PROGRAM, name, make)
        answer[f"{name}_s"], answer[f"{name}_wall_s"] = time.process_time() - began, time.perf_counter() - wall
        answer[f"{name}_figures"] = found
    return answer


async def time_reviews(gate: PersonalGate) -> dict[str, float]:
    """Processor seconds of asking the gate for all fans of a model, as is done every 6 hours: first, and with nothing new."""
    known, answer = dict[Address, int](), dict[str, float]()
    for name in ("review", "review_again"):
        began, position = time.process_time(), None
        while True:
            fans, position = await gate.list_buyers(PROGRAM, position, LISTED_AT_ONCE)
            for first in range(0, len(fans), REVIEWED_AT_ONCE):
                part = fans[first : first + REVIEWED_AT_ONCE]
                for one in await gate.read_purchases(part, PROGRAM, "models", known):
                    if one.purchases is not None:
                        basis_of(one.purchases, NOW)
                    known[one.fan] = one.version
            if position is None:
                break
        answer[f"{name}_s"] = time.process_time() - began
    return answer


def measure_groups(folder: Path, members: int) -> dict[str, Any]:
    """Seconds of the walks through so many members, the fans among them who agreed, and the most memory in MB."""
    folder = folder / f"groups-{members}"
    if not folder.exists():
        folder.mkdir()
        prepare(folder, members)
    reader = Reader(open_engine(f"sqlite:///{folder / 'chain.sqlite'}", read_only=True))
    desk, clock = ReceiptDesk(ReceiptStore(f"sqlite:///{folder / 'receipts.sqlite'}")), ManualClock(NOW)
    nobody: Any = NoRevocations()
    gate = PersonalGate(reader, ConsentGate(nobody, clock), desk, clock)
    try:
        answer = asyncio.run(time_walks(Personalization(reader, gate, desk, clock))) | asyncio.run(time_reviews(gate))
    finally:
        desk.close()
        reader.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {"members": members, "fans": len(range(0, members, AGREED_EVERY)), "memory_mb": memory, **answer}
