"""The golden vectors of receipts, entries, proofs and earning, read by the second decoder; see test_second_decoder."""

from tests.ledger.test_second_decoder import cases, follow_chain, unhex
from tests.second_decoder import (
    encoding,
    envelope,
    hashing,
    keys,
    layouts,
    offers,
    proofs,
    receipts,
    records,
    tiers,
)
from tests.second_decoder.vectors import assert_no_prefix, fault_of, load, value_of

# ------------------------------------------------------------------------------------------- receipts, entries, proofs


def test_a_receipt():
    found = load("receipts.json")
    chain_id, raw = unhex(found["chain_id"]), unhex(found["signed"])
    signed = receipts.read_signed(raw)
    receipt, salt = signed["receipt"], unhex(found["salt"])
    assert receipts.write_signed(signed) == raw
    assert (signed["salt"], signed["signature"].hex()) == (salt, found["signature"])
    assert_no_prefix(receipts.read_signed, raw, "codec.truncated")
    root = receipts.receipt_hash(receipt, salt)
    assert root.hex() == found["hash"]
    assert receipts.signing_hash(chain_id, root).hex() == found["signing_hash"]
    assert receipts.is_signed(signed, chain_id)
    assert not receipts.is_signed(signed, bytes(32))
    leaves = receipts.field_leaves(receipt, salt)
    values = receipts.RECEIPT.write(receipt)
    for index, case in enumerate(cases("receipts.json", "fields")):
        path = [unhex(text) for text in case["path"]]
        assert (case["index"], case["name"]) == (index, list(receipt)[index])
        assert value_of(case["value"]) == values[index]
        assert receipts.field_salt(salt, index).hex() == case["salt"]
        leaf = receipts.field_leaf(index, unhex(case["salt"]), value_of(case["value"]))
        assert leaf.hex() == case["leaf"] == leaves[index].hex()
        assert hashing.inclusion_path(leaves, index) == path
        assert hashing.is_included(leaf, index, 15, path, root)
    lines = []
    for index, case in enumerate(cases("receipts.json", "lines")):
        lines.append(receipts.line_leaf(salt, index, value_of(case["line"])))
        assert (case["index"], lines[-1].hex()) == (index, case["leaf"])
    assert hashing.tree_root(lines).hex() == found["lines_root"] == receipt["lines_root"].hex()


def test_returns():
    found = load("receipts.json")
    chain_id, shown = unhex(found["chain_id"]), found["returned"]
    signed = receipts.read_return(unhex(shown["signed"]))
    assert receipts.write_return(signed).hex() == shown["signed"]
    assert receipts.return_id(signed["returned"]).hex() == shown["id"]
    assert signed["returned"]["receipt"].hex() == found["hash"]
    body = {"kind": "reverse", "payload": signed}
    attested = envelope.attestations(body, chain_id)
    assert [message.hex() for _, message, _ in attested] == [shown["till_message"], *[shown["fan_message"]] * 2]
    assert all(keys.is_valid(*one) for one in attested)
    envelope.check_consent(signed["consent"])
    assert_no_prefix(receipts.read_return, unhex(shown["signed"]), "codec.truncated")


def test_an_offer():
    shown = load("receipts.json")["offer"]
    raw = unhex(shown["offer"])
    offer = offers.read_offer(raw)
    terms = offers.sealed(offer["salt"], offer["terms"])
    assert terms.hex() == shown["terms"]
    assert offers.offer_id(offer["program"], {**offer, "terms": terms}).hex() == shown["id"]
    assert_no_prefix(offers.read_offer, raw, "codec.truncated")


def test_sums_and_remainders():
    for case in cases("receipts.json", "sums"):
        leaves = [receipts.sum_leaf(unhex(hashed), points) for hashed, points in case["receipts"]]
        assert [leaf[0].hex() for leaf in leaves] == case["leaves"]
        root = receipts.sum_root(leaves)
        assert (root[0].hex(), root[1]) == (case["root"], case["sum"])
        assert len(case["paths"]) == len(leaves)
        for index, items in enumerate(case["paths"]):
            path = [(unhex(hashed), points) for hashed, points in items]
            assert receipts.sum_path(leaves, index) == path
            assert receipts.follow_sums(leaves[index], index, len(leaves), path) == root
            assert receipts.follow_sums(leaves[index], index, len(leaves), [*path, root]) is None
            assert not path or receipts.follow_sums(leaves[index], index, len(leaves), path[:-1]) is None
        assert receipts.earn_sum(unhex(case["salt"]), root).hex() == case["R"]
    for case in cases("receipts.json", "remainders"):
        assert receipts.earn_remainder(unhex(case["salt"]), case["remainder"]).hex() == case["K"]


def test_entries_of_a_batch():
    rows = [value_of(case["row"]) for case in cases("entries.json", "entries")]
    leaves = [receipts.entry_leaf(row) for row in rows]
    found = load("entries.json")
    assert [leaf.hex() for leaf in leaves] == [case["leaf"] for case in found["entries"]]
    assert hashing.tree_root(leaves).hex() == found["entries_root"]
    _, blocks = follow_chain()
    assert [batch for block_in_names in blocks for batch in block_in_names["batches"]][:1] == [rows]
    batches = [case for case in load("transactions.json")["transactions"] if case["kind"] == "earn"]
    assert [hashing.object_id("earn", unhex(case["txid"])).hex() for case in batches][:1] == [found["batch"]]


def test_proofs():
    chain, blocks = follow_chain()
    for case in cases("proofs.json", "proofs"):
        raw = unhex(case["hex"])
        assert proofs.write_proof(proofs.read_proof(raw)) == raw
        proof = proofs.check_proof(raw, chain.chain_id)
        assert proof["anchor_height"] == case["anchor_height"]
        assert proof["anchor"]["header"] == blocks[case["anchor_height"] - 1]["parts"]["header"]
        assert fault_of(proofs.check_proof, raw, bytes(32)) == "proof.broken"
        assert_no_prefix(proofs.check_proof, raw, "codec.truncated")
        assert fault_of(proofs.check_proof, raw, None, bytes(32)) == "proof.untrusted"
        for trust in (proof["rests_on"], proof["trusted"]["hash"]):
            proofs.check_proof(raw, chain.chain_id, trust)
        spoiled = {**proof, "rests_on": chain.chain_id}
        assert fault_of(proofs.check_proof, proofs.write_proof(spoiled)) == "proof.broken"
        for place, claim in enumerate(proof["claims"]):
            cut = [*proof["claims"]]
            cut[place] = {**claim, "path": claim["path"][:-1]}
            assert fault_of(proofs.check_proof, proofs.write_proof({**proof, "claims": cut})) == "proof.broken"
            check_claim(claim, blocks, proof["claim_height"])


def check_claim(claim, blocks, height):
    """What a claim shows is what the chain holds."""
    if claim["is"] == "TransactionClaim":
        home = blocks[height - 1]["parts"]
        assert claim["transaction"] == home["transactions"][claim["index"]]
        assert claim["results"] == home["results"][claim["index"]]
    else:
        value = records.read_value(claim["key"], claim["value"])
        assert records.record_leaf(claim["key"], value) == hashing.leaf_hash(
            b"\x92" + encoding.encode(claim["key"]) + claim["value"]
        )


# ------------------------------------------------------------------------------------------- earning


def test_points_of_purchases():
    for case in cases("earning.json", "purchases"):
        rules = [layouts.KNOWN["rule"].read(list(rule), "rule") for rule in case["rules"]]
        bought = {**case, "codes": [{"code": code, "cents": cents} for code, cents in case["codes"]]}
        assert receipts.points_of(rules, bought, case["offset_minutes"]) == case["points"]


def test_calendar_expiry():
    for activation_day, month, day, years_min, expected in cases("earning.json", "calendar"):
        assert tiers.calendar_expiry(activation_day, month, day, years_min) == expected


def test_tier_histories():
    names = ("first_day", "until_day", "since", "points")
    for case in cases("earning.json", "tiers"):
        terms = {**case, "tiers": [{"name": name, "threshold": least} for name, least in case["tiers"]]}
        offset, history = case["offset_minutes"], []
        for step in case["steps"]:
            now = step["now"]
            after = tiers.count_points(history, terms, offset, step["base"], step["points"], now)
            assert [[item[name] for name in names] for item in after] == step["history"]
            assert receipts.tier_at({"tier_history": after}, terms, offset, now) == step["tier"]
            known = receipts.tier_at({"tier_history": after}, terms, offset, now - 100 * 86_400)
            assert known == step["tier_100_days_before"]
            reached = tiers.reached_after(history, after, terms, offset, now)
            assert reached == (None if step["reached"] is None else step["reached"][0])
            history = after
            if "returned" in step:
                history = tiers.take_points_back(history, terms, step["base"], step["returned"]["points"])
                assert [[item[name] for name in names] for item in history] == step["returned"]["history"]
