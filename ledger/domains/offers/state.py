"""The record of an offer, and until when it can be asked for (spec OFR-2)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.periods import settle_by
from ledger.domains.loyalty.state import COIN, DAY, DAY_ZERO, NO_POINTS, NOT_ANNOUNCED, PAYER, POINTS, TIME, Program
from ledger.domains.loyalty.state import load_terms as load_program_terms
from ledger.errors import Code, RuleViolation
from ledger.params import CONTEST_SECONDS
from ledger.schema import Integer, OptionalIdentifier, identifier
from ledger.state import RuleView, Table
from ledger.types import Address, Amount, Day, Hash, Points, ProgramId, ReceiptHash, RecordKey, Timestamp

NO_OFFER = Code(
    "offer.unknown",
    "the program has no offer {offer} for this account, or it has ended",
    "Check its id; `wallet offers` shows yours. An offer that is not on chain is none.",
)
CITED = Code(
    "offer.cited",
    "the offer {offer} was cited by another receipt, or its bonus was credited already",
    "Nothing: an offer counts once. The receipt keeps its purchase's points.",
)
ENTRY_EXPIRED = Code(
    "offer.expired",
    "the offer {offer} could be asked for until {until:time}",
    "Nothing can be done: what was set aside for it has gone back.",
)

UNCITED = ReceiptHash(b"")


@dataclass(frozen=True, slots=True)
class Offer:
    """What was promised to a member, sealed `terms` and all. While `receipt` is empty the offer is open and its `points` are set
    aside; then it is cited, and `points` are what was credited.

    `version` and `activation_day` are those of the lot; a return of the purchase can take from it if it was made before
    `returnable_until`, and is looked for until `keep_until`. `reversed` points were taken back.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    terms: Annotated[Hash, identifier()]
    points: Annotated[Points, POINTS]
    issued_at: Annotated[Timestamp, TIME]
    expires_at: Annotated[Timestamp, TIME]
    receipt: Annotated[ReceiptHash, OptionalIdentifier()] = UNCITED
    version: Annotated[int, Integer(0, 2**31 - 1)] = 0
    activation_day: Annotated[Day, DAY] = DAY_ZERO
    returnable_until: Annotated[Timestamp, TIME] = NOT_ANNOUNCED
    keep_until: Annotated[Timestamp, TIME] = NOT_ANNOUNCED
    reversed: Annotated[Points, POINTS] = NO_POINTS

    @property
    def is_open(self) -> bool:
        """Whether no receipt has cited it."""
        return not self.receipt


OFFERS = Table(b"O", Offer)


def offer_key(offer_id: Hash) -> RecordKey:
    """`O` + offer id."""
    return RecordKey(b"O" + offer_id)


def load_offer(view: RuleView, offer_id: Hash) -> Offer:
    """The offer's record, or `offer.unknown`."""
    found: Offer | None = view.get(offer_key(offer_id))
    if found is None:
        raise RuleViolation(NO_OFFER, offer=offer_id)
    return found


def last_to_ask(view: RuleView, program: Program, offer: Offer) -> Timestamp:
    """The last second in which a receipt that cites the offer can be contested, known once the offer has expired (spec OFR-2)."""
    versions = program.versions_between(offer.issued_at, offer.expires_at)
    terms = [load_program_terms(view, offer.program, version) for version in versions]
    return Timestamp(max(settle_by(program, found, offer.expires_at) for found in terms) + CONTEST_SECONDS)
