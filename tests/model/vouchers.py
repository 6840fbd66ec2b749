"""Joining with a voucher: JOIN-1 and JOIN-2."""

from ledger.codec import pack
from tests.model.accounts import address_of_key
from tests.model.records import ENROL, UsedVoucher, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import tagged

VALID_SECONDS_MAX = 34_560_000


def voucher_id(program: bytes, voucher: tuple) -> bytes:
    """JOIN-1."""
    key, valid_until = voucher[:2]
    return tagged("JOIN_VOUCHER", pack((1, program, key, valid_until)))


def check(model: Model, program: bytes, voucher: tuple) -> None:
    """JOIN-2: it holds."""
    _, valid_until, till, _, _ = voucher
    model.require_live_grant(program, address_of_key(till), ENROL)
    refuse_unless(model.now <= valid_until, "voucher.expired")
    refuse_unless(valid_until <= model.now + VALID_SECONDS_MAX, "voucher.too_long")
    refuse_unless(voucher_id(program, voucher) not in model.vouchers, "voucher.used")


def use(model: Model, call: Call, program: bytes, voucher: tuple) -> None:
    """JOIN-2, after everything else that is locked."""
    which, valid_until = voucher_id(program, voucher), voucher[1]
    model.take(call.payer, model.record_deposit)
    model.vouchers[which] = UsedVoucher(call.payer, model.record_deposit, program, call.author, valid_until)
    model.queue("voucher.forget", which, 0, valid_until + 1)


def forget(model: Model, which: bytes) -> None:
    """Due work `voucher.forget`."""
    found = model.vouchers.pop(which)
    model.give(found.payer, found.deposit)
