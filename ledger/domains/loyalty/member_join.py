"""`member.join`: a fan joins a program, from a till's QR code or alone (spec LOY-7)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.coin import lock_deposit, prepay_exit
from ledger.domains.loyalty.contests import prepay_contests
from ledger.domains.loyalty.events import NO_VOUCHER, NOBODY, MemberJoined
from ledger.domains.loyalty.join_vouchers import (
    SHOWN_VOUCHER,
    ShownVoucher,
    attest_voucher,
    check_voucher,
    use_voucher,
    used_voucher_key,
)
from ledger.domains.loyalty.program_sunset import refuse_ended
from ledger.domains.loyalty.referral import NO_REFERRAL, open_referral
from ledger.domains.loyalty.state import (
    SCOPE_ENROL,
    Member,
    books_key,
    grant_allows,
    grant_key,
    load_books,
    load_program,
    member_key,
    program_key,
    require_grant,
)
from ledger.errors import Code, Malformed, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Attestation, Call, Context, Cost, Kind
from ledger.schema import Boolean, ListOf, OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, Amount, ChainId, Day, Hash, Points, ProgramId, RecordKey, Timestamp

WITH_ISSUER = Code(
    "voucher.with_issuer",
    "a join names an issuer that counter-signs, or shows a voucher, not both",
    "Leave one of them out.",
)
ALREADY_MEMBER = Code("member.already", "this account has joined already", "Nothing needs to be done.")


@dataclass(frozen=True, slots=True)
class MemberJoin:
    """The author joins. An `issuer` that counter-signs lets the program's pool pay; without one the fan pays.

    A `voucher` of an issuer does as well (spec JOIN-2), so there is one or the other.
    `referrer` is the member who brought it. `gives_back_from_all`: a return that it signs may take points from any of its lots, not
    only from the purchase's own and from pending ones.
    """

    program: Annotated[ProgramId, identifier()]
    issuer: Annotated[Address, OptionalIdentifier()]
    referrer: Annotated[Address, OptionalIdentifier()] = NOBODY
    gives_back_from_all: Annotated[bool, Boolean()] = False
    voucher: Annotated[tuple[ShownVoucher, ...], ListOf(SHOWN_VOUCHER, 0, 1)] = ()

    @property
    def enroller(self) -> Address:
        """The issuer that stands behind the join, at the till or by a voucher; empty for none."""
        return self.voucher[0].issuer if self.voucher else self.issuer


def check(payload: MemberJoin) -> None:
    """One issuer stands behind a join, or none."""
    if payload.voucher and payload.issuer:
        raise Malformed(WITH_ISSUER)


def attestations(author: Address, payload: MemberJoin, chain_id: ChainId) -> tuple[Attestation, ...]:
    """Of a voucher: its issuer signed it, and its holder signed this very account; else `witness.attestation`."""
    return tuple(
        check for shown in payload.voucher for check in attest_voucher(shown, payload.program, author, chain_id)
    )


def cosigners(payload: MemberJoin) -> tuple[Address, ...]:
    """The issuer, where one is named."""
    return (payload.issuer,) if payload.issuer else ()


def admits_sponsor(view: RuleView, program: ProgramId, payload: MemberJoin) -> bool:
    """The pool pays for a fan behind whom an issuer with the scope to enrol stands."""
    return payload.program == program and grant_allows(view, program, payload.enroller, SCOPE_ENROL)


def apply(view: RuleView, call: Call, payload: MemberJoin, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.ended`, `issuer.not_granted`, `issuer.no_scope`, `voucher.expired`,
    `voucher.too_long`, `voucher.used`, `member.already`, `member.no_referral`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    refuse_ended(program, context.time)
    if payload.enroller:
        require_grant(view, payload.program, payload.enroller, SCOPE_ENROL)
    for shown in payload.voucher:
        check_voucher(view, shown, payload.program, context)
    key = member_key(payload.program, call.author)
    earlier: Member | None = view.get(key)
    if earlier is None:
        if payload.referrer:
            open_referral(view, call, payload.program, program, payload.referrer, context)
        deposit = lock_deposit(view, call, context)
        prepaid = Amount(prepay_exit(view, call, context) + prepay_contests(view, call, Amount(0), context))
        member = Member(
            payer=call.payer,
            deposit=deposit,
            prepaid=prepaid,
            joined_at=context.time,
            left_at=Timestamp(0),
            remainder=Hash(b""),
            entries=0,
            sponsor_day=Day(0),
            sponsor_spent=Amount(0),
            lots=(),
            contest_period=Timestamp(0),
            contest_count=0,
            gives_back_from_all=payload.gives_back_from_all,
            transfer_day=Day(0),
            transferred=Points(0),
            is_referred=bool(payload.referrer),
            referral_period=Timestamp(0),
            referrals=0,
        )
    elif earlier.left_at:
        if payload.referrer:
            raise RuleViolation(NO_REFERRAL, referrer=payload.referrer, reason="it was a member before")
        added = prepay_exit(view, call, context) + prepay_contests(view, call, earlier.prepaid, context)
        member = replace(
            earlier,
            prepaid=Amount(earlier.prepaid + added),
            left_at=Timestamp(0),
            gives_back_from_all=payload.gives_back_from_all,
        )
    else:
        raise RuleViolation(ALREADY_MEMBER)
    view.put(key, member)
    books = load_books(view, payload.program)
    view.put(books_key(payload.program), replace(books, members=books.members + 1))
    voucher = NO_VOUCHER
    for shown in payload.voucher:
        voucher = use_voucher(view, call, shown, payload.program, context)
    view.emit(MemberJoined(payload.program, call.author, payload.enroller, payload.referrer, voucher))
    return (APPLIED,)


def cost(payload: MemberJoin) -> Cost:
    """The member is made, books and payer are touched; a referral or a used voucher is made, too, and leaves due work."""
    referred, shown = int(bool(payload.referrer)), len(payload.voucher)
    return Cost(
        records=3 + referred + 2 * shown, slots=1 + referred + shown, due=referred + shown, signatures=2 * shown
    )


def reads(author: Address, payload: MemberJoin) -> tuple[RecordKey, ...]:
    """Program, grant, member, and the used voucher."""
    shown = tuple(used_voucher_key(found.of(payload.program).voucher_id) for found in payload.voucher)
    return (
        program_key(payload.program),
        grant_key(payload.program, payload.enroller),
        member_key(payload.program, author),
        member_key(payload.program, payload.referrer),
        *shown,
    )


MEMBER_JOIN = Kind(
    name="member.join",
    anchor="LOY-7",
    payload=Struct(MemberJoin),
    apply=apply,
    cost=cost,
    reads=reads,
    cosigners=cosigners,
    check=check,
    attestations=attestations,
    admits_sponsor=admits_sponsor,
)
