"""The Merkle tree: RFC 9162's recursive definitions as oracle, the published vectors, the incremental tree against both."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ledger.merkle import (
    EMPTY_ROOT,
    IncrementalTree,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from ledger.types import Hash

VECTORS = Path(__file__).parents[1] / "vectors" / "rfc6962"
LEAVES = [leaf_hash(number.to_bytes(2, "big")) for number in range(130)]
hashes = st.binary(min_size=32, max_size=32).map(Hash)


def split(size: int) -> int:
    """The largest power of two below a size (RFC 9162, section 2.1.1)."""
    return 1 << (size - 1).bit_length() - 1


def root_by_definition(leaves: list[Hash]) -> Hash:
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    k = split(len(leaves))
    return node_hash(root_by_definition(leaves[:k]), root_by_definition(leaves[k:]))


def path_by_definition(index: int, leaves: list[Hash]) -> list[Hash]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path_by_definition(index, leaves[:k]), root_by_definition(leaves[k:])]
    return [*path_by_definition(index - k, leaves[k:]), root_by_definition(leaves[:k])]


def subproof_by_definition(old_size: int, leaves: list[Hash], is_whole: bool) -> list[Hash]:
    if old_size == len(leaves):
        return [] if is_whole else [root_by_definition(leaves)]
    k = split(len(leaves))
    if old_size <= k:
        return [*subproof_by_definition(old_size, leaves[:k], is_whole), root_by_definition(leaves[k:])]
    return [*subproof_by_definition(old_size - k, leaves[k:], False), root_by_definition(leaves[:k])]


def flip_bit(value: Hash, bit: int) -> Hash:
    return Hash((int.from_bytes(value, "big") ^ 1 << bit).to_bytes(32, "big"))


def test_definitions_for_every_small_tree() -> None:
    for size in range(35):
        leaves = LEAVES[:size]
        tree = IncrementalTree(leaves)
        assert root(leaves) == tree.root() == root_by_definition(leaves)
        for index in range(size):
            expected = tuple(path_by_definition(index, leaves))
            assert inclusion_path(leaves, index) == tree.inclusion_path(index) == expected
            assert verify_inclusion(tree.root(), leaves[index], index, size, expected)
        for old_size in range(1, size + 1):
            expected = tuple(subproof_by_definition(old_size, leaves, True))
            assert consistency_path(leaves, old_size) == tree.consistency_path(old_size) == expected
            assert verify_consistency(root(leaves[:old_size]), old_size, tree.root(), size, expected)


@given(st.integers(1, 130), st.data())
def test_an_inclusion_path_shows_one_leaf_at_one_place(size: int, data: st.DataObject) -> None:
    leaves = LEAVES[:size]
    index = data.draw(st.integers(0, size - 1))
    path, expected_root = inclusion_path(leaves, index), root(leaves)
    assert verify_inclusion(expected_root, leaves[index], index, size, path)
    assert not verify_inclusion(flip_bit(expected_root, 3), leaves[index], index, size, path)
    assert not verify_inclusion(expected_root, flip_bit(leaves[index], 200), index, size, path)
    for other in set(range(size)) - {index}:
        assert not verify_inclusion(expected_root, leaves[index], other, size, path)
    assert not verify_inclusion(expected_root, leaves[index], index, size, (*path, path[-1] if path else leaves[0]))
    for cut in range(len(path)):
        assert not verify_inclusion(expected_root, leaves[index], index, size, (*path[:cut], *path[cut + 1 :]))
        changed = (*path[:cut], flip_bit(path[cut], 77), *path[cut + 1 :])
        assert not verify_inclusion(expected_root, leaves[index], index, size, changed)


@given(st.integers(2, 130), st.data())
def test_a_consistency_path_shows_one_history(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size - 1))
    old_root, new_root = root(LEAVES[:old_size]), root(LEAVES[:size])
    path = consistency_path(LEAVES[:size], old_size)
    assert verify_consistency(old_root, old_size, new_root, size, path)
    assert not verify_consistency(flip_bit(old_root, 1), old_size, new_root, size, path)
    assert not verify_consistency(old_root, old_size, flip_bit(new_root, 1), size, path)
    assert not verify_consistency(old_root, old_size, new_root, size, (*path, path[-1]))
    for cut in range(len(path)):
        assert not verify_consistency(old_root, old_size, new_root, size, (*path[:cut], *path[cut + 1 :]))
        changed = (*path[:cut], flip_bit(path[cut], 77), *path[cut + 1 :])
        assert not verify_consistency(old_root, old_size, new_root, size, changed)


def test_nodes_that_are_no_hashes_are_refused() -> None:
    pair = [LEAVES[0], LEAVES[1]]
    assert not verify_inclusion(root(pair), LEAVES[0], 0, 2, [Hash(LEAVES[1] + b"\x00")])
    assert not verify_inclusion(Hash(b""), Hash(b""), 0, 1, [])
    assert not verify_consistency(LEAVES[0], 1, root(pair), 2, [Hash(b"")])
    assert not verify_consistency(Hash(LEAVES[0] + LEAVES[1][:1]), 1, root(pair), 2, [Hash(LEAVES[1][1:])])


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (1, 1), (0, 0), (5, 4)])
def test_no_leaf_lies_outside(index: int, size: int) -> None:
    assert not verify_inclusion(LEAVES[0], LEAVES[0], index, size, [])


def test_reference_hashes() -> None:
    vectors: Any = json.loads((VECTORS / "reference_hashes.json").read_text(encoding="utf-8"))
    leaves = [leaf_hash(bytes.fromhex(data)) for data in vectors["leaf_inputs"]]
    assert len(leaves) == 8
    assert len(vectors["roots_by_size"]) == 9
    tree = IncrementalTree()
    assert tree.root().hex() == vectors["roots_by_size"][0]
    for size in range(1, 9):
        tree.extend(leaves[size - 1 : size])
        assert tree.root().hex() == root(leaves[:size]).hex() == vectors["roots_by_size"][size]
    empty, leaf, node = vectors["hashes"]
    assert (empty["kind"], leaf["kind"], node["kind"]) == ("empty", "leaf", "node")
    assert EMPTY_ROOT.hex() == empty["want"]
    assert leaf_hash(bytes.fromhex(leaf["data"])).hex() == leaf["want"]
    assert node_hash(Hash(bytes.fromhex(node["left"])), Hash(bytes.fromhex(node["right"]))).hex() == node["want"]


def read_cases(folder: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((VECTORS / folder).rglob("*.json"))]


def decode(text: str) -> Hash:
    return Hash(b64decode(text))


def test_published_inclusion_vectors() -> None:
    cases = read_cases("inclusion")
    for case in cases:
        path = [decode(node) for node in case["proof"] or []]
        verdict = verify_inclusion(
            decode(case["root"]), decode(case["leafHash"]), case["leafIdx"], case["treeSize"], path
        )
        assert verdict != case["wantErr"], case["desc"]
    assert (len(cases), sum(not case["wantErr"] for case in cases)) == (98, 6)


def test_published_consistency_vectors() -> None:
    cases = read_cases("consistency")
    for case in cases:
        path = [decode(node) for node in case["proof"] or []]
        verdict = verify_consistency(decode(case["root1"]), case["size1"], decode(case["root2"]), case["size2"], path)
        assert verdict != case["wantErr"], case["desc"]
    assert (len(cases), sum(not case["wantErr"] for case in cases)) == (98, 6)


class TreeMachine(RuleBasedStateMachine):
    """Any sequence of changes gives the tree that a fresh one over the same leaves gives."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = IncrementalTree()
        self.leaves: list[Hash] = []

    @rule(added=st.lists(hashes, max_size=9))
    def extend(self, added: list[Hash]) -> None:
        self.tree.extend(added)
        self.leaves += added

    @precondition(lambda self: self.leaves)
    @rule(data=st.data(), values=st.lists(hashes, max_size=9))
    def update(self, data: st.DataObject, values: list[Hash]) -> None:
        changes = [(data.draw(st.integers(0, len(self.leaves) - 1)), value) for value in values]
        self.tree.update(changes)
        for index, value in changes:
            self.leaves[index] = value

    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(0, len(self.leaves)))
        self.tree.truncate(size)
        del self.leaves[size:]

    @rule()
    def compute_root(self) -> None:
        assert self.tree.root() == root_by_definition(self.leaves)

    @precondition(lambda self: self.leaves)
    @rule(data=st.data())
    def compute_paths(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.leaves) - 1))
        assert self.tree.leaf(index) == self.leaves[index]
        assert list(self.tree.inclusion_path(index)) == path_by_definition(index, self.leaves)
        expected = subproof_by_definition(index + 1, self.leaves, True)
        assert list(self.tree.consistency_path(index + 1)) == expected

    @invariant()
    def size_agrees(self) -> None:
        assert len(self.tree) == len(self.leaves)


TestTreeMachine = TreeMachine.TestCase


def test_undo_restores_the_root() -> None:
    tree = IncrementalTree(LEAVES)
    before = tree.root()
    tree.update((index, LEAVES[0]) for index in (0, 5, 64, 129))
    tree.extend(LEAVES[:7])
    assert tree.root() != before
    tree.truncate(130)
    tree.update((index, LEAVES[index]) for index in (0, 5, 64, 129))
    assert tree.root() == before


def test_changing_all_leaves_is_a_fresh_tree() -> None:
    tree = IncrementalTree(LEAVES[:64])
    tree.root()
    tree.update((index, LEAVES[index + 64]) for index in range(64))
    assert tree.root() == root(LEAVES[64:128])


def test_a_copy_goes_its_own_way() -> None:
    tree = IncrementalTree(LEAVES[:9])
    before = tree.root()
    tree.update([(3, LEAVES[20])])
    copy = tree.copy()
    tree.update([(3, LEAVES[3])])
    copy.extend(LEAVES[9:11])
    assert tree.root() == before == root(LEAVES[:9])
    assert copy.root() == root([*LEAVES[:3], LEAVES[20], *LEAVES[4:11]])


def test_tree_refuses_what_is_not_there() -> None:
    tree = IncrementalTree(LEAVES[:3])
    for misuse in (
        lambda: tree.leaf(3),
        lambda: tree.leaf(-1),
        lambda: tree.update([(3, LEAVES[0])]),
        lambda: tree.update([(0, Hash(b"short"))]),
        lambda: tree.extend([Hash(b"short")]),
        lambda: tree.truncate(4),
        lambda: tree.truncate(-1),
        lambda: tree.inclusion_path(3),
        lambda: tree.consistency_path(0),
        lambda: tree.consistency_path(4),
    ):
        with pytest.raises(AssertionError):
            misuse()
    assert tree.root() == root(LEAVES[:3])
