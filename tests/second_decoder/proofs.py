"""Proof files: PRF-1, PRF-2 and PRF-3."""

from tests.second_decoder.block import commitment_hash, history_leaf, read_commitment, transaction_leaf
from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import check_included, leaf_hash, twice
from tests.second_decoder.layouts import KNOWN
from tests.second_decoder.pow import block_hash, is_proved, read_coinbase, read_header, target_of

PROOF_BYTES_MAX = 1_048_576
PROOF = KNOWN["proof"]


def read_proof(data: bytes) -> dict:
    """A proof in names (PRF-1)."""
    return PROOF.read(decode(data, PROOF_BYTES_MAX), "proof")


def write_proof(proof: dict) -> bytes:
    """PRF-1."""
    return encode(PROOF.write(proof))


def require(holds: bool, reason: str) -> None:
    """`proof.broken` where something does not hold."""
    if not holds:
        raise Fault("proof.broken", reason)


def open_block(parts: dict, chain_id: bytes) -> tuple[bytes, dict]:
    """PRF-2: (block hash, commitment in names)."""
    header = read_header(parts["header"])
    try:
        target_of(header["bits"])
        coinbase = read_coinbase(parts["coinbase"])
    except Fault as fault:
        raise Fault("proof.shape", fault.code) from None
    require(is_proved(parts["header"]), "work")
    require(twice(parts["coinbase"]) == header["merkle_root"], "coinbase")
    require(commitment_hash(parts["commitment"]) == coinbase["commitment"], "commitment")
    commitment = read_commitment(parts["commitment"])
    require(commitment["chain_id"] == chain_id, "chain id")
    return block_hash(parts["header"]), commitment


def check_history(hashed: bytes, block: dict, height: int, size: int, root: bytes) -> None:
    """That a block (its work, effective_time and path) is a leaf of the anchor's history (BLK-5)."""
    leaf = history_leaf(hashed, int.from_bytes(block["work"], "big"), block["effective_time"])
    check_included(leaf, height, size, block["path"], root)


def check_transaction(claim: dict, chain_id: bytes, anchor: dict) -> tuple[int, bytes | None]:
    """PRF-3, a transaction; the height of its block, and the block's hash where it is not the anchor."""
    home, hashed = anchor, None
    if claim["home"]:
        hashed, home = open_block(claim["home"][0], chain_id)
        check_history(hashed, claim["home"][0], home["height"], anchor["height"], anchor["history_root"])
    leaf = transaction_leaf(claim["transaction"], claim["results"])
    check_included(leaf, claim["index"], home["transaction_count"], claim["path"], home["transaction_root"])
    outer = decode(claim["transaction"])
    if not isinstance(outer, list) or len(outer) != 2 or not isinstance(outer[0], bytes):
        raise Fault("proof.shape", "transaction")
    return home["height"], hashed


def check_record(claim: dict, anchor: dict) -> int:
    """PRF-3, a record; the height of the anchor."""
    leaf = leaf_hash(b"\x92" + encode(claim["key"]) + claim["value"])
    check_included(leaf, claim["slot"], anchor["slot_count"], claim["path"], anchor["state_root"])
    if not isinstance(decode(claim["value"]), list):
        raise Fault("proof.shape", "record")
    return anchor["height"]


def check_proof(data: bytes, chain_id: bytes | None = None, trust: bytes | None = None) -> dict:
    """PRF-3 in its order: the proof in names, with the heights of its anchor and of its first claim."""
    proof = read_proof(data)
    require(chain_id is None or proof["chain_id"] == chain_id, "another chain")
    hashed, anchor = open_block(proof["anchor"], proof["chain_id"])
    known = [hashed]
    for header in proof["anchor"]["following"]:
        require(read_header(header)["previous"] == known[-1], "following")
        require(is_proved(header), "work of following")
        known.append(block_hash(header))
    require(proof["rests_on"] == known[-1], "rests_on")
    trusted, heights = proof["trusted"], []
    require(trusted["height"] > 0 or trusted["hash"] == proof["chain_id"], "genesis")
    check_history(trusted["hash"], trusted, trusted["height"], anchor["height"], anchor["history_root"])
    known.append(trusted["hash"])
    for claim in proof["claims"]:
        if claim["is"] == "TransactionClaim":
            height, home = check_transaction(claim, proof["chain_id"], anchor)
            known += [home] if not heights else []
        else:
            height = check_record(claim, anchor)
        heights.append(height)
    if trust is not None and trust not in known:
        raise Fault("proof.untrusted", trust.hex())
    return {**proof, "anchor_height": anchor["height"], "claim_height": heights[0]}
