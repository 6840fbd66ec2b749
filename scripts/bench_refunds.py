"""How long the ledger takes to give a thousand backers their pledges back in one block: due work, slots, invariants, undo.

The state is made from records, not from transactions: only the block that refunds is measured, without signatures, root and SQL.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench_chain import bench_terms
from ledger.domains.accounts.state import Account, account_key
from ledger.domains.crowdfunding.refunds import REFUND_DUE
from ledger.domains.crowdfunding.state import (
    FAILED,
    Campaign,
    Pledge,
    campaign_key,
    campaign_terms_key,
    pledge_key,
)
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit, Unit
from ledger.domains.loyalty.books import EMPTY_BOOKS, DayTotals
from ledger.domains.loyalty.state import (
    Lot,
    Member,
    Program,
    books_key,
    days_key,
    member_key,
    program_key,
    terms_key,
)
from ledger.due import DUE, DueItem
from ledger.kinds import Context
from ledger.networks import NETWORKS
from ledger.params import SHARES, Allocation, Params
from ledger.state import Stored, encode_record
from ledger.supply import CHAIN_KEY, ChainRecord
from ledger.transition import BlockExecution
from ledger.types import (
    Address,
    Amount,
    BlockHash,
    CampaignId,
    Day,
    Hash,
    Height,
    Points,
    ProgramId,
    RecordKey,
    Slot,
    Timestamp,
)

DAY_SECONDS = 86_400
NOW = Timestamp(1_800_000_000)
TODAY = Day(NOW // DAY_SECONDS)
CAMPAIGN, PROGRAM, CREATOR = CampaignId(b"c" * 32), ProgramId(b"p" * 32), Address(b"o" * 32)
DEPOSIT, PREPAID = Amount(1_000), Amount(1_200)
LOTS = 3
"""A backer's lots, of which each pledge holds a part."""
QUANTITY = 30
ROUNDS = 7


class RecordState:
    """A state of given records in slots; nothing is written to it."""

    def __init__(self, records: dict[RecordKey, Any]) -> None:
        self._stored = {
            key: Stored(Slot(slot), encode_record(key, record), record)
            for slot, (key, record) in enumerate(records.items())
        }
        self._queue = sorted(key for key in records if key[:1] == DUE.prefix)

    def stored(self, key: RecordKey) -> Stored | None:
        return self._stored.get(key)

    def next_free(self, slot: Slot) -> Slot:
        raise AssertionError(f"slot {slot} is not free")

    def first_key(self, prefix: bytes, after: RecordKey) -> RecordKey | None:
        return next((key for key in self._queue if key > after and key.startswith(prefix)), None)


def measure_refunds(count: int) -> dict[str, Any]:
    """Median milliseconds of the block, for each unit."""
    units: dict[str, Unit] = {"coin": CoinUnit(), "points": PointsUnit(PROGRAM)}
    return {"count": count} | {f"{name}_ms": _measure(unit, count) for name, unit in units.items()}


def _measure(unit: Unit, count: int) -> float:
    state, params = make_state(unit, count)
    context = Context(params, Height(1_000), NOW, Hash(bytes(32)), BlockHash(bytes(32)))
    taken: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        execution = BlockExecution(state, context, {})
        transition = execution.finish(((CREATOR, execution.reward),))
        taken.append(time.perf_counter() - started)
        refunded = sum(event.name == "pledge.refunded" for _, event in transition.events)
        assert refunded == count, f"{refunded} of {count} pledges went back"
    return statistics.median(taken) * 1e3


def make_state(unit: Unit, count: int) -> tuple[RecordState, Params]:
    """A campaign that failed with `count` pledges of as many backers, and the rules under which its supply adds up."""
    records: dict[RecordKey, Any] = {CHAIN_KEY: None}
    records.update(_campaign(unit, count))
    for number in range(count):
        records.update(_backer(unit, number))
    accounts = sum(record.balance for record in records.values() if isinstance(record, Account))
    locked = DEPOSIT * (count + 1) + PREPAID * count
    escrow = QUANTITY * count if isinstance(unit, CoinUnit) else 0
    emitted = Amount(accounts + locked + escrow)
    records[CHAIN_KEY] = ChainRecord(
        slot_count=len(records),
        free_head=Slot(0),
        due_sequence=1,
        emitted=emitted,
        accounts=Amount(accounts),
        pools=Amount(0),
        locked=Amount(locked),
        escrow=Amount(escrow),
        maturing=Amount(0),
        burned=Amount(0),
    )
    params = replace(NETWORKS["main"], subsidy_initial=Amount(0), allocations=(Allocation(CREATOR, emitted),))
    return RecordState(records), params


def _campaign(unit: Unit, count: int) -> Iterator[tuple[RecordKey, Any]]:
    total = QUANTITY * count
    yield (
        campaign_key(CAMPAIGN),
        Campaign(
            creator=CREATOR,
            payer=b"A" + CREATOR,
            deposit=DEPOSIT,
            unit=unit,
            status=FAILED,
            pledged=total,
            weight=total,
            own_weight=0,
            escrowed=total,
            released=0,
            returned=0,
            pledges=count,
            taken=(),
            added=(),
            stage=2,
            until=Timestamp(0),
            until_height=Height(0),
            step=0,
            shares_left=SHARES,
            attempt=1,
            round=0,
            submitted_at=Timestamp(0),
            basis=0,
            yes=0,
            no=0,
            late_days=(),
            delivered_at=Timestamp(0),
            updates=0,
            refund_total=total,
            refund_weight=total,
            backing=0,
        ),
    )
    yield campaign_terms_key(CAMPAIGN), CampaignTerms("A lamp", unit, total + 1, NOW)
    yield DUE.key(NOW.to_bytes(8, "big"), bytes(8)), DueItem(REFUND_DUE, CAMPAIGN, 0)
    if isinstance(unit, PointsUnit):
        yield program_key(PROGRAM), Program(CREATOR, b"", Amount(0), "Shop", "point", 0, 0, ((1, NOW - 1),))
        held = Points(LOTS * 100 * count)
        books = replace(EMPTY_BOOKS, issued=Points(held + total), available=held, escrowed=Points(total), members=count)
        yield books_key(PROGRAM), books
        yield terms_key(PROGRAM, 1), bench_terms()
        for lot in _lots(100):
            yield days_key(PROGRAM, Day(lot[2])), DayTotals(Points(0), Points(100 * count), 0)


def _lots(points: int) -> tuple[Lot, ...]:
    return tuple((1, TODAY - 5, TODAY + 30 + number, points) for number in range(LOTS))


def _backer(unit: Unit, number: int) -> Iterator[tuple[RecordKey, Any]]:
    backer = Address(number.to_bytes(32, "big"))
    in_points = isinstance(unit, PointsUnit)
    yield account_key(backer), Account(Amount(10**8), Hash(b""), Amount(0))
    lots = _lots(QUANTITY // LOTS) if in_points else ()
    yield (
        pledge_key(CAMPAIGN, number),
        Pledge(b"A" + backer, DEPOSIT, PREPAID, backer, QUANTITY, 0, lots, (), 0, approves=False),
    )
    if in_points:
        yield (
            member_key(PROGRAM, backer),
            Member(
                payer=b"",
                deposit=Amount(0),
                prepaid=Amount(0),
                joined_at=Timestamp(1),
                left_at=Timestamp(0),
                remainder=Hash(b""),
                entries=1,
                sponsor_day=Day(0),
                sponsor_spent=Amount(0),
                lots=_lots(100),
                contest_period=Timestamp(0),
                contest_count=0,
            ),
        )
