"""Receipts, the entries that settle them, contests of them, and answers: what tests of contests put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ledger.codec import pack
from ledger.domains.loyalty.contests import contest_id_of
from ledger.domains.loyalty.earn import SealedEntry
from ledger.domains.loyalty.earn_answer_contest import EarnAnswerContest, OpenedRemainder, SealedAnswer
from ledger.domains.loyalty.earn_contest import (
    OPENED_UNSETTLED,
    OPENED_WRONG_POINTS,
    EarnContest,
    Unsettled,
    WrongPoints,
)
from ledger.domains.loyalty.receipts import (
    Receipt,
    SignedReceipt,
    blind_fields,
    receipt_hash,
    seal_sum,
    sign_receipt,
    sum_leaf,
    sum_path,
    sum_root,
)
from ledger.domains.loyalty.state import Contest, Grant, contest_key, grant_key
from ledger.hashing import object_id
from ledger.merkle import inclusion_path, leaf_hash
from ledger.params import CONTEST_ANSWER_BLOCKS_MIN, CONTEST_ANSWER_SECONDS
from ledger.transaction import Payment, Prepaid
from ledger.types import ContestId, Day, Hash, Points, ReceiptHash, Timestamp
from tests.support.memory_chain import Signer
from tests.support.shop import FAN, OWNER, TILL, Shop, some_hash

NOTHING = OpenedRemainder(Hash(b""), Points(0))
"""An empty K."""
PREPAID = Prepaid()
GRACE_DAYS = 4
"""The day of the purchase, and the three days of grace of a shop that settles on demand."""


def carried(points: int) -> OpenedRemainder:
    """A sealed remainder."""
    return OpenedRemainder(some_hash("carried", points), Points(points))


def sign(
    shop: Shop, fan: Signer = FAN, *, till: Signer = TILL, sequence: int = 1, points: int | None = None, **changes: Any
) -> SignedReceipt:
    """A till's receipt of now over 50.00, worth 500 points by the shop's rule."""
    receipt = Receipt(
        version=1,
        program=shop.program,
        terms_version=1,
        member=fan.address,
        till=till.key,
        sequence=sequence,
        time=shop.now,
        net_cents=5_000,
        paid_with_points_cents=0,
        codes=(("bread", 2_000), ("milk", 3_000)),
        lines_root=some_hash("lines", sequence),
        points=Points(500 if points is None else points),
    )
    salt = some_hash("salt", sequence, till.key)
    return sign_receipt(replace(receipt, **changes), salt, shop.chain.chain_id, till.seeds[0])


def payload_of(signed: SignedReceipt, *, wrong_points: bool = False, **changes: Any) -> EarnContest:
    """The contest that opens a receipt."""
    receipt = signed.receipt
    claim = (
        WrongPoints(
            receipt.net_cents, receipt.paid_with_points_cents, receipt.codes, receipt.tier, receipt.previous_visit
        )
        if wrong_points
        else Unsettled()
    )
    payload = EarnContest(
        program=receipt.program,
        terms_version=receipt.terms_version,
        till=receipt.till,
        sequence=receipt.sequence,
        time=receipt.time,
        points=receipt.points,
        claim=claim,
        blinding=blind_fields(signed, OPENED_WRONG_POINTS if wrong_points else OPENED_UNSETTLED),
        signature=signed.signature,
    )
    return replace(payload, **changes)


def contest_id(signed: SignedReceipt) -> ContestId:
    """The id of the contest of a receipt."""
    return contest_id_of(signed.receipt.program, signed.receipt.till, signed.receipt.sequence)


def contest(
    shop: Shop, signed: SignedReceipt, *, fan: Signer = FAN, payment: Payment | None = PREPAID, **options: Any
) -> ContestId:
    """File a contest, paid for at joining unless told otherwise."""
    shop.chain.send("earn.contest", payload_of(signed, **options), author=fan, payment=payment)
    return contest_id(signed)


def contest_of(shop: Shop, which: ContestId) -> Contest:
    """A contest's record."""
    return shop.chain.record(contest_key(which))


def grant_of(shop: Shop, issuer: Signer = TILL) -> Grant:
    """An issuer's grant."""
    return shop.chain.record(grant_key(shop.program, issuer.address))


def pass_grace(shop: Shop, days: int = GRACE_DAYS) -> None:
    """Let the time to settle pass."""
    shop.pass_days(days)


def pass_answer(shop: Shop) -> None:
    """Let the time to answer pass, in days and in blocks, and what then falls due be done."""
    shop.chain.advance(seconds=CONTEST_ANSWER_SECONDS + 60, blocks=CONTEST_ANSWER_BLOCKS_MIN)
    shop.chain.mine()


@dataclass(frozen=True)
class Settled:
    """A sealed entry in its batch, with all that opens it. `leaves` are receipt hashes with the points they were given."""

    entry: SealedEntry
    leaves: tuple[tuple[ReceiptHash, int], ...]
    salt: Hash
    before: OpenedRemainder
    after: OpenedRemainder
    batch: Hash
    code: str
    index: int = 0
    path: tuple[Hash, ...] = ()

    def answer(self, signed: SignedReceipt, **changes: Any) -> EarnAnswerContest:
        """The answer that shows `signed` in this entry. `changes` spoil fields of the opened entry."""
        wanted = receipt_hash(signed.receipt, signed.salt)
        position = next(index for index, (found, _) in enumerate(self.leaves) if found == wanted)
        nodes = [sum_leaf(found, Points(points)) for found, points in self.leaves]
        answer = SealedAnswer(
            period=self.entry.period,
            points=self.entry.points,
            receipt_points=Points(self.leaves[position][1]),
            position=position,
            receipts=len(nodes),
            sums=tuple((Hash(node.hash), node.points) for node in sum_path(nodes, position)),
            salt=self.salt,
            before=self.before,
            after=self.after,
        )
        return EarnAnswerContest(contest_id(signed), self.batch, self.index, self.path, replace(answer, **changes))


def settle(
    shop: Shop,
    receipts: Sequence[SignedReceipt],
    *,
    before: OpenedRemainder = NOTHING,
    after: OpenedRemainder = NOTHING,
    points: int | None = None,
    given: dict[int, int] | None = None,
    fan: Signer = FAN,
    author: Signer = TILL,
    period: int | None = None,
) -> Settled:
    """Settle receipts of one member in one sealed entry. `given` replaces points in the sum tree by sequence number."""
    leaves = tuple(
        (
            receipt_hash(signed.receipt, signed.salt),
            (given or {}).get(signed.receipt.sequence, signed.receipt.points),
        )
        for signed in receipts
    )
    node = sum_root([sum_leaf(found, Points(points)) for found, points in leaves])
    salt = some_hash("R", len(shop.chain.mined))
    due = node.points + before.points - after.points
    entry = SealedEntry(
        member=fan.address,
        period=shop.today if period is None else period,
        points=Points(due if points is None else points),
        receipts=seal_sum(salt, node),
        remainder=after.commitment(),
    )
    (code,) = shop.settle(entry, author=author)
    batch = object_id("earn", shop.chain.last_txid, 0)
    return Settled(entry, leaves, salt, before, after, batch, code)


def answer(shop: Shop, settled: Settled, signed: SignedReceipt, *, author: Signer = OWNER, **changes: Any) -> None:
    """Answer a contest with the entry that settled the receipt."""
    shop.chain.send("earn.answer_contest", settled.answer(signed, **changes), author=author)


def place_in_batch(rows: Sequence[tuple[Any, ...]], index: int) -> tuple[Hash, ...]:
    """The path of a row of a batch (spec LOY-12)."""
    return inclusion_path([leaf_hash(pack(row)) for row in rows], index)


def settle_by(shop: Shop, time: Timestamp) -> Timestamp:
    """When a shop that settles on demand must have settled a purchase of `time`."""
    program = shop.terms_of_program
    return program.day_start(Day(program.day_at(time) + GRACE_DAYS))
