"""Challenges: CHL-1 to CHL-6, computed from the transactions and held against the records."""

from tests.second_decoder.contests import RETURN_SECONDS
from tests.second_decoder.envelope import address_of_key, shown_receipts, txid
from tests.second_decoder.hashing import is_included, leaf_hash, object_id, tagged, tree_root
from tests.second_decoder.records import read_value


def challenge_in(challenge: bytes, state: dict[bytes, bytes]) -> dict:
    """A challenge's record."""
    return read_value(b"Y" + challenge, state[b"Y" + challenge])


def achievement_in(challenge: bytes, member: bytes, state: dict[bytes, bytes]) -> dict | None:
    """What a member has reached, or None."""
    key = b"y" + tagged("ACHIEVEMENT", challenge + member)
    return read_value(key, state[key]) if key in state else None


def program_in(program: bytes, state: dict[bytes, bytes]) -> dict:
    """A program's record."""
    return read_value(b"B" + program, state[b"B" + program])


def books_in(program: bytes, state: dict[bytes, bytes]) -> dict:
    """A program's books."""
    return read_value(b"K" + program, state[b"K" + program])


def days_of(found: dict, number: int, program: dict) -> tuple[int, int, int, int]:
    """When an occurrence begins and ends, by when it is completed in time, and its end day (CHL-1)."""
    offset = 60 * program["offset_minutes"]
    end_day = found["from_day"] + (number + 1) * found["days"]
    ends = 86_400 * end_day - offset
    return ends - 86_400 * found["days"], ends, ends + 86_400 * found["grace_days"], end_day


def is_reached(goal: dict, shown: list[dict]) -> bool:
    """Whether receipts that count reach the goal (CHL-1)."""
    if goal["is"] == "Visits":
        return len(shown) >= goal["count"]
    if goal["is"] == "Spend":
        return sum(item["net_cents"] - item["paid_with_points_cents"] for item in shown) >= goal["cents"]
    bought = {code["code"] for item in shown for code in item["codes"] if code["cents"] > 0}
    return set(goal["codes"]) <= bought


def check_created(transaction: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], now: int) -> None:
    """CHL-2: the record, as far as it is not changed by what follows in its block."""
    payload = transaction["body"]["payload"]
    found = challenge_in(object_id("challenge", txid(transaction["body_bytes"])), after)
    assert {name: found[name] for name in payload} == payload
    assert (found["given"], found["has_ended"]) == (0, False)
    assert found["prepaid"] % min(8, found["budget"] // found["reward"]) == 0


def check_completed(transaction: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], now: int) -> None:
    """CHL-3 and CHL-4, of entries whose challenge nothing else in the block concerns."""
    payload = transaction["body"]["payload"]
    for entry in payload["entries"]:
        found, program = challenge_in(entry["challenge"], before), program_in(payload["program"], after)
        began = days_of(found, entry["occurrence"], program)[0] <= now
        is_member = b"M" + payload["program"] + entry["member"] in before
        standing = achievement_in(entry["challenge"], entry["member"], after)
        if not (began and is_member):
            assert standing is None
            continue
        check_completion(found, entry, standing, program, now)
        assert challenge_in(entry["challenge"], after)["given"] == found["given"] + found["reward"]


def check_completion(found: dict, entry: dict, standing: dict | None, program: dict, now: int) -> None:
    """The completion that an entry leaves (CHL-3)."""
    assert standing is not None
    assert (standing["challenge"], standing["member"]) == (entry["challenge"], entry["member"])
    (made,) = [item for item in standing["completions"] if item["occurrence"] == entry["occurrence"]]
    assert (made["evidence"], made["count"]) == (entry["evidence"], entry["count"])
    today = (now + 60 * program["offset_minutes"]) // 86_400
    assert made["base"] == min(today, days_of(found, entry["occurrence"], program)[3])
    assert standing["times"] == len(standing["completions"])


def check_contested(transaction: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], now: int) -> None:
    """CHL-5."""
    body, payload = transaction["body"], transaction["body"]["payload"]
    found, program = challenge_in(payload["challenge"], before), program_in(payload["program"], after)
    begins, ends, due_by, _ = days_of(found, payload["occurrence"], program)
    assert due_by <= now <= due_by + 2_592_000
    for item in payload["receipts"]:
        assert begins <= item["time"] < ends
        assert item["net_cents"] - item["paid_with_points_cents"] >= found["basket_min_cents"]
        assert b"G" + payload["program"] + address_of_key(item["till"]) in before
    assert is_reached(found["goal"], payload["receipts"])
    receipts = shown_receipts(body)
    evidence = tree_root([leaf_hash(item) for item in receipts])
    entry = {**payload, "member": body["author"], "evidence": evidence, "count": len(receipts)}
    standing = achievement_in(payload["challenge"], body["author"], after)
    check_completion(found, entry, standing, program, now)
    changed = challenge_in(payload["challenge"], after)
    assert changed["given"] == found["given"] + found["reward"]


def check_reversed(transaction: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], now: int) -> None:
    """CHL-6."""
    payload = transaction["body"]["payload"]
    returned, number = payload["returned"], payload["occurrence"]
    found, changed = (challenge_in(payload["challenge"], state) for state in (before, after))
    old, new = (achievement_in(payload["challenge"], returned["member"], state) for state in (before, after))
    assert old is not None
    assert new is not None
    (made,) = [item for item in old["completions"] if item["occurrence"] == number]
    leaf = leaf_hash(returned["receipt"])
    assert is_included(leaf, payload["index"], made["count"], payload["path"], made["evidence"])
    assert returned["time"] <= now <= returned["time"] + RETURN_SECONDS
    assert new["completions"] == [item for item in old["completions"] if item is not made]
    assert {"occurrence": number, "receipt": returned["receipt"]} in new["returned"]
    assert (new["times"], changed["given"]) == (old["times"] - 1, found["given"] - found["reward"])
    then, books = (books_in(returned["program"], state) for state in (before, after))
    for name in ("reversed", "challenge_points", "challenge_points_reversed"):
        assert books[name] == then[name] + found["reward"]


CHECKS = {
    "challenge.create": check_created,
    "challenge.complete": check_completed,
    "challenge.contest": check_contested,
    "challenge.reverse": check_reversed,
}


def deposits_of_contests(block: dict, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> int:
    """Deposits that left what challenges had prepaid, and are locked in the records that contests made (CHL-5)."""
    total = 0
    for transaction in block["transactions"]:
        body, payload = transaction["body"], transaction["body"]["payload"]
        if body["kind"] == "challenge.contest" and body["payment"]["is"] == "Prepaid":
            old, new = (achievement_in(payload["challenge"], body["author"], state) for state in (before, after))
            total += new["deposit"] if old is None and new is not None else 0
    return total


def ends_with(key: bytes, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> bool:
    """Whether a challenge ends in this block: what is left of its prepaid goes back to its payer, not to the miner (CHL-2)."""
    if key[:1] != b"Y" or read_value(key, before[key])["has_ended"]:
        return False
    return key not in after or read_value(key, after[key])["has_ended"]
