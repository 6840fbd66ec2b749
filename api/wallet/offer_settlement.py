"""Settling the offers that receipts cite: their bonuses, beside the entries of the purchases.

Nothing needs to be remembered for it. Each offer is credited once, whoever asks how often: the chain says which are cited, and by
which receipt. So a run that was cut off is just done again, before the receipts are marked as settled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.wallet.brand import Brand
from api.wallet.client import ClientProblem
from api.wallet.offers import APPLIED_SHOWN, citation_of
from api.wallet.sealing import PeriodRule
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash
from ledger.domains.offers.offer_settle import ENTRY_WRONG_PERIOD
from ledger.domains.offers.state import CITED, ENTRY_EXPIRED, NO_OFFER
from ledger.params import OFFER_ENTRIES_MAX
from ledger.types import Hash, ProgramId, ReceiptHash, Timestamp

REASONS = {
    NO_OFFER.name: "The program made no such offer to this member",
    CITED.name: "The offer was cited by another receipt: it counts once",
    ENTRY_EXPIRED.name: "The offer expired too long ago",
    ENTRY_WRONG_PERIOD.name: "The offer was not there in the period of the purchase",
}


@dataclass(frozen=True, slots=True)
class CitedOffer:
    """What became of a citation: `code` is empty where the bonus was credited, now or before, else the ledger's."""

    receipt: ReceiptHash
    offer: Hash
    code: str


def settle_cited(
    brand: Brand,
    program: ProgramId,
    receipts: Iterable[SignedReceipt],
    periods: PeriodRule,
    *,
    until: Timestamp,
    confirmations: int = 1,
    seconds_max: float = 300.0,
) -> list[CitedOffer]:
    """Credit the offers that receipts cite whose period ended by `until`, or has begun where the program settles on demand.

    Receipts are taken by their time, so of two that cite one offer the earlier one counts.
    """
    found: list[CitedOffer] = []
    wanted: list[SignedReceipt] = []
    for signed in sorted(receipts, key=lambda signed: signed.receipt.time):
        period = periods.period_of(signed.receipt.time)
        if not signed.receipt.offer or (periods.period_days and periods.ends(period) > until):
            continue
        known = _known(brand, program, signed)
        if known is None:
            wanted.append(signed)
        else:
            found.append(known)
    for start in range(0, len(wanted), OFFER_ENTRIES_MAX):
        batch = wanted[start : start + OFFER_ENTRIES_MAX]
        found.extend(_send(brand, program, batch, periods, confirmations=confirmations, seconds_max=seconds_max))
    return found


def _known(brand: Brand, program: ProgramId, signed: SignedReceipt) -> CitedOffer | None:
    """What the chain says of a citation already; None where it can be settled."""
    receipt, offer = receipt_hash(signed.receipt, signed.salt), Hash(signed.receipt.offer)
    try:
        shown = brand.wallet.client.offers.one(offer)
    except ClientProblem as problem:
        if problem.status != 404:
            raise
        return CitedOffer(receipt, offer, NO_OFFER.name)
    if shown["program"] != program.hex() or shown["member"] != brand.wallet.address_text(signed.receipt.member):
        return CitedOffer(receipt, offer, NO_OFFER.name)
    if shown["status"] == "open":
        return None
    if shown["status"] == "expired":
        return CitedOffer(receipt, offer, ENTRY_EXPIRED.name)
    return CitedOffer(receipt, offer, "" if shown["receipt"] == receipt.hex() else CITED.name)


def _send(
    brand: Brand,
    program: ProgramId,
    batch: Sequence[SignedReceipt],
    periods: PeriodRule,
    *,
    confirmations: int,
    seconds_max: float,
) -> list[CitedOffer]:
    entries = [citation_of(signed, periods.period_of(signed.receipt.time)) for signed in batch]
    sent = brand.settle_offers(program, entries)
    status = brand.wallet.wait_for(sent, confirmations=confirmations, seconds_max=seconds_max)
    return [
        CitedOffer(entry.receipt, entry.offer, "" if code == APPLIED_SHOWN else str(code))
        for entry, code in zip(entries, status["codes"], strict=True)
    ]


def explain_code(code: str) -> str:
    """Why a citation brought nothing, in a sentence for people; a code that is not among these stands for itself."""
    reason = REASONS.get(code)
    return code if reason is None else f"{reason}. The purchase keeps its own points."
