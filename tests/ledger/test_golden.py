"""The golden vectors of the spec, read with the project's own code. Each test says how many cases it read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger import hashing, keys, merkle
from ledger.address import decode_id, encode_id
from ledger.block import (
    Block,
    Commitment,
    check_body_belongs,
    history_leaf,
    transaction_leaf,
    transaction_root,
)
from ledger.codec import pack, unpack
from ledger.coinbase import parse
from ledger.domains.loyalty import receipts, returns
from ledger.domains.offers.terms import decode_offer
from ledger.errors import Malformed
from ledger.genesis import make_genesis
from ledger.header import Header
from ledger.header_chain import check_header
from ledger.kinds import Context
from ledger.merkle import leaf_hash, root, verify_inclusion
from ledger.params import params_from_mapping
from ledger.policy import Policy
from ledger.pow import compact_from_target, target_from_compact, work_of
from ledger.proofs import check_proof, read_proof
from ledger.state import Table, decode_record, encode_record, free_leaf, record_leaf
from ledger.transaction import decode_transaction, signature_checks, signing_hash
from ledger.transition import Undo, execute
from ledger.types import (
    ChainId,
    CompactBits,
    Hash,
    Points,
    PrivateSeed,
    PublicKey,
    ReceiptHash,
    RecordKey,
    Slot,
    Target,
    Timestamp,
    TxId,
    Work,
    WtxId,
)
from tests.support.memory_chain import MemoryState

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "vectors" / "golden"


def read(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def value_of(shown: dict[str, Any]) -> Any:
    """The canonical value that a vector shows."""
    ((kind, found),) = shown.items()
    if kind == "array":
        return tuple(value_of(item) for item in found)
    return {"int": int, "bytes": bytes.fromhex, "text": str, "bool": bool}[kind](found)


def test_the_vectors_are_what_the_script_writes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "make_vectors.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


def test_codec() -> None:
    found = read("codec")
    for case in found["accepted"]:
        assert pack(value_of(case["value"])).hex() == case["hex"]
        assert unpack(bytes.fromhex(case["hex"])) == value_of(case["value"])
    for case in found["refused"]:
        with pytest.raises(Malformed) as fault:
            unpack(bytes.fromhex(case["hex"]))
        assert fault.value.code.name == case["code"]
    assert (len(found["accepted"]), len(found["refused"])) == (46, 40)


def test_hashes() -> None:
    found = read("hashes")
    for case in found["tagged"]:
        assert getattr(hashing, case["name"])(bytes.fromhex(case["data"])).hex() == case["hash"]
    for case in found["sha256d"]:
        assert hashing.sha256d(bytes.fromhex(case["data"])).hex() == case["hash"]
    for case in found["object_ids"]:
        assert hashing.object_id(case["noun"], TxId(bytes.fromhex(case["txid"])), case["index"]).hex() == case["id"]
    assert (len(found["tagged"]), len(found["sha256d"]), len(found["object_ids"])) == (111, 3, 6)


def test_trees() -> None:
    found, paths = read("hashes"), 0
    leaves = [merkle.leaf_hash(bytes.fromhex(case["data"])) for case in found["leaves"]]
    assert [leaf.hex() for leaf in leaves] == [case["leaf"] for case in found["leaves"]]
    for case in found["trees"]:
        expected = Hash(bytes.fromhex(case["root"]))
        assert root(leaves[: case["size"]]) == expected
        for index, nodes in enumerate(case["paths"]):
            path = [Hash(bytes.fromhex(node)) for node in nodes]
            assert verify_inclusion(expected, leaves[index], index, case["size"], path)
            paths += 1
    assert (len(leaves), len(found["trees"]), paths) == (9, 10, 45)


def test_addresses() -> None:
    found = read("addresses")
    for case in found["accepted"]:
        payload = bytes.fromhex(case["payload"])
        assert encode_id(case["prefix"], payload) == case["text"]
        assert decode_id(case["prefix"], case["text"]) == decode_id(case["prefix"], case["upper"]) == payload
    for case in found["refused"]:
        with pytest.raises(Malformed) as fault:
            decode_id(case["prefix"], case["text"])
        assert fault.value.code.name == case["code"]
    assert (len(found["accepted"]), len(found["refused"])) == (10, 7)


def policy_of(case: dict[str, Any]) -> Policy:
    return Policy(case["threshold"], tuple(PublicKey(bytes.fromhex(key)) for key in case["keys"]))


def test_policies_and_keys() -> None:
    found = read("policies")
    for case in found["seeds"]:
        seed = PrivateSeed(bytes.fromhex(case["seed"]))
        assert keys.public_key_of(seed).hex() == case["public_key"]
        assert keys.sign(seed, b"abc").hex() == case["signature_of_abc"]
    for case in found["policies"]:
        policy = policy_of(case)
        policy.check()
        assert pack((policy.threshold, policy.keys)).hex() == case["encoding"]
        assert policy.hash.hex() == case["hash"]
    for case in found["refused"]:
        with pytest.raises(Malformed, match=r"witness\.policy"):
            policy_of(case).check()
    assert (len(found["seeds"]), len(found["policies"]), len(found["refused"])) == (4, 4, 3)


def test_transactions() -> None:
    found = read("transactions")
    chain_id = ChainId(bytes.fromhex(found["chain_id"]))
    signatures = 0
    for case in found["transactions"]:
        transaction = decode_transaction(bytes.fromhex(case["raw"]), chain_id)
        assert transaction.body.kind == case["kind"]
        assert transaction.body_bytes.hex() == case["body"]
        assert (transaction.txid.hex(), transaction.wtxid.hex()) == (case["txid"], case["wtxid"])
        assert signing_hash(chain_id, transaction.body_bytes).hex() == case["sighash"]
        assert transaction.weight == case["weight"]
        assert transaction.kind.cost(transaction.payload)._asdict() == case["cost"]
        assert [signer.hex() for signer in transaction.signers] == case["signers"]
        assert unpack(transaction.body_bytes) == tuple(value_of(field) for field in case["fields"].values())
        assert pack(value_of(case["fields"]["payload"])) == pack(transaction.kind.payload.encode(transaction.payload))
        for key, message, signature in signature_checks(transaction, chain_id):
            assert keys.verify(key, message, signature)
            signatures += 1
    assert {case["kind"] for case in found["transactions"]} >= set(read("chain")["params"]["file"]["kinds"])
    assert (len(found["transactions"]), signatures) == (116, 155)


def test_records() -> None:
    found = read("records")
    for case in found["records"]:
        key, value = RecordKey(bytes.fromhex(case["key"])), bytes.fromhex(case["value"])
        assert unpack(value) == value_of(case["fields"])
        assert encode_record(key, decode_record(key, unpack(value))) == value
        assert record_leaf(key, value).hex() == case["leaf"]
        assert list(Table.catalogue[key[0]].shape.names) == case["names"]
    for case in found["free_slots"]:
        assert free_leaf(Slot(case["next"])).hex() == case["leaf"]
    assert len({case["table"] for case in found["records"]}) == 39
    assert (len(found["records"]), len(found["free_slots"])) == (164, 5)


def test_work() -> None:
    found = read("work")
    for case in found["bits"]:
        target = target_from_compact(CompactBits(case["bits"]))
        assert f"{target:064x}" == case["target"]
        assert (str(work_of(target)), compact_from_target(target)) == (case["work"], case["canonical"])
    for case in found["targets"]:
        assert compact_from_target(Target(int(case["target"], 16))) == case["bits"]
    for case in found["refused"]:
        with pytest.raises(Malformed) as fault:
            target_from_compact(CompactBits(case["bits"]))
        assert fault.value.code.name == case["code"]
    assert (len(found["bits"]), len(found["targets"]), len(found["refused"])) == (9, 10, 6)


def test_headers_and_coinbases() -> None:
    found = read("work")["blocks"]
    for case in found:
        header = Header.decode(bytes.fromhex(case["header"]))
        assert header.hash.hex() == case["hash"]
        assert (header.version, header.time, header.bits, header.nonce) == tuple(
            case[name] for name in ("version", "time", "bits", "nonce")
        )
        assert (header.previous.hex(), header.merkle_root.hex()) == (case["previous"], case["merkle_root"])
        assert hashing.sha256d(bytes.fromhex(case["coinbase"])) == header.merkle_root
        coinbase, fields = parse(bytes.fromhex(case["coinbase"])), case["coinbase_fields"]
        assert (coinbase.height, coinbase.reward) == (fields["height"], fields["reward"])
        assert (coinbase.extranonce.hex(), coinbase.magic.hex()) == (fields["extranonce"], fields["magic"])
        committed = hashing.COMMITMENT(bytes.fromhex(case["commitment"])).hex()
        assert coinbase.commitment.hex() == fields["commitment"] == case["commitment_hash"] == committed
    assert len(found) == 113


def test_genesis() -> None:
    found = read("chain")
    params = params_from_mapping(found["params"]["file"])
    genesis, expected = make_genesis(params), found["genesis"]
    assert params.hash.hex() == found["params"]["hash"]
    assert hashing.PARAMS(bytes.fromhex(found["params"]["hashed"])) == params.hash
    assert genesis.block.encode().hex() == expected["block"]
    assert (genesis.chain_id.hex(), str(genesis.work)) == (expected["hash"], expected["work"])
    assert genesis.difficulty.effective_time == expected["effective_time"]
    assert [content.leaf().hex() for _, content in genesis.contents] == [slot["leaf"] for slot in expected["slots"]]
    assert len(expected["slots"]) == 7


def test_chain() -> None:
    found = read("chain")
    params = params_from_mapping(found["params"]["file"])
    genesis = make_genesis(params)
    state, window = MemoryState(genesis.contents), dict[bytes, TxId]()
    tip, difficulty, work = genesis.block.hash, genesis.difficulty, genesis.work
    history = [history_leaf(tip, work, difficulty.effective_time)]
    for height, case in enumerate(found["blocks"], start=1):
        block = Block.decode(bytes.fromhex(case["block"]))
        commitment = check_body_belongs(block, params)
        clock = difficulty.time
        difficulty = check_header(params.difficulty_eras, difficulty, tip, block.header)
        assert (commitment.chain_id, commitment.height, clock) == (genesis.chain_id, height, case["clock"])
        assert commitment.history_root == root(history)
        transactions = [decode_transaction(raw, genesis.chain_id) for raw in block.transactions]
        context = Context(params, commitment.height, Timestamp(clock), state.root(), tip)
        transition = execute(state, context, window, transactions, commitment.payees)
        assert transition.undo == Undo.decode(bytes.fromhex(case["undo"]))
        state.apply(transition)
        assert state.root() == commitment.state_root
        assert [content.leaf().hex() for _, content in transition.contents] == [
            s["leaf"] for s in case["changed_slots"]
        ]
        assert [list(codes) for codes in transition.codes] == case["results"] == [list(c) for c in block.results]
        assert [[place, type(event).name] for place, event in transition.events] == case["events"]
        work = Work(work + work_of(target_from_compact(block.header.bits)))
        tip = block.hash
        assert (tip.hex(), str(work)) == (case["hash"], case["work"])
        assert difficulty.effective_time == case["effective_time"]
        history.append(history_leaf(tip, work, difficulty.effective_time))
        window |= {transaction.once_key: transaction.txid for transaction in transactions}
    assert len(found["blocks"]) == 113


def test_commitments() -> None:
    found = read("chain")
    blocks = [found["genesis"], *found["blocks"]]
    for case in blocks:
        block = Block.decode(bytes.fromhex(case["block"]))
        commitment, expected = Commitment.decode(block.commitment_bytes), case["commitment"]
        for name in ("chain_id", "transaction_root", "state_root", "history_root"):
            assert getattr(commitment, name).hex() == expected[name]
        for name in ("height", "transaction_count", "slot_count"):
            assert getattr(commitment, name) == expected[name]
        assert commitment.slot_count == case.get("slot_count", 2 + len(found["params"]["file"]["allocations"]))
        assert [[address.hex(), amount] for address, amount in commitment.payees] == expected["payees"]
        pairs = zip(block.transactions, block.results, strict=True)
        leaves = [transaction_leaf(WtxId(hashing.WTX(raw)), codes) for raw, codes in pairs]
        assert [leaf.hex() for leaf in leaves] == case.get("transaction_leaves", [])
        assert transaction_root(leaves) == commitment.transaction_root
    assert len(blocks) == 114


def test_receipt() -> None:
    found = read("receipts")
    chain_id, salt = ChainId(bytes.fromhex(found["chain_id"])), bytes.fromhex(found["salt"])
    signed = receipts.decode_receipt(bytes.fromhex(found["signed"]))
    top = receipts.receipt_hash(signed.receipt, salt)
    assert top.hex() == found["hash"]
    assert receipts.receipt_signing_hash(chain_id, top).hex() == found["signing_hash"]
    assert signed.signature.hex() == found["signature"]
    returned = returns.decode_return(bytes.fromhex(found["returned"]["signed"]))
    return_id = returns.return_id_of(returned.returned)
    assert return_id.hex() == found["returned"]["id"]
    assert returns.till_message(chain_id, return_id).hex() == found["returned"]["till_message"]
    assert returns.fan_message(chain_id, return_id).hex() == found["returned"]["fan_message"]
    assert returns.return_is_signed(returned, chain_id)
    offer = decode_offer(bytes.fromhex(found["offer"]["offer"]))
    assert [offer.commitment.hex(), offer.offer_id.hex()] == [found["offer"]["terms"], found["offer"]["id"]]
    assert receipts.receipt_is_signed(signed, chain_id)
    for case in found["fields"]:
        leaf = leaf_hash(pack((case["index"], bytes.fromhex(case["salt"]), value_of(case["value"]))))
        path = [Hash(bytes.fromhex(node)) for node in case["path"]]
        assert leaf.hex() == case["leaf"]
        assert receipts.field_salt(salt, case["index"]).hex() == case["salt"]
        assert verify_inclusion(Hash(top), leaf, case["index"], 15, path)
    lines = [receipts.line_leaf(salt, case["index"], value_of(case["line"])) for case in found["lines"]]
    assert [leaf.hex() for leaf in lines] == [case["leaf"] for case in found["lines"]]
    assert root(lines).hex() == found["lines_root"] == signed.receipt.lines_root.hex()
    assert (len(found["fields"]), len(lines)) == (15, 2)


def test_sums_and_remainders() -> None:
    found, paths = read("receipts"), 0
    for case in found["sums"]:
        items = [(ReceiptHash(bytes.fromhex(top)), Points(points)) for top, points in case["receipts"]]
        leaves = [receipts.sum_leaf(*item) for item in items]
        top = receipts.sum_root(leaves)
        assert [leaf.hash.hex() for leaf in leaves] == case["leaves"]
        assert (top.hash.hex(), top.points) == (case["root"], case["sum"])
        assert receipts.seal_sum(bytes.fromhex(case["salt"]), top).hex() == case["R"]
        for index, nodes in enumerate(case["paths"]):
            path = [receipts.SumNode(bytes.fromhex(node), points) for node, points in nodes]
            assert receipts.climb(leaves[index], index, len(leaves), path) == top
            paths += 1
    for case in found["remainders"]:
        sealed = receipts.seal_remainder(bytes.fromhex(case["salt"]), Points(case["remainder"]))
        assert sealed.hex() == case["K"]
    assert (len(found["sums"]), paths, len(found["remainders"])) == (6, 15, 4)


def test_entries() -> None:
    found = read("entries")
    leaves = [leaf_hash(pack(value_of(case["row"]))) for case in found["entries"]]
    assert [leaf.hex() for leaf in leaves] == [case["leaf"] for case in found["entries"]]
    assert root(leaves).hex() == found["entries_root"]
    assert len(leaves) == 7


def test_proofs() -> None:
    found = read("proofs")["proofs"]
    genesis = make_genesis(params_from_mapping(read("chain")["params"]["file"]))
    reports = [check_proof(read_proof(bytes.fromhex(case["hex"])), genesis.chain_id) for case in found]
    assert [report.anchor_height for report in reports] == [case["anchor_height"] for case in found]
    assert all(report.trusted_hash == genesis.block.hash and report.following == 2 for report in reports)
    shown = [[getattr(item, "table", "transaction") for item in report.shown] for report in reports]
    assert shown[:2] == [["transaction"], ["transaction"]]
    assert shown[2:] == [["Account"], ["Books", "Program"], ["Campaign", "Program"], ["Pledge", "Campaign", "Program"]]
