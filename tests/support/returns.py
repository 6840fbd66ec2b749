"""Returns that till and fan signed, and the reversals that cite them."""

from dataclasses import replace
from typing import Any

from ledger.domains.loyalty.contests import contest_id_of
from ledger.domains.loyalty.earn_answer_contest import NO_PLACE, EarnAnswerContest, ReturnAnswer
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash
from ledger.domains.loyalty.returns import (
    FanConsent,
    ReturnReceipt,
    SignedReturn,
    fan_message,
    return_id_of,
    return_key,
    sign_return_as_till,
)
from ledger.domains.loyalty.reverse import Reverse, SealedPlace
from ledger.types import Hash, Points, PublicKey
from tests.support.contests import Settled, settle, sign
from tests.support.memory_chain import Signer
from tests.support.shop import FAN, OWNER, TILL, Shop, some_hash


def take_return(
    shop: Shop,
    bought: SignedReceipt,
    *,
    points: int | None = None,
    fan: Signer = FAN,
    till: Signer = TILL,
    number: int = 1,
    signers: tuple[Signer, Signer] | None = None,
    **changes: Any,
) -> SignedReturn:
    """A return of a purchase, now, of all its points unless told otherwise; `signers` sign in the till's and the fan's place."""
    returned = ReturnReceipt(
        version=1,
        program=shop.program,
        member=fan.address,
        receipt=receipt_hash(bought.receipt, bought.salt),
        till=till.key,
        time=shop.now,
        points=Points(bought.receipt.points if points is None else points),
        salt=some_hash("return", number),
    )
    returned = replace(returned, **changes)
    as_till, as_fan = signers or (till, fan)
    chain_id = shop.chain.chain_id
    witness = as_fan.sign(fan_message(chain_id, return_id_of(returned)))
    consent = FanConsent(witness.policy, witness.signatures)
    return SignedReturn(returned, sign_return_as_till(returned, chain_id, as_till.seeds[0]), consent)


def reversal(
    settled: Settled, signed: SignedReturn, points: int | None = None, *, before: Hash | None = None
) -> Reverse:
    """The reversal that cites an entry and a return. `before` is the K before the entry, where it is nothing that opens."""
    entry = settled.entry
    held = settled.before.commitment() if before is None else before
    place = SealedPlace(entry.period, entry.points, entry.receipts, entry.remainder, held)
    return Reverse(
        batch=settled.batch,
        index=settled.index,
        path=settled.path,
        place=place,
        points=signed.returned.points if points is None else Points(points),
        returned=signed.returned,
        signature=signed.signature,
        consent=signed.consent,
    )


def reverse(
    shop: Shop, settled: Settled, signed: SignedReturn, points: int | None = None, *, author: Signer = OWNER
) -> None:
    """Take points back."""
    shop.chain.send("reverse", reversal(settled, signed, points), author=author)


def answer_by_return(bought: SignedReceipt, signed: SignedReturn) -> EarnAnswerContest:
    """The answer to the contest of a purchase that was returned."""
    contest = contest_id_of(bought.receipt.program, PublicKey(bought.receipt.till), bought.receipt.sequence)
    shown = ReturnAnswer(signed.returned, signed.signature, signed.consent)
    return EarnAnswerContest(contest, NO_PLACE, 0, (), shown)


def returned_of(shop: Shop, signed: SignedReturn) -> Any:
    """What the chain remembers of a return: a `Returned`, or None."""
    return shop.chain.record(return_key(return_id_of(signed.returned)))


def buy(shop: Shop, *, sequence: int = 1, points: int = 500, fan: Signer = FAN) -> tuple[SignedReceipt, Settled]:
    """A purchase that was settled at once."""
    bought = sign(shop, fan, sequence=sequence, points=points)
    return bought, settle(shop, [bought], fan=fan)
