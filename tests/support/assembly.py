"""Proposals on a shop's chain: the state at each snapshot is kept, so that voters can show their power."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

from ledger.domains.crowdfunding.state import pledge_key
from ledger.domains.loyalty.state import member_key
from ledger.domains.voice.ballot_cast import CastBallot
from ledger.domains.voice.ballot_commit import CommitBallot
from ledger.domains.voice.ballot_reveal import RevealBallot
from ledger.domains.voice.ballots import seal_choice
from ledger.domains.voice.power import PowerProof
from ledger.domains.voice.proposal_create import ProposalCreate
from ledger.domains.voice.proposal_respond import Adopt, Answer, ProposalRespond
from ledger.domains.voice.state import (
    OPENLY,
    SEALED,
    SINGLE,
    Ballot,
    EachMember,
    Obligation,
    PledgedTo,
    Proposal,
    Tally,
    ballot_key,
    obligation_key,
    proposal_key,
    tally_key,
)
from ledger.hashing import object_id
from ledger.transaction import Prepaid
from ledger.types import Hash, ProposalId, RecordKey, Timestamp
from tests.support.memory_chain import DAY_SECONDS, MemoryState, Signer
from tests.support.shop import OWNER, STRANGER, Shop, some_hash

TEXT = some_hash("text")
WHY = some_hash("why")
EVIDENCE = some_hash("evidence")
SALT = bytes(range(32))


class Assembly:
    """Those who ask and vote in a shop's program."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.chain = shop.chain
        self.snapshots: dict[ProposalId, MemoryState] = {}

    def draft(self, *options: str, days: int = 2, reveal_days: int = 0, **changes: Any) -> ProposalCreate:
        """A proposal of two options that everybody votes on openly, unless told otherwise."""
        until = Timestamp(self.shop.now + days * DAY_SECONDS)
        payload = ProposalCreate(
            program=self.shop.program,
            title="Shall we bake rye?",
            text=TEXT,
            options=options or ("yes", "no"),
            method=SINGLE,
            mode=SEALED if reveal_days else OPENLY,
            weight=EachMember(),
            quorum=1,
            voting_until=until,
            reveal_until=Timestamp(until + reveal_days * DAY_SECONDS if reveal_days else 0),
        )
        return replace(payload, **changes)

    def propose(self, *options: str, author: Signer = OWNER, **changes: Any) -> ProposalId:
        """Ask."""
        return self.send(self.draft(*options, **changes), author)

    def send(self, payload: ProposalCreate, author: Signer = OWNER) -> ProposalId:
        """Put a proposal on the chain; the state before its block is the snapshot."""
        before = deepcopy(self.chain.state)
        self.chain.send("proposal.create", payload, author=author)
        proposal = ProposalId(object_id("proposal", self.chain.last_txid, 0))
        self.snapshots[proposal] = before
        return proposal

    def proof(self, proposal: ProposalId, key: RecordKey, number: int = 0) -> PowerProof:
        """The record under `key` at the snapshot."""
        state = self.snapshots[proposal]
        stored = state.records[key]
        return PowerProof(number, stored.value_bytes, stored.slot, state.tree.inclusion_path(stored.slot))

    def proofs(self, proposal: ProposalId, voter: Signer, *numbers: int) -> tuple[PowerProof, ...]:
        """What a voter shows: its membership, or the pledges of these numbers."""
        weight = self.proposal(proposal).weight
        if isinstance(weight, PledgedTo):
            return tuple(self.proof(proposal, pledge_key(weight.campaign, n), n) for n in numbers)
        return (self.proof(proposal, member_key(self.shop.program, voter.address)),)

    def cast(self, proposal: ProposalId, voter: Signer, *choice: int, pledges: tuple[int, ...] = ()) -> None:
        """Vote openly."""
        payload = CastBallot(proposal, choice, self.proofs(proposal, voter, *pledges))
        self.chain.send("ballot.cast", payload, author=voter)

    def commit(self, proposal: ProposalId, voter: Signer, *choice: int) -> None:
        """Vote under seal."""
        commitment = seal_choice(proposal, voter.address, choice, SALT)
        payload = CommitBallot(proposal, commitment, self.proofs(proposal, voter))
        self.chain.send("ballot.commit", payload, author=voter)

    def reveal(self, proposal: ProposalId, voter: Signer, *choice: int, author: Signer = STRANGER) -> None:
        """Open a ballot, by anybody, at no cost."""
        payload = RevealBallot(proposal, voter.address, choice, SALT)
        self.chain.send("ballot.reveal", payload, author=author, payment=Prepaid())

    def respond(self, proposal: ProposalId, answer: Answer | None = None, *, author: Signer = OWNER) -> None:
        """Answer: adopt within ten days unless told otherwise."""
        adopt = Adopt(Timestamp(self.shop.now + 10 * DAY_SECONDS), Hash(b""))
        payload = ProposalRespond(proposal, adopt if answer is None else answer, WHY)
        self.chain.send("proposal.respond", payload, author=author)

    def proposal(self, proposal: ProposalId) -> Proposal:
        """A proposal's record."""
        return self.chain.record(proposal_key(proposal))

    def tally(self, proposal: ProposalId) -> Tally:
        """What was counted."""
        return self.chain.record(tally_key(proposal))

    def ballot(self, proposal: ProposalId, voter: Signer) -> Ballot:
        """A voter's ballot."""
        return self.chain.record(ballot_key(proposal, voter.address))

    def obligation(self, proposal: ProposalId) -> Obligation:
        """What adopting led to."""
        return self.chain.record(obligation_key(proposal))
