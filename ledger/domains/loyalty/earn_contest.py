"""`earn.contest`: a fan shows the chain a receipt that was not settled, or whose points are wrong (spec LOY-15).

What it opens is public for ever: of an unsettled receipt its till, number, time, terms version and points; of one with wrong
points also the sums and codes that the rule reads. Never the lines.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ledger.domains.loyalty.contests import (
    CONTEST_DUE,
    claimed_of_day,
    contest_id_of,
    pay_for_contest,
    with_claim,
)
from ledger.domains.loyalty.earning import better_points, versions_named_at
from ledger.domains.loyalty.events import ContestOpened
from ledger.domains.loyalty.periods import period_at, settle_by
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.receipts import MONEY, check_codes, opened_receipt_hash, receipt_signing_hash
from ledger.domains.loyalty.state import (
    OPEN,
    POINTS,
    SCOPE_TILL,
    TIME,
    Contest,
    Grant,
    Member,
    Program,
    books_key,
    contest_key,
    grant_key,
    load_books,
    load_member,
    load_program,
    load_terms,
    member_key,
    program_key,
)
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.params import (
    CONTEST_ANSWER_BLOCKS_MIN,
    CONTEST_ANSWER_SECONDS,
    CONTEST_KEEP_SECONDS,
    CONTEST_SECONDS,
    CONTEST_WEIGHT,
    TIERS_MAX,
)
from ledger.policy import address_of_key
from ledger.schema import Integer, ListOf, Octets, OneOf, Row, Struct, Text, identifier
from ledger.state import RuleView
from ledger.types import (
    INTEGER_MAX,
    Address,
    ChainId,
    Hash,
    Height,
    Points,
    ProgramId,
    PublicKey,
    ReceiptHash,
    RecordKey,
    Signature,
    Timestamp,
)

ALREADY = Code(
    "contest.already",
    "a contest of this till's receipt {sequence} exists",
    "Look at it: each number is contested once.",
)
FUTURE = Code("contest.future", "the receipt's time, {time:time}, has not come", "Wait; the till's clock was wrong.")
TOO_EARLY = Code(
    "contest.too_early",
    "the shop has until {settle_by:time} to settle this receipt",
    "Contest it after that, if need be.",
)
TOO_LATE = Code(
    "contest.too_late",
    "this receipt could be contested until {until:time}",
    "Show the receipt to the shop; the chain forgot it.",
)
NOT_A_TILL = Code(
    "contest.not_a_till",
    "the key that signed the receipt was no till of the program at its time",
    "Show the receipt to the shop: it is not worth anything by itself.",
)
WRONG_VERSION = Code(
    "contest.wrong_version",
    "the receipt names terms {version}, which were not in force at its time nor 72 hours before",
    "Show the receipt to the shop; a wallet refuses such a receipt at the till.",
)
BEFORE_JOINING = Code("contest.before_joining", "the purchase's period ended before you joined", "It earns nothing.")
AFTER_LEAVING = Code("contest.after_leaving", "you left before the purchase's period began", "It earns nothing.")
NOTHING_OWED = Code(
    "contest.nothing_owed", "by the rule the receipt gives {points:point}, and it promises them", "Nothing is wrong."
)
TILL_CAP = Code(
    "contest.till_cap",
    "its {owed} points and the {claimed} that contests of this till's receipts of that day claim are above its cap, {cap}",
    "Ask the shop to settle it: above the cap no contest credits it. If others claim the most, try again when they were answered.",
)
RESERVE_EMPTY = Code(
    "contest.reserve_empty",
    "the program has {left:point} left for contests",
    "Try again when other contests were answered; the books show this to everybody.",
)

RECEIPT_FIELDS = 15
CLAIM_UNSETTLED = 0
CLAIM_WRONG_POINTS = 1
OPENED_UNSETTLED = (1, 2, 3, 4, 5, 6, 11)
"""Fields of RCP-1 that every contest opens: program, terms version, member, till, sequence, time, points."""
OPENED_WRONG_POINTS = (*OPENED_UNSETTLED[:-1], 7, 8, 9, 11, 12, 13)
"""And the rule's inputs: net, part paid with points, codes, tier, previous visit."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The receipt's points are right, and no entry holds them."""

    tag: ClassVar[int] = CLAIM_UNSETTLED


@dataclass(frozen=True, slots=True)
class WrongPoints:
    """The receipt promises fewer points than the rule gives: the rule's inputs, as the receipt has them."""

    tag: ClassVar[int] = CLAIM_WRONG_POINTS
    net_cents: Annotated[int, MONEY]
    paid_with_points_cents: Annotated[int, Integer(0, 2**53)]
    codes: Annotated[tuple[tuple[str, int], ...], ListOf(Row(Text(1, 32), MONEY), 0, 64)]
    tier: Annotated[int, Integer(0, TIERS_MAX)] = 0
    previous_visit: Annotated[int, TIME] = 0


@dataclass(frozen=True, slots=True)
class EarnContest:
    """A receipt of the author's, opened as far as needed, with the till's signature.

    `blinding` has one hash for each field of a receipt: the salt of an opened one, the leaf hash of another (spec RCP-8).
    """

    program: Annotated[ProgramId, identifier()]
    terms_version: Annotated[int, Integer(1, 2**31 - 1)]
    till: Annotated[PublicKey, Octets(32, 32)]
    sequence: Annotated[int, Integer(0, INTEGER_MAX)]
    time: Annotated[Timestamp, TIME]
    points: Annotated[Points, POINTS]
    claim: Annotated[Unsettled | WrongPoints, OneOf(Unsettled, WrongPoints)]
    blinding: Annotated[tuple[Hash, ...], ListOf(identifier(), RECEIPT_FIELDS, RECEIPT_FIELDS)]
    signature: Annotated[Signature, Octets(64, 64)]

    def receipt_hash(self, member: Address) -> ReceiptHash:
        """The hash of the receipt that is opened, if it is `member`'s."""
        opened: dict[int, Any] = {
            1: self.program,
            2: self.terms_version,
            3: member,
            4: self.till,
            5: self.sequence,
            6: self.time,
            11: self.points,
        }
        if isinstance(self.claim, WrongPoints):
            opened |= {7: self.claim.net_cents, 8: self.claim.paid_with_points_cents, 9: self.claim.codes}
            opened |= {12: self.claim.tier, 13: self.claim.previous_visit}
        return opened_receipt_hash(opened, self.blinding)


def check(payload: EarnContest) -> None:
    """Codes that do not ascend are malformed, as in a receipt."""
    if isinstance(payload.claim, WrongPoints):
        check_codes(payload.claim.codes)


def attestations(author: Address, payload: EarnContest, chain_id: ChainId) -> tuple[Attestation, ...]:
    """The till signed exactly this receipt, for the author and for this chain; else `witness.attestation`."""
    message = receipt_signing_hash(chain_id, payload.receipt_hash(author))
    return ((payload.till, message, payload.signature),)


def apply(view: RuleView, call: Call, payload: EarnContest, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `member.unknown`, `contest.already`, `contest.future`, `contest.too_early`,
    `contest.too_late`, `contest.not_a_till`, `contest.wrong_version`, `contest.before_joining`, `contest.after_leaving`,
    `contest.nothing_owed`, `contest.till_cap`, `contest.reserve_empty`; then of the payment `contest.none_prepaid` and
    `contest.period_limit`, or `coin.insufficient` or `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    member = load_member(view, payload.program, call.author)
    contest_id = contest_id_of(payload.program, payload.till, payload.sequence)
    if view.get(contest_key(contest_id)) is not None:
        raise RuleViolation(ALREADY, sequence=payload.sequence)
    due = _check_window(view, payload, program, context)
    cap = _check_till(view, payload)
    if payload.terms_version not in versions_named_at(program, payload.time):
        raise RuleViolation(WRONG_VERSION, version=payload.terms_version)
    _check_membership(view, payload, program, member)
    owed = _points_owed(view, payload, program, member)
    _claim(view, payload, program, owed, cap, context)
    deposit, repaid = pay_for_contest(view, call, payload.program, member, context)
    contest = Contest(
        payer=call.payer,
        deposit=deposit,
        repaid=repaid,
        program=payload.program,
        member=call.author,
        till=address_of_key(payload.till),
        sequence=payload.sequence,
        receipt=payload.receipt_hash(call.author),
        claim=payload.claim.tag,
        time=payload.time,
        points=owed,
        settle_by=due,
        opened_at=context.time,
        answer_by=Timestamp(context.time + CONTEST_ANSWER_SECONDS),
        answer_height=Height(context.height + CONTEST_ANSWER_BLOCKS_MIN),
        keep_until=Timestamp(due + CONTEST_KEEP_SECONDS),
        outcome=OPEN,
        credited=Points(0),
    )
    view.put(contest_key(contest_id), contest)
    schedule(view, kind=CONTEST_DUE, subject=contest_id, number=0, due=contest.answer_by)
    view.emit(
        ContestOpened(
            program=payload.program,
            member=call.author,
            contest=contest_id,
            till=contest.till,
            sequence=payload.sequence,
            claim=payload.claim.tag,
            points=owed,
            answer_by=contest.answer_by,
        )
    )
    return (APPLIED,)


def _check_window(view: RuleView, payload: EarnContest, program: Program, context: Context) -> Timestamp:
    """When the receipt had to be settled, if it may be contested now."""
    if payload.time > context.time:
        raise RuleViolation(FUTURE, time=payload.time)
    terms = load_terms(view, payload.program, program.version_at(payload.time))
    due = settle_by(program, terms, payload.time)
    if context.time < due:
        raise RuleViolation(TOO_EARLY, settle_by=due)
    if context.time > due + CONTEST_SECONDS:
        raise RuleViolation(TOO_LATE, until=due + CONTEST_SECONDS)
    return due


def _check_till(view: RuleView, payload: EarnContest) -> int:
    """The daily cap that the till had when it signed: its receipts count between grant and revocation."""
    grant: Grant | None = view.get(grant_key(payload.program, address_of_key(payload.till)))
    span = None if grant is None else grant.span_at(payload.time)
    if span is None or not span[2] & SCOPE_TILL:
        raise RuleViolation(NOT_A_TILL)
    return span[3]


def _check_membership(view: RuleView, payload: EarnContest, program: Program, member: Member) -> None:
    """As for an entry: what came before joining or after leaving earns nothing."""
    terms = load_terms(view, payload.program, program.version_at(payload.time))
    period = period_at(program, terms, payload.time)
    if period.ends <= member.joined_at:
        raise RuleViolation(BEFORE_JOINING)
    if member.left_at and period.begins > member.left_at:
        raise RuleViolation(AFTER_LEAVING)


def _points_owed(view: RuleView, payload: EarnContest, program: Program, member: Member) -> Points:
    """What the receipt is worth: its points, or, if they are said to be wrong, what the rule gives."""
    owed = payload.points
    if isinstance(payload.claim, WrongPoints):
        claim = payload.claim
        purchase = Purchase(
            payload.time, claim.net_cents, claim.paid_with_points_cents, claim.codes, claim.tier, claim.previous_visit
        )
        owed = better_points(
            view, payload.program, program, member, terms_version=payload.terms_version, purchase=purchase
        )
        if owed <= payload.points:
            raise RuleViolation(NOTHING_OWED, points=owed)
    if not owed:
        raise RuleViolation(NOTHING_OWED, points=owed)
    return owed


def _claim(view: RuleView, payload: EarnContest, program: Program, owed: Points, cap: int, context: Context) -> None:
    """Set the points aside, so that a contest that was taken can be paid: of the till's day, and of the program's reserve."""
    key = grant_key(payload.program, address_of_key(payload.till))
    grant: Grant = view.get(key)
    day, today = program.day_at(payload.time), program.day_at(context.time)
    claimed = claimed_of_day(grant, day)
    if claimed + owed > cap:
        raise RuleViolation(TILL_CAP, owed=owed, claimed=claimed, cap=cap)
    books = load_books(view, payload.program)
    if owed > books.contest_points:
        raise RuleViolation(RESERVE_EMPTY, left=books.contest_points)
    view.put(key, with_claim(grant, day, owed, today))
    promised = replace(books, contest_points=Points(books.contest_points - owed), contests_open=books.contests_open + 1)
    view.put(books_key(payload.program), promised)


def cost(payload: EarnContest) -> Cost:
    """Books, grant, member and payer change; contest and due item are made; its end may make two days and queue itself again."""
    return Cost(records=5, slots=4, due=4, signatures=1)


def reads(author: Address, payload: EarnContest) -> tuple[RecordKey, ...]:
    """Program, books, member, the till's grant, and the contest that must not be there yet."""
    return (
        program_key(payload.program),
        books_key(payload.program),
        member_key(payload.program, author),
        grant_key(payload.program, address_of_key(payload.till)),
        contest_key(contest_id_of(payload.program, payload.till, payload.sequence)),
    )


EARN_CONTEST = Kind(
    name="earn.contest",
    anchor="LOY-15",
    payload=Struct(EarnContest),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
    attestations=attestations,
    prepaid_weight=CONTEST_WEIGHT,
)
