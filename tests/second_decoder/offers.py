"""Personal offers: OFR-1 to OFR-7, computed from the transactions and held against the records."""

from itertools import pairwise

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import be8, tagged
from tests.second_decoder.layouts import KNOWN
from tests.second_decoder.receipts import opened_hash, return_id
from tests.second_decoder.records import read_value

OFFER_BYTES_MAX = 4_096
KEEP_SECONDS = 2_592_000


def read_offer(data: bytes) -> dict:
    """A personal offer in names (OFR-1)."""
    offer = KNOWN["personal_offer"].read(decode(data, OFFER_BYTES_MAX), "offer")
    check_terms(offer["terms"])
    return offer


def check_terms(terms: dict) -> None:
    """OFR-1: codes strictly ascend, and all are asked for only of two or more."""
    is_unsorted = any(left >= right for left, right in pairwise(terms["codes"]))
    if is_unsorted or (terms["needs_all"] and len(terms["codes"]) < 2):
        raise Fault("offer.shape")


def sealed(salt: bytes, terms: dict) -> bytes:
    """What stands for the terms (OFR-1)."""
    return tagged("OFFER_TERMS", salt + encode(KNOWN["offer_terms"].write(terms)))


def offer_id(program: bytes, entry: dict) -> bytes:
    """The id of an offer, by the entry that issues it (OFR-1, OFR-3)."""
    return tagged("OFFER", program + entry["member"] + be8(entry["points"]) + be8(entry["expires_at"]) + entry["terms"])


def check_contest_shape(payload: dict) -> None:
    """OFR-5: nothing is opened that the terms do not read."""
    paid = payload["net_cents"] or payload["paid_with_points_cents"]
    if (paid and not payload["terms"]["net_cents_min"]) or (payload["codes"] and not payload["terms"]["codes"]):
        raise Fault("offer.opening")


def opened_receipt(body: dict) -> bytes:
    """The hash of the receipt that a contest opens; its member is the author (OFR-5, RCP-8)."""
    shown, terms = body["payload"], body["payload"]["terms"]
    opened = {1: shown["program"], 3: body["author"], 4: shown["till"], 6: shown["time"], 14: shown["offer"]}
    if terms["net_cents_min"]:
        opened |= {7: shown["net_cents"], 8: shown["paid_with_points_cents"]}
    if terms["codes"]:
        opened[9] = [[item["code"], item["cents"]] for item in shown["codes"]]
    return opened_hash(opened, shown["blinding"])


def is_met(terms: dict, expires_at: int, bought: dict) -> bool:
    """OFR-1: whether a purchase is what the terms ask for."""
    basket = bought["net_cents"] - bought["paid_with_points_cents"]
    named = {item["code"] for item in bought["codes"] if item["code"] in terms["codes"] and item["cents"] > 0}
    enough = len(named) == len(terms["codes"]) if terms["needs_all"] else bool(named or not terms["codes"])
    in_time = terms["from_time"] <= bought["time"] <= expires_at
    large = not terms["net_cents_min"] or basket >= terms["net_cents_min"]
    return in_time and large and enough


def check_issued(payload: dict, codes: list[str], after: dict[bytes, bytes], now: int) -> None:
    """The records of a batch of offers (OFR-3)."""
    for entry, code in zip(payload["entries"], codes, strict=True):
        key = b"O" + offer_id(payload["program"], entry)
        if code:
            continue
        record = read_value(key, after[key])
        same = ("member", "terms", "points", "expires_at")
        assert [record[name] for name in same] == [entry[name] for name in same]
        assert (record["program"], record["issued_at"], record["receipt"]) == (payload["program"], now, b"")
        assert now < entry["expires_at"] <= now + 31_622_400


def check_settled(payload: dict, codes: list[str], before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    """The records of offers that were credited (OFR-4)."""
    for entry, code in zip(payload["entries"], codes, strict=True):
        key = b"O" + entry["offer"]
        assert (code == "offer.unknown") == (key not in before)
        if not code:
            check_cited(read_value(key, before[key]), read_value(key, after[key]), entry["receipt"])


def check_cited(was: dict, record: dict, receipt: bytes) -> None:
    """An offer that was open is cited now."""
    assert was["receipt"] == b""
    assert (record["receipt"], record["points"], record["reversed"]) == (receipt, was["points"], 0)
    assert record["keep_until"] >= record["returnable_until"] + KEEP_SECONDS


def check_contested(body: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], today: int) -> None:
    """An offer whose terms everybody has seen to be met (OFR-5)."""
    payload = body["payload"]
    key = b"O" + payload["offer"]
    was, record = read_value(key, before[key]), read_value(key, after[key])
    assert (was["program"], was["member"]) == (payload["program"], body["author"])
    assert sealed(payload["salt"], payload["terms"]) == was["terms"]
    assert offer_id(payload["program"], was) == payload["offer"]
    assert is_met(payload["terms"], was["expires_at"], payload)
    check_cited(was, record, opened_receipt(body))
    assert record["activation_day"] >= today + 16


def check_reversed(payload: dict, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    """What a return leaves in the offer's record, and in its own (OFR-6)."""
    key, returned = b"O" + payload["offer"], payload["returned"]
    was, record = read_value(key, before[key]), read_value(key, after[key])
    assert [returned[name] for name in ("program", "member", "receipt")] == [
        was[name] for name in ("program", "member", "receipt")
    ]
    assert returned["time"] < was["returnable_until"]
    assert record == {**was, "reversed": was["reversed"] + payload["points"]}
    assert record["reversed"] <= record["points"]
    used = b"V" + return_id(returned)
    held = read_value(used, before[used])["used"] if used in before else 0
    assert read_value(used, after[used])["used"] == held + payload["points"] <= returned["points"]
