"""The bytes of receipts, of the sums over them that an entry seals, and of carried remainders (spec RCP).

A receipt is a salted RFC 9162 tree of its fields, so that a fan can open one field and keep the others. A settlement seals many
receipts of one member and period: R commits to a Merkle-sum tree over (receipt hash, points), K to the remainder that is carried.
`points = sum + previous remainder - remainder`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

from ledger import keys
from ledger.codec import pack, pack_shaped, unpack
from ledger.domains.loyalty.purchases import Purchase
from ledger.errors import Code, Malformed
from ledger.hashing import (
    EARN_REMAINDER,
    EARN_SUM,
    LINE_SALT,
    RECEIPT_FIELD_SALT,
    RECEIPT_SIGNATURE,
    SUM_LEAF,
    SUM_NODE,
)
from ledger.merkle import leaf_hash, root
from ledger.params import TIERS_MAX
from ledger.schema import Integer, ListOf, Octets, OptionalIdentifier, Row, Struct, Text, identifier
from ledger.types import (
    INTEGER_MAX,
    Address,
    ChainId,
    Hash,
    Points,
    PrivateSeed,
    ProgramId,
    PublicKey,
    ReceiptHash,
    Signature,
    Timestamp,
)

RECEIPT_BYTES_MAX = 65_536
RECEIPT_VERSION = 1
MONEY = Integer(-(2**53), 2**53)
NO_OFFER = Hash(b"")
"""The field `offer` of a receipt that cites none."""

BAD_RECEIPT = Code("receipt.shape", "this is no receipt: {reason}", "Ask the shop for the receipt again.")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a till promises for one purchase. Amounts are in cents; `codes` are category codes, never names (spec RCP-1).

    `lines_root` is the RFC 9162 root of the salted lines (`line_leaf`), or of no lines. `tier` is the number of the tier that the
    till applied, `previous_visit` the time of the visit before this one as far as it knows; 0 for none. `offer` is
    the personal offer that the purchase cites, empty for none; its bonus is not among the points.
    """

    version: Annotated[int, Integer(1, 1)]
    program: Annotated[ProgramId, identifier()]
    terms_version: Annotated[int, Integer(1, 2**31 - 1)]
    member: Annotated[Address, identifier()]
    till: Annotated[PublicKey, Octets(32, 32)]
    sequence: Annotated[int, Integer(0, INTEGER_MAX)]
    time: Annotated[Timestamp, Integer(0, 2**40)]
    net_cents: Annotated[int, MONEY]
    paid_with_points_cents: Annotated[int, Integer(0, 2**53)]
    codes: Annotated[tuple[tuple[str, int], ...], ListOf(Row(Text(1, 32), MONEY), 0, 64)]
    lines_root: Annotated[Hash, identifier()]
    points: Annotated[Points, Integer(0, INTEGER_MAX)]
    tier: Annotated[int, Integer(0, TIERS_MAX)] = 0
    previous_visit: Annotated[int, Integer(0, 2**40)] = 0
    offer: Annotated[Hash, OptionalIdentifier()] = NO_OFFER

    def purchase(self) -> Purchase:
        """What the rules read of it."""
        return Purchase(
            self.time, self.net_cents, self.paid_with_points_cents, self.codes, self.tier, self.previous_visit
        )


RECEIPT = Struct(Receipt)


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt as the fan keeps it: its fields, the salt that blinds them, and the till's signature."""

    receipt: Annotated[Receipt, RECEIPT]
    salt: Annotated[bytes, Octets(32, 32)]
    signature: Annotated[Signature, Octets(64, 64)]


SIGNED_RECEIPT = Struct(SignedReceipt)


def field_salt(salt: bytes, index: int) -> Hash:
    """The salt of one field, so that opening it opens no other (spec RCP-2)."""
    return Hash(RECEIPT_FIELD_SALT(salt + index.to_bytes(4, "big")))


def field_leaves(receipt: Receipt, salt: bytes) -> list[Hash]:
    """RFC 9162 leaf hashes of the canonical [index, field salt, value] of every field."""
    array = RECEIPT.encode(receipt)
    return [leaf_hash(pack((index, field_salt(salt, index), value))) for index, value in enumerate(array)]


def receipt_hash(receipt: Receipt, salt: bytes) -> ReceiptHash:
    """The root of the salted tree of fields (spec RCP-2)."""
    return ReceiptHash(root(field_leaves(receipt, salt)))


def opened_receipt_hash(opened: Mapping[int, Any], blinding: Sequence[Hash]) -> ReceiptHash:
    """The receipt hash that opened fields lead to (spec RCP-8).

    `opened` holds canonical values by field number; `blinding` has 15 hashes: the salt of a field that is opened, the leaf hash
    of one that is not.
    """
    return ReceiptHash(
        root(
            leaf_hash(pack_shaped((index, item, opened[index]))) if index in opened else item
            for index, item in enumerate(blinding)
        )
    )


def blind_fields(signed: SignedReceipt, opened: Iterable[int]) -> tuple[Hash, ...]:
    """What lets others compute the receipt hash from the fields `opened` and learn nothing of the rest (spec RCP-8)."""
    shown = frozenset(opened)
    leaves = field_leaves(signed.receipt, signed.salt)
    return tuple(field_salt(signed.salt, index) if index in shown else leaf for index, leaf in enumerate(leaves))


def line_leaf(salt: bytes, index: int, line: Any) -> Hash:
    """Leaf hash of one purchase line: any canonical value, salted like a field (spec RCP-3)."""
    line_salt = LINE_SALT(salt + index.to_bytes(4, "big"))
    return leaf_hash(pack((index, line_salt, line)))


def receipt_signing_hash(chain_id: ChainId, hash_of_receipt: ReceiptHash) -> Hash:
    """What the till signs: `RECEIPT_SIGNATURE(chain id ‖ receipt hash)` (spec RCP-4)."""
    return Hash(RECEIPT_SIGNATURE(chain_id + hash_of_receipt))


def sign_receipt(receipt: Receipt, salt: bytes, chain_id: ChainId, seed: PrivateSeed) -> SignedReceipt:
    """Sign as the till whose private seed is given."""
    message = receipt_signing_hash(chain_id, receipt_hash(receipt, salt))
    return SignedReceipt(receipt, salt, keys.sign(seed, message))


def receipt_is_signed(signed: SignedReceipt, chain_id: ChainId) -> bool:
    """Whether the till named in the receipt signed it for this chain."""
    message = receipt_signing_hash(chain_id, receipt_hash(signed.receipt, signed.salt))
    return keys.verify(signed.receipt.till, message, signed.signature)


def encode_receipt(signed: SignedReceipt) -> bytes:
    """The canonical bytes of a signed receipt."""
    return pack(SIGNED_RECEIPT.encode(signed))


def decode_receipt(data: bytes) -> SignedReceipt:
    """Read a signed receipt. Raises `Malformed`."""
    found = SIGNED_RECEIPT.decode(unpack(data, bytes_max=RECEIPT_BYTES_MAX), "receipt")
    check_receipt_shape(found.receipt)
    return found


def check_receipt_shape(receipt: Receipt) -> None:
    """Raise `receipt.shape` for codes that don't ascend, or a visit before this one that comes after it (spec RCP-1)."""
    check_codes(receipt.codes)
    if receipt.previous_visit > receipt.time:
        raise Malformed(BAD_RECEIPT, reason="the visit before it comes after it")


def check_codes(codes: Sequence[tuple[str, int]]) -> None:
    """Raise `receipt.shape` unless each code stands once, in ascending order (spec RCP-1)."""
    if any(a >= b for (a, _), (b, _) in pairwise(codes)):
        raise Malformed(BAD_RECEIPT, reason="codes are not strictly ascending")


# --- sums ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SumNode:
    """A node of the Merkle-sum tree: its hash and the points below it."""

    hash: bytes
    points: int


def sum_leaf(hash_of_receipt: ReceiptHash, points: Points) -> SumNode:
    """`SUM_LEAF(receipt hash ‖ points as 8 bytes)` (spec RCP-5)."""
    return SumNode(SUM_LEAF(hash_of_receipt + points.to_bytes(8, "big")), points)


def sum_parent(left: SumNode, right: SumNode) -> SumNode:
    """`SUM_NODE(left hash ‖ left points ‖ right hash ‖ right points)`; sums stay within 2**63 - 1."""
    total = left.points + right.points
    assert total <= INTEGER_MAX, "a sum of receipts is out of range"
    data = left.hash + left.points.to_bytes(8, "big") + right.hash + right.points.to_bytes(8, "big")
    return SumNode(SUM_NODE(data), total)


EMPTY_SUM = SumNode(SUM_LEAF(b""), 0)


def sum_root(leaves: Sequence[SumNode]) -> SumNode:
    """The root over leaves in the order given, split as in RFC 9162; no leaves have the root `SUM_LEAF("")`, sum 0."""
    if not leaves:
        return EMPTY_SUM
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sum_parent(sum_root(leaves[:split]), sum_root(leaves[split:]))


def sum_path(leaves: Sequence[SumNode], index: int) -> list[SumNode]:
    """The siblings from the leaf at `index` up to the root."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*sum_path(leaves[:split], index), sum_root(leaves[split:])]
    return [*sum_path(leaves[split:], index - split), sum_root(leaves[:split])]


def climb(leaf: SumNode, index: int, size: int, path: Sequence[SumNode]) -> SumNode | None:
    """The root that a path leads to, or None where the path does not fit `index` and `size` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _is_summable((leaf, *path)):
        return None
    node, last = leaf, size - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            node = sum_parent(sibling, node)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            node = sum_parent(node, sibling)
        index >>= 1
        last >>= 1
    return node if last == 0 else None


def _is_summable(nodes: Sequence[SumNode]) -> bool:
    return min(node.points for node in nodes) >= 0 and sum(node.points for node in nodes) <= INTEGER_MAX


def seal_sum(salt: bytes, node: SumNode) -> Hash:
    """R = `EARN_SUM(salt ‖ root ‖ sum as 8 bytes)` (spec RCP-6)."""
    return Hash(EARN_SUM(salt + node.hash + node.points.to_bytes(8, "big")))


def seal_remainder(salt: bytes, remainder: Points) -> Hash:
    """K = `EARN_REMAINDER(salt ‖ remainder as 8 bytes)`; K is empty where nothing is carried in clear (spec RCP-7)."""
    return Hash(EARN_REMAINDER(salt + remainder.to_bytes(8, "big")))
