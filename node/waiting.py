"""Blocks that came before their parent or before their time: they wait here, and nothing is said against them.

This is the door for blocks from outside. What the chain refuses as `block.unknown_parent` or `block.too_early` is kept in memory,
within limits, and offered to the chain again when its parent has been accepted or the node's clock has come far enough. So branches
may arrive in any order. A block waits only if it proves at least the least work of its chain and its body belongs to its header: a
spoiled copy never takes the place of the honest block. What does not fit pushes out what came first; it can be sent again, and so
can everything after a restart.
"""

from collections import deque
from dataclasses import dataclass

from ledger.block import BODY_MISMATCH, Block, check_body_belongs
from ledger.errors import BlockViolation, Code, HeaderViolation, LedgerError, Malformed, Violation
from ledger.header import version_is_valid
from ledger.header_chain import HEADER_VERSION, HEADER_WORK
from ledger.pow import meets_target, target_from_compact
from ledger.types import BlockHash, Timestamp
from node.chain import KNOWN_INVALID, NOTHING_AHEAD, TOO_EARLY, UNKNOWN_PARENT, Ahead, Chain
from node.clock import Clock
from node.errors import NodeError
from node.tip import AcceptedBlock

TOO_EASY = Code(
    "block.too_easy",
    "its bits {bits:#010x} ask for less work than any block of this chain needs",
    "Fetch the block from another peer.",
)
SAYS_NOTHING = (BODY_MISMATCH, UNKNOWN_PARENT, TOO_EARLY)
"""Refusals after which the very same header may still turn out to be good."""
RETRY_SECONDS = 10
"""How long a block waits that this node's store failed to take in."""


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """Bounds of what waits.

    `count_max`: a branch of 2,000 blocks may arrive with its last block first. `bytes_max`: four of the largest blocks; most have a
    thousandth of that. `per_parent_max`: siblings, so that nobody fills the place with copies of one height. `ahead_seconds_max`:
    two hours; a block further ahead of the clock is refused, for whoever sends it can as well wait.
    """

    count_max: int = 2_048
    bytes_max: int = 67_108_864
    per_parent_max: int = 8
    ahead_seconds_max: int = 7_200


@dataclass(frozen=True, slots=True)
class WaitingBlock:
    """A block that waits: for a time by the node's clock, or (`due` None) for its parent."""

    block: Block
    hash: BlockHash
    bytes: int
    due: Timestamp | None


@dataclass(frozen=True, slots=True)
class Released:
    """What became of a block that had waited."""

    hash: BlockHash
    result: AcceptedBlock | WaitingBlock | LedgerError


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of a block that was offered, and of those that had waited for it."""

    result: AcceptedBlock | WaitingBlock
    released: tuple[Released, ...]


class WaitingBlocks:
    """Not thread-safe: the node's lock is held around every call. `dropped` counts blocks that were pushed out."""

    def __init__(self, chain: Chain, clock: Clock, limits: WaitingLimits) -> None:
        self._chain = chain
        self._clock = clock
        self._limits = limits
        self._waiting: dict[BlockHash, WaitingBlock] = {}  # oldest first
        self._by_parent: dict[BlockHash, dict[BlockHash, None]] = {}
        self.bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, block_hash: BlockHash) -> bool:
        return block_hash in self._waiting

    def offer(self, block: Block, ahead: Ahead = NOTHING_AHEAD) -> Offered:
        """Give a block to the chain, and then those that waited for it. Raises what speaks against it, and `NodeError`."""
        try:
            result = self._accept(block, ahead)
        except (Malformed, Violation) as fault:
            if fault.code not in SAYS_NOTHING:
                self._give_up(block.hash, fault)
            raise
        if isinstance(result, WaitingBlock):
            return Offered(result, ())
        self._forget(block.hash)
        return Offered(result, tuple(self._release([block.hash])))

    def poll(self) -> tuple[Released, ...]:
        """Give the chain those whose time has come, earliest first, and those that waited for them."""
        now = self._clock.now()
        due = sorted(
            (waiting.due, index, waiting)
            for index, waiting in enumerate(self._waiting.values())
            if waiting.due is not None and waiting.due <= now
        )
        found: list[Released] = []
        for _, _, waiting in due:
            if waiting.hash in self._waiting:
                found.extend(self._try_again(waiting))
        return tuple(found)

    # --- letting go ---

    def _release(self, parents: list[BlockHash]) -> list[Released]:
        """Offer what waits for `parents`, which the chain has, and so on with its children."""
        found: list[Released] = []
        left = deque(parents)
        while left:
            for child in list(self._by_parent.get(left.popleft(), ())):
                waiting = self._waiting.get(child)
                if waiting is not None and waiting.due is None:
                    released = self._offer_again(waiting)
                    found.extend(released)
                    if isinstance(released[0].result, AcceptedBlock):
                        left.append(child)
        return found

    def _try_again(self, waiting: WaitingBlock) -> list[Released]:
        released = self._offer_again(waiting)
        if isinstance(released[0].result, AcceptedBlock):
            released.extend(self._release([waiting.hash]))
        return released

    def _offer_again(self, waiting: WaitingBlock) -> list[Released]:
        """The outcome for a block that waits, first; after it, if it turned out bad, for those that waited for it."""
        try:
            result = self._accept(waiting.block)
        except NodeError as fault:
            # Nothing against the block: it is tried again.
            self._put(waiting.block, waiting.bytes, Timestamp(self._clock.now() + RETRY_SECONDS))
            return [Released(waiting.hash, fault)]
        except LedgerError as fault:
            self._forget(waiting.hash)
            return [Released(waiting.hash, fault), *self._give_up(waiting.hash, fault)]
        if isinstance(result, AcceptedBlock):
            self._forget(waiting.hash)
        return [Released(waiting.hash, result)]

    def _give_up(self, block_hash: BlockHash, fault: LedgerError) -> list[Released]:
        """Drop all that waits for a bad block."""
        found: list[Released] = []
        left = deque([block_hash])
        while left:
            for child in list(self._by_parent.get(left.popleft(), ())):
                self._forget(child)
                left.append(child)
                found.append(Released(child, BlockViolation(KNOWN_INVALID, reason=fault.code.name)))
        return found

    # --- keeping ---

    def _accept(self, block: Block, ahead: Ahead = NOTHING_AHEAD) -> AcceptedBlock | WaitingBlock:
        """Give a block to the chain; if it is too early in either way, it waits. Raises what speaks against it."""
        try:
            return self._chain.accept_block(block, ahead)
        except BlockViolation as fault:
            if fault.code not in (UNKNOWN_PARENT, TOO_EARLY):
                raise
            self._check_by_itself(block)
            size = len(block.encode())
            is_far = block.header.time > self._clock.now() + self._limits.ahead_seconds_max
            if is_far or size > self._limits.bytes_max:
                raise
            due = None
            if fault.code is TOO_EARLY:
                due = Timestamp(int(str(fault.fields["time"])) - int(str(fault.fields["maximum"])))
            known = self._waiting.get(block.hash)
            return known if known is not None and known.due == due else self._put(block, size, due)

    def _check_by_itself(self, block: Block) -> None:
        """What can be said of a block without its parent, cheapest first.

        Raises `header.version`, `bits.*`, `block.too_easy`, `header.work`, `block.body_mismatch` or what it commits to that no good
        block has.
        """
        header = block.header
        if not version_is_valid(header.version):
            raise HeaderViolation(HEADER_VERSION, index=0, version=header.version)
        target = target_from_compact(header.bits)
        if target > max(era.limit_target for era in self._chain.params.difficulty_eras):
            raise HeaderViolation(TOO_EASY, bits=header.bits)
        if not meets_target(block.hash, target):
            raise HeaderViolation(HEADER_WORK, index=0, hash=block.hash, bits=header.bits)
        check_body_belongs(block, self._chain.params)

    def _put(self, block: Block, size: int, due: Timestamp | None) -> WaitingBlock:
        """Let a block wait; the oldest make room for it, first those of the same parent."""
        self._forget(block.hash)
        siblings = self._by_parent.get(block.header.previous, {})
        if len(siblings) >= self._limits.per_parent_max:
            self._drop(next(iter(siblings)))
        while len(self._waiting) >= self._limits.count_max or self.bytes + size > self._limits.bytes_max:
            self._drop(next(iter(self._waiting)))
        waiting = WaitingBlock(block, block.hash, size, due)
        self._waiting[waiting.hash] = waiting
        self._by_parent.setdefault(block.header.previous, {})[waiting.hash] = None
        self.bytes += size
        return waiting

    def _drop(self, block_hash: BlockHash) -> None:
        self._forget(block_hash)
        self.dropped += 1

    def _forget(self, block_hash: BlockHash) -> None:
        waiting = self._waiting.pop(block_hash, None)
        if waiting is None:
            return
        self.bytes -= waiting.bytes
        siblings = self._by_parent[waiting.block.header.previous]
        del siblings[block_hash]
        if not siblings:
            del self._by_parent[waiting.block.header.previous]
