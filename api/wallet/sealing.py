"""From signed receipts to the sealed entries of an `earn` batch, and to the openings that fans and brand keep (spec RCP-5 to 7).

An entry shows `points = sum + previous remainder - remainder`, R and K. Everything that proves the equation later is in its
`Opening`: the receipts' hashes with their points, and the salts of R and K. The brand keeps it to answer a contest, the fan to
know that nothing was left out. `Carried` is what one member's next entry starts from; it must not be lost, and must move on
only after the entry is in a block.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random, SystemRandom
from typing import Any, Final, TypeVar

from api.wallet.errors import WalletError
from api.wallet.json_numbers import whole_number
from api.words import shown_format
from ledger.codec import pack
from ledger.domains.loyalty.earn import SealedEntry
from ledger.domains.loyalty.receipts import (
    SignedReceipt,
    receipt_hash,
    seal_remainder,
    seal_sum,
    sum_leaf,
    sum_root,
)
from ledger.errors import Code
from ledger.hashing import object_id
from ledger.merkle import IncrementalTree, leaf_hash
from ledger.types import Address, Hash, Points, ReceiptHash, Timestamp, TxId

SEAL_SALT_BYTES: Final = 32

NO_POINTS: Final = Points(0)

COVER_ONE_IN: Final = 4
"""Of those who bought nothing in a period, one in so many has its remainder moved on all the same."""

FORMAT: Final = "fansumer-opening"
BAD_OPENING = Code(
    "sealing.bad_opening", "this is no opening of a settled entry: {reason}", "Ask the shop for the file again."
)


@dataclass(frozen=True, slots=True)
class Carried:
    """What one member's last entry left over: points, and the salt of its K; the salt is empty where K is."""

    remainder: Points = NO_POINTS
    salt: bytes = b""

    def commitment(self) -> Hash:
        """K, as the member's record holds it."""
        return seal_remainder(self.salt, self.remainder) if self.salt else Hash(b"")


NOTHING_CARRIED: Final = Carried()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands in its batch: what a contest is answered with (spec LOY-12, LOY-16)."""

    batch: Hash
    index: int
    path: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """All that proves one sealed entry: receipts with points in the tree's order, and both remainders with their salts.

    `place` is known once the entry stands in a block.
    """

    member: Address
    period: int
    points: Points
    receipts: tuple[tuple[ReceiptHash, Points], ...]
    salt: bytes
    before: Carried
    after: Carried
    place: Place | None = None

    def entry(self) -> SealedEntry:
        """The entry that this opens. Raises WalletError sealing.bad_opening where its points are not what they must be."""
        node = sum_root([sum_leaf(receipt, points) for receipt, points in self.receipts])
        if self.points != node.points + self.before.remainder - self.after.remainder:
            raise WalletError(BAD_OPENING, reason="its points are not the sum of its receipts and remainders")
        return SealedEntry(self.member, self.period, self.points, seal_sum(self.salt, node), self.after.commitment())


def placed(openings: Sequence[Opening], codes: Sequence[str], txid: TxId) -> list[Opening]:
    """The openings of a whole batch, each with its place, by the ledger's result codes (spec LOY-12)."""
    leaves: list[Hash] = []
    for opening, code in zip(openings, codes, strict=True):
        entry, before = opening.entry(), opening.before.commitment()
        row = (0, entry.member, entry.period, entry.points, entry.receipts, entry.remainder, before, code)
        leaves.append(leaf_hash(pack(row)))
    tree, batch = IncrementalTree(leaves), object_id("earn", txid, 0)
    return [
        replace(opening, place=Place(batch, index, tree.inclusion_path(index)))
        for index, opening in enumerate(openings)
    ]


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """How a program numbers its periods: its terms' length and anchor day, and its days' offset from UTC."""

    offset_minutes: int
    period_days: int
    anchor_day: int

    def period_of(self, time: Timestamp) -> int:
        """The period that holds `time`, as `earn` numbers it (spec LOY-11)."""
        day = (time + self.offset_minutes * 60) // 86_400
        return (day - self.anchor_day) // max(self.period_days, 1)

    def ends(self, period: int) -> Timestamp:
        """The first second after `period`."""
        day = (period + 1) * max(self.period_days, 1) + self.anchor_day
        return Timestamp(day * 86_400 - self.offset_minutes * 60)


def group_receipts(
    receipts: Iterable[SignedReceipt], rule: PeriodRule
) -> Mapping[tuple[Address, int], tuple[tuple[ReceiptHash, Points], ...]]:
    """Receipt hashes with their points by (member, period), sorted, each receipt once."""
    groups: defaultdict[tuple[Address, int], set[tuple[ReceiptHash, Points]]] = defaultdict(set)
    for signed in receipts:
        receipt = signed.receipt
        item = (receipt_hash(receipt, signed.salt), receipt.points)
        groups[receipt.member, rule.period_of(receipt.time)].add(item)
    return {key: tuple(sorted(groups[key])) for key in sorted(groups, key=lambda key: (key[1], key[0]))}


Owner = TypeVar("Owner")


def choose_covers(
    carried: Mapping[Owner, Carried], busy: Collection[Owner], random: Random | None = None
) -> list[Owner]:
    """Who gets an entry without a receipt: some of those that carry a remainder and have no receipt in the period (`busy` have).

    Without them an entry would say that its member was in the shop that week, and to know two such weeks is enough to find one
    account in sixteen (`scripts/privacy.py`).
    """
    source = SystemRandom() if random is None else random
    idle = (owner for owner, kept in carried.items() if kept.salt and owner not in busy)
    return [owner for owner in idle if source.randrange(COVER_ONE_IN) == 0]


def seal_entry(
    member: Address,
    period: int,
    receipts: Sequence[tuple[ReceiptHash, Points]],
    *,
    before: Carried = NOTHING_CARRIED,
    remainder_max: Points = NO_POINTS,
    is_last: bool = False,
    random: Random | None = None,
) -> tuple[SealedEntry, Opening]:
    """One sealed entry over `receipts` (hash and points, in the tree's order) and its opening.

    The remainder is uniform over 0 to the smaller of `remainder_max` and what there is to carry; `is_last` (the member leaves,
    the program ends) carries nothing. `random` is the system's source unless given; a fixed one is for demos and tests only.
    """
    source = SystemRandom() if random is None else random
    node = sum_root([sum_leaf(receipt, points) for receipt, points in receipts])
    there = node.points + before.remainder
    after = NOTHING_CARRIED
    if remainder_max and not is_last:
        remainder = Points(source.randint(0, min(remainder_max, there)))
        after = Carried(remainder, source.randbytes(SEAL_SALT_BYTES))
    salt = source.randbytes(SEAL_SALT_BYTES)
    points = Points(there - after.remainder)
    opening = Opening(member, period, points, tuple(receipts), salt, before, after)
    return opening.entry(), opening


def opening_to_mapping(opening: Opening) -> dict[str, Any]:
    """An opening as JSON: bytes as hex."""
    return {
        "format": FORMAT,
        "version": 1,
        "member": opening.member.hex(),
        "period": opening.period,
        "points": opening.points,
        "receipts": [[receipt.hex(), points] for receipt, points in opening.receipts],
        "salt": opening.salt.hex(),
        "before": carried_to_mapping(opening.before),
        "after": carried_to_mapping(opening.after),
        "place": None if opening.place is None else _place_to_mapping(opening.place),
    }


def opening_from_mapping(mapping: Mapping[str, Any]) -> Opening:
    """Read what `opening_to_mapping` wrote. Raises WalletError sealing.bad_opening."""
    try:
        if mapping["format"] != FORMAT:
            raise WalletError(BAD_OPENING, reason=f"its format is {shown_format(mapping)}, not {FORMAT}")
        if mapping["version"] != 1:
            raise WalletError(BAD_OPENING, reason="its version is unknown; update fansumer")
        return Opening(
            member=Address(bytes.fromhex(mapping["member"])),
            period=whole_number(mapping["period"]),
            points=Points(whole_number(mapping["points"])),
            receipts=tuple(
                (ReceiptHash(bytes.fromhex(receipt)), Points(whole_number(points)))
                for receipt, points in mapping["receipts"]
            ),
            salt=bytes.fromhex(mapping["salt"]),
            before=carried_from_mapping(mapping["before"]),
            after=carried_from_mapping(mapping["after"]),
            place=_place_from_mapping(mapping.get("place")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise WalletError(BAD_OPENING, reason="a field is missing or malformed") from None


def _place_to_mapping(place: Place) -> dict[str, Any]:
    return {"batch": place.batch.hex(), "index": place.index, "path": [step.hex() for step in place.path]}


def _place_from_mapping(mapping: Mapping[str, Any] | None) -> Place | None:
    """Raises KeyError, TypeError, ValueError or AttributeError for what `_place_to_mapping` did not write."""
    if mapping is None:
        return None
    path = tuple(Hash(bytes.fromhex(step)) for step in mapping["path"])
    return Place(Hash(bytes.fromhex(mapping["batch"])), whole_number(mapping["index"]), path)


def carried_to_mapping(carried: Carried) -> dict[str, Any]:
    """A remainder as JSON."""
    return {"remainder": carried.remainder, "salt": carried.salt.hex()}


def carried_from_mapping(mapping: Mapping[str, Any]) -> Carried:
    """Read what `carried_to_mapping` wrote. Raises KeyError, TypeError or ValueError."""
    return Carried(Points(whole_number(mapping["remainder"])), bytes.fromhex(mapping["salt"]))
