"""Proposals done again from the transactions of a block: snapshot, power, ballots, tally and leaders (VOI-1 to VOI-5)."""

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.envelope import txid
from tests.second_decoder.hashing import be4, is_included, leaf_hash, object_id, tagged, tree_root
from tests.second_decoder.records import Slots, read_value

NOT_SHOWN = 5
AGES = (30, 90, 365, 1_095)


def check_ballots(block: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], slots: Slots) -> None:
    """What a block's transactions leave in proposals, ballots and tallies. `slots` are those before the block."""
    tallies: dict[bytes, dict] = {}
    for transaction in block["transactions"]:
        body, payload = transaction["body"], transaction["body"]["payload"]
        if body["kind"] == "proposal.create":
            made = object_id("proposal", txid(transaction["body_bytes"]))
            record = read_value(b"p" + made, after[b"p" + made])
            assert record["snapshot_root"] == tree_root(slots.leaves)
            assert record["snapshot_slots"] == len(slots.leaves)
            assert record["snapshot_height"] == block["commitment"]["height"] - 1
            assert record["voting_height"] == block["commitment"]["height"] + 6
        if body["kind"] in ("ballot.cast", "ballot.commit", "ballot.reveal"):
            key = b"t" + payload["proposal"]
            tally = tallies.setdefault(key, read_value(key, before[key]))
            count(body, before, after, tally)
    for key, tally in tallies.items():
        assert read_value(key, after[key]) == tally
    check_leaders(before, after)


def count(body: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], tally: dict) -> None:
    """One ballot: its power by its proofs, its record, and what it adds to the tally."""
    payload = body["payload"]
    proposal = read_value(b"p" + payload["proposal"], before[b"p" + payload["proposal"]])
    voter = payload["voter"] if body["kind"] == "ballot.reveal" else body["author"]
    key = b"v" + payload["proposal"] + voter
    ballot = read_value(key, after[key])
    if body["kind"] == "ballot.reveal":
        sealed = payload["proposal"] + voter + encode(payload["choice"]) + payload["salt"]
        assert ballot["commitment"] == tagged("BALLOT", sealed)
        assert ballot["prepaid"] == 0
    else:
        assert key not in before
        shown = power_of(proposal, voter, payload["proofs"], before)
        assert shown == (ballot["power"], ballot["age"])
    if body["kind"] == "ballot.commit":
        assert ballot["commitment"] == payload["commitment"]
        tally["committed"] += 1
        return
    assert ballot["choice"] == payload["choice"]
    add(tally, proposal, ballot["power"], ballot["age"], payload["choice"])


def power_of(proposal: dict, voter: bytes, proofs: list, before: dict[bytes, bytes]) -> tuple[int, int]:
    """VOI-2."""
    weight, records = proposal["weight"], []
    for proof in proofs:
        if weight["is"] == "PledgedTo":
            key = b"P" + weight["campaign"] + be4(proof["number"])
        else:
            key = b"M" + proposal["program"] + voter
        leaf = leaf_hash(encode([key, decode(proof["value"])]))
        path, size, root = proof["path"], proposal["snapshot_slots"], proposal["snapshot_root"]
        assert is_included(leaf, proof["slot"], size, path, root)
        records.append(read_value(key, proof["value"]))
    if weight["is"] == "PledgedTo":
        assert all(record["backer"] == voter for record in records)
        return sum(record["quantity"] for record in records), NOT_SHOWN
    member = records[0]
    assert member["left_at"] == 0
    days = (proposal["snapshot_at"] - member["joined_at"]) // 86_400
    age = len([bound for bound in AGES if days >= bound])
    if weight["is"] == "EachMember":
        return 1, age
    offset = read_value(b"B" + proposal["program"], before[b"B" + proposal["program"]])["offset_minutes"]
    today = (proposal["snapshot_at"] + 60 * offset) // 86_400
    waiting = sum(lot["points"] for lot in member["lots"] if lot["activation_day"] > today)
    return min(weight["cap"], member["earned"] - waiting), age


def add(tally: dict, proposal: dict, power: int, age: int, choice: list[int]) -> None:
    """VOI-5: a ballot is counted."""
    size = len(proposal["options"])
    tally["counted"] += 1
    tally["power"] += power
    tally["largest"] = max(tally["largest"], power)
    tally["squares"] = (int.from_bytes(tally["squares"], "big") + power**2).to_bytes(32, "big")
    tally["ages"][age] = {"voters": tally["ages"][age]["voters"] + 1, "power": tally["ages"][age]["power"] + power}
    for place, option in enumerate(choice):
        if proposal["method"] == 2:
            for other in range(size):
                if other not in choice[: place + 1]:
                    tally["counts"][size * option + other] += power
        else:
            tally["counts"][option] += power


def check_leaders(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    """Proposals that ended in this block name who leads."""
    for key, value in after.items():
        if key[:1] != b"p" or key not in before or read_value(key, before[key])["status"] > 1:
            continue
        proposal = read_value(key, value)
        if proposal["status"] == 2:
            tally = read_value(b"t" + key[1:], after[b"t" + key[1:]])
            assert proposal["leaders"] == leaders(tally, len(proposal["options"]), proposal["method"])


def leaders(tally: dict, size: int, method: int) -> list[int]:
    """VOI-5: the options that nobody beat."""
    counts = tally["counts"]
    if not tally["counted"]:
        return []
    if method != 2:
        return [option for option in range(size) if counts[option] == max(counts)]
    s = {(i, j): counts[i * size + j] for i in range(size) for j in range(size) if i != j}
    s = {(i, j): power if power > s[j, i] else 0 for (i, j), power in s.items()}
    for k in range(size):
        for i in range(size):
            for j in range(size):
                if len({i, j, k}) == 3:
                    s[i, j] = max(s[i, j], min(s[i, k], s[k, j]))
    return [i for i in range(size) if all(s[i, j] >= s[j, i] for j in range(size) if j != i)]
