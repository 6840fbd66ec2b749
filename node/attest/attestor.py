"""What an attestor votes for, and when it says nothing (spec ATT-3, ATT-4). No clock, no disk but its record, no socket.

Nobody can tell from a record alone whether it is the newest: it may come from a backup, or lie on two machines. So an attestor that
starts first listens, and only votes for checkpoints that came to be a full interval after it began.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import structlog

from ledger.errors import Code
from ledger.finality.votes import Checkpoint, SignedVote, Vote, conflict, verify_vote
from ledger.types import ChainId, Height, PrivateSeed
from node.attest.record import SigningRecord
from node.errors import NodeError

log = structlog.get_logger()

DEPTH_BLOCKS: Final = 2
"""Blocks on a checkpoint before it is voted for: of a height there is one vote only, and the last blocks still change."""

KEY_IN_USE = Code(
    "attest.key_in_use",
    "somebody else attests with this key: a vote for height {target} was seen that this record does not know",
    "Stop the other attestor, then start this one again. Two that use one key will lie sooner or later.",
)
KEY_LIED = Code(
    "attest.key_lied",
    "this key has signed two votes that conflict, for the heights {one} and {other}",
    "The key is worthless: it is removed as soon as the evidence is in a block. Make another one, and find out who signed.",
)
OTHER_CHAIN = Code(
    "attest.other_chain",
    "the node is on the chain {found} now, not on {expected}",
    "Point the attestor at a node of its chain.",
)


class Phase(Enum):
    """What an attestor is doing."""

    WAITING = auto()
    """The node's last block is old: it may know less than others."""
    LISTENING = auto()
    """A full interval must pass in which nobody else votes with the key."""
    STRANGER = auto()
    """The key is in no set that counts now."""
    ATTESTING = auto()


@dataclass(frozen=True, slots=True)
class Sight:
    """What a node shows at one moment.

    `source`: the highest justified checkpoint of its branch. `target`: the highest checkpoint of it with `DEPTH_BLOCKS` blocks on
    it. `set_number`: of the set in force at the target; `is_member`: whether the key counts for this link. `own_votes`: those of
    the key that the node knows, from wherever. `is_fresh`: whether its last block is young.
    """

    chain_id: ChainId
    interval: int
    tip: Height
    is_fresh: bool
    source: Checkpoint
    target: Checkpoint
    set_number: int
    is_member: bool
    own_votes: tuple[SignedVote, ...] = ()


class Attestor:
    """One key on one chain, from start to end. Raises out of `look` are the end of it."""

    def __init__(self, seed: PrivateSeed, record: SigningRecord, chain_id: ChainId) -> None:
        self._seed, self._record, self._chain_id = seed, record, chain_id
        self.phase = Phase.WAITING
        self.begun_at: Height | None = None
        self.first_target: Height | None = None

    def look(self, sight: Sight) -> SignedVote | None:
        """The vote that is to be sent now, if any; the same one again while the node does not know it.

        Raises `attest.key_in_use`, `attest.key_lied`, `attest.other_chain`, and what the record raises.
        """
        if sight.chain_id != self._chain_id:
            raise NodeError(OTHER_CHAIN, found=sight.chain_id, expected=self._chain_id)
        self._learn(sight)
        if self.first_target is None:
            self._begin(sight)
        if self.first_target is None or not sight.is_fresh:
            self.phase = Phase.WAITING
            return None
        if sight.target.height < self.first_target:
            self.phase = Phase.LISTENING
            return None
        if not sight.is_member:
            self.phase = Phase.STRANGER
            return None
        self.phase = Phase.ATTESTING
        return self._vote(sight)

    def _begin(self, sight: Sight) -> None:
        """Begin to listen at the first sight of a node that is up to date."""
        if not sight.is_fresh:
            return
        self.begun_at = sight.tip
        self.first_target = Height((sight.tip // sight.interval + 2) * sight.interval)
        log.info("attest.listening", height=sight.tip, first_target=self.first_target)

    def _learn(self, sight: Sight) -> None:
        """Hold the record against what others know of this key."""
        for seen in sight.own_votes:
            if seen.key != self._record.key or seen.vote.chain_id != self._chain_id or not verify_vote(seen):
                continue  # the node errs or lies: nothing of it is believed
            vote, target = seen.vote, seen.vote.target.height
            last = self._record.signed(self._chain_id).last
            if last is not None and conflict(last, vote):
                self._record.learn(vote)
                raise NodeError(KEY_LIED, one=last.target.height, other=target)
            if not self._record.learn(vote):
                continue
            if self.begun_at is not None and target > self.begun_at:
                raise NodeError(KEY_IN_USE, target=target)
            log.warning("attest.record_behind", target=target)

    def _vote(self, sight: Sight) -> SignedVote | None:
        """The vote for the target, or the last one again if the node does not have it: it may have been lost on its way."""
        signed = self._record.signed(self._chain_id)
        if sight.target.height <= sight.source.height:
            return None  # the last checkpoint is justified already
        if signed.last is not None and signed.last.target.height == sight.target.height:
            is_known = any(seen.vote == signed.last for seen in sight.own_votes)
            return None if is_known else self._record.sign(self._seed, signed.last)
        vote = Vote(self._chain_id, sight.set_number, sight.source, sight.target)
        if not signed.admits(vote):
            return None
        made = self._record.sign(self._seed, vote)
        log.info("attest.voted", source=vote.source.height, target=vote.target.height)
        return made
