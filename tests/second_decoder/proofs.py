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


def check_transaction(claim: dict, chain_id: bytes, anchor: dict) -> int:
    """PRF-3, a transaction; the height of its block."""
    home = anchor
    if claim["home"]:
        hashed, home = open_block(claim["home"][0], chain_id)
        check_history(hashed, claim["home"][0], home["height"], anchor["height"], anchor["history_root"])
    leaf = transaction_leaf(claim["transaction"], claim["results"])
    check_included(leaf, claim["index"], home["transaction_count"], claim["path"], home["transaction_root"])
    return home["height"]


def check_proof(data: bytes, chain_id: bytes | None = None) -> dict:
    """PRF-3 in its order: the proof in names, with the heights of its anchor and of its claim."""
    proof = read_proof(data)
    require(chain_id is None or proof["chain_id"] == chain_id, "another chain")
    hashed, anchor = open_block(proof["anchor"], proof["chain_id"])
    before = hashed
    for header in proof["anchor"]["following"]:
        require(read_header(header)["previous"] == before, "following")
        require(is_proved(header), "work of following")
        before = block_hash(header)
    trusted, claim = proof["trusted"], proof["claim"]
    if trusted["height"] == anchor["height"]:
        require(trusted["hash"] == hashed, "trusted")
    else:
        check_history(trusted["hash"], trusted, trusted["height"], anchor["height"], anchor["history_root"])
    if claim["is"] == "TransactionClaim":
        height = check_transaction(claim, proof["chain_id"], anchor)
    else:
        height = anchor["height"]
        leaf = leaf_hash(b"\x92" + encode(claim["key"]) + claim["value"])
        check_included(leaf, claim["slot"], anchor["slot_count"], claim["path"], anchor["state_root"])
    return {**proof, "anchor_height": anchor["height"], "claim_height": height}
