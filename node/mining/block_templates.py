"""Blocks for miners that ask for them: what getblocktemplate gives out, and what submitblock takes back (spec MINE-8).

A template is known again by the commitment in its coinbase: everything else in there is the miner's or fixed.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ledger.block import BODY_MISMATCH
from ledger.coinbase import COINBASE_BYTES, EXTRANONCE_END, EXTRANONCE_START, parse
from ledger.errors import Code, LedgerError, Malformed, Violation
from ledger.hashing import sha256d
from ledger.header import HEADER_BYTES, Header
from ledger.header_chain import HEADER_BITS, HEADER_TIME, HEADER_VERSION, HEADER_WORK
from ledger.types import Address, BlockHash, Hash, Timestamp
from node.chain import KNOWN_INVALID, TOO_EARLY
from node.errors import NodeError
from node.mining.miner import pay_all_to
from node.tip import AcceptedBlock, Template

if TYPE_CHECKING:
    from node.node import Node

TEMPLATES_KEPT_MAX: Final = 64
"""Templates that a miner may still work on. All of one moment hold the same transactions' bytes."""
EXTRANONCE_RANDOM_BYTES: Final = 4
WORKID_DIGITS: Final = 16
ONE_TRANSACTION: Final = b"\x01"
SUBMISSION_BYTES: Final = HEADER_BYTES + len(ONE_TRANSACTION) + COINBASE_BYTES

NOT_A_SUBMISSION = Code(
    "template.submission",
    "{length} bytes are not a header (80), 01 and a coinbase (122)",
    "Send the coinbase of the template, unchanged, as the only transaction.",
)

REASONS: Final = {
    HEADER_VERSION: "bad-version",
    HEADER_TIME: "time-too-old",
    HEADER_BITS: "bad-diffbits",
    HEADER_WORK: "high-hash",
    TOO_EARLY: "time-too-new",
    KNOWN_INVALID: "duplicate-invalid",
    BODY_MISMATCH: "bad-txnmrklroot",
}
"""Why a block is refused, as BIP 22 says it."""


@dataclass(frozen=True, slots=True)
class GivenTemplate:
    """One template as one caller gets it. Times are those that a header may have."""

    template: Template
    coinbase: bytes
    workid: str
    time_min: Timestamp
    time_max: Timestamp


class BlockTemplates:
    """What is given out and taken back; for any thread."""

    def __init__(self, node: "Node", random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._node = node
        self._extranonce = int.from_bytes(random_bytes(EXTRANONCE_RANDOM_BYTES), "big") << 32
        self._kept: OrderedDict[Hash, Template] = OrderedDict()
        self._made: tuple[object, Template] | None = None

    def tip(self) -> BlockHash:
        """The hash that the next block builds on."""
        with self._node.lock:
            return self._node.chain.tip.hash

    def check(self) -> None:
        """Raise `sync.behind` while this node is behind its peers: nobody is to mine on its tip then."""
        self._node.behind.check()

    def make(self, payout: Address) -> GivenTemplate:
        """A template on the tip that pays `payout`; each call's coinbase is another one. Raises `NodeError`, `sync.behind` too."""
        node = self._node
        self.check()
        with node.lock, node.health.writing():
            chain, now = node.chain, node.clock.now()
            time_min = Timestamp(chain.tip.header.time + 1)
            ahead_s = chain.params.future_limit_seconds(chain.next_context().height)
            time_max = Timestamp(max(now + ahead_s, time_min))
            moment = (chain.tip.hash, payout, now, len(node.mempool), node.mempool.weight)
            if self._made is None or self._made[0] != moment:
                transactions = node.mempool.select(chain.params.block_weight_max)
                self._made = moment, chain.build_template(transactions, pay_all_to(payout), now)
            template = self._made[1]
            self._extranonce = (self._extranonce + 1) % 2**64
            given = template.block.coinbase
            coinbase = given[:EXTRANONCE_START] + self._extranonce.to_bytes(8, "big") + given[EXTRANONCE_END:]
            commitment = parse(coinbase).commitment
            self._kept[commitment] = template
            self._kept.move_to_end(commitment)
            while len(self._kept) > TEMPLATES_KEPT_MAX:
                self._kept.popitem(last=False)
            return GivenTemplate(template, coinbase, commitment.hex()[:WORKID_DIGITS], time_min, time_max)

    def submit(self, raw: bytes, workid: str | None = None) -> str | None:
        """Take a block: None if it was accepted or waits for its time, else why not, in the words of BIP 22.

        Raises Malformed `template.submission`, and `NodeError` where this node failed.
        """
        if len(raw) != SUBMISSION_BYTES or raw[HEADER_BYTES : HEADER_BYTES + 1] != ONE_TRANSACTION:
            raise Malformed(NOT_A_SUBMISSION, length=len(raw))
        header, coinbase = Header.decode(raw[:HEADER_BYTES]), raw[HEADER_BYTES + 1 :]
        try:
            commitment = parse(coinbase).commitment
        except Malformed:
            return "bad-cb"
        node = self._node
        with node.lock, node.health.writing():
            template = self._kept.get(commitment)
            if template is None:
                return "stale-work"
            if workid is not None and workid != commitment.hex()[:WORKID_DIGITS]:
                return "unknown-work"
            if sha256d(coinbase) != header.merkle_root:
                return "bad-txnmrklroot"
            if header.previous != template.block.header.previous:
                return "bad-prevblk"
            if node.chain.tip.hash != header.previous:
                return "duplicate" if node.chain.block(header.hash) is not None else "stale-prevblk"
            try:
                result = node.accept_block(replace(template.block, header=header, coinbase=coinbase)).result
            except NodeError as fault:
                node.health.note_store(fault)
                raise
            except (Malformed, Violation) as fault:
                return _reason(fault)
            node.health.note_store(None)
            return "duplicate" if isinstance(result, AcceptedBlock) and not result.is_new else None


def _reason(fault: LedgerError) -> str:
    return REASONS.get(fault.code, "rejected")
