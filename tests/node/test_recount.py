"""A recount agrees with the ledger on everything, and with nobody who changed something."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from ledger.block import Block
from ledger.domains.voice.state import APPROVAL, RANKED, SINGLE, EarnedPoints, PledgedTo
from ledger.domains.voice.tally import count_ballot, empty_tally, is_allowed, leaders_of
from ledger.types import BlockHash, Height, ProposalId
from node.ballot_count import Count, age_class, is_a_choice
from node.errors import NodeError
from node.recount import NO_PROPOSAL, Claim, Recount, recount
from node.recount_claims import read_claim
from node.replay import EMPTY_SOURCE, OTHER_GENESIS, StoreSource
from node.store.scan import begin_snapshot
from tests.ledger.domains.voice.test_tally import make_proposal
from tests.node.stored_chain import StoredShop
from tests.support.assembly import Assembly
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, STRANGER

BALLOT = st.tuples(st.lists(st.integers(0, 5), max_size=6), st.integers(1, 10**12), st.integers(0, 5))


@given(st.sampled_from([SINGLE, APPROVAL, RANKED]), st.integers(2, 6), st.lists(BALLOT, max_size=12))
def test_two_counts_agree(method: int, options: int, drawn: list[tuple[list[int], int, int]]) -> None:
    proposal, tally, count = make_proposal(method, options), empty_tally(method, options), Count(options, method)
    for choice, power, age in drawn:
        assert is_a_choice(method, options, choice) == is_allowed(method, options, choice)
        if is_allowed(method, options, choice):
            tally = count_ballot(tally, proposal, choice, power, age)
            count.add(choice, power, age)
    assert (count.counted, count.power, count.largest) == (tally.counted, tally.power, tally.largest)
    assert count.squares == int.from_bytes(tally.squares, "big")
    assert (count.counts, count.by_age, count.leaders()) == (tally.counts, tally.ages, leaders_of(proposal, tally))


@pytest.mark.parametrize(("days", "age"), [(0, 0), (29, 0), (30, 1), (90, 2), (365, 3), (1_095, 4), (9_999, 4)])
def test_age_classes(days: int, age: int) -> None:
    assert age_class(1_000, 1_000 + days * 86_400) == age


class Voted:
    """A stored chain with three proposals: ranked by points, sealed, and binding."""

    def __init__(self, path: Path) -> None:
        self.shop = StoredShop(path, activation_delay_days=10)
        self.shop.join(FAN, FRIEND, STRANGER)
        assembly = self.assembly = Assembly(self.shop)
        self.shop.earn(FAN, 500)
        self.shop.earn(FRIEND, 70)
        self.shop.pass_days(12)
        self.shop.earn(FRIEND, 30)
        campaign = self.shop.create_campaign(days=60)
        self.shop.pledge(FAN, campaign, 300)
        self.shop.pledge(FAN, campaign, 40)
        self.ranked = assembly.propose("a", "b", "c", method=RANKED, weight=EarnedPoints(400), days=9)
        self.sealed = assembly.propose(reveal_days=1, days=9)
        self.binding = assembly.propose(weight=PledgedTo(campaign), days=9)
        assembly.cast(self.ranked, FAN, 1, 0)
        assembly.cast(self.ranked, FRIEND, 2, 0, 1)
        assembly.cast(self.binding, FAN, 1, pledges=(0, 1))
        assembly.commit(self.sealed, FAN, 1)
        assembly.commit(self.sealed, FRIEND, 0)
        self.shop.pass_days(9)
        assembly.reveal(self.sealed, FAN, 1)
        self.shop.pass_days(3)

    def count(
        self,
        proposal: ProposalId,
        change: Callable[[bytes], bytes] | None = None,
        claims: Callable[[Claim], Claim] | None = None,
    ) -> Recount:
        with self.shop.store.reading.connect() as connection:
            begin_snapshot(connection)
            claim = read_claim(connection, proposal)
            assert claim is not None
            shown = claim if claims is None else claims(claim)
            return recount(Source(connection, change), self.shop.chain.params, proposal, shown)


class Source:
    """The blocks of a store, each passed through `change`."""

    def __init__(self, connection: Connection, change: Callable[[bytes], bytes] | None) -> None:
        source = self._source = StoreSource(connection)
        self.genesis: BlockHash | None = source.genesis
        self.height: Height = source.height
        self.tip: BlockHash | None = source.tip
        self._change = change

    def blocks(self) -> Iterator[bytes]:
        for raw in self._source.blocks():
            yield raw if self._change is None else self._change(raw)


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voted]:
    found = Voted(tmp_path_factory.mktemp("voted") / "chain.sqlite")
    yield found
    found.shop.close()


def codes(found: Recount) -> list[str]:
    return [problem.code for problem in found.problems]


def test_every_sort_of_proposal_is_recounted(voted: Voted) -> None:
    for proposal, power in ((voted.ranked, 470), (voted.sealed, 1), (voted.binding, 340)):
        found = voted.count(proposal)
        assert (codes(found), found.count.power) == ([], power)
    assert voted.count(voted.ranked).count.leaders() == (1,)


def test_blocks_that_do_not_follow_or_cannot_be_read_end_it(voted: Voted) -> None:
    blocks = 0

    def cut(raw: bytes) -> bytes:
        nonlocal blocks
        blocks += 1
        return raw if blocks < 40 else raw[:-1]

    assert codes(voted.count(voted.ranked, cut))[0] == "recount.block"


def test_a_body_without_its_ballots_is_seen_in_each_of_its_blocks(voted: Voted) -> None:
    def emptied(raw: bytes) -> bytes:
        block = Block.decode(raw)
        if not any(voted.binding in tx and b"ballot.cast" in tx for tx in block.transactions):
            return raw
        return replace(block, transactions=(), results=()).encode()

    found = voted.count(voted.binding, emptied)
    assert codes(found) == ["recount.block", "recount.missing", *["recount.tally"] * (len(codes(found)) - 2)]
    assert FAN.address.hex() in found.problems[1].text
    assert found.problems[0].height is not None


def test_a_reveal_that_is_garbled_does_not_count(voted: Voted) -> None:
    def garbled(raw: bytes) -> bytes:
        block = Block.decode(raw)
        changed = tuple(
            tx[:-3] + b"abc" if voted.sealed in tx and b"ballot.reveal" in tx else tx for tx in block.transactions
        )
        return replace(block, transactions=changed).encode()

    found = voted.count(voted.sealed, garbled)
    assert codes(found)[:2] == ["recount.block", "recount.changed"]
    assert "recount.differs" in codes(found)


def test_what_the_source_claims_is_held_against_the_blocks(voted: Voted) -> None:
    def lying(claim: Claim) -> Claim:
        ballots = {voter: replace(ballot, power=ballot.power + 1) for voter, ballot in claim.ballots.items()}
        return Claim(ballots, {**claim.figures, "largest": 7}, (0,))

    found = voted.count(voted.ranked, claims=lying)
    assert sorted(codes(found)) == ["recount.differs", "recount.differs", "recount.tally", "recount.tally"]
    assert any("leaders" in problem.text for problem in found.problems)


def test_what_is_not_there_is_said(voted: Voted) -> None:
    nowhere = ProposalId(bytes(32))
    with voted.shop.store.reading.connect() as connection:
        begin_snapshot(connection)
        assert read_claim(connection, nowhere) is None
        params: Any = voted.shop.chain.params
        with refused(NO_PROPOSAL, NodeError, proposal=nowhere):
            recount(Source(connection, None), params, nowhere, None)
        with refused(OTHER_GENESIS, NodeError):
            recount(Source(connection, None), replace(params, name="other"), nowhere, None)
        empty = Source(connection, None)
        empty.tip = None
        with refused(EMPTY_SOURCE, NodeError):
            recount(empty, params, nowhere, None)
