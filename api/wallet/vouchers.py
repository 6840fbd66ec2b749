"""Voucher codes: the shop commits to them, the fan keeps code and salt and can prove which code it was given (spec RWD-9)."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.wallet.client import Answer
from api.wallet.errors import WalletError
from ledger.domains.rewards.voucher_codes import CODE_SALT_BYTES, commit_to_code
from ledger.errors import Code, Malformed
from ledger.types import Hash

VOUCHERS_MAX: Final = 1_000

BAD_FILE = Code(
    "voucher.bad_file",
    "this is no file of vouchers: {reason}",
    'It is the JSON that `brand fulfil --vouchers` wrote: {"vouchers": [{"code": ..., "salt": ...}]}.',
)
WRONG_CODE = Code(
    "voucher.wrong_code",
    "the code {voucher} is none of those that the shop committed to",
    "Compare the code and the salt, letter by letter, and the redemption; else the shop gave another code than it said.",
)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A code with the salt that hides it."""

    code: str
    salt: bytes

    @property
    def commitment(self) -> Hash:
        """What stands for it on the chain. Raises Malformed voucher.shape."""
        return commit_to_code(self.salt, self.code)


def make_vouchers(codes: Iterable[str]) -> list[Voucher]:
    """Each code with a salt of its own. Raises Malformed voucher.shape."""
    return [_checked(Voucher(code, secrets.token_bytes(CODE_SALT_BYTES))) for code in codes]


def _checked(voucher: Voucher) -> Voucher:
    """The voucher, if it can be committed to. Raises Malformed voucher.shape."""
    commit_to_code(voucher.salt, voucher.code)
    return voucher


def write_vouchers(vouchers: Sequence[Voucher], hold: bytes) -> str:
    """The file that the shop gives the fan."""
    rows = [{"code": found.code, "salt": found.salt.hex(), "commitment": found.commitment.hex()} for found in vouchers]
    return json.dumps({"redemption": hold.hex(), "vouchers": rows}, indent=2, ensure_ascii=False) + "\n"


def read_vouchers(text: str) -> list[Voucher]:
    """The vouchers in a file. Raises WalletError voucher.bad_file."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise WalletError(BAD_FILE, reason="it is not JSON") from None
    rows = found.get("vouchers") if isinstance(found, Mapping) else None
    if not isinstance(rows, list) or not 1 <= len(rows) <= VOUCHERS_MAX:
        raise WalletError(BAD_FILE, reason="it has no list `vouchers`")
    return [_read_voucher(row) for row in rows]


def _read_voucher(row: Any) -> Voucher:
    try:
        return _checked(Voucher(str(row["code"]), bytes.fromhex(row["salt"])))
    except (KeyError, TypeError, ValueError):
        raise WalletError(BAD_FILE, reason="a voucher is an object with `code` and `salt`") from None
    except Malformed as fault:
        raise WalletError(BAD_FILE, reason=str(fault)) from None


def commitments_of(redemption: Answer) -> set[str]:
    """Every code that the shop committed to when it handed a redemption out, as the node shows it."""
    return {code for fulfilment in redemption["fulfilments"] for code in fulfilment["codes"]}


def prove_vouchers(vouchers: Sequence[Voucher], commitments: set[str]) -> list[dict[str, Any]]:
    """One row for each voucher that stands behind a commitment. Raises WalletError voucher.wrong_code for one that does not."""
    rows: list[dict[str, Any]] = []
    for voucher in vouchers:
        commitment = voucher.commitment.hex()
        if commitment not in commitments:
            raise WalletError(WRONG_CODE, voucher=voucher.code)
        rows.append({"code": voucher.code, "commitment": commitment, "proved": True})
    return rows
