"""Voucher codes: what stands for one on the chain, so that the shop and the fan can show which it was (spec RWD-9)."""

from ledger.errors import Code, Malformed
from ledger.hashing import VOUCHER_CODE
from ledger.types import Hash

CODE_BYTES_MAX = 256
CODE_SALT_BYTES = 32

BAD_VOUCHER = Code(
    "voucher.shape",
    "a voucher is a code of 1 to 256 bytes and a salt of 32: these are {code_bytes} and {salt_bytes}",
    "Copy code and salt as the shop gave them.",
)


def commit_to_code(salt: bytes, code: str) -> Hash:
    """`VOUCHER_CODE(salt ‖ code in UTF-8)`. Raises `Malformed` for a code or a salt of another length."""
    data = code.encode("utf-8")
    if not 1 <= len(data) <= CODE_BYTES_MAX or len(salt) != CODE_SALT_BYTES:
        raise Malformed(BAD_VOUCHER, code_bytes=len(data), salt_bytes=len(salt))
    return VOUCHER_CODE(salt + data)
