"""Blocks by short ids: most transactions of a new block wait in every pool already (spec NET-9).

A short id is keyed with the header and a salt of the sender's, so that nobody can make transactions that meet in it everywhere.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.block import Block
from ledger.errors import Code, Malformed
from ledger.header import Header
from ledger.kinds import APPLIED
from ledger.transaction import Transaction
from ledger.types import BlockHash, WtxId
from node.p2p.messages import SHORT_ID_BYTES, CompactBlock

BAD_COMPACT = Code("p2p.compact", "a compact block is not possible: {reason}", "The peer is broken; leave it.")

PLAIN = (APPLIED,)
"""The result codes that nearly every transaction has; they are left out."""


class ShortIds:
    """The short ids of one compact block."""

    def __init__(self, header: bytes, salt: bytes) -> None:
        self._hasher = hashlib.blake2b(digest_size=SHORT_ID_BYTES, key=hashlib.sha256(header + salt).digest())

    def of(self, wtxid: WtxId) -> bytes:
        """Six bytes."""
        hasher = self._hasher.copy()
        hasher.update(wtxid)
        return hasher.digest()


def make_compact(
    block: Block, wtxids: Sequence[WtxId], salt: bytes, whole: frozenset[int] = frozenset()
) -> CompactBlock:
    """A block with short ids; `whole` are the positions of transactions that the receiver is thought not to have."""
    header = block.header.encode()
    short_ids = ShortIds(header, salt)
    return CompactBlock(
        header=header,
        coinbase=block.coinbase,
        commitment=block.commitment_bytes,
        salt=salt,
        short_ids=b"".join(short_ids.of(wtxid) for index, wtxid in enumerate(wtxids) if index not in whole),
        results=tuple((index, codes) for index, codes in enumerate(block.results) if codes != PLAIN),
        transactions=tuple((index, block.transactions[index]) for index in sorted(whole)),
    )


@dataclass(slots=True)
class Puzzle:
    """A compact block that is being put together. `raws` are its transactions, None where one is lacking."""

    hash: BlockHash
    compact: CompactBlock
    raws: list[bytes | None]

    @property
    def lacking(self) -> tuple[int, ...]:
        """The positions of what is not here."""
        return tuple(index for index, raw in enumerate(self.raws) if raw is None)

    def fill(self, positions: Sequence[int], raws: Sequence[bytes]) -> None:
        """Put in what was asked for. Raises `p2p.compact`."""
        if len(positions) != len(raws):
            raise Malformed(BAD_COMPACT, reason="other transactions than were asked for")
        for position, raw in zip(positions, raws, strict=True):
            self.raws[position] = raw

    def block(self) -> Block:
        """The block, of which everything is here. Whether it belongs to its header shows later."""
        raws = tuple(raw for raw in self.raws if raw is not None)
        assert len(raws) == len(self.raws), "put together before everything was there"
        results: list[tuple[str, ...]] = [PLAIN] * len(raws)
        for position, codes in self.compact.results:
            results[position] = codes
        header = Header.decode(self.compact.header)
        return Block(header, self.compact.coinbase, self.compact.commitment, raws, tuple(results))


def begin_puzzle(compact: CompactBlock, known: Iterable[Transaction]) -> Puzzle:
    """Lay what is `known` into a compact block. Raises Malformed `p2p.compact` if it can't be the form of any block."""
    short_count, rest = divmod(len(compact.short_ids), SHORT_ID_BYTES)
    count = short_count + len(compact.transactions)
    if rest:
        raise Malformed(BAD_COMPACT, reason="half a short id")
    for name, rows in (("results", compact.results), ("transactions", compact.transactions)):
        positions = [position for position, _ in rows]
        if positions != sorted(set(positions)) or (positions and positions[-1] >= count):
            raise Malformed(BAD_COMPACT, reason=f"the positions of its {name}")
    whole = dict(compact.transactions)
    wanted = _split(compact.short_ids)
    found = _find(compact, wanted, known)
    raws: list[bytes | None] = []
    next_short = iter(wanted)
    for position in range(count):
        raws.append(whole[position] if position in whole else found.get(next(next_short)))
    return Puzzle(Header.decode(compact.header).hash, compact, raws)


def _split(short_ids: bytes) -> list[bytes]:
    return [short_ids[start : start + SHORT_ID_BYTES] for start in range(0, len(short_ids), SHORT_ID_BYTES)]


def _find(compact: CompactBlock, wanted: Sequence[bytes], known: Iterable[Transaction]) -> dict[bytes, bytes]:
    """Raw transactions by short id; those that meet in one id are left out."""
    short_ids = ShortIds(compact.header, compact.salt)
    needed = dict.fromkeys(wanted, 0)
    for short_id in wanted:
        needed[short_id] += 1
    found: dict[bytes, bytes] = {}
    for transaction in known:
        short_id = short_ids.of(transaction.wtxid)
        count = needed.get(short_id)
        if count is None:
            continue
        if short_id in found or count > 1:
            needed.pop(short_id)
            found.pop(short_id, None)
        else:
            found[short_id] = transaction.raw
    return found
