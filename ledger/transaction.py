"""The envelope that every transaction travels in (spec ENV).

    transaction = [body: bytes, witnesses: [witness, ...]]
    body        = [1, chain tag, kind, salt, author, valid_from, valid_until, payment, payload]
    witness     = [[threshold, [public key, ...]], [[key index, signature], ...]]
    payment     = [0, fee] the author pays | [1, program] its pool pays a computed fee | [2] prepaid by the record that ends

The body travels as one byte string, so the bytes that were hashed and signed are the bytes that are kept. `txid` covers the body,
`wtxid` all of it. Signatures are over the body and the whole chain id.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any, ClassVar, NamedTuple, cast

from ledger import registry
from ledger.codec import pack, unpack, unpack_shaped
from ledger.errors import Code, LedgerError, Malformed, RuleViolation
from ledger.hashing import SIGHASH, TX, WTX
from ledger.kinds import Kind
from ledger.params import (
    POLICY_KEYS_MAX,
    TRANSACTION_BYTES_MAX,
    WEIGHT_PER_DUE,
    WEIGHT_PER_RECORD,
    WEIGHT_PER_SIGNATURE,
    WEIGHT_PER_SLOT,
    Params,
)
from ledger.policy import Policy
from ledger.schema import Integer, ListOf, Octets, OneOf, Row, Struct, Text, identifier
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    ChainId,
    Hash,
    Height,
    ProgramId,
    PublicKey,
    Signature,
    TxId,
    Weight,
    WtxId,
)

ENVELOPE_VERSION = 1

NOT_A_TRANSACTION = Code(
    "envelope.shape", "these bytes are no transaction: {reason}", "Build it with the wallet, or as spec ENV-1 says."
)
UNKNOWN_VERSION = Code(
    "envelope.version", "envelope version {found} is unknown; this chain knows 1", "Use a wallet made for this chain."
)
WRONG_CHAIN = Code(
    "envelope.wrong_chain",
    "this transaction is for the chain {found}, not for {expected}",
    "Point the wallet at the node of the chain that you mean.",
)
UNKNOWN_KIND = Code(
    "envelope.unknown_kind", "the kind {found} is unknown", "Check the kind's name, or update the node and the wallet."
)
INACTIVE_KIND = Code(
    "envelope.inactive_kind", "the kind {found} is not active at height {height}", "Wait for its activation height."
)
BAD_RANGE = Code(
    "envelope.validity",
    "valid_from {valid_from} to valid_until {valid_until} is no range of 1 to {maximum} blocks",
    "Choose valid_until at least valid_from and at most a day of blocks later.",
)
EARLY = Code(
    "envelope.early", "valid from height {valid_from}, and the next block is {height}", "Send it again at that height."
)
EXPIRED = Code("envelope.expired", "valid until height {valid_until}, and the next block is {height}", "Sign it again.")
NO_PREPAID_EXIT = Code(
    "envelope.not_prepaid", "{kind} is not paid in advance by any record", "Pay a fee, or let a program's pool pay."
)
WITNESS_COUNT = Code(
    "witness.count", "{expected} signers are needed, {found} witnesses were sent", "Let each signer sign, in order."
)
SIGNATURE_COUNT = Code(
    "witness.signatures",
    "exactly {expected} signatures by ascending key index are needed",
    "Send as many signatures as the policy's threshold.",
)
BAD_SIGNATURE = Code(
    "witness.signature", "signature {index} of signer {signer} is wrong", "Sign the body with the right key and chain."
)

BAD_ATTESTATION = Code(
    "witness.attestation",
    "a signature in the payload is wrong: what it shows was not signed like this",
    "Take the receipt as the till gave it, and the account for which the till signed it.",
)


@dataclass(frozen=True, slots=True)
class OwnFee:
    """The author's account pays `fee`, at least weight times the chain's least rate."""

    tag: ClassVar[int] = 0
    fee: Annotated[Amount, Integer(0, INTEGER_MAX)]


@dataclass(frozen=True, slots=True)
class Sponsored:
    """The program's fee pool pays what its sponsor policy computes (spec FEE-2)."""

    tag: ClassVar[int] = 1
    program: Annotated[ProgramId, identifier()]


@dataclass(frozen=True, slots=True)
class Prepaid:
    """The record that this transaction ends has paid in advance (spec FEE-4)."""

    tag: ClassVar[int] = 2


Payment = OwnFee | Sponsored | Prepaid


@dataclass(frozen=True, slots=True)
class Witness:
    """A signer's policy, shown in full, and `threshold` signatures by ascending key index."""

    policy: Annotated[Policy, Struct(Policy)]
    signatures: Annotated[
        tuple[tuple[int, Signature], ...],
        ListOf(Row(Integer(0, POLICY_KEYS_MAX - 1), Octets(64, 64)), 1, POLICY_KEYS_MAX),
    ]


@dataclass(frozen=True, slots=True)
class Body:
    """What is signed, before its kind's payload is read."""

    version: Annotated[int, Integer(0, 255)]
    chain_tag: Annotated[bytes, Octets(4, 4)]
    kind: Annotated[str, Text(1, 32)]
    salt: Annotated[bytes, Octets(8, 8)]
    author: Annotated[Address, identifier()]
    valid_from: Annotated[Height, Integer(0, 2**32 - 1)]
    valid_until: Annotated[Height, Integer(0, 2**32 - 1)]
    payment: Annotated[Payment, OneOf(OwnFee, Sponsored, Prepaid)]


BODY = Struct(Body)
WITNESSES = ListOf(Struct(Witness), 1, 4)
BODY_FIELDS = len(BODY.names) + 1
SALT_FIELD = BODY.names.index("salt")
AUTHOR_FIELD = BODY.names.index("author")


@dataclass(frozen=True, slots=True)
class Transaction:
    """A decoded transaction with the bytes that it came from. Structure is checked; rules and signatures are not."""

    raw: bytes
    body_bytes: bytes
    body: Body
    kind: Kind[Any]
    payload: Any
    witnesses: tuple[Witness, ...]
    txid: TxId
    wtxid: WtxId
    weight: Weight
    signers: tuple[Address, ...] = field(repr=False)
    once_key: bytes = field(repr=False)
    """Author and salt: at most one transaction with these stands in a chain's window (spec ENV-5)."""

    @property
    def author(self) -> Address:
        """The account that acts."""
        return self.body.author


def encode_body(body: Body, payload: Any) -> bytes:
    """The canonical bytes of a body with its payload."""
    kind = registry.KINDS[body.kind]
    return pack((*BODY.encode(body), kind.payload.encode(payload)))


def encode_transaction(body_bytes: bytes, witnesses: tuple[Witness, ...]) -> bytes:
    """The canonical bytes of a signed transaction."""
    return pack((body_bytes, WITNESSES.encode(witnesses)))


def signing_hash(chain_id: ChainId, body_bytes: bytes) -> Hash:
    """What each signer signs: `SIGHASH(chain id ‖ body)` (spec ENV-4)."""
    return Hash(SIGHASH(chain_id + body_bytes))


def decode_transaction(raw: bytes, chain_id: ChainId) -> Transaction:
    """Read and check the structure of a transaction for the chain `chain_id`.

    Raises `Malformed`: the bytes are no transaction; `RuleViolation`: they are one, for another chain, version or kind.
    """
    try:
        return _decode(raw, chain_id, unpack_shaped)
    except LedgerError:
        return _decode(raw, chain_id, unpack)  # the same again, slowly: it names the first fault of the bytes


def _decode(raw: bytes, chain_id: ChainId, unpack: Callable[..., Any]) -> Transaction:
    outer = _items(unpack(raw, bytes_max=TRANSACTION_BYTES_MAX))
    if len(outer) != 2 or type(outer[0]) is not bytes:
        raise Malformed(NOT_A_TRANSACTION, reason="it is not [body, witnesses]")
    body_bytes: bytes = outer[0]
    array = _items(unpack(body_bytes, bytes_max=TRANSACTION_BYTES_MAX))
    if len(array) != BODY_FIELDS:
        raise Malformed(NOT_A_TRANSACTION, reason=f"the body is not an array of {BODY_FIELDS}")
    body = BODY.decode(array[:-1], "body")
    if body.version != ENVELOPE_VERSION:
        raise RuleViolation(UNKNOWN_VERSION, found=body.version)
    if body.chain_tag != chain_id[:4]:
        raise RuleViolation(WRONG_CHAIN, found=body.chain_tag, expected=chain_id[:4])
    kind = registry.KINDS.get(body.kind)
    if kind is None:
        raise RuleViolation(UNKNOWN_KIND, found=body.kind)
    payload = kind.payload.decode(array[-1], "payload")
    kind.check(payload)
    if body.payment.tag == Prepaid.tag and not kind.prepaid_weight:
        raise RuleViolation(NO_PREPAID_EXIT, kind=kind.name)
    witnesses: tuple[Witness, ...] = WITNESSES.decode(outer[1], "witnesses")
    signers = (body.author, *kind.cosigners(payload))
    _check_witnesses(witnesses, signers)
    return Transaction(
        raw=raw,
        body_bytes=body_bytes,
        body=body,
        kind=kind,
        payload=payload,
        witnesses=witnesses,
        txid=TxId(TX(body_bytes)),
        wtxid=WtxId(WTX(raw)),
        weight=weigh(kind, payload, size=len(raw), signatures=sum(len(w.signatures) for w in witnesses)),
        signers=signers,
        once_key=body.author + body.salt,
    )


class Identity(NamedTuple):
    """What tells a transaction from all others: author with salt, and txid (spec ENV-5)."""

    once_key: bytes
    txid: TxId


def read_identity(raw: bytes) -> Identity:
    """The identity of a transaction that was found valid before, a fraction of the work of reading it whole. Raises `Malformed`."""
    outer = _items(unpack_shaped(raw, bytes_max=TRANSACTION_BYTES_MAX))
    body_bytes = outer[0] if outer and type(outer[0]) is bytes else pack(())
    body = _items(unpack_shaped(body_bytes, bytes_max=TRANSACTION_BYTES_MAX))
    author, salt = (body[AUTHOR_FIELD], body[SALT_FIELD]) if len(body) == BODY_FIELDS else (b"", b"")
    if type(author) is not bytes or type(salt) is not bytes or (len(author), len(salt)) != (32, 8):
        raise Malformed(NOT_A_TRANSACTION, reason="its author and salt are not where they belong")
    return Identity(author + salt, TxId(TX(body_bytes)))


def _items(value: Any) -> tuple[Any, ...]:
    """The items of an array; none of anything else."""
    return cast("tuple[Any, ...]", value) if type(value) is tuple else ()


def weigh(kind: Kind[Any], payload: Any, *, size: int, signatures: int) -> Weight:
    """The transaction's weight: bytes, signatures, records touched, slots made, due items made (spec ENV-7)."""
    cost = kind.cost(payload)
    return Weight(
        size
        + (signatures + cost.signatures) * WEIGHT_PER_SIGNATURE
        + (cost.records + 1) * WEIGHT_PER_RECORD
        + cost.slots * WEIGHT_PER_SLOT
        + cost.due * WEIGHT_PER_DUE
    )


def _check_witnesses(witnesses: tuple[Witness, ...], signers: tuple[Address, ...]) -> None:
    if len(witnesses) != len(signers):
        raise Malformed(WITNESS_COUNT, expected=len(signers), found=len(witnesses))
    for witness in witnesses:
        policy = witness.policy
        if len(policy.keys) > 1 or policy.threshold > 1:
            policy.check()
        indexes = [index for index, _ in witness.signatures]
        if indexes == [0] and policy.threshold == len(policy.keys) == 1:
            continue  # an ordinary account, as nearly all are
        ascending = all(a < b for a, b in pairwise(indexes))
        if len(indexes) != policy.threshold or not ascending or indexes[-1] >= len(policy.keys):
            raise Malformed(SIGNATURE_COUNT, expected=policy.threshold)


def signature_checks(transaction: Transaction, chain_id: ChainId) -> list[tuple[PublicKey, bytes, Signature]]:
    """Every (public key, message, signature) that must hold for this transaction, for one verification phase.

    First the witnesses' in their order, then what the kind attests.
    """
    message = signing_hash(chain_id, transaction.body_bytes)
    checks: list[tuple[PublicKey, bytes, Signature]] = [
        (witness.policy.keys[index], message, signature)
        for witness in transaction.witnesses
        for index, signature in witness.signatures
    ]
    checks.extend(transaction.kind.attestations(transaction.author, transaction.payload, chain_id))
    return checks


def check_validity_range(transaction: Transaction, height: Height, params: Params) -> None:
    """Raise unless the transaction may stand in the block at `height` (spec ENV-5)."""
    body = transaction.body
    length = body.valid_until - body.valid_from
    if not 0 <= length < params.validity_blocks_max:
        raise RuleViolation(
            BAD_RANGE,
            valid_from=body.valid_from,
            valid_until=body.valid_until,
            maximum=params.validity_blocks_max,
        )
    if height < body.valid_from:
        raise RuleViolation(EARLY, valid_from=body.valid_from, height=height)
    if height > body.valid_until:
        raise RuleViolation(EXPIRED, valid_until=body.valid_until, height=height)
    active_from = params.activations.get(body.kind)
    if active_from is None or height < active_from:
        raise RuleViolation(INACTIVE_KIND, found=body.kind, height=height)
