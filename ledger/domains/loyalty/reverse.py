"""`reverse`: a purchase was returned; points that an entry gave are taken back, with the fan's signature (spec LOY-19).

Nothing else takes points from a fan. They come out of the lot that the entry made, or of what is pending; out of other lots only
where the fan agreed to that at joining. What is no longer there is not taken. What is taken counts
towards no tier.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.codec import pack_shaped
from ledger.domains.loyalty.earn import ENTRY_REDUCED, PeriodDates, period_dates
from ledger.domains.loyalty.events import PointsReversed
from ledger.domains.loyalty.points import PointsBook
from ledger.domains.loyalty.referral import reverse_referral
from ledger.domains.loyalty.returns import (
    RETURN_RECEIPT,
    FanConsent,
    ReturnReceipt,
    attest_return,
    check_return,
    count_return,
    return_id_of,
    return_key,
)
from ledger.domains.loyalty.shapes import LOT_POINTS
from ledger.domains.loyalty.state import (
    POINTS,
    SCOPE_SETTLE,
    Batch,
    Lot,
    batch_key,
    load_member,
    load_program,
    member_key,
    program_key,
    require_grant,
)
from ledger.domains.loyalty.tiers import Earned, take_off_tiers
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.params import ENTRY_PATH_MAX
from ledger.schema import Integer, ListOf, Octets, OneOf, OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, ChainId, Hash, Points, RecordKey, Signature

NO_BATCH = Code(
    "reverse.no_batch",
    "the return's program has no such batch of entries, or it is too old",
    "Name the batch that settled the receipt; after the last deadline nothing of it can be taken back.",
)
NOT_IN_BATCH = Code(
    "reverse.not_in_batch",
    "the batch holds no credited entry of this member that reads like this",
    "Show the entry as it was settled; one that was skipped gave nothing.",
)
OUTSIDE_WINDOW = Code(
    "reverse.outside_window",
    "the entry's purchases can be returned from {first:time} until before {end:time}, and this return is of {time:time}",
    "Nothing can be taken back: the return window that the terms promise is over, or the return is of another purchase.",
)
ABOVE_ENTRY = Code(
    "reverse.above_entry",
    "of the {given} points that the entry gave {left} are left to reverse, and {wanted} are asked for",
    "Reverse no more than the entry gave; what was carried on came with a later entry.",
)
GONE = Code(
    "reverse.points_gone",
    "{available} of the member's points may be taken for this return, and {wanted} are asked for",
    "Take what is there; beyond it, points that were spent stay spent.",
)


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """A sealed entry as the batch's root holds it: its points, R, K and the K before it. Nothing of it is opened."""

    tag: ClassVar[int] = 0
    period: Annotated[int, Integer(0, 2**31 - 1)]
    points: Annotated[Points, POINTS]
    receipts: Annotated[Hash, identifier()]
    remainder: Annotated[Hash, OptionalIdentifier()]
    before: Annotated[Hash, OptionalIdentifier()]


@dataclass(frozen=True, slots=True)
class OpenPlace:
    """An open entry of the returned receipt itself, and the member's K at the time."""

    tag: ClassVar[int] = 1
    period: Annotated[int, Integer(0, 2**31 - 1)]
    points: Annotated[Points, POINTS]
    remainder: Annotated[Hash, OptionalIdentifier()]


@dataclass(frozen=True, slots=True)
class Reverse:
    """Take `points` back of entry number `index` of a batch, by a return receipt that till and fan signed."""

    batch: Annotated[Hash, identifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    path: Annotated[tuple[Hash, ...], ListOf(identifier(), 0, ENTRY_PATH_MAX)]
    place: Annotated[SealedPlace | OpenPlace, OneOf(SealedPlace, OpenPlace)]
    points: Annotated[Points, LOT_POINTS]
    returned: Annotated[ReturnReceipt, RETURN_RECEIPT]
    signature: Annotated[Signature, Octets(64, 64)]
    consent: Annotated[FanConsent, Struct(FanConsent)]


def check(payload: Reverse) -> None:
    """The fan's counter-signature is one of its policy."""
    payload.consent.check()


def attestations(author: Address, payload: Reverse, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Till and fan signed exactly this return for this chain; else `witness.attestation`."""
    return attest_return(payload.returned, payload.signature, payload.consent, chain_id)


def apply(view: RuleView, call: Call, payload: Reverse, context: Context) -> tuple[str, ...]:
    """Codes in order: `reverse.no_batch`, `issuer.not_granted`, `issuer.no_scope`, `reverse.not_in_batch`,
    `return.wrong_policy`, `return.future`, `return.too_late`, `return.not_a_till`, `reverse.outside_window`,
    `reverse.above_entry`, `return.used`, `coin.insufficient` or `coin.pool_insufficient`, `reverse.points_gone`.

    The program's owner needs no grant.
    """
    returned = payload.returned
    batch: Batch | None = view.get(batch_key(payload.batch))
    if batch is None or batch.program != returned.program:
        raise RuleViolation(NO_BATCH)
    program = load_program(view, batch.program)
    if call.author != program.owner:
        require_grant(view, batch.program, call.author, SCOPE_SETTLE)
    reduced = dict(batch.reduced).get(payload.index)
    code = APPLIED if reduced is None else ENTRY_REDUCED.name
    if not verify_inclusion(batch.entries_root, _leaf(payload, code), payload.index, batch.count, payload.path):
        raise RuleViolation(NOT_IN_BATCH)
    check_return(view, returned, payload.consent, context)
    dates = period_dates(view, batch.program, program, payload.place.period, batch.settled_at)
    _check_window(payload, dates)
    view.put(
        batch_key(payload.batch), _with_reversed(batch, payload, payload.place.points if reduced is None else reduced)
    )
    count_return(view, call, returned, payload.points, context)
    member = load_member(view, batch.program, returned.member)
    book = PointsBook.open(view, batch.program, program, context)
    cited = (dates.version, dates.activation_day)
    lots = take_back(book, member.lots, payload.points, cited, from_all=member.gives_back_from_all)
    book.save()
    history = take_off_tiers(
        member.tier_history, Earned(batch.program, returned.member, dates.terms, dates.base, payload.points)
    )
    earned = Points(member.earned - payload.points)
    left = replace(member, lots=lots, tier_history=history, earned=earned)
    view.put(member_key(batch.program, returned.member), left)
    reverse_referral(view, batch.program, returned.member, payload.batch, payload.index, payload.points)
    view.emit(
        PointsReversed(
            program=batch.program,
            member=returned.member,
            returned=return_id_of(returned),
            receipt=returned.receipt,
            batch=payload.batch,
            index=payload.index,
            points=payload.points,
        )
    )
    return (APPLIED,)


def _leaf(payload: Reverse, code: str) -> Hash:
    """The leaf of LOY-12 that the cited entry has if it was credited to who returns."""
    place, member = payload.place, payload.returned.member
    if isinstance(place, SealedPlace):
        row = (0, member, place.period, place.points, place.receipts, place.remainder, place.before, code)
    else:
        receipt = payload.returned.receipt
        row = (1, member, place.period, place.points, receipt, place.remainder, place.remainder, code)
    return leaf_hash(pack_shaped(row))


def _check_window(payload: Reverse, dates: PeriodDates) -> None:
    """The return came after the period began, and within the window of the terms that the entry was settled under."""
    time, end = payload.returned.time, dates.returnable_until
    if not dates.begins <= time < end:
        raise RuleViolation(OUTSIDE_WINDOW, first=dates.begins, end=end, time=time)


def _with_reversed(batch: Batch, payload: Reverse, given: int) -> Batch:
    """The batch with so much more reversed of the entry, which is at most what the entry gave."""
    found = dict(batch.reversed)
    earlier = found.get(payload.index, 0)
    left = given - earlier
    if payload.points > left:
        raise RuleViolation(ABOVE_ENTRY, given=given, left=left, wanted=payload.points)
    found[payload.index] = earlier + payload.points
    return replace(batch, reversed=tuple(sorted(found.items())))


def take_back(
    book: PointsBook, lots: tuple[Lot, ...], points: Points, cited: tuple[int, int], *, from_all: bool
) -> tuple[Lot, ...]:
    """The lots without `points`: of those with the cited version and activation day first, then of pending ones, then, where
    allowed, of usable ones.

    Each in the order of the lots. Expired lots go. Raises `reverse.points_gone`.
    """
    living = [lot for lot in lots if lot[2] > book.today]
    ranks = [0 if lot[:2] == cited else 1 if lot[1] > book.today else 2 for lot in living]
    allowed = (0, 1, 2) if from_all else (0, 1)
    available = sum(lot[3] for lot, rank in zip(living, ranks, strict=True) if rank in allowed)
    if available < points:
        raise RuleViolation(GONE, available=available, wanted=points)
    parts = [0] * len(living)
    wanted: int = points
    for rank in allowed:
        for place in _places(ranks, rank):
            parts[place] = min(living[place][3], wanted)
            wanted -= parts[place]
            if parts[place]:
                piece = (*living[place][:3], parts[place])
                book.book_out(piece)
                book.release((piece,))
    book.move("reversed", points)
    return tuple((*lot[:3], lot[3] - part) for lot, part in zip(living, parts, strict=True) if lot[3] > part)


def _places(ranks: Iterable[int], rank: int) -> list[int]:
    return [place for place, found in enumerate(ranks) if found == rank]


def cost(payload: Reverse) -> Cost:
    """Batch, books, member, days, referral and payer change; the return is made, with its due item; all signed by till and fan."""
    return Cost(records=8, slots=1, due=1, signatures=1 + len(payload.consent.signatures))


def reads(author: Address, payload: Reverse) -> tuple[RecordKey, ...]:
    """Batch, program, member and the return."""
    program = payload.returned.program
    return (
        batch_key(payload.batch),
        program_key(program),
        member_key(program, payload.returned.member),
        return_key(return_id_of(payload.returned)),
    )


REVERSE = Kind(
    name="reverse",
    anchor="LOY-19",
    payload=Struct(Reverse),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
)
