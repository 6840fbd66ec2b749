"""Contests, their answers and returns: LOY-15, LOY-16, LOY-19, computed from the transactions and held against the records."""

from tests.second_decoder.envelope import address_of_key, contested_receipt
from tests.second_decoder.hashing import be8, is_included, tagged
from tests.second_decoder.receipts import (
    better_points,
    earn_remainder,
    earn_sum,
    entry_leaf,
    follow_sums,
    return_id,
    sum_leaf,
)
from tests.second_decoder.records import read_value

SETTLED_IN_TIME, SETTLED_LATE, SETTLED_SHORT, RETURNED = 1, 2, 3, 5
RETURN_SECONDS = 14_601_600
CREDITED = ("", "earn.period_cap_reduced")


def contest_key(payload: dict) -> bytes:
    """The key of the record of a contest (LOY-15)."""
    return b"X" + tagged("CONTEST", payload["program"] + payload["till"] + be8(payload["sequence"]))


def settle_by(program: dict, terms: dict, time: int) -> int:
    """When a purchase made at `time` must be settled (LOY-15)."""
    length, anchor = max(terms["period_days"], 1), terms["period_anchor_day"]
    day = (time + 60 * program["offset_minutes"]) // 86_400
    first = (day - anchor) // length * length + anchor
    return 86_400 * (first + length) - 60 * program["offset_minutes"] + 86_400 * terms["settle_grace_days"]


def points_owed(payload: dict, versions: list[dict], member: dict | None, offset_minutes: int) -> int:
    """What a contested receipt is worth (LOY-15, 7.), by the terms named and those in force."""
    claim = payload["claim"]
    if claim["is"] == "Unsettled":
        return payload["points"]
    return better_points({**claim, "time": payload["time"]}, versions, member, offset_minutes)


def check_opened(body: dict, record: dict, owed: int, due: int, now: int, height: int) -> None:
    """The record of a contest that a transaction made."""
    payload = body["payload"]
    assert record["member"] == body["author"]
    assert record["till"] == address_of_key(payload["till"])
    assert record["receipt"] == contested_receipt(body)
    assert (record["points"], record["settle_by"]) == (owed, due)
    assert due <= now <= due + 2_592_000
    assert (record["opened_at"], record["answer_by"]) == (now, now + 1_296_000)
    assert (record["answer_height"], record["keep_until"]) == (height + 144, due + 3_888_000)
    assert (record["outcome"], record["credited"]) == (0, 0)


def commitment_of(opened: dict) -> bytes:
    """K, by what opens it (LOY-16)."""
    return earn_remainder(opened["salt"], opened["points"]) if opened["salt"] else b""


def given_points(payload: dict, contest: dict, batch: dict) -> int:
    """What the entry gave for the contested receipt, if the answer holds (LOY-16)."""
    entry = payload["entry"]
    if entry["is"] == "OpenAnswer":
        held = entry["remainder"]
        row = [1, contest["member"], entry["period"], entry["points"], contest["receipt"], held, held]
        given = entry["points"]
    else:
        leaf = sum_leaf(contest["receipt"], entry["receipt_points"])
        path = [(item["hash"], item["points"]) for item in entry["sums"]]
        root = follow_sums(leaf, entry["position"], entry["receipts"], path)
        assert root is not None
        before, after = entry["before"], entry["after"]
        assert entry["points"] == root[1] + before["points"] - after["points"]
        sealed = earn_sum(entry["salt"], root)
        places = [commitment_of(after), commitment_of(before)]
        row = [0, contest["member"], entry["period"], entry["points"], sealed, *places]
        given = entry["receipt_points"]
    leaves = [entry_leaf([*row, code]) for code in CREDITED]
    place = payload["index"], batch["count"], payload["path"], batch["entries_root"]
    assert any(is_included(leaf, *place) for leaf in leaves)
    return given


def count_return(returned: dict, points: int | None, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> int:
    """How many points of a return count now, by its record (LOY-19, 6.); without `points` all that are left (LOY-16)."""
    key = b"V" + return_id(returned)
    used = read_value(key, before[key])["used"] if key in before else 0
    points = returned["points"] - used if points is None else points
    record = read_value(key, after[key])
    assert [record[name] for name in ("program", "member", "receipt", "points")] == [
        returned[name] for name in ("program", "member", "receipt", "points")
    ]
    assert record["used"] == used + points <= returned["points"]
    assert record["keep_until"] == returned["time"] + RETURN_SECONDS + 1
    return points


def check_reversed(payload: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], now: int) -> None:
    """What a reversal leaves in the batch, the return and the books (LOY-19)."""
    returned, place, points = payload["returned"], payload["place"], payload["points"]
    key = b"E" + payload["batch"]
    batch, changed = read_value(key, before[key]), read_value(key, after[key])
    assert batch["program"] == returned["program"]
    reduced = {item["index"]: item["points"] for item in batch["reduced"]}
    code = "earn.period_cap_reduced" if payload["index"] in reduced else ""
    if place["is"] == "SealedPlace":
        row = [0, returned["member"], place["period"], place["points"], place["receipts"]]
        row += [place["remainder"], place["before"], code]
    else:
        row = [1, returned["member"], place["period"], place["points"], returned["receipt"]]
        row += [place["remainder"], place["remainder"], code]
    assert is_included(entry_leaf(row), payload["index"], batch["count"], payload["path"], batch["entries_root"])
    assert returned["time"] <= now <= returned["time"] + RETURN_SECONDS
    reversed_before = {item["index"]: item["points"] for item in batch["reversed"]}
    total = reversed_before.get(payload["index"], 0) + points
    assert total <= reduced.get(payload["index"], place["points"])
    expected = sorted({**reversed_before, payload["index"]: total}.items())
    assert [(item["index"], item["points"]) for item in changed["reversed"]] == expected
    count_return(returned, points, before, after)
    books = b"K" + returned["program"]
    assert read_value(books, after[books])["reversed"] >= read_value(books, before[books])["reversed"] + points


def check_answered(payload: dict, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    """The record of a contest that a transaction answered (LOY-16, LOY-17)."""
    key, batch_key = b"X" + payload["contest"], b"E" + payload["batch"]
    contest = read_value(key, before[key])
    if payload["entry"]["is"] == "ReturnAnswer":
        given, outcome = count_return(payload["entry"]["returned"], None, before, after), RETURNED
        named = [payload["entry"]["returned"][name] for name in ("program", "member", "receipt")]
        assert named == [contest[name] for name in ("program", "member", "receipt")]
    else:
        batch = read_value(batch_key, before[batch_key])
        given = given_points(payload, contest, batch)
        outcome = SETTLED_IN_TIME if batch["settled_at"] <= contest["settle_by"] else SETTLED_LATE
    if given < contest["points"]:
        outcome = SETTLED_SHORT
    decided = {**contest, "outcome": outcome, "credited": max(contest["points"] - given, 0)}
    assert read_value(key, after[key]) == decided
