"""Which receipts the store takes: signed by a till that held a grant, for a member, under terms that were in force, with its lines.

Points are not judged: a receipt that promises too few is what a fan needs to contest them.
"""

from typing import Final

from api.receipts.lines import lines_root
from api.receipts.store import LINES_BYTES_MAX, LINES_MAX, KeptReceipt, ReceiptRefused
from api.wallet.receipts import CLOCK_SECONDS_MAX, NOT_SIGNED, WRONG_TIME
from api.wallet.sealing import PeriodRule
from ledger.codec import Value, pack
from ledger.domains.loyalty.earning import versions_named_at
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, receipt_is_signed
from ledger.domains.loyalty.state import (
    SCOPE_TILL,
    Grant,
    Member,
    Program,
    grant_key,
    load_member,
    load_program,
    load_terms,
    member_key,
)
from ledger.errors import Code
from ledger.policy import address_of_key
from ledger.state import RuleView
from ledger.types import ChainId, Timestamp

HANDOVER_SECONDS_MAX: Final = 31 * 86_400
"""How long after the purchase a till may hand a receipt over: the longest grace for settling that a program can have."""

WRONG_LINES = Code(
    "receipt.wrong_lines",
    "the lines are not those that the till signed",
    "Hand over all lines of the receipt, in their order, unchanged; none where it was signed without lines.",
)
TOO_MANY_LINES = Code(
    "receipt.too_many_lines",
    "the receipt has {count} lines of {length} bytes; {lines_max} and {bytes_max} are allowed",
    "Combine lines before signing.",
)
TOO_OLD = Code(
    "receipt.too_old",
    "the receipt is {days:day} old",
    "A till hands receipts over within 31 days; the fan's own copy stays good.",
)
WRONG_VERSION = Code(
    "receipt.wrong_version",
    "the terms {version} were not in force when the receipt was signed, nor in the 72 hours before",
    "Let the till fetch the program's terms and sign again.",
)
LEFT = Code("receipt.member_left", "the member had left the program", "Let the fan join again first.")
TILL_NOT_GRANTED = Code(
    "receipt.till_not_granted",
    "the till held no grant to sign receipts for this program when it signed",
    "Ask the program's owner for `issuer.grant` with the scope till.",
)


def admit_receipt(
    view: RuleView, signed: SignedReceipt, lines: tuple[Value, ...], *, chain_id: ChainId, now: Timestamp
) -> KeptReceipt:
    """The receipt as it is kept. Raises in this order: receipt.too_many_lines, .wrong_time, .too_old, .wrong_lines,
    program.unknown, receipt.wrong_version, member.unknown, receipt.member_left, .till_not_granted, .not_signed.
    """
    receipt = signed.receipt
    _check_size(lines)
    _check_time(receipt.time, now)
    if lines_root(signed.salt, lines) != receipt.lines_root:
        raise ReceiptRefused(WRONG_LINES)
    program = load_program(view, receipt.program)
    _check_version(program, receipt)
    load_member(view, receipt.program, receipt.member)
    member: Member = view.get(member_key(receipt.program, receipt.member))
    if member.left_at and receipt.time > member.left_at:
        raise ReceiptRefused(LEFT)
    _check_till(view, receipt)
    if not receipt_is_signed(signed, chain_id):
        raise ReceiptRefused(NOT_SIGNED)
    terms = load_terms(view, receipt.program, program.version_at(now))
    periods = PeriodRule(program.offset_minutes, terms.period_days, terms.period_anchor_day)
    return KeptReceipt(signed, lines, periods.period_of(receipt.time), received_at=now)


def _check_size(lines: tuple[Value, ...]) -> None:
    length = len(pack(lines))
    if len(lines) > LINES_MAX or length > LINES_BYTES_MAX:
        raise ReceiptRefused(
            TOO_MANY_LINES, count=len(lines), length=length, lines_max=LINES_MAX, bytes_max=LINES_BYTES_MAX
        )


def _check_time(time: Timestamp, now: Timestamp) -> None:
    if time - now > CLOCK_SECONDS_MAX:
        raise ReceiptRefused(WRONG_TIME, seconds=time - now)
    if now - time > HANDOVER_SECONDS_MAX:
        raise ReceiptRefused(TOO_OLD, days=(now - time) // 86_400)


def _check_version(program: Program, receipt: Receipt) -> None:
    if receipt.terms_version not in versions_named_at(program, receipt.time):
        raise ReceiptRefused(WRONG_VERSION, version=receipt.terms_version)


def _check_till(view: RuleView, receipt: Receipt) -> None:
    grant: Grant | None = view.get(grant_key(receipt.program, address_of_key(receipt.till)))
    span = None if grant is None else grant.span_at(receipt.time)
    if span is None or not span[2] & SCOPE_TILL:
        raise ReceiptRefused(TILL_NOT_GRANTED)
