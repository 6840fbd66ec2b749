"""What an offer asks for: a small document that stays off chain, and that the offer's id seals (spec OFR-1).

Whoever holds the document, its salt, and what the chain says in clear can compute the id; a till without a network, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from ledger.codec import pack, unpack
from ledger.errors import Code, Malformed
from ledger.hashing import OFFER, OFFER_TERMS
from ledger.schema import Boolean, Integer, ListOf, Octets, Struct, Text, identifier
from ledger.types import INTEGER_MAX, Address, Hash, Points, ProgramId, Timestamp

OFFER_BYTES_MAX = 4_096
"""A personal offer as it is handed over: the longest text and sixteen codes take a fifth of it."""
OFFER_TERMS_VERSION = 1
OFFER_CODES_MAX = 16
"""Category codes of one offer: "bread, cakes or rolls", not a catalogue."""
OFFER_CODES_OF_ALL_MIN = 2
"""Of fewer codes it says nothing to ask for all."""

BAD_OFFER = Code("offer.shape", "this is no offer: {reason}", "Ask the shop for the offer again.")


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """What a purchase must be: not before `from_time`, of at least `net_cents_min` besides what points paid (0: any), and, where
    `codes` are named, with something of one of them, or of each if it `needs_all`. `text` tells people, and decides nothing.
    """

    version: Annotated[int, Integer(OFFER_TERMS_VERSION, OFFER_TERMS_VERSION)]
    from_time: Annotated[Timestamp, Integer(0, 2**40)]
    net_cents_min: Annotated[int, Integer(0, 2**53)]
    codes: Annotated[tuple[str, ...], ListOf(Text(1, 32), 0, OFFER_CODES_MAX)]
    text: Annotated[str, Text(0, 256)]
    needs_all: Annotated[bool, Boolean()] = False

    def check(self) -> None:
        """Raise `offer.shape` unless each code stands once, in ascending order, and all are asked for only where there are two."""
        if any(a >= b for a, b in pairwise(self.codes)):
            raise Malformed(BAD_OFFER, reason="codes are not strictly ascending")
        if self.needs_all and len(self.codes) < OFFER_CODES_OF_ALL_MIN:
            raise Malformed(BAD_OFFER, reason="all of fewer than two codes are asked for")

    def are_met(
        self,
        *,
        time: Timestamp,
        expires_at: Timestamp,
        net_cents: int,
        paid_with_points_cents: int,
        codes: Sequence[tuple[str, int]],
    ) -> bool:
        """Whether a purchase is what the offer asks for. What was paid with points is no part of the basket (spec OFR-1)."""
        if not self.from_time <= time <= expires_at:
            return False
        if self.net_cents_min and net_cents - paid_with_points_cents < self.net_cents_min:
            return False
        bought = {code for code, cents in codes if cents > 0}
        if self.needs_all:
            return bought.issuperset(self.codes)
        return not self.codes or not bought.isdisjoint(self.codes)


OFFER_TERMS_SHAPE = Struct(OfferTerms)


@dataclass(frozen=True, slots=True)
class PersonalOffer:
    """What the brand hands to the fan: all that the offer's id seals, with the salt that opens it."""

    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    points: Annotated[Points, Integer(1, INTEGER_MAX)]
    expires_at: Annotated[Timestamp, Integer(0, 2**40)]
    salt: Annotated[bytes, Octets(32, 32)]
    terms: Annotated[OfferTerms, OFFER_TERMS_SHAPE]

    @property
    def commitment(self) -> Hash:
        """What stands on chain for the terms."""
        return seal_terms(self.salt, self.terms)

    @property
    def offer_id(self) -> Hash:
        """The id under which it stands on chain, if it was issued."""
        return offer_id_of(self.program, self.member, self.points, self.expires_at, self.commitment)


PERSONAL_OFFER = Struct(PersonalOffer)


def seal_terms(salt: bytes, terms: OfferTerms) -> Hash:
    """`OFFER_TERMS(salt ‖ canonical terms)` (spec OFR-1)."""
    return Hash(OFFER_TERMS(salt + pack(OFFER_TERMS_SHAPE.encode(terms))))


def offer_id_of(program: ProgramId, member: Address, points: Points, expires_at: Timestamp, terms: Hash) -> Hash:
    """`OFFER(program ‖ member ‖ points as 8 bytes ‖ expiry as 8 bytes ‖ terms)` (spec OFR-1)."""
    return Hash(OFFER(program + member + points.to_bytes(8, "big") + expires_at.to_bytes(8, "big") + terms))


def encode_offer(offer: PersonalOffer) -> bytes:
    """The canonical bytes of a personal offer."""
    return pack(PERSONAL_OFFER.encode(offer))


def decode_offer(data: bytes) -> PersonalOffer:
    """Read a personal offer. Raises `Malformed`."""
    found = PERSONAL_OFFER.decode(unpack(data, bytes_max=OFFER_BYTES_MAX), "offer")
    found.terms.check()
    return found
