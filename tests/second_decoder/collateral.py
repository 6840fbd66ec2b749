"""What stands behind points, from the records: COL-1, COL-2, COL-4, INV-13; and vouchers for joining: JOIN-1."""

from tests.second_decoder.encoding import encode
from tests.second_decoder.hashing import tagged

NEVER = 2**31 - 1


def thousandths(books: dict) -> int:
    """COL-2."""
    creditable = books["contest_points_locked"] - books["contest_points_credited"]
    creditable += books["challenge_points"] + books["offered"]
    return books["backing"] + creditable * books["contest_backing"] + books["burn_carry"]


def security(books: dict) -> int:
    """COL-2."""
    return -(-thousandths(books) // 1_000)


def standing_backing(tables: dict, program: bytes) -> int:
    """INV-13: the backing of all points that have not left by COL-4."""
    days = {parts["day"] for parts, _ in tables.get("DayTotals", []) if parts["program"] == program}
    open_units = {
        parts["campaign"]
        for parts, item in tables.get("Campaign", [])
        if item["unit"]["is"] == "PointsUnit" and item["unit"]["program"] == program and item["escrowed"]
    }
    lots = [
        lot
        for parts, member in tables.get("Member", [])
        if parts["program"] == program
        for lot in member["lots"]
        if lot["expiry_day"] == NEVER or lot["expiry_day"] in days
    ]
    for table in ("Hold", "Fulfilment"):
        lots += [lot for _, item in tables.get(table, []) if item["program"] == program for lot in item["lots"]]
    lots += [lot for parts, item in tables.get("Pledge", []) if parts["campaign"] in open_units for lot in item["lots"]]
    rates = {parts["version"]: terms["collateral"] for parts, terms in tables["Terms"] if parts["program"] == program}
    return sum(lot["points"] * rates[lot["version"]] for lot in lots)


def check_backing(tables: dict, program: bytes, books: dict) -> None:
    """INV-13."""
    assert books["burn_carry"] < 1_000 and thousandths(books) < 2**63
    assert books["backing"] == standing_backing(tables, program)


def voucher_id(program: bytes, shown: dict) -> bytes:
    """JOIN-1."""
    return tagged("JOIN_VOUCHER", encode([1, program, shown["key"], shown["valid_until"]]))


def voucher_attestations(body: dict, chain_id: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """JOIN-2: key, message and signature of the issuer and of the holder."""
    found = []
    for shown in body["payload"]["voucher"]:
        identity = voucher_id(body["payload"]["program"], shown)
        found.append((shown["till"], tagged("JOIN_VOUCHER_SIGNATURE", chain_id + identity), shown["signature"]))
        message = tagged("JOIN_VOUCHER_PROOF", chain_id + identity + body["author"])
        found.append((shown["key"], message, shown["proof"]))
    return found
