"""Write the golden vectors of the spec to `tests/vectors/golden/`: what a decoder written from the text alone must agree with.

python scripts/make_vectors.py            writes the files
python scripts/make_vectors.py --check    exits 1 if a file is not what it would write
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from golden_acceptances import acceptance_vectors
from golden_chain import FAN, GoldenBlock, GoldenChain, make_golden_chain
from golden_earning import earning_vectors
from golden_values import (
    address_vectors,
    code_of,
    codec_vectors,
    describe_bits,
    hash_vectors,
    policy_vectors,
    receipt_vectors,
    shown,
)
from ledger import hashing
from ledger.block import Commitment, transaction_leaf
from ledger.codec import pack, unpack
from ledger.coinbase import parse
from ledger.domains.loyalty.earn import CREDITED
from ledger.merkle import inclusion_path, leaf_hash, root
from ledger.params import PARAMS_SHAPE, params_to_mapping
from ledger.pow import compact_from_target, target_from_compact
from ledger.proofs import Anchor, Home, Proof, RecordClaim, TransactionClaim, Trusted, encode_proof
from ledger.state import Table, free_leaf, record_leaf
from ledger.transaction import Transaction, signing_hash
from ledger.types import ChainId, CompactBits, Hash, RecordKey, Slot, Target

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "vectors" / "golden"

README = """# Golden vectors

Written by `python scripts/make_vectors.py` from the project's own code, deterministically.
`tests/ledger/test_golden.py` reads them with that code, and so does a second decoder in the tests, which
was written from `ledger/spec/` alone. Where a vector and the text differ, one of them is wrong.

Byte strings are hex, in the order of their bytes (block hashes in header byte order, not reversed). A
canonical value is shown as `{"int": "12"}` (decimal),
`{"bytes": "00ff"}`, `{"text": "..."}`, `{"bool": true}` or `{"array": [...]}`.
"""


def transaction_vectors(chain: GoldenChain) -> dict[str, Any]:
    """Every transaction of the golden chain, taken apart (ENV-1 to ENV-7). Each kind is among them."""
    found = [_describe(chain, tx) for block in chain.blocks for tx in block.mined.transactions]
    return {"chain_id": chain.scenario.chain_id.hex(), "transactions": found}


def _describe(chain: GoldenChain, transaction: Transaction) -> dict[str, Any]:
    body = unpack(transaction.body_bytes)
    assert isinstance(body, tuple)
    names = ("version", "chain_tag", "kind", "salt", "author", "valid_from", "valid_until", "payment", "payload")
    cost = transaction.kind.cost(transaction.payload)
    return {
        "kind": transaction.body.kind,
        "raw": transaction.raw.hex(),
        "body": transaction.body_bytes.hex(),
        "txid": transaction.txid.hex(),
        "wtxid": transaction.wtxid.hex(),
        "sighash": signing_hash(chain.scenario.chain_id, transaction.body_bytes).hex(),
        "weight": transaction.weight,
        "cost": cost._asdict(),
        "fields": {name: shown(value) for name, value in zip(names, body, strict=True)},
        "payload_names": list(transaction.kind.payload.names),
        "signers": [signer.hex() for signer in transaction.signers],
        "witnesses": [
            {
                "threshold": witness.policy.threshold,
                "keys": [key.hex() for key in witness.policy.keys],
                "signatures": [[index, signature.hex()] for index, signature in witness.signatures],
            }
            for witness in transaction.witnesses
        ],
    }


def record_vectors(chain: GoldenChain) -> dict[str, Any]:
    """Records of every table with their leaves, and leaves of free slots (STA-1 to STA-4)."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for block in chain.blocks:
        for _, content in block.mined.transition.contents:
            if content.key:
                table = Table.catalogue[content.key[0]]
                found[table.name, len(content.value_bytes)] = {
                    "table": table.name,
                    "key": content.key.hex(),
                    "value": content.value_bytes.hex(),
                    "names": list(table.shape.names),
                    "fields": shown(unpack(content.value_bytes)),
                    "leaf": record_leaf(content.key, content.value_bytes).hex(),
                }
    free = [{"next": next_free, "leaf": free_leaf(Slot(next_free)).hex()} for next_free in (0, 1, 127, 128, 70_000)]
    return {"records": [found[place] for place in sorted(found)], "free_slots": free}


def work_vectors(chain: GoldenChain) -> dict[str, Any]:
    """Compact bits, and headers and coinbases taken apart (POW-1 to POW-4)."""
    bits = (0x1D00FFFF, 0x207FFFFF, 0x1B0404CB, 0x03123456, 0x02123456, 0x01120000, 0x04123456, 0x05009234, 0x181BC330)
    targets = (0, 1, 0x7F, 0x80, 0xFF, 0x8000, 0x123456, 0x800000, 2**255, 2**256 - 1)
    refused = (0, 0x04923456, 0x03800001, 0xFF123456, 0x23000100, 0x01003456)
    return {
        "bits": [describe_bits(CompactBits(number)) for number in bits],
        "targets": [{"target": f"{number:064x}", "bits": compact_from_target(Target(number))} for number in targets],
        "refused": [{"bits": number, "code": code_of(target_from_compact, number)} for number in refused],
        "blocks": [_describe_header(block) for block in chain.blocks],
    }


def _describe_header(block: GoldenBlock) -> dict[str, Any]:
    header, coinbase = block.block.header, parse(block.block.coinbase)
    return {
        "header": header.encode().hex(),
        "version": header.version,
        "previous": header.previous.hex(),
        "merkle_root": header.merkle_root.hex(),
        "time": header.time,
        "bits": header.bits,
        "nonce": header.nonce,
        "hash": header.hash.hex(),
        "coinbase": block.block.coinbase.hex(),
        "coinbase_fields": {
            "height": coinbase.height,
            "extranonce": coinbase.extranonce.hex(),
            "reward": coinbase.reward,
            "magic": coinbase.magic.hex(),
            "commitment": coinbase.commitment.hex(),
        },
        "commitment": block.block.commitment_bytes.hex(),
        "commitment_hash": hashing.COMMITMENT(block.block.commitment_bytes).hex(),
    }


def chain_vectors(chain: GoldenChain) -> dict[str, Any]:
    """Params, genesis and every block of the golden chain, with what each block changed in the slots (BLK, GEN, STA)."""
    params, genesis = chain.scenario.params, chain.scenario.genesis
    return {
        "params": {
            "file": params_to_mapping(params),
            "hashed": pack(PARAMS_SHAPE.encode(replace(params, upgrades=(), trusted=()))).hex(),
            "hash": params.hash.hex(),
        },
        "genesis": {
            "block": genesis.block.encode().hex(),
            "hash": genesis.block.hash.hex(),
            "commitment": _describe_commitment(genesis.block.commitment_bytes),
            "work": str(genesis.work),
            "effective_time": genesis.difficulty.effective_time,
            "slots": [_describe_slot(slot, content) for slot, content in genesis.contents],
        },
        "blocks": [_describe_block(block) for block in chain.blocks],
    }


def _describe_commitment(data: bytes) -> dict[str, Any]:
    found = Commitment.decode(data)
    return {
        "chain_id": found.chain_id.hex(),
        "height": found.height,
        "transaction_root": found.transaction_root.hex(),
        "state_root": found.state_root.hex(),
        "history_root": found.history_root.hex(),
        "transaction_count": found.transaction_count,
        "slot_count": found.slot_count,
        "payees": [[address.hex(), amount] for address, amount in found.payees],
    }


def _describe_slot(slot: int, content: Any) -> dict[str, Any]:
    described = {
        "slot": slot,
        "key": content.key.hex(),
        "value": content.value_bytes.hex(),
        "leaf": content.leaf().hex(),
    }
    return described if content.key else {"slot": slot, "next": content.next_free, "leaf": content.leaf().hex()}


def _describe_block(block: GoldenBlock) -> dict[str, Any]:
    mined = block.mined
    pairs = zip(mined.transactions, mined.transition.codes, strict=True)
    return {
        "block": block.block.encode().hex(),
        "hash": block.block.hash.hex(),
        "commitment": _describe_commitment(block.block.commitment_bytes),
        "clock": mined.context.time,
        "work": str(block.work),
        "effective_time": block.difficulty.effective_time,
        "results": [list(codes) for codes in mined.transition.codes],
        "transaction_leaves": [transaction_leaf(tx.wtxid, codes).hex() for tx, codes in pairs],
        "slot_count": mined.transition.slot_count,
        "changed_slots": [_describe_slot(slot, content) for slot, content in mined.transition.contents],
        "undo": mined.transition.undo.encode().hex(),
        "events": [[place, type(event).name] for place, event in mined.transition.events],
    }


def entry_vectors(chain: GoldenChain) -> dict[str, Any]:
    """Leaves of the entries of the golden chain's batch, and their root (LOY-12)."""
    block = chain.blocks[1]
    earn = next(tx for tx in block.mined.transactions if tx.body.kind == "earn")
    codes = block.mined.transition.codes[block.mined.transactions.index(earn)]
    given = {0: 500, 1: 50, 2: 177, 3: 5, 4: 0, 5: 0, 6: 12_000}  # what the rule found, entry by entry
    held: dict[bytes, bytes] = {}
    rows = []
    for index, (entry, code) in enumerate(zip(earn.payload.entries, codes, strict=True)):
        before = held.get(entry.member, b"")
        commitment, remainder = (entry.receipts, entry.remainder) if entry.tag == 0 else (entry.receipt, before)
        rows.append((entry.tag, entry.member, entry.period, given[index], commitment, remainder, before, code))
        if code in CREDITED:
            held[entry.member] = remainder
    leaves = [leaf_hash(pack(row)) for row in rows]
    batch = hashing.object_id("earn", earn.txid, 0)
    record = chain.scenario.state.record(RecordKey(b"E" + batch)) or next(
        stored for key, stored in block.mined.transition.records.items() if key == b"E" + batch
    )
    assert record.entries_root == root(leaves), "the golden entries do not add up to the batch's root"
    return {
        "batch": batch.hex(),
        "entries": [{"row": shown(row), "leaf": leaf.hex()} for row, leaf in zip(rows, leaves, strict=True)],
        "entries_root": record.entries_root.hex(),
    }


def proof_vectors(chain: GoldenChain) -> dict[str, Any]:
    """A transaction in its own block and from a later one, and records; each anchored with two headers on top (PRF)."""
    at, later = chain.blocks[1], chain.blocks[7]
    leaves = [
        transaction_leaf(tx.wtxid, codes)
        for tx, codes in zip(at.mined.transactions, at.mined.transition.codes, strict=True)
    ]
    raw, results = at.mined.transactions[1].raw, at.mined.transition.codes[1]
    path = inclusion_path(leaves, 1)
    home = Home(
        at.block.header.encode(),
        at.block.coinbase,
        at.block.commitment_bytes,
        at.work.to_bytes(32, "big"),
        at.difficulty.effective_time,
        _history_path(chain, 2, 8),
    )
    proved = TransactionClaim(raw, results, 1, path, ())
    campaign, pledge, program, books = (
        next(key for key in sorted(_keys_after(chain, 8)) if key[:1] == prefix) for prefix in (b"F", b"P", b"B", b"K")
    )
    proofs = (
        _make_proof(chain, 2, proved),
        _make_proof(chain, 8, replace(proved, home=(home,))),
        _make_proof(chain, 8, _claim_record(chain, RecordKey(b"A" + FAN.address))),
        _make_proof(chain, 8, *(_claim_record(chain, key) for key in (books, program))),
        _make_proof(chain, 8, *(_claim_record(chain, key) for key in (campaign, program))),
        _make_proof(chain, 8, *(_claim_record(chain, key) for key in (pledge, campaign, program))),
    )
    assert later.mined.context.height == 8, "the anchor is block 8"
    return {
        "proofs": [
            {"hex": encode_proof(proof).hex(), "anchor_height": height}
            for proof, height in zip(proofs, (2, *[8] * 5), strict=True)
        ]
    }


def _history_path(chain: GoldenChain, height: int, size: int) -> tuple[Hash, ...]:
    return inclusion_path([chain.history.leaf(index) for index in range(size)], height)


def _contents_after(chain: GoldenChain, height: int) -> dict[int, Any]:
    found: dict[int, Any] = dict(chain.scenario.genesis.contents)
    for block in chain.blocks[:height]:
        found.update(block.mined.transition.contents)
    return found


def _keys_after(chain: GoldenChain, height: int) -> list[RecordKey]:
    return [content.key for content in _contents_after(chain, height).values() if content.key]


def _claim_record(chain: GoldenChain, key: RecordKey) -> RecordClaim:
    """The place of a record in the state after block 8."""
    state = _contents_after(chain, 8)
    slot = next(slot for slot, content in state.items() if content.key == key)
    path = inclusion_path([state[i].leaf() for i in sorted(state)], slot)
    return RecordClaim(key, state[slot].value_bytes, Slot(slot), path)


def _make_proof(chain: GoldenChain, height: int, *claims: TransactionClaim | RecordClaim) -> Proof:
    """Anchored at `height`, trusting genesis, with the next two headers on top."""
    block, genesis = chain.blocks[height - 1].block, chain.scenario.genesis
    following = tuple(after.block.header.encode() for after in chain.blocks[height : height + 2])
    anchor = Anchor(block.header.encode(), block.coinbase, block.commitment_bytes, following)
    trusted = Trusted(
        genesis.difficulty.height,
        genesis.block.hash,
        genesis.work.to_bytes(32, "big"),
        genesis.difficulty.effective_time,
        _history_path(chain, 0, height),
    )
    rests_on = chain.blocks[height + 1].block.hash
    return Proof(1, chain.scenario.chain_id, rests_on, anchor, trusted, claims)


VALUE_SETS: dict[str, Callable[[ChainId], dict[str, Any]]] = {
    "acceptances": acceptance_vectors,
    "addresses": address_vectors,
    "codec": codec_vectors,
    "earning": earning_vectors,
    "hashes": hash_vectors,
    "policies": policy_vectors,
    "receipts": receipt_vectors,
}
CHAIN_SETS: dict[str, Callable[[GoldenChain], dict[str, Any]]] = {
    "chain": chain_vectors,
    "entries": entry_vectors,
    "proofs": proof_vectors,
    "records": record_vectors,
    "transactions": transaction_vectors,
    "work": work_vectors,
}


def render() -> dict[str, str]:
    """Every file by its name."""
    chain = make_golden_chain()
    sets = {name: make(chain.scenario.chain_id) for name, make in VALUE_SETS.items()}
    sets |= {name: make(chain) for name, make in CHAIN_SETS.items()}
    files = {f"{name}.json": json.dumps(found, indent=1) + "\n" for name, found in sorted(sets.items())}
    return {"README.md": README, **files}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or with `--check` say which are stale."""
    files = render()
    if "--check" in arguments:
        stale = [name for name, text in files.items() if not _is_current(GOLDEN / name, text)]
        print(f"stale, run scripts/make_vectors.py: {', '.join(stale)}" if stale else f"{len(files)} files are current")
        return 1 if stale else 0
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (GOLDEN / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(files)} files, {sum(len(text) for text in files.values()):,} bytes")
    return 0


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
