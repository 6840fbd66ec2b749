"""Vouchers for joining as they are printed: one line of text each, which fits a QR code (spec JOIN-1).

    issuer  print_voucher   draws a key pair, signs its public half; needs no node
    fan     PrintedVoucher  reads the text, and signs its own address with the key on it

Whoever holds the text holds the voucher: it is as good as the first membership that it pays for, and no better.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Final

from api.wallet.errors import WalletError
from ledger import keys
from ledger.codec import pack, unpack
from ledger.domains.loyalty.join_vouchers import (
    JoinVoucher,
    ShownVoucher,
    issuer_message,
    prove_voucher,
    sign_voucher,
)
from ledger.errors import Code, Malformed
from ledger.schema import Integer, Octets, Row, identifier
from ledger.types import Address, ChainId, PrivateSeed, ProgramId, PublicKey, Signature, Timestamp

PREFIX: Final = "fansumer-voucher:1:"
TEXT_CHARACTERS_MAX: Final = 1_024
VOUCHERS_MAX: Final = 10_000
"""Vouchers of one batch: a file of a few megabytes."""

BAD_TEXT = Code(
    "voucher.bad_text", "this is no voucher for joining: {reason}", "Copy the whole line, or scan the QR code again."
)

_SHAPE: Final = Row(identifier(), identifier(), Octets(32, 32), Integer(0, 2**40), Octets(32, 32), Octets(64, 64))


@dataclass(frozen=True, slots=True)
class PrintedVoucher:
    """What a paper shows: chain, program, the voucher's private seed, its end, and who signed it."""

    chain_id: ChainId
    program: ProgramId
    seed: PrivateSeed
    valid_until: Timestamp
    till: PublicKey
    signature: Signature

    @property
    def voucher(self) -> JoinVoucher:
        """What the issuer signed."""
        return JoinVoucher(1, self.program, keys.public_key_of(self.seed), self.valid_until)

    def show(self, account: Address) -> ShownVoucher:
        """What a join of `account` shows: not the seed, but a proof that is good for this account alone."""
        voucher = self.voucher
        proof = prove_voucher(voucher, self.chain_id, account, self.seed)
        return ShownVoucher(voucher.key, self.valid_until, self.till, self.signature, proof)

    def to_text(self) -> str:
        """One line without blanks."""
        row = (self.chain_id, self.program, self.seed, self.valid_until, self.till, self.signature)
        return PREFIX + base64.urlsafe_b64encode(pack(row)).decode().rstrip("=")

    @staticmethod
    def from_text(text: str) -> "PrintedVoucher":
        """Read a voucher's line. Raises WalletError voucher.bad_text."""
        line = text.strip()
        if len(line) > TEXT_CHARACTERS_MAX or not line.startswith(PREFIX):
            raise WalletError(BAD_TEXT, reason=f"it does not begin with {PREFIX}, or is too long")
        body = line.removeprefix(PREFIX)
        try:
            data = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            row = _SHAPE.decode(unpack(data, bytes_max=TEXT_CHARACTERS_MAX), "voucher")
        except (binascii.Error, ValueError, Malformed):
            raise WalletError(BAD_TEXT, reason="a part of it is missing or changed") from None
        found = PrintedVoucher(*row)
        message = issuer_message(found.chain_id, found.voucher.voucher_id)
        if not keys.verify(found.till, message, found.signature):
            raise WalletError(BAD_TEXT, reason="its signature does not fit: a part of it was changed")
        return found


def print_voucher(
    chain_id: ChainId, program: ProgramId, issuer_seed: PrivateSeed, valid_until: Timestamp
) -> PrintedVoucher:
    """A new voucher, signed by an issuer with the scope to enrol. Its key pair is drawn from the system's random numbers."""
    seed = PrivateSeed(secrets.token_bytes(32))
    voucher = JoinVoucher(1, program, keys.public_key_of(seed), valid_until)
    signature = sign_voucher(voucher, chain_id, issuer_seed)
    return PrintedVoucher(chain_id, program, seed, valid_until, keys.public_key_of(issuer_seed), signature)
