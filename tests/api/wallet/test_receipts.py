import json
from dataclasses import replace

import pytest

from api.wallet.errors import WalletError
from api.wallet.receipts import (
    CLOCK_SECONDS_MAX,
    check_receipt,
    contradicts_visit,
    describe_receipt,
    explain_entry,
    find_in_opening,
)
from api.wallet.sealing import Carried, Opening, opening_to_mapping, seal_entry
from ledger import keys
from ledger.address import decode_address
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, receipt_hash, sign_receipt
from ledger.policy import address_of_key
from ledger.types import Address, ChainId, Hash, Points, PrivateSeed, ProgramId, Timestamp

CHAIN = ChainId(b"c" * 32)
TILL = PrivateSeed(b"t" * 32)
NOW = Timestamp(1_800_000_000)


def make_receipt(time: int = NOW) -> SignedReceipt:
    receipt = Receipt(
        1,
        ProgramId(b"p" * 32),
        1,
        Address(b"m" * 32),
        keys.public_key_of(TILL),
        4,
        Timestamp(time),
        1_999,
        0,
        (("bread", 1_999),),
        Hash(bytes(32)),
        Points(199),
    )
    return sign_receipt(receipt, b"s" * 32, CHAIN, TILL)


def code_of(fault: pytest.ExceptionInfo[WalletError]) -> str:
    return fault.value.code.name


def test_signed_receipt_is_described() -> None:
    signed = make_receipt()
    check_receipt(signed, CHAIN, now=NOW)
    shown = json.loads(json.dumps(describe_receipt(signed, "fsim")))
    assert (shown["points"], shown["codes"], shown["sequence"]) == (199, {"bread": 1_999}, 4)
    assert decode_address("fsim", shown["member"]) == signed.receipt.member
    assert decode_address("fsim", shown["till"]) == address_of_key(signed.receipt.till)
    assert describe_receipt(signed, None)["member"] == signed.receipt.member.hex()


def test_other_chain_or_changed_points_are_not_signed() -> None:
    signed = make_receipt()
    changed = replace(signed, receipt=replace(signed.receipt, points=Points(200)))
    for receipt, chain in ((signed, ChainId(b"d" * 32)), (changed, CHAIN)):
        with pytest.raises(WalletError) as fault:
            check_receipt(receipt, chain)
        assert code_of(fault) == "receipt.not_signed"


@pytest.mark.parametrize("off", [CLOCK_SECONDS_MAX + 1, -CLOCK_SECONDS_MAX - 1])
def test_time_off_by_more_than_ten_minutes_is_refused_at_the_till(off: int) -> None:
    check_receipt(make_receipt(NOW + off), CHAIN)
    check_receipt(make_receipt(NOW + off // abs(off) * CLOCK_SECONDS_MAX), CHAIN, now=NOW)
    with pytest.raises(WalletError) as fault:
        check_receipt(make_receipt(NOW + off), CHAIN, now=NOW)
    assert code_of(fault) == "receipt.wrong_time"


def test_receipt_is_found_in_the_entry_that_settled_it() -> None:
    signed = make_receipt()
    item = (receipt_hash(signed.receipt, signed.salt), signed.receipt.points)
    entry, opening = seal_entry(signed.receipt.member, 7, [item], remainder_max=Points(9))
    found = find_in_opening(signed, json.dumps(opening_to_mapping(opening)))
    assert found["entry_commitment"] == entry.receipts.hex()
    assert found["entry_points"] == entry.points
    assert (found["entry_receipts"], found["entry_receipt_points"], found["carried_before"]) == (1, 199, 0)
    assert found["carried_after"] == 199 - entry.points
    without, _ = seal_entry(signed.receipt.member, 7, [])
    other = seal_entry(signed.receipt.member, 7, [])[1]
    with pytest.raises(WalletError) as fault:
        find_in_opening(signed, json.dumps(opening_to_mapping(other)))
    assert code_of(fault) == "receipt.not_in_opening"
    assert without.points == 0


def test_the_remainder_is_explained() -> None:
    signed = make_receipt()
    item = (receipt_hash(signed.receipt, signed.salt), signed.receipt.points)
    before, after = Carried(Points(5), b"b" * 32), Carried(Points(50), b"a" * 32)
    opening = Opening(signed.receipt.member, 7, Points(154), (item,), b"s" * 32, before, after)
    shown = find_in_opening(signed, json.dumps(opening_to_mapping(opening)))
    assert shown["explanation"] == (
        "receipts 199 + carried from before 5 - carried on 50 = 154; the points carried on come with a later entry"
    )
    last = replace(opening, points=Points(204), after=Carried(Points(0), b""))
    assert explain_entry(last).endswith("= 204; nothing is carried on")


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 9_999])
def test_other_files_are_no_openings(text: str) -> None:
    with pytest.raises(WalletError) as fault:
        find_in_opening(make_receipt(), text)
    assert code_of(fault) == "sealing.bad_opening"


@pytest.mark.parametrize(
    ("named", "own", "expected"),
    [
        (0, (), None),
        (NOW - 100, (NOW - 100,), None),
        (NOW - 100, (NOW - 500, NOW - 100, NOW + 50), None),
        (NOW - 100, (NOW - 500,), "none of your receipts"),
        (NOW - 100, (), "none of your receipts"),
        (NOW - 500, (NOW - 500, NOW - 100), "costs you no points"),
        (0, (NOW - 100,), "names no visit"),
        (0, (NOW + 1,), None),
    ],
)
def test_a_fans_own_receipts_speak_against_the_visit_that_a_till_names(
    named: int, own: tuple[int, ...], expected: str | None
) -> None:
    receipt = replace(make_receipt().receipt, previous_visit=named)
    others = [make_receipt(time).receipt for time in own]
    foreign = [
        replace(make_receipt(NOW - 7).receipt, program=ProgramId(b"q" * 32)),
        replace(make_receipt(NOW - 7).receipt, member=Address(b"n" * 32)),
        replace(make_receipt(NOW - 7).receipt, net_cents=-5),
        receipt,
    ]
    found = contradicts_visit(receipt, [*others, *foreign])
    assert (found is None) == (expected is None) and (expected or "") in (found or "")
