"""`earn.answer_contest`: the issuer shows in which entry a contested receipt was settled (spec LOY-16).

It opens the entry: the receipt's path with sums, R, the previous K and K. Whatever does not lead to the entry that the chain
recorded, or does not satisfy points = sum + previous remainder - remainder, is no answer, and the contest stays open.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.codec import pack_shaped
from ledger.domains.loyalty.contests import decide, is_over
from ledger.domains.loyalty.earn import CREDITED
from ledger.domains.loyalty.issuance import room_for_contests
from ledger.domains.loyalty.periods import period_at
from ledger.domains.loyalty.receipts import SumNode, climb, seal_remainder, seal_sum, sum_leaf
from ledger.domains.loyalty.returns import (
    RETURN_RECEIPT,
    USED,
    FanConsent,
    ReturnReceipt,
    attest_return,
    check_return,
    count_return,
    points_left,
)
from ledger.domains.loyalty.state import (
    OPEN,
    POINTS,
    RETURNED,
    SCOPE_SETTLE,
    SETTLED_IN_TIME,
    SETTLED_LATE,
    SETTLED_SHORT,
    Batch,
    Contest,
    Program,
    batch_key,
    contest_key,
    load_member,
    load_program,
    load_terms,
    require_grant,
)
from ledger.errors import Code, Malformed, RuleViolation
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.params import ENTRY_PATH_MAX, SUM_PATH_MAX
from ledger.schema import Integer, ListOf, Octets, OneOf, OptionalIdentifier, Row, Struct, identifier
from ledger.state import RuleView
from ledger.types import INTEGER_MAX, Address, ChainId, ContestId, Day, Hash, Points, RecordKey, Signature

NO_CONTEST = Code("contest.unknown", "there is no contest {contest}", "Check its id; `brand contests list` shows them.")
CLOSED = Code("contest.closed", "this contest is decided, or its time to answer has passed", "Nothing can be done.")
NO_BATCH = Code(
    "contest.no_batch", "the program has no such batch of entries", "Name the batch that settled the receipt."
)
NOT_IN_ENTRY = Code(
    "contest.not_in_entry", "the path does not lead from the receipt to a sum", "Take the path of this very receipt."
)
NOT_IN_BATCH = Code(
    "contest.not_in_batch",
    "the batch holds no credited entry of this member that opens like this",
    "Show the entry as it was settled; one that was skipped settles nothing.",
)
BAD_REMAINDER = Code(
    "contest.remainder",
    "the entry carries {remainder} points on, and may carry {maximum}",
    "Settle what was held back; it then counts as late.",
)
NO_EQUATION = Code(
    "contest.equation",
    "the entry gave {points} points, and its sum and remainders make {due}",
    "Settle what is missing; it then counts as late.",
)
BAD_OPENING = Code(
    "contest.opening", "a remainder without a salt is 0", "Give the salt of the commitment, or 0 where K is empty."
)


OTHER_RETURN = Code(
    "contest.other_return",
    "the return is not of the contested receipt, or was not made after the purchase and within its return window",
    "Show the return of this very receipt.",
)
BAD_PLACE = Code(
    "contest.place", "a return stands in no batch", "Leave batch (all zeros), index (0) and path (empty) out."
)

NO_PLACE = Hash(bytes(32))
"""The batch of an answer that shows a return."""


@dataclass(frozen=True, slots=True)
class OpenedRemainder:
    """What opens a K: its salt and the points carried; no salt and 0 for an empty K."""

    salt: Annotated[Hash, OptionalIdentifier()]
    points: Annotated[Points, POINTS]

    def commitment(self) -> Hash:
        """The K that this opens."""
        return seal_remainder(self.salt, self.points) if self.salt else Hash(b"")


@dataclass(frozen=True, slots=True)
class SealedAnswer:
    """A sealed entry opened: where the receipt stands in its sum tree and with how many points, R, the previous K and K."""

    tag: ClassVar[int] = 0
    period: Annotated[int, Integer(0, 2**31 - 1)]
    points: Annotated[Points, POINTS]
    receipt_points: Annotated[Points, POINTS]
    position: Annotated[int, Integer(0, INTEGER_MAX)]
    receipts: Annotated[int, Integer(1, INTEGER_MAX)]
    sums: Annotated[tuple[tuple[Hash, int], ...], ListOf(Row(identifier(), Integer(0, INTEGER_MAX)), 0, SUM_PATH_MAX)]
    salt: Annotated[Hash, identifier()]
    before: Annotated[OpenedRemainder, Struct(OpenedRemainder)]
    after: Annotated[OpenedRemainder, Struct(OpenedRemainder)]


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """An open entry of the receipt itself: the points that it gave, and the member's K at the time."""

    tag: ClassVar[int] = 1
    period: Annotated[int, Integer(0, 2**31 - 1)]
    points: Annotated[Points, POINTS]
    remainder: Annotated[Hash, OptionalIdentifier()]


@dataclass(frozen=True, slots=True)
class ReturnAnswer:
    """The purchase was returned: the return receipt with the signatures of till and fan. It stands in no batch."""

    tag: ClassVar[int] = 2
    returned: Annotated[ReturnReceipt, RETURN_RECEIPT]
    signature: Annotated[Signature, Octets(64, 64)]
    consent: Annotated[FanConsent, Struct(FanConsent)]


@dataclass(frozen=True, slots=True)
class EarnAnswerContest:
    """The entry number `index` of a batch, with its path, opened as far as the contest needs; or a return."""

    contest: Annotated[ContestId, identifier()]
    batch: Annotated[Hash, identifier()]
    index: Annotated[int, Integer(0, INTEGER_MAX)]
    path: Annotated[tuple[Hash, ...], ListOf(identifier(), 0, ENTRY_PATH_MAX)]
    entry: Annotated[SealedAnswer | OpenAnswer | ReturnAnswer, OneOf(SealedAnswer, OpenAnswer, ReturnAnswer)]


def check(payload: EarnAnswerContest) -> None:
    """A remainder that nothing seals is 0; a return names no batch, and its counter-signature is one of the fan's policy."""
    if isinstance(payload.entry, SealedAnswer):
        for opened in (payload.entry.before, payload.entry.after):
            if opened.points and not opened.salt:
                raise Malformed(BAD_OPENING)
    elif isinstance(payload.entry, ReturnAnswer):
        if (payload.batch, payload.index, payload.path) != (NO_PLACE, 0, ()):
            raise Malformed(BAD_PLACE)
        payload.entry.consent.check()


def attestations(author: Address, payload: EarnAnswerContest, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Of a return: till and fan signed exactly this one for this chain; else `witness.attestation`."""
    entry = payload.entry
    if not isinstance(entry, ReturnAnswer):
        return ()
    return attest_return(entry.returned, entry.signature, entry.consent, chain_id)


def apply(view: RuleView, call: Call, payload: EarnAnswerContest, context: Context) -> tuple[str, ...]:
    """Codes in order: `contest.unknown`, `contest.closed`, `issuer.not_granted`, `issuer.no_scope`; for an entry
    `contest.no_batch`, for a sealed one `contest.not_in_entry`, then `contest.not_in_batch`, for a sealed one `contest.remainder`,
    `contest.equation`; for a return `contest.other_return`, `return.wrong_policy`, `return.future`, `return.too_late`,
    `return.not_a_till`, `return.used`, `coin.insufficient` or `coin.pool_insufficient`.

    The program's owner needs no grant.
    """
    contest: Contest | None = view.get(contest_key(payload.contest))
    if contest is None:
        raise RuleViolation(NO_CONTEST, contest=payload.contest)
    if contest.outcome != OPEN or is_over(contest, context):
        raise RuleViolation(CLOSED)
    program = load_program(view, contest.program)
    if call.author != program.owner:
        require_grant(view, contest.program, call.author, SCOPE_SETTLE)
    if isinstance(payload.entry, ReturnAnswer):
        given = _check_returned(view, call, payload.entry, contest, program, context)
        full = RETURNED
    else:
        given, full = _check_settled(view, payload, contest)
    outcome = SETTLED_SHORT if given < contest.points else full
    room = room_for_contests(view, contest.program)
    credited = Points(min(max(contest.points - given, 0), room))
    decide(view, payload.contest, contest, outcome, credited, context)
    return (APPLIED,)


def _check_returned(
    view: RuleView, call: Call, entry: ReturnAnswer, contest: Contest, program: Program, context: Context
) -> Points:
    """The points of a return of the contested receipt that have not counted yet: now they do."""
    returned = entry.returned
    named = (returned.program, returned.member, returned.receipt)
    terms = load_terms(view, contest.program, program.version_at(contest.time))
    last = Day(period_at(program, terms, contest.time).end_day + terms.return_window_days)
    in_window = contest.time <= returned.time < program.day_start(Day(last + 1))
    if named != (contest.program, contest.member, contest.receipt) or not in_window:
        raise RuleViolation(OTHER_RETURN)
    check_return(view, returned, entry.consent, context)
    left = points_left(view, returned)
    if not left:
        raise RuleViolation(USED, left=left, wanted=contest.points)
    count_return(view, call, returned, left, context)
    return left


def _check_settled(view: RuleView, payload: EarnAnswerContest, contest: Contest) -> tuple[Points, int]:
    """The points that the entry counts for the contested receipt, and what the outcome is if they are enough."""
    batch: Batch | None = view.get(batch_key(payload.batch))
    if batch is None or batch.program != contest.program:
        raise RuleViolation(NO_BATCH)
    entry = payload.entry
    if isinstance(entry, SealedAnswer):
        given = _check_sealed(view, payload, entry, contest, batch)
    else:
        assert isinstance(entry, OpenAnswer), "a return stands in no batch"
        held = entry.remainder
        row = (1, contest.member, entry.period, entry.points, contest.receipt, held, held)
        _check_in_batch(payload, batch, row)
        given = entry.points
    return given, SETTLED_IN_TIME if batch.settled_at <= contest.settle_by else SETTLED_LATE


def _check_sealed(
    view: RuleView, payload: EarnAnswerContest, entry: SealedAnswer, contest: Contest, batch: Batch
) -> Points:
    """The points that the sealed entry counts for the contested receipt (spec RCP-5 to RCP-7)."""
    leaf = sum_leaf(contest.receipt, entry.receipt_points)
    siblings = [SumNode(found, points) for found, points in entry.sums]
    node = climb(leaf, entry.position, entry.receipts, siblings)
    if node is None:
        raise RuleViolation(NOT_IN_ENTRY)
    sealed, before, after = seal_sum(entry.salt, node), entry.before.commitment(), entry.after.commitment()
    row = (0, contest.member, entry.period, entry.points, sealed, after, before)
    _check_in_batch(payload, batch, row)
    maximum = _remainder_max(view, contest, batch)
    if entry.after.points > maximum:
        raise RuleViolation(BAD_REMAINDER, remainder=entry.after.points, maximum=maximum)
    due = node.points + entry.before.points - entry.after.points
    if entry.points != due:
        raise RuleViolation(NO_EQUATION, points=entry.points, due=due)
    return entry.receipt_points


def _check_in_batch(payload: EarnAnswerContest, batch: Batch, row: tuple[int | bytes, ...]) -> None:
    """With the code of a credited entry the row is a leaf of the batch: one that was skipped rebuts nothing."""
    leaves = [leaf_hash(pack_shaped((*row, code))) for code in sorted(CREDITED)]
    if not any(verify_inclusion(batch.entries_root, leaf, payload.index, batch.count, payload.path) for leaf in leaves):
        raise RuleViolation(NOT_IN_BATCH)


def _remainder_max(view: RuleView, contest: Contest, batch: Batch) -> int:
    """What the entry might carry on: what the terms in force when it was settled allow, nothing once the member had left, or the
    program had ended.
    """
    left_at = load_member(view, contest.program, contest.member).left_at
    if left_at and left_at <= batch.settled_at:
        return 0
    program = load_program(view, contest.program)
    if program.has_ended(batch.settled_at):
        return 0
    return load_terms(view, contest.program, program.version_at(batch.settled_at)).remainder_max


def cost(payload: EarnAnswerContest) -> Cost:
    """Contest, books, grant, member and payer change; two days may be made, and for a return its record with its due item."""
    if isinstance(payload.entry, ReturnAnswer):
        return Cost(records=7, slots=3, due=3, signatures=1 + len(payload.entry.consent.signatures))
    return Cost(records=6, slots=2, due=2)


def reads(author: Address, payload: EarnAnswerContest) -> tuple[RecordKey, ...]:
    """The contest and the batch."""
    return (contest_key(payload.contest), batch_key(payload.batch))


EARN_ANSWER_CONTEST = Kind(
    name="earn.answer_contest",
    anchor="LOY-16",
    payload=Struct(EarnAnswerContest),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
)
