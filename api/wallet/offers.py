"""Personal offers off chain: what a brand hands to a fan, what a till looks at without a network, what a contest opens.

brand  make_offer, offer_text        terms with a salt, as a file or a QR code
fan    read_offer_text               checked against the chain by its id (`Wallet.check_offer`)
till   check_offer                   the id, for whom, and whether the purchase is what it asks for
fan    contest_offer_of              where nobody credited the bonus
"""

import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Final

from api.wallet.errors import WalletError
from api.words import counted
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, blind_fields, receipt_hash
from ledger.domains.offers.offer_contest import OfferContest, fields_to_open
from ledger.domains.offers.offer_settle import Citation
from ledger.domains.offers.terms import (
    OFFER_BYTES_MAX,
    OFFER_TERMS_VERSION,
    OfferTerms,
    PersonalOffer,
    decode_offer,
    encode_offer,
)
from ledger.errors import Code, Malformed, show_moment
from ledger.types import Address, Hash, Points, ProgramId, Timestamp

OFFER_TEXT: Final = "fansumer-offer:1:"
OFFER_TEXT_MAX: Final = len(OFFER_TEXT) + (OFFER_BYTES_MAX * 4 + 2) // 3
"""The longest text of an offer."""
SALT_BYTES: Final = 32
APPLIED_SHOWN: Final = "applied"
"""How the API shows the ledger's empty result code."""

BAD_TEXT = Code(
    "offer.text",
    f"this is no personal offer: it begins with {OFFER_TEXT} and goes on in base64url",
    "Take the file or the QR code that the shop gave you, whole.",
)
OTHER_MEMBER = Code(
    "offer.other_member",
    "the offer is for the account {member}, and this is {account}",
    "An offer is personal: use it with the account that it names.",
)
OTHER_PROGRAM = Code(
    "offer.other_program", "the offer is of another program", "Take it to the shops of the program that it names."
)
NOT_AS_ASKED = Code(
    "offer.not_as_asked",
    "the purchase is not what the offer asks for: {asked}",
    "Sell without the offer, or with what it asks for.",
)
CITES_ANOTHER = Code(
    "offer.cites_another",
    "the receipt does not cite this offer",
    "Name the receipt that the till signed for this very offer.",
)


def make_offer(
    program: ProgramId,
    member: Address,
    *,
    points: Points,
    expires_at: Timestamp,
    from_time: Timestamp,
    net_cents_min: int = 0,
    codes: Sequence[str] = (),
    text: str = "",
    needs_all: bool = False,
) -> PersonalOffer:
    """An offer with a salt of its own; `needs_all`: something of each of the codes.

    Raises `Malformed` offer.shape or shape.* for what no offer can be.
    """
    terms = OfferTerms(OFFER_TERMS_VERSION, from_time, net_cents_min, tuple(sorted(set(codes))), text, needs_all)
    offer = PersonalOffer(program, member, points, expires_at, secrets.token_bytes(SALT_BYTES), terms)
    return decode_offer(encode_offer(offer))


def offer_text(offer: PersonalOffer) -> str:
    """The offer as a text, for a file or a QR code."""
    return OFFER_TEXT + base64.urlsafe_b64encode(encode_offer(offer)).decode().rstrip("=")


def read_offer_text(text: str) -> PersonalOffer:
    """The offer that a text holds. Raises WalletError offer.text."""
    body = text.strip().removeprefix(OFFER_TEXT)
    if not text.strip().startswith(OFFER_TEXT) or len(text) > OFFER_TEXT_MAX + 2:
        raise WalletError(BAD_TEXT)
    try:
        data = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        return decode_offer(data)
    except (binascii.Error, Malformed) as fault:
        raise WalletError(BAD_TEXT) from fault


def is_met(offer: PersonalOffer, receipt: Receipt) -> bool:
    """Whether the purchase is what the offer asks for (spec OFR-1)."""
    return offer.terms.are_met(
        time=receipt.time,
        expires_at=offer.expires_at,
        net_cents=receipt.net_cents,
        paid_with_points_cents=receipt.paid_with_points_cents,
        codes=receipt.codes,
    )


def check_offer(offer: PersonalOffer, receipt: Receipt) -> Hash:
    """The id that the receipt may cite; what is not on chain is not seen here.

    Raises WalletError offer.other_program, offer.other_member, offer.not_as_asked.
    """
    if offer.program != receipt.program:
        raise WalletError(OTHER_PROGRAM)
    if offer.member != receipt.member:
        raise WalletError(OTHER_MEMBER, member=offer.member, account=receipt.member)
    if not is_met(offer, receipt):
        raise WalletError(NOT_AS_ASKED, asked=describe_terms(offer))
    return offer.offer_id


def describe_terms(offer: PersonalOffer) -> str:
    """What the offer asks for, in words."""
    asked = [f"from {show_moment(offer.terms.from_time)} to {show_moment(offer.expires_at)}"]
    if offer.terms.net_cents_min:
        asked.append(f"at least {counted(offer.terms.net_cents_min, 'cent')} besides what points paid")
    if offer.terms.codes:
        which = "of each of" if offer.terms.needs_all else "of"
        asked.append(f"with something {which}: {', '.join(offer.terms.codes)}")
    return ", ".join(asked)


def contest_offer_of(signed: SignedReceipt, offer: PersonalOffer) -> OfferContest:
    """What a fan sends to contest: the receipt opened as far as the offer asks for. Raises WalletError offer.cites_another."""
    receipt, terms = signed.receipt, offer.terms
    if receipt.offer != offer.offer_id:
        raise WalletError(CITES_ANOTHER)
    return OfferContest(
        program=receipt.program,
        offer=offer.offer_id,
        salt=offer.salt,
        terms=terms,
        till=receipt.till,
        time=receipt.time,
        net_cents=receipt.net_cents if terms.net_cents_min else 0,
        paid_with_points_cents=receipt.paid_with_points_cents if terms.net_cents_min else 0,
        codes=receipt.codes if terms.codes else (),
        blinding=blind_fields(signed, fields_to_open(terms)),
        signature=signed.signature,
    )


def describe_contest(signed: SignedReceipt, offer: PersonalOffer) -> str:
    """In words, what everybody will read for ever."""
    shown = f"that your account cited this offer at {show_moment(signed.receipt.time)}, at which till, and the offer's terms"
    if offer.terms.net_cents_min:
        receipt = signed.receipt
        shown += f"; what you paid: {receipt.net_cents} cents, {receipt.paid_with_points_cents} of it with points"
    if offer.terms.codes:
        shown += f"; by category: {', '.join(f'{code} {cents}' for code, cents in signed.receipt.codes) or 'none'}"
    return f"A contest makes public for ever: {shown}. Not the lines of the purchase."


def citation_of(signed: SignedReceipt, period: int) -> Citation:
    """What settles the offer that a receipt of `period` cites."""
    return Citation(Hash(signed.receipt.offer), period, receipt_hash(signed.receipt, signed.salt))
