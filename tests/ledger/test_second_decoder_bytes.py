"""The golden vectors of bytes, hashes and keys, read by the second decoder (see test_second_decoder.py)."""

from tests.ledger.test_second_decoder import cases, unhex
from tests.second_decoder import address, encoding, envelope, hashing, keys
from tests.second_decoder.vectors import assert_no_prefix, fault_of, load, value_of


def test_canonical_encoding():
    for case in cases("codec.json", "accepted"):
        value, data = value_of(case["value"]), unhex(case["hex"])
        decoded = encoding.decode(data)
        assert decoded == value
        assert type(decoded) is type(value)
        assert encoding.encode(value) == data
        assert fault_of(encoding.decode, data + b"\x00") == "codec.trailing"
        if len(data) < 1_000:
            assert_no_prefix(encoding.decode, data, "codec.truncated")
    for case in cases("codec.json", "refused"):
        assert fault_of(encoding.decode, unhex(case["hex"])) == case["code"], case


def test_hashes_and_ids():
    for case in cases("hashes.json", "tagged"):
        assert hashing.tagged(case["name"], unhex(case["data"])).hex() == case["hash"]
    assert {case["name"] for case in load("hashes.json")["tagged"]} == set(hashing.TAGS)
    for case in cases("hashes.json", "sha256d"):
        assert hashing.twice(unhex(case["data"])).hex() == case["hash"]
    for case in cases("hashes.json", "object_ids"):
        assert hashing.object_id(case["noun"], unhex(case["txid"]), case["index"]).hex() == case["id"]


def test_trees_and_paths():
    leaves = []
    for case in cases("hashes.json", "leaves"):
        leaves.append(hashing.leaf_hash(unhex(case["data"])))
        assert leaves[-1].hex() == case["leaf"]
    for case in cases("hashes.json", "trees"):
        size, root = case["size"], unhex(case["root"])
        assert hashing.tree_root(leaves[:size]) == root
        assert len(case["paths"]) == size
        for index, texts in enumerate(case["paths"]):
            path = [unhex(text) for text in texts]
            assert hashing.inclusion_path(leaves[:size], index) == path
            assert hashing.is_included(leaves[index], index, size, path, root)
            assert not hashing.is_included(leaves[index], index, size, [*path, root], root)
            assert not path or not hashing.is_included(leaves[index], index, size, path[:-1], root)
        for before in range(1, size + 1):
            path = hashing.consistency_path(leaves[:size], before)
            assert hashing.is_consistent(before, size, hashing.tree_root(leaves[:before]), root, path)
            assert not hashing.is_consistent(before, size, hashing.tree_root(leaves[:before]), root, [*path, root])


def test_addresses():
    for case in cases("addresses.json", "accepted"):
        payload = unhex(case["payload"])
        assert address.to_text(case["prefix"], payload) == case["text"]
        assert len(case["text"]) == len(case["prefix"]) + 60
        assert address.from_text(case["text"], case["prefix"]) == payload
        assert address.from_text(case["upper"], case["prefix"]) == payload
        assert fault_of(address.from_text, case["text"], case["prefix"] + "x") == "address.wrong_network"
        for length in range(len(case["text"])):
            assert fault_of(address.from_text, case["text"][:length], case["prefix"])
    for case in cases("addresses.json", "refused"):
        assert fault_of(address.from_text, case["text"], case["prefix"]) == case["code"]


def test_keys_and_policies():
    for case in cases("policies.json", "seeds"):
        seed, signature = unhex(case["seed"]), unhex(case["signature_of_abc"])
        assert keys.public_key(seed).hex() == case["public_key"]
        assert keys.sign(seed, b"abc") == signature
        assert keys.is_valid(unhex(case["public_key"]), b"abc", signature)
        assert not keys.is_valid(unhex(case["public_key"]), b"abd", signature)
    for case in cases("policies.json", "policies"):
        policy = {"threshold": case["threshold"], "keys": [unhex(key) for key in case["keys"]]}
        assert envelope.policy_bytes(policy).hex() == case["encoding"]
        assert envelope.read_policy(unhex(case["encoding"])) == policy
        assert envelope.policy_hash(policy).hex() == case["hash"]
        assert_no_prefix(envelope.read_policy, unhex(case["encoding"]), "codec.truncated")
    for case in cases("policies.json", "refused"):
        data = encoding.encode([case["threshold"], [unhex(key) for key in case["keys"]]])
        assert fault_of(envelope.read_policy, data) == "witness.policy"
