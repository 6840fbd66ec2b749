"""An open node of a chain with four attestors and a checkpoint every four blocks, and votes for what it follows."""

from pathlib import Path
from typing import Any

from ledger.domains.finality.attest import Attest
from ledger.finality.votes import Checkpoint, SignedVote, Vote, sign_vote
from ledger.params import Params
from ledger.transaction import Prepaid, Transaction
from ledger.types import Height, Timestamp
from node.clock import ManualClock
from node.mining.miner import Miner
from node.node import Node, NodeConfig
from tests.support.attested import KEYS, SEEDS, attested_params
from tests.support.memory_chain import BLOCK_SECONDS, GENESIS_TIME, Scenario, Signer
from tests.support.shop import FAN

MINER = Signer.named("miner of attested blocks").address


class AttestedNode:
    """The node, a clock that goes with its blocks, and a miner."""

    def __init__(self, folder: Path, params: Params | None = None, *places: int) -> None:
        self.params = params or attested_params(*(places or (0, 1, 2, 3)))
        self.clock = ManualClock(GENESIS_TIME + BLOCK_SECONDS)
        self.node = Node(NodeConfig(folder, self.params), self.clock)
        self._signing = Scenario(params=self.params)
        self._miner: Miner = self.node.start_miner(MINER, workers=0)

    @property
    def height(self) -> int:
        """Of the tip."""
        return self.node.chain.tip.height

    def mine_to(self, height: int) -> None:
        """Mine until the tip is that high."""
        while self.height < height:
            self.clock.set(self.clock.now() + BLOCK_SECONDS)
            self._miner.mine_one(Timestamp(self.clock.now()))

    def mine(self, blocks: int = 1) -> None:
        """Mine some blocks."""
        self.mine_to(self.height + blocks)

    def checkpoint(self, height: int) -> Checkpoint:
        """The active block there."""
        return Checkpoint(Height(height), self.node.chain.header_at(Height(height)).hash)

    def vote(self, place: int, source: int, target: int, *, number: int = 0, **changes: Any) -> SignedVote:
        """The signed vote of one attestor for a link of the active chain."""
        ends = {"source": self.checkpoint(source), "target": self.checkpoint(target), **changes}
        vote = Vote(self.node.chain.chain_id, number, **ends)
        return sign_vote(SEEDS[KEYS[place]], KEYS[place], vote)

    def attestation(self, source: int, target: int, *places: int, number: int = 0) -> Transaction:
        """A transaction with the votes of some attestors for one link."""
        votes = [self.vote(place, source, target, number=number) for place in sorted(places)]
        payload = Attest(
            number, votes[0].vote.source, votes[0].vote.target, tuple((vote.key, vote.signature) for vote in votes)
        )
        first = Height(self.height + 1)
        window: dict[str, Any] = {"valid_from": first, "valid_until": Height(first + 20)}
        return self._signing.sign("finality.attest", payload, author=FAN, payment=Prepaid(), **window)

    def attest(self, source: int, target: int, *places: int, number: int = 0) -> None:
        """Put votes on the chain, in a block of their own."""
        (result,) = self.node.submit_batch([self.attestation(source, target, *places, number=number).raw])
        assert isinstance(result, Transaction), result
        self.mine()

    def close(self) -> None:
        """Close the node."""
        self.node.close()
