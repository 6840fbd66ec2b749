"""Receipts and returns of the golden chain, with their signatures."""

from ledger.domains.loyalty.receipts import NO_OFFER, Receipt, SignedReceipt, sign_receipt
from ledger.domains.loyalty.returns import (
    FanConsent,
    ReturnReceipt,
    fan_message,
    return_id_of,
    sign_return_as_till,
)
from ledger.types import Hash, Points, ProgramId, ReceiptHash, Signature, Timestamp
from tests.support.memory_chain import GENESIS_TIME, Scenario, Signer

OWNER, TILL, FAN = Signer.named("owner"), Signer.named("till"), Signer.named("fan")


def sign_purchase(
    scenario: Scenario, program: ProgramId, *, sequence: int, points: int, offer: Hash = NO_OFFER
) -> SignedReceipt:
    """A receipt of the fan's over 53.00, of the first day."""
    receipt = Receipt(
        version=1,
        program=program,
        terms_version=1,
        member=FAN.address,
        till=TILL.key,
        sequence=sequence,
        time=Timestamp(GENESIS_TIME + 90),
        net_cents=5_300,
        paid_with_points_cents=300,
        codes=(("bakery", 2_000), ("dairy", 3_300)),
        lines_root=Hash(bytes(range(64, 96))),
        points=Points(points),
        tier=1,
        previous_visit=GENESIS_TIME,
        offer=offer,
    )
    return sign_receipt(receipt, bytes(range(sequence, sequence + 32)), scenario.chain_id, TILL.seeds[0])


def sign_return(
    scenario: Scenario, program: ProgramId, fan: Signer, receipt: ReceiptHash, *, points: int
) -> tuple[ReturnReceipt, Signature, FanConsent]:
    """A return that the till and the fan have signed."""
    time, salt = Timestamp(GENESIS_TIME + 95), bytes(range(192, 224))
    returned = ReturnReceipt(1, program, fan.address, receipt, TILL.key, time, Points(points), salt)
    chain_id = scenario.chain_id
    signed = sign_return_as_till(returned, chain_id, TILL.seeds[0])
    witness = fan.sign(fan_message(chain_id, return_id_of(returned)))
    return returned, signed, FanConsent(witness.policy, witness.signatures)
