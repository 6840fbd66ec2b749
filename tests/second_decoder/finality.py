"""Attestors: shapes, records and what is signed: FIN-1 to FIN-10."""

from itertools import pairwise

from tests.second_decoder.encoding import encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import tagged
from tests.second_decoder.keys import is_usable

SHAPES = {
    "attestor": "[key: bytes 32, weight: int 1..2^32-1]",
    "attestors": "list 0..128 of attestor",
    "members": "list 1..128 of attestor",
    "checkpoint": "[height: int 0..2^32-1, hash: id]",
    "justified": "[height: int 0..2^32-1, hash: id, set_number: int 0..2^32-1]",
    "scheduled": "[members, holder_height: int 0..2^32-1, is_chosen: bool]",
    "replacement": "[members, effective_at: int 0..2^40]",
    "counted_vote": "[key: bytes 32, source_height: int 0..2^32-1]",
    "signed_link": "[set_number: int 0..2^32-1, source: checkpoint, target: checkpoint, signature: bytes 64]",
}
NAMED = {
    "attestor": "Attestor",
    "checkpoint": "Checkpoint",
    "justified": "Justified",
    "scheduled": "Scheduled",
    "replacement": "Replacement",
    "counted_vote": "CountedVote",
    "signed_link": "SignedLink",
}
KIND_SHAPES = {
    "finality.attest": (
        """[set_number: int 0..2^32-1, source: checkpoint, target: checkpoint,
            votes: list 1..256 of [key: bytes 32, signature: bytes 64]]""",
        2,
        0,
        0,
        True,
    ),
    "finality.evidence": ("[key: bytes 32, first: signed_link, second: signed_link]", 2, 1, 0, True),
    "finality.set_attestors": (
        """[set_number: int 0..2^32-1, members: members,
            approvals: list 1..128 of [key: bytes 32, signature: bytes 64]]""",
        1,
        0,
        0,
        False,
    ),
    "finality.replace_silent": (
        """[set_number: int 0..2^32-1, final: checkpoint, members: members,
            approvals: list 1..128 of [key: bytes 32, signature: bytes 64]]""",
        1,
        0,
        0,
        False,
    ),
}
RECORD_SHAPES = {
    "a": (
        "Finality",
        "",
        """[number: int 0..2^32-1, members: members, replaces_silent: bool, since_height: int 0..2^32-1,
            former: attestors, former_since_height: int 0..2^32-1, scheduled: list 0..1 of scheduled,
            replacement: list 0..1 of replacement, justified: list 0..32 of justified, silent_since: int 0..2^40,
            silent_since_height: int 0..2^32-1]""",
    ),
    "k": ("CheckpointVotes", "height:be4", "[hash: id, votes: list 0..256 of counted_vote]"),
    "l": ("Liar", "key:id", "[proved_at: int 0..2^40, proved_height: int 0..2^32-1]"),
}
PREPAID_WEIGHTS = {"finality.attest": 110_000, "finality.evidence": 3_000}
RESERVED = 400_000


def first_finality(params: dict) -> dict:
    """The record of genesis (FIN-3)."""
    return {
        "number": 0,
        "members": params["attestors"],
        "replaces_silent": False,
        "since_height": 0,
        "former": [],
        "former_since_height": 0,
        "scheduled": [],
        "replacement": [],
        "justified": [],
        "silent_since": params["genesis_time"],
        "silent_since_height": 0,
    }


def vote_hash(chain_id: bytes, link: dict) -> bytes:
    """What a vote's signature is of (FIN-2)."""
    ends = [[link[end]["height"], link[end]["hash"]] for end in ("source", "target")]
    return tagged("ATTESTATION", encode([chain_id, link["set_number"], *ends]))


def attestations(body: dict, chain_id: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Key, message and signature of what a payload shows (FIN-6, FIN-7, FIN-8, FIN-10)."""
    payload = body["payload"]
    if body["kind"] == "finality.evidence":
        links = (payload["first"], payload["second"])
        return [(payload["key"], vote_hash(chain_id, link), link["signature"]) for link in links]
    if body["kind"] == "finality.attest":
        message, signed = vote_hash(chain_id, payload), payload["votes"]
    else:
        signed, number = payload["approvals"], payload["set_number"]
        members = [[item["key"], item["weight"]] for item in payload["members"]]
        if body["kind"] == "finality.set_attestors":
            message = tagged("ATTESTOR_SET", chain_id + encode([number, members]))
        else:
            final = [payload["final"]["height"], payload["final"]["hash"]]
            message = tagged("REPLACEMENT", chain_id + encode([number, final, members]))
    return [(item["key"], message, item["signature"]) for item in signed]


def signatures_in(body: dict) -> int:
    """Signatures that a payload holds (ENV-7)."""
    if body["kind"] == "finality.evidence":
        return 2
    return len(body["payload"]["votes" if body["kind"] == "finality.attest" else "approvals"])


def members_in(body: dict) -> int:
    """Records that new members add to what a kind touches."""
    return len(body["payload"].get("members", ()))


def check_payload(kind: str, payload: dict) -> None:
    """What a shape can't say (FIN-6, FIN-7, FIN-8, FIN-10)."""
    links = (
        [payload] if kind == "finality.attest" else [payload[name] for name in ("first", "second") if name in payload]
    )
    for link in links:
        if link["target"]["height"] <= link["source"]["height"]:
            raise Fault("finality.link")
    for name in ("votes", "members", "approvals"):
        if any(left["key"] >= right["key"] for left, right in pairwise(payload.get(name, ()))):
            raise Fault("finality.order", name)
        if name == "members" and not all(is_usable(item["key"]) for item in payload.get(name, ())):
            raise Fault("finality.key")
    if kind == "finality.evidence" and not conflict(*links):
        raise Fault("finality.no_conflict")


def conflict(one: dict, other: dict) -> bool:
    """FIN-4."""
    if one["target"]["height"] == other["target"]["height"]:
        return (one["source"], one["target"]) != (other["source"], other["target"])
    low, high = sorted((one, other), key=lambda link: link["target"]["height"])
    return high["source"]["height"] < low["source"]["height"]


def noted_key(params: dict, height: int) -> bytes:
    """The key of what the block at `height` notes at its beginning (FIN-3), or no bytes."""
    below = height - 1
    if not params["attestors"] or not below or below % params["checkpoint_interval_blocks"]:
        return b""
    return b"k" + below.to_bytes(4, "big")


def check_votes(body: dict, before: dict, after: dict) -> None:
    """Each vote of a transaction is counted (FIN-6), unless its checkpoint was made final and forgotten in the same block."""
    payload = body["payload"]
    key = b"k" + payload["target"]["height"].to_bytes(4, "big")
    if key not in after:
        return
    found = {item["key"]: item["source_height"] for item in after[key]["votes"]}
    assert list(found) == sorted(found)
    for item in payload["votes"]:
        assert found[item["key"]] == payload["source"]["height"]
    assert after[key]["hash"] == payload["target"]["hash"]
    assert key not in before or all(item in after[key]["votes"] for item in before[key]["votes"])
