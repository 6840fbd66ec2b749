"""Everything that is signed by hand in a replayed shop: receipts at the till, entries at the end of the week, fans' wallets.

The office holds the keys and the purchases, knows no node, and hands out finished transactions week by week with the block that
each is for. So it can work ahead in a process of its own (`OfficeProcess`) while the node mines; a week's receipts and openings
are in the receipts file before its transactions are handed out.
"""

import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.demo.brand import (
    COUPON_PRICE,
    PERIODS,
    PROGRAM,
    REMAINDER_MAX,
    TERMS,
    TERMS_VERSION,
    make_salt,
    open_brand,
)
from api.demo.households import open_household
from api.demo.journey import Basket, HouseholdId, Journey, Redemption, load_journey
from api.demo.plan import Plan
from api.demo.receipts_file import ReceiptRow, ReceiptsFile, hash_lines
from api.wallet.builder import ChainFacts, build
from api.wallet.sealing import NOTHING_CARRIED, Carried, Opening, choose_covers, seal_entry
from ledger.codec import pack
from ledger.domains.loyalty.earn import Earn, SealedEntry
from ledger.domains.loyalty.earning import points_for
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import (
    Receipt,
    SignedReceipt,
    encode_receipt,
    receipt_hash,
    receipt_signing_hash,
)
from ledger.domains.loyalty.state import NO_POINTS
from ledger.domains.rewards.redeem import Redeem
from ledger.transaction import Sponsored
from ledger.types import Address, Height, Points, ProgramId, ReceiptHash, RewardId, Signature, Timestamp

BATCH_ENTRIES: Final = 500
SALT_TAG: Final = b"fansumer demo receipt "
RANDOM_SEED: Final = 2017
"""The demo's remainders are drawn from a fixed seed, so that a run can be repeated; a real brand's come from the system."""

ReceiptItem = tuple[ReceiptHash, Points]


@dataclass(frozen=True, slots=True)
class Purchases:
    """Which purchases: as `load_journey` reads them."""

    as_of: Timestamp
    weeks: int | None
    data_dir: Path | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the purchases are, in numbers. `periods` are the settlement periods with a basket, ascending."""

    weeks: int
    shift_seconds: int
    first_basket: Timestamp
    last_basket: Timestamp
    baskets: int
    lines: int
    redemptions: int
    periods: tuple[int, ...]
    points: dict[HouseholdId, Points]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the office must know of the chain before it signs anything."""

    facts: ChainFacts
    program: ProgramId
    reward: RewardId
    plan: Plan
    receipts_path: Path


BRAND: Final = HouseholdId(0)
"""Stands for the brand where a household is named; the data's households count from 1."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A finished transaction: the block that it is for, whose it is, and, for a pledge, the points that it takes."""

    height: Height
    household: HouseholdId
    account: Address
    raw: bytes
    points: Points = NO_POINTS


@dataclass(frozen=True, slots=True)
class Week:
    """A period's transactions. `credited` are the points of its entries by household."""

    period: int
    settled: Height
    joins: tuple[Signed, ...]
    redemptions: tuple[Signed, ...]
    settlements: tuple[Signed, ...]
    credited: dict[HouseholdId, Points]


def settlement_height(plan: Plan, period: int) -> Height:
    """The block that holds a period's entries: once it is over, or at the end of the replay."""
    return plan.height_once(PERIODS.ends(period))


class Office:
    """The till, the settlement desk and the fans' wallets over one journey. Weeks are prepared in their order."""

    def __init__(self, purchases: Purchases) -> None:
        journey = load_journey(as_of=purchases.as_of, weeks=purchases.weeks, data_dir=purchases.data_dir)
        self._journey: Journey = journey
        self._weeks = list(journey.iterate_periods())
        self._file: ReceiptsFile | None = None
        self.overview = Overview(
            weeks=journey.weeks,
            shift_seconds=journey.shift_seconds,
            first_basket=journey.baskets[0].time,
            last_basket=journey.baskets[-1].time,
            baskets=len(journey.baskets),
            lines=journey.line_count,
            redemptions=len(journey.redemptions),
            periods=tuple(period for period, _ in self._weeks),
            points=journey.sum_points(),
        )

    def begin(self, assignment: Assignment) -> None:
        """Open the till."""
        self._assignment = assignment
        self._till_key = open_brand().till.shown_policy().keys[0]
        self._till_signature = Ed25519PrivateKey.from_private_bytes(open_brand().till.seed).sign
        self._file = ReceiptsFile.create(assignment.receipts_path)
        self._carried: dict[HouseholdId, Carried] = {}
        self._random = Random(RANDOM_SEED)
        self._sequence = 0

    def close(self) -> None:
        """Close the receipts file; what was written is kept."""
        if self._file is not None:
            self._file.close()

    def prepare_week(self, index: int) -> Week:
        """Sign everything of the week number `index`: receipts, joins, redemptions, and the entries that settle it."""
        assert self._file is not None, "the till is open"
        period, baskets_of = self._weeks[index]
        is_last = index == len(self._weeks) - 1
        settled = settlement_height(self._assignment.plan, period)
        joins = self._sign_joins(baskets_of)
        items, rows = self._write_receipts(period, baskets_of)
        credited, entries, openings = self._seal(period, items, is_last=is_last)
        self._file.write_week([(join.household, join.account) for join in joins], rows, openings)
        if is_last:
            self._file.finish()
        return Week(
            period=period,
            settled=settled,
            joins=joins,
            redemptions=self._sign_redemptions(index),
            settlements=self._sign_batches(settled, entries),
            credited=credited,
        )

    def _sign_joins(self, baskets_of: dict[HouseholdId, list[Basket]]) -> tuple[Signed, ...]:
        """New households join, each in the last block before its first basket, counter-signed by the till."""
        facts, program = self._assignment.facts, self._assignment.program
        till = open_brand().till
        joins: list[Signed] = []
        for household, baskets in baskets_of.items():
            if household in self._carried:
                continue
            self._carried[household] = NOTHING_CARRIED
            height = self._assignment.plan.height_before(baskets[0].time)
            fan = open_household(household, program)
            raw = build(
                facts,
                "member.join",
                MemberJoin(program, till.address),
                fan,
                valid_from=height,
                cosigners=(till,),
                payment=Sponsored(program),
                salt=make_salt("join", household),
            )
            joins.append(Signed(height, household, fan.address, raw))
        return tuple(joins)

    def _write_receipts(
        self, period: int, baskets_of: dict[HouseholdId, list[Basket]]
    ) -> tuple[dict[HouseholdId, list[ReceiptItem]], list[ReceiptRow]]:
        """The till signs every basket in the order of time, numbering them without gaps."""
        items: dict[HouseholdId, list[ReceiptItem]] = {household: [] for household in baskets_of}
        rows: list[ReceiptRow] = []
        baskets = [basket for group in baskets_of.values() for basket in group]
        for basket in sorted(baskets, key=lambda basket: (basket.time, basket.basket_id)):
            hash_of_receipt, points, row = self._sign_receipt(period, basket)
            items[basket.household_id].append((hash_of_receipt, points))
            rows.append(row)
        return items, rows

    def _sign_receipt(self, period: int, basket: Basket) -> tuple[ReceiptHash, Points, ReceiptRow]:
        assignment = self._assignment
        salt = sha256(SALT_TAG + assignment.facts.chain_id + str(basket.basket_id).encode()).digest()
        lines = self._journey.rows_of(basket)
        points = points_for(TERMS.rules, Purchase(basket.time, basket.net), offset_minutes=PROGRAM.offset_minutes)
        member = open_household(basket.household_id, assignment.program).address
        receipt = Receipt(
            version=1,
            program=assignment.program,
            terms_version=TERMS_VERSION,
            member=member,
            till=self._till_key,
            sequence=self._sequence,
            time=basket.time,
            net_cents=basket.net,
            paid_with_points_cents=0,
            codes=(),
            lines_root=hash_lines(salt, lines),
            points=points,
        )
        self._sequence += 1
        hash_of_receipt = receipt_hash(receipt, salt)
        signature = Signature(self._till_signature(receipt_signing_hash(assignment.facts.chain_id, hash_of_receipt)))
        signed = encode_receipt(SignedReceipt(receipt, salt, signature))
        return hash_of_receipt, points, (receipt.sequence, member, period, signed, pack(lines))

    def _seal(
        self, period: int, items: dict[HouseholdId, list[ReceiptItem]], *, is_last: bool
    ) -> tuple[dict[HouseholdId, Points], list[SealedEntry], list[Opening]]:
        """One entry a household that bought, and some without a receipt; in the last week nothing is carried on."""
        if is_last:
            waiting = [household for household, carried in self._carried.items() if carried != NOTHING_CARRIED]
        else:
            waiting = choose_covers(self._carried, items, self._random)
        items = {household: [] for household in waiting} | items
        credited: dict[HouseholdId, Points] = {}
        entries: list[SealedEntry] = []
        openings: list[Opening] = []
        for household in sorted(items):
            member = open_household(household, self._assignment.program).address
            entry, opening = seal_entry(
                member,
                period,
                sorted(items[household]),
                before=self._carried[household],
                remainder_max=REMAINDER_MAX,
                is_last=is_last,
                random=self._random,
            )
            self._carried[household] = opening.after
            credited[household] = entry.points
            entries.append(entry)
            openings.append(opening)
        return credited, entries, openings

    def _sign_batches(self, height: Height, entries: Sequence[SealedEntry]) -> tuple[Signed, ...]:
        program = self._assignment.program
        batches: list[Signed] = []
        for start in range(0, len(entries), BATCH_ENTRIES):
            part = tuple(sorted(entries[start : start + BATCH_ENTRIES], key=lambda entry: entry.member))
            raw = build(
                self._assignment.facts,
                "earn",
                Earn(program, part),
                open_brand().settlement,
                valid_from=height,
                payment=Sponsored(program),
                salt=make_salt("earn", height, start),
            )
            batches.append(Signed(height, BRAND, open_brand().settlement.address, raw))
        return tuple(batches)

    def _sign_redemptions(self, index: int) -> tuple[Signed, ...]:
        """The coupons of a week. Whether the points suffice is for the node to say."""
        assignment = self._assignment
        program, reward = assignment.program, assignment.reward
        found: list[Signed] = []
        for number, redemption in self._redemptions_of(index):
            height = assignment.plan.height_of_act(redemption.time)
            fan = open_household(redemption.household_id, program)
            raw = build(
                assignment.facts,
                "redeem",
                Redeem(program, reward, 1, COUPON_PRICE),
                fan,
                valid_from=height,
                payment=Sponsored(program),
                salt=make_salt("redeem", number),
            )
            found.append(Signed(height, redemption.household_id, fan.address, raw))
        return tuple(found)

    def _redemptions_of(self, index: int) -> list[tuple[int, Redemption]]:
        """The redemptions of a week with their numbers; those before the first or after the last week belong to these."""
        periods = self.overview.periods
        first = 0 if index == 0 else periods[index]
        after = periods[index + 1] if index + 1 < len(periods) else 2**63
        return [
            (number, redemption)
            for number, redemption in enumerate(self._journey.redemptions)
            if first <= PERIODS.period_of(redemption.time) < after
        ]


_office: Office | None = None
"""The one office of a worker process."""


def _start_worker() -> None:
    """Ctrl-C is for the driver, which ends its worker in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _open_office(purchases: Purchases) -> Overview:
    global _office
    _office = Office(purchases)
    return _office.overview


def _opened() -> Office:
    assert _office is not None, "an office is opened first"
    return _office


def _begin(assignment: Assignment) -> None:
    _opened().begin(assignment)


def _prepare_week(index: int) -> Week:
    return _opened().prepare_week(index)


def _close_office() -> None:
    if _office is not None:
        _office.close()


class OfficeProcess:
    """An office in a process of its own, which works ahead."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker)

    def open(self, purchases: Purchases) -> Overview:
        """Load the purchases."""
        return self._pool.submit(_open_office, purchases).result()

    def begin(self, assignment: Assignment) -> None:
        """Open the till."""
        self._pool.submit(_begin, assignment).result()

    def order_week(self, index: int) -> "Future[Week]":
        """Ask for a week's transactions."""
        return self._pool.submit(_prepare_week, index)

    def close(self) -> None:
        """Close the receipts file and end the process."""
        self._pool.submit(_close_office)
        self._pool.shutdown(wait=True)
