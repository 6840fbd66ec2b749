"""Vouchers for joining: made beforehand by an issuer, used once, and useless to whoever sees them used (spec JOIN).

A voucher is a key pair of its own, whose public key the issuer signs. Its holder signs the joining account's address with it.
"""

from dataclasses import dataclass
from typing import Annotated

from ledger import keys
from ledger.codec import pack
from ledger.coin import give_to, lock_deposit
from ledger.domains.loyalty.shapes import COIN, PAYER, TIME
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.hashing import JOIN_VOUCHER, JOIN_VOUCHER_PROOF, JOIN_VOUCHER_SIGNATURE
from ledger.kinds import Attestation, Call, Context, DueKind
from ledger.params import VOUCHER_SECONDS_MAX
from ledger.policy import address_of_key
from ledger.schema import Integer, Octets, Struct, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    Address,
    Amount,
    ChainId,
    Hash,
    PrivateSeed,
    ProgramId,
    PublicKey,
    RecordKey,
    Signature,
    Timestamp,
)

EXPIRED = Code("voucher.expired", "the voucher could be used until {until:time}", "Ask the brand for another one.")
TOO_LONG = Code(
    "voucher.too_long",
    "the voucher can be used from {first:time} on: the chain would have to remember it too long",
    "Wait, or ask the brand for one that ends sooner.",
)
USED = Code(
    "voucher.used",
    "somebody has joined with this voucher already",
    "It counts once. Ask the brand for another one, or join at a till.",
)

FORGET_VOUCHER_DUE = "voucher.forget"
VOUCHER_VERSION = 1


@dataclass(frozen=True, slots=True)
class JoinVoucher:
    """What an issuer signs: that whoever holds the private part of `key` may join `program` once, until `valid_until`."""

    version: Annotated[int, Integer(VOUCHER_VERSION, VOUCHER_VERSION)]
    program: Annotated[ProgramId, identifier()]
    key: Annotated[PublicKey, Octets(32, 32)]
    valid_until: Annotated[Timestamp, TIME]

    @property
    def voucher_id(self) -> Hash:
        """The id by which the chain remembers that it was used."""
        return Hash(JOIN_VOUCHER(pack(JOIN_VOUCHER_SHAPE.encode(self))))


JOIN_VOUCHER_SHAPE = Struct(JoinVoucher)


@dataclass(frozen=True, slots=True)
class ShownVoucher:
    """A voucher as a join shows it: the till that signed it, its signature, and the proof for the account that joins."""

    key: Annotated[PublicKey, Octets(32, 32)]
    valid_until: Annotated[Timestamp, TIME]
    till: Annotated[PublicKey, Octets(32, 32)]
    signature: Annotated[Signature, Octets(64, 64)]
    proof: Annotated[Signature, Octets(64, 64)]

    def of(self, program: ProgramId) -> JoinVoucher:
        """The voucher that was signed, for that program."""
        return JoinVoucher(VOUCHER_VERSION, program, self.key, self.valid_until)

    @property
    def issuer(self) -> Address:
        """The address under which the till holds its grant."""
        return address_of_key(self.till)


SHOWN_VOUCHER = Struct(ShownVoucher)


@dataclass(frozen=True, slots=True)
class UsedVoucher:
    """Who joined with a voucher, remembered until it could not be used any more."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    member: Annotated[Address, identifier()]
    valid_until: Annotated[Timestamp, TIME]


USED_VOUCHERS = Table(b"J", UsedVoucher)


def used_voucher_key(voucher_id: Hash) -> RecordKey:
    """`J` + voucher id."""
    return RecordKey(b"J" + voucher_id)


def issuer_message(chain_id: ChainId, voucher_id: Hash) -> Hash:
    """What the issuer signs."""
    return Hash(JOIN_VOUCHER_SIGNATURE(chain_id + voucher_id))


def holder_message(chain_id: ChainId, voucher_id: Hash, account: Address) -> Hash:
    """What the holder signs with the voucher's own key, for the account that joins."""
    return Hash(JOIN_VOUCHER_PROOF(chain_id + voucher_id + account))


def sign_voucher(voucher: JoinVoucher, chain_id: ChainId, issuer_seed: PrivateSeed) -> Signature:
    """The signature of the issuer whose private seed is given."""
    return keys.sign(issuer_seed, issuer_message(chain_id, voucher.voucher_id))


def prove_voucher(voucher: JoinVoucher, chain_id: ChainId, account: Address, voucher_seed: PrivateSeed) -> Signature:
    """The proof that the holder of the voucher wants `account` to join with it."""
    return keys.sign(voucher_seed, holder_message(chain_id, voucher.voucher_id, account))


def attest_voucher(
    shown: ShownVoucher, program: ProgramId, account: Address, chain_id: ChainId
) -> tuple[Attestation, ...]:
    """What must hold of a voucher's signatures: the issuer's first, then the proof for the joining account."""
    voucher_id = shown.of(program).voucher_id
    return (
        (shown.till, issuer_message(chain_id, voucher_id), shown.signature),
        (shown.key, holder_message(chain_id, voucher_id, account), shown.proof),
    )


def check_voucher(view: RuleView, shown: ShownVoucher, program: ProgramId, context: Context) -> None:
    """Codes in order: `voucher.expired`, `voucher.too_long`, `voucher.used`. Signatures are attestations (spec ENV-4)."""
    if context.time > shown.valid_until:
        raise RuleViolation(EXPIRED, until=shown.valid_until)
    if shown.valid_until > context.time + VOUCHER_SECONDS_MAX:
        raise RuleViolation(TOO_LONG, first=shown.valid_until - VOUCHER_SECONDS_MAX)
    if view.get(used_voucher_key(shown.of(program).voucher_id)) is not None:
        raise RuleViolation(USED)


def use_voucher(view: RuleView, call: Call, shown: ShownVoucher, program: ProgramId, context: Context) -> Hash:
    """Remember that the author joined with it, with a deposit of the call's payer; returns its id.

    Raises what `lock_deposit` does.
    """
    voucher_id = shown.of(program).voucher_id
    used = UsedVoucher(call.payer, lock_deposit(view, call, context), program, call.author, shown.valid_until)
    view.put(used_voucher_key(voucher_id), used)
    schedule(view, kind=FORGET_VOUCHER_DUE, subject=voucher_id, number=0, due=Timestamp(shown.valid_until + 1))
    return voucher_id


def forget_voucher(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: a voucher that has expired needs no memory; its deposit goes back."""
    key = used_voucher_key(Hash(subject))
    used: UsedVoucher = view.get(key)
    view.delete(key)
    give_to(view, used.payer, used.deposit, "locked")


FORGET_VOUCHER = DueKind(name=FORGET_VOUCHER_DUE, anchor="JOIN-2", weight=200, apply=forget_voucher)
