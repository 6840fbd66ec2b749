"""Returns: what a till and a fan sign when a purchase goes back, and how often it counts (spec RCP-9, LOY-19).

A return receipt counts once: for as many points as it names, be it that they are taken back of entries that were settled, or that
it rebuts a contest of a receipt that was not. It names the purchase's receipt by its salted hash, and nothing of what was bought.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from ledger import keys
from ledger.codec import pack, unpack
from ledger.coin import give_to, lock_deposit
from ledger.domains.accounts.recovery import load_policy_hash
from ledger.domains.accounts.state import load_account
from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX
from ledger.domains.loyalty.shapes import LOT_POINTS
from ledger.domains.loyalty.state import COIN, PAYER, POINTS, SCOPE_TILL, TIME, Grant, grant_key
from ledger.due import schedule
from ledger.errors import Code, Malformed, RuleViolation
from ledger.evolve import replace
from ledger.hashing import RETURN, RETURN_CONSENT, RETURN_SIGNATURE
from ledger.kinds import Attestation, Call, Context, DueKind
from ledger.params import POLICY_KEYS_MAX, RETURN_KEEP_SECONDS
from ledger.policy import Policy, address_of_key
from ledger.schema import Integer, ListOf, Octets, Row, Struct, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    Address,
    Amount,
    ChainId,
    Hash,
    Points,
    PrivateSeed,
    ProgramId,
    PublicKey,
    ReceiptHash,
    RecordKey,
    Signature,
    Timestamp,
)

BAD_CONSENT = Code(
    "return.signatures",
    "the fan's policy needs exactly {expected} signatures by ascending key index",
    "Let the fan sign the return again, with as many keys as its policy asks for.",
)
WRONG_POLICY = Code(
    "return.wrong_policy",
    "the account {member} is not governed by the policy that signed the return",
    "Let the fan sign the return again with its present keys.",
)
FUTURE = Code("return.future", "the return's time {time:time} has not come", "Wait; the till's clock was wrong.")
TOO_LATE = Code(
    "return.too_late", "this return counted until {until:time}", "Nothing can be done: the chain forgot it."
)
NOT_A_TILL = Code(
    "return.not_a_till",
    "the key that signed the return was no till of the program at its time",
    "Take the return at a till of the program, and let the fan sign again.",
)
USED = Code(
    "return.used",
    "of this return's points {left} are left, and {wanted} are asked for",
    "A return counts once, for the points that the fan signed.",
)

DROP_RETURN_DUE = "return.drop"
RETURN_VERSION = 1


@dataclass(frozen=True, slots=True)
class ReturnReceipt:
    """What goes back: the purchase's receipt by its hash, and how many of its points. Never lines, amounts or reasons."""

    version: Annotated[int, Integer(1, 1)]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    receipt: Annotated[ReceiptHash, identifier()]
    till: Annotated[PublicKey, Octets(32, 32)]
    time: Annotated[Timestamp, TIME]
    points: Annotated[Points, LOT_POINTS]
    salt: Annotated[bytes, Octets(32, 32)]


RETURN_RECEIPT = Struct(ReturnReceipt)


@dataclass(frozen=True, slots=True)
class FanConsent:
    """The fan's counter-signature: its account's policy, shown in full, and `threshold` signatures by ascending key index."""

    policy: Annotated[Policy, Struct(Policy)]
    signatures: Annotated[
        tuple[tuple[int, Signature], ...],
        ListOf(Row(Integer(0, POLICY_KEYS_MAX - 1), Octets(64, 64)), 1, POLICY_KEYS_MAX),
    ]

    def check(self) -> None:
        """Raise `Malformed` `witness.policy` or `return.signatures`, as for a transaction's witness."""
        self.policy.check()
        indexes = [index for index, _ in self.signatures]
        if (
            len(indexes) != self.policy.threshold
            or any(a >= b for a, b in pairwise(indexes))
            or indexes[-1] >= len(self.policy.keys)
        ):
            raise Malformed(BAD_CONSENT, expected=self.policy.threshold)


@dataclass(frozen=True, slots=True)
class SignedReturn:
    """A return as shop and fan keep it: the return receipt, the till's signature, and the fan's."""

    returned: Annotated[ReturnReceipt, RETURN_RECEIPT]
    signature: Annotated[Signature, Octets(64, 64)]
    consent: Annotated[FanConsent, Struct(FanConsent)]


SIGNED_RETURN = Struct(SignedReturn)


@dataclass(frozen=True, slots=True)
class Returned:
    """How many of a return's points have counted, remembered until it is too old to count."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    receipt: Annotated[ReceiptHash, identifier()]
    points: Annotated[Points, LOT_POINTS]
    used: Annotated[Points, POINTS]
    keep_until: Annotated[Timestamp, TIME]


RETURNS = Table(b"V", Returned)


def return_key(return_id: Hash) -> RecordKey:
    """`V` + return id."""
    return RecordKey(b"V" + return_id)


# --- bytes ------------------------------------------------------------------------------------------------------------------


def return_id_of(returned: ReturnReceipt) -> Hash:
    """`RETURN(canonical bytes)`: its salt makes two returns two (spec RCP-9)."""
    return Hash(RETURN(pack(RETURN_RECEIPT.encode(returned))))


def till_message(chain_id: ChainId, return_id: Hash) -> Hash:
    """What the till signs."""
    return Hash(RETURN_SIGNATURE(chain_id + return_id))


def fan_message(chain_id: ChainId, return_id: Hash) -> Hash:
    """What the fan signs: another hash, so that no till's signature can pass for a fan's."""
    return Hash(RETURN_CONSENT(chain_id + return_id))


def sign_return_as_till(returned: ReturnReceipt, chain_id: ChainId, seed: PrivateSeed) -> Signature:
    """The signature of the till whose private seed is given."""
    return keys.sign(seed, till_message(chain_id, return_id_of(returned)))


def attest_return(
    returned: ReturnReceipt, signature: Signature, consent: FanConsent, chain_id: ChainId
) -> tuple[Attestation, ...]:
    """What must hold of a return's signatures: the till's first, then the fan's in their order."""
    return_id = return_id_of(returned)
    by_fan = fan_message(chain_id, return_id)
    return (
        (returned.till, till_message(chain_id, return_id), signature),
        *((consent.policy.keys[index], by_fan, found) for index, found in consent.signatures),
    )


def return_is_signed(signed: SignedReturn, chain_id: ChainId) -> bool:
    """Whether till and fan signed this return for this chain, the fan by the policy that is shown."""
    checks = attest_return(signed.returned, signed.signature, signed.consent, chain_id)
    return all(keys.verify(*check) for check in checks)


def encode_return(signed: SignedReturn) -> bytes:
    """The canonical bytes of a signed return."""
    return pack(SIGNED_RETURN.encode(signed))


def decode_return(data: bytes) -> SignedReturn:
    """Read a signed return. Raises `Malformed`."""
    found = SIGNED_RETURN.decode(unpack(data, bytes_max=RECEIPT_BYTES_MAX), "return")
    found.consent.check()
    return found


# --- rule -------------------------------------------------------------------------------------------------------------------


def check_return(view: RuleView, returned: ReturnReceipt, consent: FanConsent, context: Context) -> None:
    """What every use of a return asks for. The signatures themselves are attestations (spec ENV-4).

    Codes in order: `return.wrong_policy`, `return.future`, `return.too_late`, `return.not_a_till`.
    """
    account = load_account(view, returned.member)
    if consent.policy.hash != load_policy_hash(view, returned.member, account, context):
        raise RuleViolation(WRONG_POLICY, member=returned.member)
    if returned.time > context.time:
        raise RuleViolation(FUTURE, time=returned.time)
    if context.time > returned.time + RETURN_KEEP_SECONDS:
        raise RuleViolation(TOO_LATE, until=returned.time + RETURN_KEEP_SECONDS)
    grant: Grant | None = view.get(grant_key(returned.program, address_of_key(returned.till)))
    span = None if grant is None else grant.span_at(returned.time)
    if span is None or not span[2] & SCOPE_TILL:
        raise RuleViolation(NOT_A_TILL)


def points_left(view: RuleView, returned: ReturnReceipt) -> Points:
    """How many of the return's points have not counted yet."""
    found: Returned | None = view.get(return_key(return_id_of(returned)))
    return returned.points if found is None else Points(found.points - found.used)


def count_return(view: RuleView, call: Call, returned: ReturnReceipt, points: Points, context: Context) -> None:
    """Remember that so many of the return's points count now. The first time a deposit is locked.

    Raises `return.used`, and what `lock_deposit` raises.
    """
    left = points_left(view, returned)
    if points > left:
        raise RuleViolation(USED, left=left, wanted=points)
    return_id = return_id_of(returned)
    key = return_key(return_id)
    found: Returned | None = view.get(key)
    if found is None:
        keep_until = Timestamp(returned.time + RETURN_KEEP_SECONDS + 1)
        found = Returned(
            payer=call.payer,
            deposit=lock_deposit(view, call, context),
            program=returned.program,
            member=returned.member,
            receipt=returned.receipt,
            points=returned.points,
            used=Points(0),
            keep_until=keep_until,
        )
        schedule(view, kind=DROP_RETURN_DUE, subject=return_id, number=0, due=keep_until)
    view.put(key, replace(found, used=Points(found.used + points)))


def drop_return(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: the return is too old to count, so nobody needs to remember that it did; its deposit goes back."""
    key = return_key(Hash(subject))
    found: Returned = view.get(key)
    view.delete(key)
    give_to(view, found.payer, found.deposit, "locked")


DROP_RETURN = DueKind(name=DROP_RETURN_DUE, anchor="LOY-19", weight=200, apply=drop_return)
