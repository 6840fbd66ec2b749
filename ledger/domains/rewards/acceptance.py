"""A shop's word that it hands a reward out before its redemption is deep, at its own risk (spec RWD-10). Off chain."""

from dataclasses import dataclass
from typing import Annotated

from ledger import keys
from ledger.codec import pack, unpack
from ledger.domains.loyalty.state import TIME
from ledger.errors import Code, Malformed
from ledger.hashing import ACCEPTANCE, object_id
from ledger.schema import Integer, Octets, Struct, identifier
from ledger.types import Address, ChainId, Hash, HoldId, PrivateSeed, ProgramId, PublicKey, Signature, Timestamp, TxId

ACCEPTANCE_VERSION = 1
ACCEPTANCE_BYTES_MAX = 1_024
ACCEPTANCE_DEPTH_MAX = 10_000
SETTLED_DEPTH = 6
"""Blocks from the redemption's to the tip, after which it is settled where no acceptance names another depth."""

BAD_ACCEPTANCE = Code("acceptance.shape", "this is no acceptance: {reason}", "Ask the shop for the acceptance again.")


@dataclass(frozen=True, slots=True)
class AcceptanceStatement:
    """What a till says: `txid` opened `hold`; the reward is handed out now, at the shop's risk until `depth` blocks stand on it."""

    version: Annotated[int, Integer(ACCEPTANCE_VERSION, ACCEPTANCE_VERSION)]
    program: Annotated[ProgramId, identifier()]
    txid: Annotated[TxId, identifier()]
    hold: Annotated[HoldId, identifier()]
    member: Annotated[Address, identifier()]
    till: Annotated[PublicKey, Octets(32, 32)]
    accepted_at: Annotated[Timestamp, TIME]
    depth: Annotated[int, Integer(1, ACCEPTANCE_DEPTH_MAX)]


STATEMENT = Struct(AcceptanceStatement)


@dataclass(frozen=True, slots=True)
class SignedAcceptance:
    """The statement with the till's signature, as the fan keeps it."""

    statement: Annotated[AcceptanceStatement, STATEMENT]
    signature: Annotated[Signature, Octets(64, 64)]


SIGNED_ACCEPTANCE = Struct(SignedAcceptance)


def acceptance_signing_hash(chain_id: ChainId, statement: AcceptanceStatement) -> Hash:
    """What the till signs: `ACCEPTANCE(chain id ‖ canonical bytes of the statement)`."""
    return ACCEPTANCE(chain_id + pack(STATEMENT.encode(statement)))


def sign_acceptance(statement: AcceptanceStatement, chain_id: ChainId, seed: PrivateSeed) -> SignedAcceptance:
    """Sign as the till whose private seed is given."""
    return SignedAcceptance(statement, keys.sign(seed, acceptance_signing_hash(chain_id, statement)))


def acceptance_is_signed(signed: SignedAcceptance, chain_id: ChainId) -> bool:
    """Whether the till that the statement names signed it for this chain."""
    message = acceptance_signing_hash(chain_id, signed.statement)
    return keys.verify(signed.statement.till, message, signed.signature)


def encode_acceptance(signed: SignedAcceptance) -> bytes:
    """The canonical bytes of a signed acceptance."""
    return pack(SIGNED_ACCEPTANCE.encode(signed))


def decode_acceptance(data: bytes) -> SignedAcceptance:
    """Read a signed acceptance. Raises `Malformed`, also where the hold is not the one that the transaction opens."""
    found = SIGNED_ACCEPTANCE.decode(unpack(data, bytes_max=ACCEPTANCE_BYTES_MAX), "acceptance")
    if found.statement.hold != object_id("hold", found.statement.txid, 0):
        raise Malformed(BAD_ACCEPTANCE, reason="its transaction does not open its hold")
    return found
