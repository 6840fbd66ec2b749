"""Vouchers as they are printed: one line that survives a QR code, and shows whoever changes it."""

import pytest

from api.till.symbol import fits_symbol
from api.wallet.errors import WalletError
from api.wallet.printed_vouchers import BAD_TEXT, PREFIX, PrintedVoucher, print_voucher
from ledger import keys
from ledger.domains.loyalty.join_vouchers import attest_voucher
from ledger.types import Address, ChainId, PrivateSeed, ProgramId, Timestamp

CHAIN, PROGRAM, FAN = ChainId(b"c" * 32), ProgramId(b"p" * 32), Address(b"f" * 32)
ISSUER = PrivateSeed(b"i" * 32)
VOUCHER = print_voucher(CHAIN, PROGRAM, ISSUER, Timestamp(1_800_000_000))


def test_a_voucher_survives_its_text_and_fits_a_code() -> None:
    text = VOUCHER.to_text()
    assert PrintedVoucher.from_text(f"  {text}\n") == VOUCHER
    assert text.startswith(PREFIX) and len(text) < 400 and fits_symbol(text)


def test_every_voucher_has_a_key_of_its_own_and_shows_no_seed() -> None:
    other = print_voucher(CHAIN, PROGRAM, ISSUER, VOUCHER.valid_until)
    assert other.voucher.voucher_id != VOUCHER.voucher.voucher_id
    shown = VOUCHER.show(FAN)
    assert VOUCHER.seed not in (shown.key, shown.till, shown.signature, shown.proof)
    assert all(keys.verify(*check) for check in attest_voucher(shown, PROGRAM, FAN, CHAIN))
    assert not all(keys.verify(*check) for check in attest_voucher(shown, PROGRAM, Address(b"g" * 32), CHAIN))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fansumer-voucher:2:AAAA",
        PREFIX,
        PREFIX + "AAAA",
        PREFIX + "!!!!",
        PREFIX + "ä",
        PREFIX + "A" * 5_000,
        VOUCHER.to_text()[:-2],
        VOUCHER.to_text()[:60] + ("A" if VOUCHER.to_text()[60] != "A" else "B") + VOUCHER.to_text()[61:],
    ],
)
def test_other_texts_are_no_vouchers(text: str) -> None:
    with pytest.raises(WalletError) as found:
        PrintedVoucher.from_text(text)
    assert found.value.code is BAD_TEXT
