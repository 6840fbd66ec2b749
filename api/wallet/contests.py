"""Contests at work: a fan opens a receipt that was not settled, a brand answers with the entry that settled it.

What a contest opens is public for ever; `describe_opened` says it before it is sent.
"""

from collections.abc import Iterable
from typing import Any

from api.wallet.errors import WalletError
from api.wallet.sealing import Carried, Opening
from api.words import counted
from ledger.address import encode_address
from ledger.domains.loyalty.contests import contest_id_of
from ledger.domains.loyalty.earn_answer_contest import EarnAnswerContest, OpenedRemainder, SealedAnswer
from ledger.domains.loyalty.earn_contest import (
    OPENED_UNSETTLED,
    OPENED_WRONG_POINTS,
    EarnContest,
    Unsettled,
    WrongPoints,
)
from ledger.domains.loyalty.receipts import SignedReceipt, blind_fields, sum_leaf, sum_path
from ledger.errors import Code, show_moment
from ledger.policy import address_of_key
from ledger.types import ContestId, Hash, ReceiptHash

NOT_SETTLED_HERE = Code(
    "contest.no_opening",
    "no opening in the folder holds the contested receipt {receipt}",
    "Settle the receipt (it then counts as late), or name the folder with all openings by --openings.",
)
NO_PLACE = Code(
    "contest.no_place",
    "the opening of period {period} does not say in which batch its entry stands",
    "It was written by an older version; take the file that `brand settle` writes now.",
)
NOTHING_OPEN = Code(
    "contest.not_open",
    "no contest {contest} of this program waits for an answer",
    "`fansumer brand contests list PROGRAM` shows the program's contests and what became of them.",
)
NOT_YOURS = Code(
    "contest.not_yours",
    "the receipt was signed for {member}, and your account for this program is {account}",
    "Use the wallet for which the till signed it.",
)


def contest_of(signed: SignedReceipt, *, wrong_points: bool) -> EarnContest:
    """What a fan sends to contest a receipt: its fields as far as they must be opened."""
    receipt = signed.receipt
    sums = WrongPoints(
        receipt.net_cents, receipt.paid_with_points_cents, receipt.codes, receipt.tier, receipt.previous_visit
    )
    return EarnContest(
        program=receipt.program,
        terms_version=receipt.terms_version,
        till=receipt.till,
        sequence=receipt.sequence,
        time=receipt.time,
        points=receipt.points,
        claim=sums if wrong_points else Unsettled(),
        blinding=blind_fields(signed, OPENED_WRONG_POINTS if wrong_points else OPENED_UNSETTLED),
        signature=signed.signature,
    )


def contest_id(signed: SignedReceipt) -> ContestId:
    """The id of the one contest that a receipt can have."""
    return contest_id_of(signed.receipt.program, signed.receipt.till, signed.receipt.sequence)


def describe_opened(signed: SignedReceipt, prefix: str, *, wrong_points: bool) -> str:
    """In words, what everybody will read for ever. `prefix` is that of the network's addresses."""
    receipt = signed.receipt
    till = encode_address(prefix, address_of_key(receipt.till))
    shown = (
        f"that your account for this program bought at the till {till} at {show_moment(receipt.time)}, that this is the till's"
        f" receipt number {receipt.sequence}, the terms' version {receipt.terms_version}, and {counted(receipt.points, 'point')}"
    )
    if wrong_points:
        codes = ", ".join(f"{code} {cents}" for code, cents in receipt.codes) or "none"
        shown += (
            f"; and what you paid: {receipt.net_cents} cents, {receipt.paid_with_points_cents} of it with points, by category: "
            f"{codes}; your tier there, {receipt.tier or 'none'}; and when you had been there before, "
            f"{receipt.previous_visit or 'not said'}"
        )
    return f"A contest makes public for ever: {shown}. Not the lines of the purchase."


def find_opening(openings: Iterable[Opening], receipt: ReceiptHash) -> Opening:
    """The opening that gives the receipt the most points. Raises WalletError contest.no_opening."""
    found = [(points, opening) for opening in openings for held, points in opening.receipts if held == receipt]
    if not found:
        raise WalletError(NOT_SETTLED_HERE, receipt=receipt.hex()[:16])
    return max(found, key=lambda item: item[0])[1]


def answer_of(contest: ContestId, opening: Opening, receipt: ReceiptHash) -> EarnAnswerContest:
    """What a brand sends to answer a contest with the entry that settled the receipt. Raises WalletError contest.no_place."""
    if opening.place is None:
        raise WalletError(NO_PLACE, period=opening.period)
    position = next(index for index, (held, _) in enumerate(opening.receipts) if held == receipt)
    nodes = [sum_leaf(held, points) for held, points in opening.receipts]
    entry = SealedAnswer(
        period=opening.period,
        points=opening.points,
        receipt_points=opening.receipts[position][1],
        position=position,
        receipts=len(nodes),
        sums=tuple((Hash(node.hash), node.points) for node in sum_path(nodes, position)),
        salt=Hash(opening.salt),
        before=_opened(opening.before),
        after=_opened(opening.after),
    )
    return EarnAnswerContest(contest, opening.place.batch, opening.place.index, opening.place.path, entry)


def _opened(carried: Carried) -> OpenedRemainder:
    return OpenedRemainder(Hash(carried.salt), carried.remainder)


def read_answerable(item: dict[str, Any]) -> tuple[ContestId, ReceiptHash] | None:
    """Contest and receipt of a row of the API's list that can still be answered; None for another."""
    if not item["can_be_answered"]:
        return None
    return ContestId(bytes.fromhex(item["id"])), ReceiptHash(bytes.fromhex(item["receipt"]))
