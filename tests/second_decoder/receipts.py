"""Receipts, sums, remainders, returns and the leaves of a batch: RCP-1 to RCP-9, LOY-6, LOY-12."""

from itertools import pairwise

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import be4, be8, follow_path, leaf_hash, split_of, tagged, tree_root
from tests.second_decoder.keys import is_valid
from tests.second_decoder.layouts import KNOWN

RECEIPT_BYTES_MAX = 65_536
RECEIPT = KNOWN["receipt"]
SIGNED = KNOWN["signed_receipt"]
INTEGER_MAX = 2**63 - 1


def read_signed(data: bytes) -> dict:
    """A signed receipt in names (RCP-1)."""
    signed = SIGNED.read(decode(data, RECEIPT_BYTES_MAX), "signed")
    codes = [item["code"] for item in signed["receipt"]["codes"]]
    if any(left >= right for left, right in pairwise(codes)):
        raise Fault("receipt.shape", "codes do not ascend")
    if signed["receipt"]["previous_visit"] > signed["receipt"]["time"]:
        raise Fault("receipt.shape", "the visit before comes after")
    return signed


def write_signed(signed: dict) -> bytes:
    """RCP-1."""
    return encode(SIGNED.write(signed))


def field_salt(salt: bytes, index: int) -> bytes:
    """salt_i of RCP-2."""
    return tagged("RECEIPT_FIELD_SALT", salt + be4(index))


def field_leaf(index: int, salt_of_field: bytes, value) -> bytes:
    """leaf_i of RCP-2, of a canonical value."""
    return leaf_hash(encode([index, salt_of_field, value]))


def field_leaves(receipt: dict, salt: bytes) -> list[bytes]:
    """The fifteen leaves of a receipt (RCP-2)."""
    values = RECEIPT.write(receipt)
    return [field_leaf(index, field_salt(salt, index), value) for index, value in enumerate(values)]


def receipt_hash(receipt: dict, salt: bytes) -> bytes:
    """RCP-2."""
    return tree_root(field_leaves(receipt, salt))


def opened_hash(opened: dict, blinding: list[bytes]) -> bytes:
    """The receipt hash from opened fields by number, with a blinding (RCP-8)."""
    return tree_root(
        [field_leaf(index, item, opened[index]) if index in opened else item for index, item in enumerate(blinding)]
    )


def line_leaf(salt: bytes, index: int, line) -> bytes:
    """RCP-3."""
    return leaf_hash(encode([index, tagged("LINE_SALT", salt + be4(index)), line]))


def signing_hash(chain_id: bytes, hashed: bytes) -> bytes:
    """What the till signs (RCP-4)."""
    return tagged("RECEIPT_SIGNATURE", chain_id + hashed)


def is_signed(signed: dict, chain_id: bytes) -> bool:
    """Whether the till's signature is valid (RCP-4)."""
    message = signing_hash(chain_id, receipt_hash(signed["receipt"], signed["salt"]))
    return is_valid(signed["receipt"]["till"], message, signed["signature"])


def sum_leaf(hashed: bytes, points: int) -> tuple[bytes, int]:
    """A leaf of the sum tree (RCP-5)."""
    return tagged("SUM_LEAF", hashed + be8(points)), points


def sum_parent(left: tuple[bytes, int], right: tuple[bytes, int]) -> tuple[bytes, int]:
    """A node of the sum tree, with the limits of RCP-5."""
    total = left[1] + right[1]
    if min(left[1], right[1]) < 0 or total > INTEGER_MAX:
        raise Fault("proof.broken", "sum")
    return tagged("SUM_NODE", left[0] + be8(left[1]) + right[0] + be8(right[1])), total


def sum_root(leaves: list[tuple[bytes, int]]) -> tuple[bytes, int]:
    """The root of the sum tree (RCP-5)."""
    if not leaves:
        return tagged("SUM_LEAF", b""), 0
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return sum_parent(sum_root(leaves[:split]), sum_root(leaves[split:]))


def sum_path(leaves: list[tuple[bytes, int]], index: int) -> list[tuple[bytes, int]]:
    """The siblings of a leaf, from the leaf up (RCP-5)."""
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*sum_path(leaves[:split], index), sum_root(leaves[split:])]
    return [*sum_path(leaves[split:], index - split), sum_root(leaves[:split])]


def follow_sums(leaf: tuple[bytes, int], index: int, size: int, path: list) -> tuple[bytes, int] | None:
    """The root that a path of the sum tree leads to (RCP-5)."""
    return follow_path(leaf, index, size, path, sum_parent)


def earn_sum(salt: bytes, root: tuple[bytes, int]) -> bytes:
    """R of RCP-6."""
    return tagged("EARN_SUM", salt + root[0] + be8(root[1]))


def earn_remainder(salt: bytes, remainder: int) -> bytes:
    """K of RCP-7."""
    return tagged("EARN_REMAINDER", salt + be8(remainder))


def best_ratio(rules: list[dict]) -> tuple[int, int]:
    """The greatest numerator/denominator, 1 without any (LOY-6, 7. and 8.)."""
    best = (1, 1)
    for rule in rules:
        if rule["numerator"] * best[1] > best[0] * rule["denominator"]:
            best = (rule["numerator"], rule["denominator"])
    return best


def holds(rule: dict, time: int, offset_minutes: int) -> bool:
    """Whether a bonus window holds a time (LOY-6)."""
    day = (time + 60 * offset_minutes) // 86_400
    minute = (time - (86_400 * day - 60 * offset_minutes)) // 60
    in_days = rule["from_day"] <= day < rule["until_day"] and rule["weekdays"] & 2 ** ((day + 3) % 7)
    return bool(in_days) and rule["minute_from"] <= minute < rule["minute_until"]


def points_of(rules: list[dict], bought: dict, offset_minutes: int, tier: int | None = None) -> int:
    """What a purchase gives (LOY-6); `bought` has the fields of RCP-1 that it reads, `tier` stands for its tier."""

    def named(name: str) -> list[dict]:
        return [rule for rule in rules if rule["is"] == name]

    net, time = bought["net_cents"], bought["time"]
    eligible = net - bought["paid_with_points_cents"]
    if eligible <= 0 or any(eligible < rule["cents"] for rule in named("MinimumBasket")):
        return 0
    total = sum(eligible * rule["points"] // rule["per_cents"] for rule in named("RatePerAmount"))
    for rule in named("RatePerCode"):
        cents = sum(item["cents"] for item in bought["codes"] if item["code"] == rule["code"])
        total += min(max(cents, 0), net) * eligible // net * rule["points"] // rule["per_cents"]
    for rule in named("PerVisit"):
        fresh = bought["previous_visit"] == 0 or time - bought["previous_visit"] >= rule["cooldown_seconds"]
        total += rule["points"] if eligible >= rule["cents_min"] and fresh else 0
    of_tier = bought["tier"] if tier is None else tier
    windows = [rule for rule in named("BonusWindow") if holds(rule, time, offset_minutes)]
    multipliers = [rule for rule in named("TierMultiplier") if rule["tier"] <= of_tier]
    for ratio in (best_ratio(windows), best_ratio(multipliers)):
        total = total * ratio[0] // ratio[1]
    return min([total, *(rule["points"] for rule in named("ReceiptCap")), INTEGER_MAX])


def tier_at(member: dict | None, terms: dict, offset_minutes: int, time: int) -> int:
    """The tier that the chain knew at a time, by the thresholds of these terms (TIER-2)."""
    day = (time + 60 * offset_minutes) // 86_400
    history = [] if member is None else member["tier_history"]
    known = [item["points"] for item in history if item["since"] <= time and day < item["until_day"]]
    return len([tier for tier in terms["tiers"] if tier["threshold"] <= max(known, default=0)])


def better_points(bought: dict, versions: list[dict], member: dict | None, offset_minutes: int) -> int:
    """The better of the two versions, each with its better tier (LOY-6)."""
    return max(
        points_of(
            terms["rules"],
            bought,
            offset_minutes,
            max(bought["tier"], tier_at(member, terms, offset_minutes, bought["time"])),
        )
        for terms in versions
    )


def entry_row(entry: dict, points: int, before: bytes, code: str) -> list:
    """What an entry's leaf is taken of (LOY-12)."""
    sealed = entry["is"] == "SealedEntry"
    commitment = entry["receipts"] if sealed else entry["receipt"]
    remainder = entry["remainder"] if sealed else before
    return [0 if sealed else 1, entry["member"], entry["period"], points, commitment, remainder, before, code]


def entry_leaf(row: list) -> bytes:
    """A leaf of entries_root (LOY-12)."""
    return leaf_hash(encode(row))


def return_id(returned: dict) -> bytes:
    """The id of a return (RCP-9)."""
    return tagged("RETURN", encode(KNOWN["return"].write(returned)))


def read_return(data: bytes) -> dict:
    """A signed return in names (RCP-9); its consent is checked where it is used."""
    return KNOWN["signed_return"].read(decode(data, RECEIPT_BYTES_MAX), "return")


def write_return(signed: dict) -> bytes:
    """RCP-9."""
    return encode(KNOWN["signed_return"].write(signed))
