"""Returns between a till, a fan and the chain: the till drafts what goes back, the fan counter-signs, the brand takes points back.

till   Brand.draft_return     what goes back, signed by the till
fan    Wallet.sign_return     looks at it, counter-signs: without this nothing is taken
brand  reversal_of            cites the entry that settled the purchase (its opening says which)
       answer_with_return     where nobody settled it, and it was contested all the same
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from api.wallet.builder import Signer
from api.wallet.contests import NO_PLACE
from api.wallet.errors import WalletError
from api.wallet.sealing import Opening
from ledger import keys
from ledger.address import encode_address
from ledger.codec import pack, unpack
from ledger.domains.loyalty.earn_answer_contest import NO_PLACE as IN_NO_BATCH
from ledger.domains.loyalty.earn_answer_contest import EarnAnswerContest, ReturnAnswer
from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX, SignedReceipt, receipt_hash
from ledger.domains.loyalty.returns import (
    RETURN_RECEIPT,
    RETURN_VERSION,
    FanConsent,
    ReturnReceipt,
    SignedReturn,
    fan_message,
    return_id_of,
    return_is_signed,
    sign_return_as_till,
    till_message,
)
from ledger.domains.loyalty.reverse import Reverse, SealedPlace
from ledger.domains.offers.offer_reverse import NOT_CITED, OfferReverse
from ledger.errors import Code
from ledger.policy import address_of_key
from ledger.schema import Octets, Struct
from ledger.types import ChainId, ContestId, Hash, Points, ReceiptHash, Signature, Timestamp

SALT_BYTES: Final = 32

NOT_SIGNED = Code(
    "returns.not_signed",
    "the till that this return names did not sign it for this chain",
    "Ask the shop to draft the return again.",
)
NOT_YOURS = Code(
    "returns.not_yours",
    "the return is of {member}, and your account for this program is {account}",
    "Use the wallet that bought it.",
)
TOO_MANY_POINTS = Code(
    "returns.too_many_points",
    "the purchase gave {given} points, and {wanted} are to be taken back",
    "Take back no more than the receipt promises.",
)
NOT_BY_FAN = Code(
    "returns.not_by_fan",
    "the fan did not sign this return",
    "Let the fan sign it with `fansumer wallet sign-return`: without that nothing is taken.",
)
BONUS_GONE = Code(
    "returns.bonus_gone",
    "the bonus of {credited} points of the offer {offer} was taken back already",
    "Nothing: `fansumer brand returns list PROGRAM` shows by which return.",
)


@dataclass(frozen=True, slots=True)
class DraftReturn:
    """A return as the till hands it to the fan: signed by the till alone."""

    returned: Annotated[ReturnReceipt, RETURN_RECEIPT]
    signature: Annotated[Signature, Octets(64, 64)]


DRAFT: Final = Struct(DraftReturn)


def encode_draft(draft: DraftReturn) -> bytes:
    """The canonical bytes of a draft."""
    return pack(DRAFT.encode(draft))


def decode_draft(data: bytes) -> DraftReturn:
    """Read a draft. Raises `Malformed`."""
    return DRAFT.decode(unpack(data, bytes_max=RECEIPT_BYTES_MAX), "return")


def draft_return(
    bought: SignedReceipt, points: Points, time: Timestamp, *, bonus: int, chain_id: ChainId, till: Signer, salt: bytes
) -> DraftReturn:
    """What the till says goes back of a purchase, which brought `bonus` points of an offer besides its own.

    Raises WalletError returns.too_many_points.
    """
    receipt = bought.receipt
    if points > receipt.points + bonus:
        raise WalletError(TOO_MANY_POINTS, given=receipt.points + bonus, wanted=points)
    returned = ReturnReceipt(
        version=RETURN_VERSION,
        program=receipt.program,
        member=receipt.member,
        receipt=receipt_hash(receipt, bought.salt),
        till=keys.public_key_of(till.seed),
        time=time,
        points=points,
        salt=salt,
    )
    return DraftReturn(returned, sign_return_as_till(returned, chain_id, till.seed))


def sign_as_fan(draft: DraftReturn, fan: Signer, chain_id: ChainId, prefix: str) -> SignedReturn:
    """The fan's counter-signature. Raises WalletError returns.not_signed or returns.not_yours."""
    returned, return_id = draft.returned, return_id_of(draft.returned)
    if not keys.verify(returned.till, till_message(chain_id, return_id), draft.signature):
        raise WalletError(NOT_SIGNED)
    if returned.member != fan.address:
        raise WalletError(
            NOT_YOURS, member=encode_address(prefix, returned.member), account=encode_address(prefix, fan.address)
        )
    message = fan_message(chain_id, return_id)
    signatures = tuple((index, keys.sign(seed, message)) for index, seed in fan.indexed_seeds())
    return SignedReturn(returned, draft.signature, FanConsent(fan.shown_policy(), signatures))


def check_signed(signed: SignedReturn, chain_id: ChainId) -> None:
    """Raise WalletError returns.not_by_fan unless till and fan signed."""
    if not return_is_signed(signed, chain_id):
        raise WalletError(NOT_BY_FAN)


def describe_return(returned: ReturnReceipt, prefix: str) -> dict[str, Any]:
    """A return as JSON."""
    return {
        "return": return_id_of(returned).hex(),
        "program": returned.program.hex(),
        "member": encode_address(prefix, returned.member),
        "receipt": returned.receipt.hex(),
        "till": encode_address(prefix, address_of_key(returned.till)),
        "time": returned.time,
        "points": returned.points,
    }


def reversal_of(signed: SignedReturn, opening: Opening, points: Points | None = None) -> Reverse:
    """What a brand sends to take points back: as many as return, entry and receipt allow, unless told otherwise. What a return says
    beyond its receipt's points is an offer's bonus.

    Raises WalletError contest.no_place.
    """
    if opening.place is None:
        raise WalletError(NO_PLACE, period=opening.period)
    entry = opening.entry()
    place = SealedPlace(entry.period, entry.points, entry.receipts, entry.remainder, opening.before.commitment())
    of_receipt = dict(opening.receipts).get(signed.returned.receipt) or entry.points
    wanted = min(signed.returned.points, entry.points, of_receipt) if points is None else points
    return Reverse(
        batch=opening.place.batch,
        index=opening.place.index,
        path=opening.place.path,
        place=place,
        points=Points(wanted),
        returned=signed.returned,
        signature=signed.signature,
        consent=signed.consent,
    )


def offer_reversal_of(signed: SignedReturn, offer: Hash, points: Points) -> OfferReverse:
    """What a brand sends to take the bonus of an offer back that the returned purchase had brought."""
    return OfferReverse(offer, points, signed.returned, signed.signature, signed.consent)


def bonus_left(shown: Mapping[str, Any]) -> int:
    """What can still be taken back of the bonus of an offer, as a node shows it.

    Raises WalletError offer.not_cited where it brought nothing, returns.bonus_gone where all of it was taken back.
    """
    credited = int(shown["credited"])
    left = credited - int(shown["reversed"])
    if not credited:
        raise WalletError(NOT_CITED)
    if left < 1:
        raise WalletError(BONUS_GONE, credited=credited, offer=shown["id"])
    return left


def answer_with_return(contest: ContestId, signed: SignedReturn) -> EarnAnswerContest:
    """What a brand sends to answer the contest of a purchase that was returned before anybody settled it."""
    return EarnAnswerContest(
        contest, IN_NO_BATCH, 0, (), ReturnAnswer(signed.returned, signed.signature, signed.consent)
    )


def return_of_receipt(returns: Iterable[SignedReturn], receipt: ReceiptHash) -> SignedReturn | None:
    """The return of a receipt that takes the most points back, if there is one."""
    found = [signed for signed in returns if signed.returned.receipt == receipt]
    return max(found, key=lambda signed: signed.returned.points, default=None)
