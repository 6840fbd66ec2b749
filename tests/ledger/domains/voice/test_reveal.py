"""`ballot.reveal`: sealed ballots, opened by anybody when voting is over; forgotten ones abstain."""

from dataclasses import replace

import pytest

from ledger.domains.voice.ballot_reveal import (
    BALLOT_REVEAL,
    NOT_COMMITTED,
    REVEAL_OVER,
    REVEALED,
    TOO_EARLY,
    WRONG_OPENING,
    RevealBallot,
)
from ledger.domains.voice.events import BallotRevealed, ProposalEnded, ProposalRevealing
from ledger.domains.voice.state import ENDED, NO_PROPOSAL, REVEALING, ballot_key, proposal_key, tally_key
from ledger.domains.voice.tally import BAD_CHOICE
from ledger.params import EXIT_WEIGHT, PROPOSAL_BLOCKS_MIN
from ledger.transaction import Prepaid
from ledger.types import ProposalId
from tests.support.assembly import SALT, Assembly
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, STRANGER

PASSER_BY = Signer.named("passer-by")
"""Nobody in particular: no coin, no membership."""


def _end_voting(assembly: Assembly, proposal: ProposalId) -> None:
    """The block after this one is the first in which voting is over."""
    record = assembly.proposal(proposal)
    assembly.chain.mine(max(0, record.voting_height - assembly.chain.height - 1))
    assembly.chain.block(time=record.voting_until)


def test_anybody_opens_a_ballot_at_no_cost(assembly: Assembly) -> None:
    proposal = assembly.propose(reveal_days=1)
    assembly.commit(proposal, FAN, 1)
    assembly.commit(proposal, FRIEND, 0)
    _end_voting(assembly, proposal)
    assembly.reveal(proposal, FAN, 1, author=PASSER_BY)
    revealing, revealed = assembly.chain.events
    record = assembly.proposal(proposal)
    assert revealing == ProposalRevealing(proposal, assembly.shop.program, 2, record.reveal_until)
    assert revealing.subjects() == (proposal, assembly.shop.program)
    assert revealed == BallotRevealed(proposal, FAN.address, 1, (1,))
    assert revealed.subjects() == (FAN.address, proposal)
    assert record.status == REVEALING
    assert record.reveal_height == assembly.chain.height - 1 + PROPOSAL_BLOCKS_MIN
    ballot = assembly.ballot(proposal, FAN)
    assert (ballot.choice, ballot.prepaid, ballot.deposit) == ((1,), 0, 10_000)
    assert assembly.tally(proposal).counts == (0, 1)
    payload = RevealBallot(proposal, FAN.address, tuple(range(16)), SALT)
    widest = assembly.chain.sign("ballot.reveal", payload, author=PASSER_BY, payment=Prepaid())
    assert widest.weight <= EXIT_WEIGHT


def test_what_nobody_opens_abstains(assembly: Assembly) -> None:
    proposal = assembly.propose(reveal_days=1, quorum=2)
    for voter in (FAN, FRIEND, STRANGER):
        assembly.commit(proposal, voter, 1)
    _end_voting(assembly, proposal)
    assembly.reveal(proposal, FAN, 1)
    assembly.shop.pass_days(1)
    record = assembly.proposal(proposal)
    ended = next(
        event
        for block in assembly.chain.mined
        for _, event in block.transition.events
        if isinstance(event, ProposalEnded)
    )
    assert (ended.counted, ended.abstained, ended.quorum_met, ended.leaders) == (1, 2, False, (1,))
    assert record.status == ENDED
    with refused(REVEAL_OVER, until=record.reveal_until):
        assembly.reveal(proposal, FRIEND, 1)


def test_failures_come_in_the_documented_order(assembly: Assembly) -> None:
    chain, proposal = assembly.chain, assembly.propose(reveal_days=1)
    payload = RevealBallot(ProposalId(NOWHERE), FAN.address, (1,), bytes(32))

    def send(changed: RevealBallot) -> None:
        chain.send("ballot.reveal", changed, author=PASSER_BY, payment=Prepaid())

    with refused(NO_PROPOSAL, proposal=NOWHERE):
        send(payload)
    payload = replace(payload, proposal=proposal)
    with refused(NOT_COMMITTED, voter=FAN.address):
        send(payload)
    assembly.commit(proposal, FAN, 1)
    assembly.commit(proposal, FRIEND, 0, 1)
    with refused(TOO_EARLY, until=assembly.proposal(proposal).voting_until):
        send(payload)
    _end_voting(assembly, proposal)
    with refused(WRONG_OPENING, voter=FAN.address):
        send(payload)
    with refused(WRONG_OPENING):
        send(replace(payload, choice=(0,), salt=SALT))
    with refused(WRONG_OPENING):
        send(replace(payload, voter=FRIEND.address, choice=(1,), salt=SALT))
    with refused(BAD_CHOICE, method="single", count=2):
        assembly.reveal(proposal, FRIEND, 0, 1)
    assembly.reveal(proposal, FAN, 1)
    with refused(REVEALED, voter=FAN.address):
        assembly.reveal(proposal, FAN, 1)
    keys = (proposal_key(proposal), tally_key(proposal), ballot_key(proposal, FAN.address))
    assert BALLOT_REVEAL.reads(PASSER_BY.address, payload) == keys


def test_an_open_ballot_has_nothing_to_reveal(assembly: Assembly) -> None:
    proposal = assembly.propose()
    assembly.cast(proposal, FAN, 1)
    with refused(NOT_COMMITTED):
        assembly.reveal(proposal, FAN, 1)


@pytest.mark.parametrize("outage_days", [0, 40])
def test_revealing_lasts_six_blocks_also_after_an_outage(assembly: Assembly, outage_days: int) -> None:
    proposal = assembly.propose(reveal_days=1)
    assembly.commit(proposal, FAN, 1)
    assembly.commit(proposal, FRIEND, 1)
    _end_voting(assembly, proposal)
    assembly.chain.advance(days=1 + outage_days)
    height = assembly.proposal(proposal).reveal_height
    while assembly.chain.height < height - 1:
        assembly.chain.mine()
    assembly.reveal(proposal, FAN, 1)
    with refused(REVEAL_OVER):
        assembly.reveal(proposal, FRIEND, 1)
