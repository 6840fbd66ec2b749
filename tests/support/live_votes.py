"""Proposals on a shop's node: proofs come from the node, as a wallet gets them."""

from ledger.domains.loyalty.state import member_key
from ledger.domains.voice.ballot_cast import CastBallot
from ledger.domains.voice.ballot_commit import CommitBallot
from ledger.domains.voice.ballots import seal_choice
from ledger.domains.voice.power import PowerProof
from ledger.domains.voice.proposal_create import ProposalCreate
from ledger.domains.voice.state import OPENLY, SEALED, SINGLE, EachMember, Proposal, proposal_key
from ledger.hashing import object_id
from ledger.types import Hash, ProposalId, Timestamp
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.shop import OWNER

SALT = bytes(range(32))
TEXT = Hash(bytes(32))


def ask(shop: LiveShop, *, days: int = 30, is_sealed: bool = False) -> ProposalId:
    """A question by the owner, yes or no."""
    until = Timestamp(shop.now + days * DAY_SECONDS)
    payload = ProposalCreate(
        program=shop.program,
        title="Shall we bake rye?",
        text=TEXT,
        options=("yes", "no"),
        method=SINGLE,
        mode=SEALED if is_sealed else OPENLY,
        weight=EachMember(),
        quorum=1,
        voting_until=until,
        reveal_until=Timestamp(until + DAY_SECONDS if is_sealed else 0),
    )
    shop.chain.send("proposal.create", payload, author=OWNER)
    return ProposalId(object_id("proposal", shop.chain.last_txid, 0))


def prove(shop: LiveShop, proposal: ProposalId, voter: Signer) -> tuple[PowerProof, ...]:
    """The voter's membership at the snapshot."""
    record: Proposal = shop.chain.record(proposal_key(proposal))
    (shown,) = shop.node.snapshots.show(record, [member_key(shop.program, voter.address)])
    assert shown is not None, "the voter was a member"
    return (PowerProof(0, shown.value_bytes, shown.slot, shown.path),)


def cast(shop: LiveShop, proposal: ProposalId, voter: Signer, choice: int) -> None:
    """An open ballot."""
    shop.chain.send("ballot.cast", CastBallot(proposal, (choice,), prove(shop, proposal, voter)), author=voter)


def commit(shop: LiveShop, proposal: ProposalId, voter: Signer, choice: int) -> None:
    """A sealed one."""
    commitment = seal_choice(proposal, voter.address, (choice,), SALT)
    shop.chain.send("ballot.commit", CommitBallot(proposal, commitment, prove(shop, proposal, voter)), author=voter)
