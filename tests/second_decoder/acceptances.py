"""Acceptances and voucher codes: RWD-9, RWD-10."""

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import object_id, tagged
from tests.second_decoder.keys import is_valid
from tests.second_decoder.layouts import KNOWN

ACCEPTANCE_BYTES_MAX = 1_024
STATEMENT = KNOWN["acceptance_statement"]
SIGNED = KNOWN["signed_acceptance"]


def read_signed(data: bytes) -> dict:
    """A signed acceptance in names."""
    signed = SIGNED.read(decode(data, ACCEPTANCE_BYTES_MAX), "signed")
    if signed["statement"]["hold"] != object_id("hold", signed["statement"]["txid"]):
        raise Fault("acceptance.shape", "the transaction opens another hold")
    return signed


def write_signed(signed: dict) -> bytes:
    """Its bytes."""
    return encode(SIGNED.write(signed))


def signing_hash(chain_id: bytes, statement: dict) -> bytes:
    """What the till signs."""
    return tagged("ACCEPTANCE", chain_id + encode(STATEMENT.write(statement)))


def is_signed(chain_id: bytes, signed: dict) -> bool:
    """Whether the till that it names signed it."""
    statement = signed["statement"]
    return is_valid(statement["till"], signing_hash(chain_id, statement), signed["signature"])


def commitment(salt: bytes, code: str) -> bytes:
    """What stands for a voucher code."""
    return tagged("VOUCHER_CODE", salt + code.encode("utf-8"))
