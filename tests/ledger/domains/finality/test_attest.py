"""Votes on the chain: what they justify, what they make final, and what is refused."""

from dataclasses import replace

import pytest

from ledger.domains.accounts.state import account_key
from ledger.domains.finality.attest import (
    ALREADY_VOTED,
    ATTEST_WEIGHT,
    NOT_CHECKPOINT,
    NOT_JUSTIFIED,
    VOTE_ORDER,
    WRONG_SET,
    Attest,
)
from ledger.domains.finality.events import CheckpointFinalised, CheckpointJustified, VoteCounted
from ledger.domains.finality.state import FINALITY_KEY, NO_ATTESTORS, NOT_ATTESTOR, Justified, checkpoint_votes_key
from ledger.errors import Malformed
from ledger.finality.votes import BAD_LINK, Checkpoint
from ledger.params import CHECKPOINTS_KEPT, FINALITY_WEIGHT_MAX, JUSTIFIED_KEPT
from ledger.transaction import BAD_ATTESTATION, Prepaid
from ledger.transition import NO_RESERVED_ROOM
from ledger.types import BlockHash, Height, PublicKey, Weight
from tests.support.attested import INTERVAL, KEYS, Attested, vote_on
from tests.support.memory_chain import Scenario
from tests.support.refusal import refused
from tests.support.shop import FAN


def test_the_first_block_is_justified_and_final() -> None:
    chain = Attested()
    assert chain.finality.justified == ()
    chain.mine()
    assert chain.finality.justified == (Justified(Height(0), BlockHash(chain.chain_id), 0),)
    assert chain.finality.final.checkpoint == chain.checkpoint(0)


def test_more_than_two_thirds_justify_and_the_next_link_makes_final() -> None:
    chain = Attested()
    chain.mine_to(4)
    chain.mine()
    chain.vote(0, 4, 0, 1)
    assert chain.justified == [0]
    assert chain.events[0] == VoteCounted(KEYS[0], Height(0), Height(4))
    chain.vote(0, 4, 3)
    assert chain.justified == [0, 4]
    justified = chain.checkpoint(4)
    assert CheckpointJustified(justified.height, justified.hash, 0) in chain.events
    assert (chain.finality.silent_since_height, chain.finality.silent_since) == (7, chain.mined[-1].context.time)
    chain.mine_to(9)
    chain.vote(4, 8, 0, 1, 2)
    assert chain.justified == [4, 8]
    assert CheckpointFinalised(justified.height, justified.hash) in chain.events
    assert chain.votes_for(4) is None
    found = chain.votes_for(8)
    assert found is not None
    assert [vote.key for vote in found.votes] == KEYS[:3]
    chain.replay()


def test_a_link_over_a_checkpoint_justifies_and_makes_nothing_final() -> None:
    chain = Attested()
    chain.mine_to(9)
    chain.vote(0, 8, 0, 1, 2)
    assert chain.justified == [0, 8]
    chain.mine_to(13)
    chain.vote(8, 12, 0, 1, 2)
    assert chain.justified == [8, 12]
    assert [chain.votes_for(height) for height in (4, 8)] == [None, None]


def test_a_lower_checkpoint_can_be_justified_after_a_higher_one() -> None:
    chain = Attested()
    chain.mine_to(9)
    chain.vote(0, 8, 0, 1, 2)
    chain.vote(0, 4, 0, 1, 3)
    assert chain.justified == [0, 4, 8], "some voted for 4 before they saw that it was justified"
    chain.vote(4, 8, 3)
    assert chain.justified == [0, 4, 8], "votes for one checkpoint from two sources are not added up"


def test_a_vote_counts_once_and_later_ones_still_count() -> None:
    chain = Attested()
    chain.mine_to(5)
    chain.vote(0, 4, 0, 1, 2)
    with refused(ALREADY_VOTED, key=KEYS[1]):
        chain.vote(0, 4, 1, 3)
    chain.vote(0, 4, 3)
    assert chain.justified == [0, 4]


def test_what_is_refused() -> None:
    chain = Attested()
    chain.mine_to(9)
    with refused(NOT_CHECKPOINT):
        chain.vote(0, 5, 0)
    with refused(NOT_CHECKPOINT):
        chain.vote(0, 12, 0)
    with refused(WRONG_SET, found=1, expected=0):
        chain.vote(0, 4, 0, number=1)
    with refused(NOT_JUSTIFIED, height=4):
        chain.vote(4, 8, 0)
    with refused(NOT_ATTESTOR, key=KEYS[5]):
        chain.vote(0, 4, 0, 5)
    chain.vote(0, 4, 0, 1, 2)
    chain.vote(4, 8, 0, 1, 2)
    with refused(NOT_CHECKPOINT, height=4):
        chain.vote(0, 4, 3)


def test_another_chain_and_another_branch_are_not_voted_for() -> None:
    chain, foreign = Attested(), Attested(0, 1, 2)
    chain.mine_to(5)
    foreign.mine_to(5)
    payload = replace(foreign.attestation(0, 4, 0), source=chain.checkpoint(0), target=chain.checkpoint(4))
    with refused(BAD_ATTESTATION):
        chain.send("finality.attest", payload, author=FAN, payment=Prepaid())
    source, target = chain.checkpoint(0), Checkpoint(Height(4), BlockHash(b"z" * 32))
    other = Attest(0, source, target, vote_on(chain.chain_id, source, target, 0))
    with refused(NOT_CHECKPOINT, height=4):
        chain.send("finality.attest", other, author=FAN, payment=Prepaid())


@pytest.mark.parametrize("places", [(1, 0), (0, 0)])
def test_keys_ascend(places: tuple[int, int]) -> None:
    chain = Attested()
    chain.mine_to(5)
    payload = chain.attestation(0, 4, 0, 1)
    with refused(VOTE_ORDER, Malformed):
        chain.sign("finality.attest", replace(payload, votes=tuple(payload.votes[p] for p in places)), author=FAN)


def test_a_target_is_above_its_source() -> None:
    chain = Attested()
    chain.mine_to(5)
    with refused(BAD_LINK, Malformed):
        chain.sign("finality.attest", chain.attestation(4, 4, 0), author=FAN)


def test_a_chain_without_attestors_has_no_finality() -> None:
    chain, attested = Scenario(FAN), Attested()
    chain.mine(8)
    assert chain.record(FINALITY_KEY) is None
    assert chain.record(checkpoint_votes_key(Height(4))) is None
    link = (attested.checkpoint(0), attested.checkpoint(4))
    payload = Attest(0, *link, vote_on(chain.chain_id, *link, 0))
    with refused(NO_ATTESTORS):
        chain.send("finality.attest", payload, author=FAN, payment=Prepaid())


def test_only_so_many_of_the_newest_checkpoints_take_votes() -> None:
    chain = Attested()
    chain.mine_to(INTERVAL * (CHECKPOINTS_KEPT + 1))
    assert chain.votes_for(4) is not None
    chain.mine()
    assert chain.votes_for(4) is None
    assert chain.votes_for(8) is not None
    assert len(chain.state.table(b"k")) == CHECKPOINTS_KEPT


def test_the_oldest_justified_but_the_final_one_is_forgotten() -> None:
    chain = Attested()
    heights = [*range(8, 56, 4), *range(60, 252, 8)]
    for height in heights:
        chain.mine_to(height + 1)
        chain.vote(0, height, 0, 1, 2)
    assert chain.justified == [0, *heights[-(JUSTIFIED_KEPT - 1) :]]
    oldest = chain.justified[1]
    assert oldest == 28
    with refused(NOT_JUSTIFIED, height=24):
        chain.vote(24, 56, 3)
    chain.vote(60, 64, 0, 1, 2)
    assert chain.justified[:3] == [60, 64, 68], "what becomes final is never forgotten meanwhile"


def test_finality_after_a_gap_deletes_what_is_there() -> None:
    chain = Attested()
    chain.mine_to(INTERVAL * (CHECKPOINTS_KEPT + 4) + 1)
    top = INTERVAL * (CHECKPOINTS_KEPT + 3)
    chain.vote(0, top, 0, 1, 2)
    chain.vote(top, top + 4, 0, 1, 2)
    assert chain.justified == [top, top + 4]
    assert list(chain.state.table(b"k")) == [checkpoint_votes_key(Height(top + 4))]


def test_votes_have_room_of_their_own_and_are_free() -> None:
    chain = Attested()
    chain.mine_to(5)
    before = chain.record(account_key(FAN.address))
    heavy = chain.sign("finality.attest", chain.attestation(0, 4, 0), author=FAN, payment=Prepaid())
    execution = chain.execute(heavy)
    assert (execution.weight, execution.reserved_weight) == (0, heavy.weight)
    execution.reserved_weight = Weight(FINALITY_WEIGHT_MAX - heavy.weight + 1)
    other = chain.sign("finality.attest", chain.attestation(0, 4, 1), author=FAN, payment=Prepaid())
    with refused(NO_RESERVED_ROOM):
        execution.add(other)
    execution.reserved_weight = Weight(FINALITY_WEIGHT_MAX - other.weight)
    execution.add(other)
    chain.block(heavy)
    assert chain.record(account_key(FAN.address)) == before


def test_one_vote_of_each_of_two_full_sets_fits_into_what_is_free() -> None:
    chain = Attested()
    chain.mine_to(5)
    payload = chain.attestation(0, 4, 0)
    full = replace(payload, votes=tuple((PublicKey(n.to_bytes(32, "big")), payload.votes[0][1]) for n in range(256)))
    assert chain.sign("finality.attest", full, author=FAN, payment=Prepaid()).weight <= ATTEST_WEIGHT


def test_a_fee_may_be_paid_too() -> None:
    chain = Attested()
    chain.mine_to(5)
    chain.send("finality.attest", chain.attestation(0, 4, 0), author=FAN)
    assert chain.votes_for(4) is not None
