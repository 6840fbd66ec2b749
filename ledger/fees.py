"""Who pays for a transaction, and how much (spec FEE)."""

from typing import NamedTuple

from ledger.coin import account_payer, pool_payer, take_from
from ledger.domains.loyalty.books import held_coin
from ledger.domains.loyalty.state import (
    Books,
    Grant,
    Member,
    Program,
    SponsorPolicy,
    books_key,
    grant_key,
    load_books,
    load_program,
    load_terms,
    member_key,
)
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import Context
from ledger.state import RuleView
from ledger.transaction import OwnFee, Sponsored, Transaction
from ledger.types import Amount, ProgramId

FEE_TOO_LOW = Code("fee.too_low", "the fee is {offered}; at least {needed} is needed", "Raise the fee and sign again.")
EXIT_TOO_HEAVY = Code(
    "fee.exit_weight",
    "it weighs {weight}, and {maximum} was prepaid",
    "Pay the fee yourself: so many signatures or codes were not paid in advance.",
)
NOT_SPONSORED = Code(
    "fee.not_sponsored",
    "the program's pool pays for members, issuers and the owner only",
    "Sign with the owner's wallet (--wallet), join with a till's counter-signature, or pay the fee yourself: --pay-own.",
)
SPONSOR_LIMIT = Code(
    "fee.sponsor_limit",
    "the sponsor policy's total {limit} is {maximum} coin, and {needed} would be spent",
    "Try again in the next block or tomorrow, or pay the fee yourself.",
)


class Charge(NamedTuple):
    """Who paid a fee: the payer that also locks deposits, empty when the fee was prepaid.

    For a sponsored fee, `fee` is what was computed and `held_before` what the program held before it was taken (`held_coin`).
    """

    payer: bytes
    fee: Amount
    held_before: int


def charge_fee(view: RuleView, transaction: Transaction, context: Context) -> Charge:
    """Take the fee.

    Raises `fee.too_low`, `fee.exit_weight`, `program.unknown`, `fee.not_sponsored`, and what `take_from` raises.
    """
    payment = transaction.body.payment
    if isinstance(payment, OwnFee):
        needed = transaction.weight * context.params.fee_rate_min
        if payment.fee < needed:
            raise RuleViolation(FEE_TOO_LOW, offered=payment.fee, needed=needed)
        payer = account_payer(transaction.author)
        take_from(view, payer, payment.fee, "fees")
        return Charge(payer, payment.fee, 0)
    if isinstance(payment, Sponsored):
        return _charge_sponsor(view, transaction, payment.program, context)
    if transaction.weight > transaction.kind.prepaid_weight:
        raise RuleViolation(EXIT_TOO_HEAVY, weight=transaction.weight, maximum=transaction.kind.prepaid_weight)
    return Charge(b"", Amount(0), 0)


def sponsor_policy_at(view: RuleView, program_id: ProgramId, context: Context) -> SponsorPolicy:
    """The sponsor policy in force now. Raises `program.unknown`."""
    program = load_program(view, program_id)
    return load_terms(view, program_id, program.version_at(context.time)).sponsor


def _charge_sponsor(view: RuleView, transaction: Transaction, program_id: ProgramId, context: Context) -> Charge:
    program = load_program(view, program_id)
    policy = load_terms(view, program_id, program.version_at(context.time)).sponsor
    if transaction.author != program.owner:
        _check_eligible(view, transaction, program_id)
    fee = Amount(transaction.weight * policy.rate)
    held_before = held_coin(load_books(view, program_id))
    payer = pool_payer(program_id)
    take_from(view, payer, fee, "fees")
    return Charge(payer, fee, held_before)


def count_sponsored(view: RuleView, transaction: Transaction, charge: Charge, context: Context) -> None:
    """Hold what a pool paid, fee, deposits and prepaid exits together, against its policy's totals (spec FEE-2).

    What is put aside or burned for points is no part of them (spec COL-2).
    Comes after the kind's own rule, since only then it is known what was locked. The owner spends its own pool without totals.
    Raises `fee.sponsor_limit`.
    """
    if not isinstance(transaction.body.payment, Sponsored):
        return
    program_id = transaction.body.payment.program
    program = load_program(view, program_id)
    policy = load_terms(view, program_id, program.version_at(context.time)).sponsor
    books = load_books(view, program_id)
    spent = Amount(max(charge.fee, charge.held_before - held_coin(books)))
    if transaction.author != program.owner:
        _count_totals(view, program_id, program, books, policy, spent, context)
    member: Member | None = view.get(member_key(program_id, transaction.author))
    if member is not None and not member.left_at:
        _count_member(view, transaction, program_id, program, member, policy, spent, context)


def _check_eligible(view: RuleView, transaction: Transaction, program: ProgramId) -> None:
    member: Member | None = view.get(member_key(program, transaction.author))
    if member is not None and not member.left_at:
        return
    grant: Grant | None = view.get(grant_key(program, transaction.author))
    if grant is not None and not grant.revoked_at:
        return
    if not transaction.kind.admits_sponsor(view, program, transaction.payload):
        raise RuleViolation(NOT_SPONSORED)


def _count_totals(
    view: RuleView,
    program_id: ProgramId,
    program: Program,
    books: Books,
    policy: SponsorPolicy,
    spent_now: Amount,
    context: Context,
) -> None:
    today = program.day_at(context.time)
    day_spent = spent_now + (books.sponsor_day_spent if books.sponsor_day == today else 0)
    height_spent = spent_now + (books.sponsor_height_spent if books.sponsor_height == context.height else 0)
    if height_spent > policy.block_max:
        raise RuleViolation(SPONSOR_LIMIT, limit="per block", maximum=policy.block_max, needed=height_spent)
    if day_spent > policy.day_max:
        raise RuleViolation(SPONSOR_LIMIT, limit="per day", maximum=policy.day_max, needed=day_spent)
    counted = replace(
        books,
        sponsor_day=today,
        sponsor_day_spent=Amount(day_spent),
        sponsor_height=context.height,
        sponsor_height_spent=Amount(height_spent),
    )
    view.put(books_key(program_id), counted)


def _count_member(
    view: RuleView,
    transaction: Transaction,
    program_id: ProgramId,
    program: Program,
    member: Member,
    policy: SponsorPolicy,
    spent_now: Amount,
    context: Context,
) -> None:
    today = program.day_at(context.time)
    spent = spent_now + (member.sponsor_spent if member.sponsor_day == today else 0)
    if spent > policy.member_day_max:
        raise RuleViolation(SPONSOR_LIMIT, limit="per member and day", maximum=policy.member_day_max, needed=spent)
    view.put(
        member_key(program_id, transaction.author),
        replace(member, sponsor_day=today, sponsor_spent=Amount(spent)),
    )
