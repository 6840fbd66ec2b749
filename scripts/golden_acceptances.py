"""Golden values of acceptances and voucher codes (spec RWD-9, RWD-10)."""

from hashlib import sha256
from typing import Any

from ledger.domains.rewards.acceptance import (
    AcceptanceStatement,
    acceptance_signing_hash,
    encode_acceptance,
    sign_acceptance,
)
from ledger.domains.rewards.voucher_codes import commit_to_code
from ledger.hashing import object_id
from ledger.types import Address, ChainId, HoldId, ProgramId, Timestamp, TxId
from tests.support.memory_chain import Signer

FAN, TILL = Signer.named("fan"), Signer.named("till")
CODES = ("A", "SPRING-7Q2", "Gr\u00fc\u00dfe \u2615", "9" * 256)


def acceptance_vectors(chain_id: ChainId) -> dict[str, Any]:
    """What tills sign to accept redemptions, and commitments to codes."""
    return {
        "chain_id": chain_id.hex(),
        "acceptances": [_describe_acceptance(chain_id, depth) for depth in (1, 6, 10_000)],
        "vouchers": [_describe_voucher(code) for code in CODES],
    }


def _describe_acceptance(chain_id: ChainId, depth: int) -> dict[str, Any]:
    txid = TxId(sha256(b"redeem" + bytes([depth % 256])).digest())
    statement = AcceptanceStatement(
        version=1,
        program=ProgramId(sha256(b"program").digest()),
        txid=txid,
        hold=HoldId(object_id("hold", txid, 0)),
        member=Address(FAN.address),
        till=TILL.key,
        accepted_at=Timestamp(1_767_225_570),
        depth=depth,
    )
    signed = sign_acceptance(statement, chain_id, TILL.seeds[0])
    return {
        "signed": encode_acceptance(signed).hex(),
        "txid": txid.hex(),
        "hold": statement.hold.hex(),
        "depth": depth,
        "signing_hash": acceptance_signing_hash(chain_id, statement).hex(),
        "signature": signed.signature.hex(),
    }


def _describe_voucher(code: str) -> dict[str, Any]:
    salt = sha256(code.encode()).digest()
    return {"salt": salt.hex(), "code": code, "commitment": commit_to_code(salt, code).hex()}
