"""Hashes, ids and the tree: HASH-1 to HASH-4."""

from hashlib import sha256

from tests.second_decoder.faults import Fault

# tables.md, "Hash tags".
TAGS = {
    "TX": "fansumer/tx",
    "WTX": "fansumer/wtx",
    "SIGHASH": "fansumer/sighash",
    "POLICY": "fansumer/policy",
    "COMMITMENT": "fansumer/commitment",
    "OBJECT": "fansumer/object",
    "RESULTS": "fansumer/results",
    "PARAMS": "fansumer/params",
    "FREE_SLOT": "fansumer/free-slot",
    "RECEIPT_FIELD_SALT": "fansumer/receipt-field-salt",
    "RECEIPT_SIGNATURE": "fansumer/receipt-signature",
    "LINE_SALT": "fansumer/line-salt",
    "SUM_LEAF": "fansumer/sum-leaf",
    "SUM_NODE": "fansumer/sum-node",
    "ACHIEVEMENT": "fansumer/achievement",
    "EARN_SUM": "fansumer/earn-sum",
    "EARN_REMAINDER": "fansumer/earn-remainder",
    "CONTEST": "fansumer/contest",
    "RETURN": "fansumer/return",
    "RETURN_SIGNATURE": "fansumer/return-signature",
    "RETURN_CONSENT": "fansumer/return-consent",
    "REFERRAL": "fansumer/referral",
    "COUNT": "fansumer/count",
    "VOUCHER_CODE": "fansumer/voucher-code",
    "ACCEPTANCE": "fansumer/acceptance",
    "BALLOT": "fansumer/ballot",
    "TEXT": "fansumer/text",
    "CONTRIBUTION": "fansumer/contribution",
    "CONTRIBUTION_SIGNATURE": "fansumer/contribution-signature",
    "OFFER_TERMS": "fansumer/offer-terms",
    "OFFER": "fansumer/offer",
    "JOIN_VOUCHER": "fansumer/join-voucher",
    "JOIN_VOUCHER_SIGNATURE": "fansumer/join-voucher-signature",
    "JOIN_VOUCHER_PROOF": "fansumer/join-voucher-proof",
    "ATTESTATION": "fansumer/attestation",
    "ATTESTOR_SET": "fansumer/attestor-set",
    "REPLACEMENT": "fansumer/attestor-replacement",
}


def plain(data: bytes) -> bytes:
    """H of the text: SHA-256."""
    return sha256(data).digest()


def twice(data: bytes) -> bytes:
    """sha256d of the text."""
    return plain(plain(data))


def be4(number: int) -> bytes:
    """be4 of the text."""
    return number.to_bytes(4, "big")


def be8(number: int) -> bytes:
    """be8 of the text."""
    return number.to_bytes(8, "big")


def tagged(name: str, data: bytes) -> bytes:
    """The tagged hash of the row `name` (HASH-1)."""
    mark = plain(TAGS[name].encode("ascii"))
    return plain(mark + mark + data)


def object_id(noun: str, txid: bytes, index: int = 0) -> bytes:
    """The id of what a transaction makes (HASH-4)."""
    return tagged("OBJECT", noun.encode("ascii") + txid + be4(index))


def leaf_hash(data: bytes) -> bytes:
    """A leaf (HASH-3)."""
    return plain(b"\x00" + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """A node (HASH-3)."""
    return plain(b"\x01" + left + right)


def split_of(count: int) -> int:
    """The largest power of two below count."""
    return 1 << ((count - 1).bit_length() - 1)


def tree_root(leaves: list[bytes]) -> bytes:
    """The root over leaf hashes (HASH-3)."""
    if not leaves:
        return plain(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return node_hash(tree_root(leaves[:split]), tree_root(leaves[split:]))


def inclusion_path(leaves: list[bytes], index: int) -> list[bytes]:
    """RFC 9162, 2.1.3.1: the siblings from the leaf up."""
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*inclusion_path(leaves[:split], index), tree_root(leaves[split:])]
    return [*inclusion_path(leaves[split:], index - split), tree_root(leaves[:split])]


def follow_path(start, index: int, size: int, path: list, join):
    """RFC 9162, 2.1.3.2, with `join` for two nodes: the root that a path leads to, or None if its length is wrong."""
    if not 0 <= index < size:
        return None
    position, last, result = index, size - 1, start
    for sibling in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            result = join(sibling, result)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = join(result, sibling)
        position, last = position >> 1, last >> 1
    return result if last == 0 else None


def is_included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether an inclusion path holds (HASH-3)."""
    return follow_path(leaf, index, size, path, node_hash) == root


def consistency_path(leaves: list[bytes], before: int, whole: bool = True) -> list[bytes]:
    """RFC 9162, 2.1.4.1: that the tree of the first `before` leaves is a part of the tree of all."""
    if before == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = split_of(len(leaves))
    if before <= split:
        return [*consistency_path(leaves[:split], before, whole), tree_root(leaves[split:])]
    return [*consistency_path(leaves[split:], before - split, False), tree_root(leaves[:split])]


def is_consistent(before: int, after: int, root_before: bytes, root_after: bytes, path: list[bytes]) -> bool:
    """RFC 9162, 2.1.4.2, for 0 < before <= after."""
    if not 0 < before <= after:
        return False
    if before == after:
        return not path and root_before == root_after
    hashes = list(path)
    if before & (before - 1) == 0:
        hashes.insert(0, root_before)
    if not hashes:
        return False
    position, last = before - 1, after - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        position, last = position >> 1, last >> 1
    return first == root_before and second == root_after and last == 0


def check_included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    """is_included, as a fault."""
    if not is_included(leaf, index, size, path, root):
        raise Fault("proof.broken", f"leaf {index} of {size}")
