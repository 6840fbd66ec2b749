"""Commitment, block, its roots, genesis and the queue's order: BLK-1, BLK-2, BLK-4, BLK-5, GEN-1, EMI-2."""

from itertools import pairwise

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.envelope import read_transaction, wtxid
from tests.second_decoder.faults import Fault
from tests.second_decoder.finality import first_finality
from tests.second_decoder.hashing import leaf_hash, tagged, tree_root, twice
from tests.second_decoder.layouts import KNOWN
from tests.second_decoder.params import params_hash
from tests.second_decoder.pow import (
    REWARD_SHOWN_MAX,
    block_hash,
    read_coinbase,
    read_header,
    write_coinbase,
    write_header,
)
from tests.second_decoder.records import Slots, write_value

BLOCK_BYTES_MAX = 16_777_216
COMMITMENT_BYTES_MAX = 8_192
BLOCK = KNOWN["block"]
COMMITMENT = KNOWN["commitment"]


def read_commitment(data: bytes) -> dict:
    """The commitment in names (BLK-1)."""
    return COMMITMENT.read(decode(data, COMMITMENT_BYTES_MAX), "commitment")


def write_commitment(commitment: dict) -> bytes:
    """BLK-1."""
    return encode(COMMITMENT.write(commitment))


def commitment_hash(data: bytes) -> bytes:
    """C of the coinbase (BLK-1)."""
    return tagged("COMMITMENT", data)


def split_block(data: bytes) -> dict:
    """The five parts of a block as they stand (BLK-1, BLK-2 step 1)."""
    values = decode(data, BLOCK_BYTES_MAX)
    if not isinstance(values, list) or len(values) != 5:
        raise Fault("block.shape", "not five parts")
    return BLOCK.read(values, "block")


def join_block(parts: dict) -> bytes:
    """The bytes of a block (BLK-1)."""
    return encode(BLOCK.write(parts))


def read_block(data: bytes, magic: bytes, chain_id: bytes | None = None) -> dict:
    """A block in names, with the steps 1, 3 to 8 and 10 of BLK-2."""
    parts = split_block(data)
    header = read_header(parts["header"])
    if twice(parts["coinbase"]) != header["merkle_root"]:
        raise Fault("block.body_mismatch", "coinbase")
    coinbase = read_coinbase(parts["coinbase"])
    if commitment_hash(parts["commitment"]) != coinbase["commitment"]:
        raise Fault("block.body_mismatch", "commitment")
    commitment = read_commitment(parts["commitment"])
    reward = sum(item["amount"] for item in commitment["payees"])
    shown = (coinbase["magic"], coinbase["height"], coinbase["reward"])
    if shown != (magic, commitment["height"], min(reward, REWARD_SHOWN_MAX)):
        raise Fault("block.commitment", "coinbase")
    pairs = list(zip(parts["transactions"], parts["results"], strict=False))
    if not len(pairs) == len(parts["transactions"]) == len(parts["results"]) == commitment["transaction_count"]:
        raise Fault("block.body_mismatch", "number of transactions or results")
    if tree_root([transaction_leaf(raw, codes) for raw, codes in pairs]) != commitment["transaction_root"]:
        raise Fault("block.body_mismatch", "transaction root")
    return {
        "header": header,
        "coinbase": coinbase,
        "commitment": commitment,
        "parts": parts,
        "hash": block_hash(parts["header"]),
        "transactions": [read_transaction(item, chain_id) for item in parts["transactions"]],
    }


def check_payees(payees: list[dict], reward: int, account_minimum: int) -> None:
    """EMI-2."""
    addresses = [item["address"] for item in payees]
    ascending = all(left < right for left, right in pairwise(addresses))
    enough = len(payees) < 2 or all(item["amount"] >= account_minimum for item in payees)
    if not ascending or not enough or sum(item["amount"] for item in payees) != reward:
        raise Fault("block.payees")


def transaction_leaf(transaction: bytes, codes: list[str]) -> bytes:
    """A leaf of the transaction root (BLK-4)."""
    return leaf_hash(wtxid(transaction) + tagged("RESULTS", encode(codes)))


def history_leaf(hashed: bytes, work: int, effective: int) -> bytes:
    """A leaf of the history root (BLK-5)."""
    return leaf_hash(encode([hashed, work.to_bytes(32, "big"), effective]))


def genesis_slots(params: dict) -> Slots:
    """The slots of genesis (GEN-1)."""
    slots = Slots()
    allocated = sum(item["amount"] for item in params["allocations"])
    record = dict.fromkeys(("free_head", "due_sequence", "pools", "locked", "escrow", "maturing", "burned"), 0)
    record |= {"slot_count": count_of(params), "emitted": allocated, "accounts": allocated}
    slots.put(0, (b"0", write_value(b"0", record)))
    for index, item in enumerate(params["allocations"]):
        key = b"A" + item["address"]
        fields = {"balance": item["amount"], "policy_hash": b"", "deposit": 0, "is_guarded": False}
        slots.put(index + 1, (key, write_value(key, fields)))
    if params["attestors"]:
        slots.put(count_of(params) - 1, (b"a", write_value(b"a", first_finality(params))))
    return slots


def count_of(params: dict) -> int:
    """The slots of genesis: the chain record, the allocations, and where there are attestors, theirs."""
    return 1 + len(params["allocations"]) + bool(params["attestors"])


def genesis_block(params: dict) -> bytes:
    """Block 0 (GEN-1)."""
    commitment = write_commitment(
        {
            "chain_id": params_hash(params),
            "height": 0,
            "transaction_root": tree_root([]),
            "state_root": tree_root(genesis_slots(params).leaves),
            "history_root": tree_root([]),
            "transaction_count": 0,
            "slot_count": count_of(params),
            "payees": [],
        }
    )
    coinbase = write_coinbase(
        {
            "height": 0,
            "extranonce": bytes(8),
            "reward": 0,
            "magic": params["magic"],
            "commitment": commitment_hash(commitment),
        }
    )
    header = write_header(
        {
            "version": 0x20000000,
            "previous": bytes(32),
            "merkle_root": twice(coinbase),
            "time": params["genesis_time"],
            "bits": params["eras"][0]["anchor_bits"],
            "nonce": 0,
        }
    )
    return join_block(
        {"header": header, "coinbase": coinbase, "commitment": commitment, "transactions": [], "results": []}
    )
