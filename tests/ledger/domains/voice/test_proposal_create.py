"""`proposal.create`: who may ask, in which form, and the snapshot that decides who may answer."""

from dataclasses import replace

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.crowdfunding.state import NO_CAMPAIGN, campaign_key
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.state import NO_PROGRAM, SponsorPolicy, books_key, member_key, program_key
from ledger.domains.voice.proposal_create import (
    BAD_OPTIONS,
    BAD_TIMES,
    FOREIGN_CAMPAIGN,
    NO_TENURE,
    PROPOSAL_CREATE,
    QUORUM_LOW,
    ProposalCreate,
    ProposalCreated,
)
from ledger.domains.voice.state import (
    APPROVAL,
    RANKED,
    VOTING,
    EachMember,
    EarnedPoints,
    PledgedTo,
    Tally,
)
from ledger.params import PROPOSAL_TENURE_SECONDS
from ledger.transaction import Prepaid
from ledger.types import Amount, CampaignId, ProgramId, Timestamp
from tests.support.assembly import TEXT, Assembly
from tests.support.memory_chain import Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, STRANGER, Shop


def test_the_snapshot_is_the_state_after_the_parent_block(assembly: Assembly) -> None:
    chain = assembly.chain
    height, root, slots = chain.height, chain.state.root(), chain.state.chain.slot_count
    before, now = assembly.shop.coin_of(OWNER), assembly.shop.now
    proposal = assembly.propose()
    record = assembly.proposal(proposal)
    found = (record.snapshot_height, record.snapshot_root, record.snapshot_slots, record.snapshot_at)
    assert found == (height - 1, root, slots, now)
    assert (record.electorate, record.status, record.voting_height, record.text) == (3, VOTING, height + 6, TEXT)
    assert assembly.tally(proposal) == Tally(0, 0, 0, 0, bytes(32), (0, 0), ((0, 0),) * 6)
    assert record.deposit == 20_000
    assert assembly.shop.coin_of(OWNER) < before - 20_000
    program = assembly.shop.program
    event = ProposalCreated(proposal, program, OWNER.address, record.title, record.voting_until, TEXT)
    assert chain.events == (event,)
    assert event.subjects() == (proposal, assembly.shop.program, OWNER.address)


def test_a_ranked_tally_is_a_matrix(assembly: Assembly) -> None:
    proposal = assembly.propose("a", "b", "c", method=RANKED)
    assert assembly.tally(proposal).counts == (0,) * 9


def test_failures_come_in_the_documented_order(assembly: Assembly) -> None:
    shop, twice = assembly.shop, ("yes", "yes")
    payload = assembly.draft(
        *twice, days=93, program=ProgramId(NOWHERE), weight=PledgedTo(CampaignId(NOWHERE)), quorum=1
    )
    with refused(BAD_OPTIONS, maximum=12):
        assembly.send(payload, FAN)
    payload = replace(payload, options=("yes", "no"))
    with refused(BAD_TIMES, voting=payload.voting_until, revealing=0, time=shop.now):
        assembly.send(payload, FAN)
    payload = replace(payload, voting_until=assembly.draft().voting_until)
    with refused(NO_PROGRAM, program=NOWHERE):
        assembly.send(payload, FAN)
    payload = replace(payload, program=shop.program)
    with refused(NO_TENURE, needed=30):
        assembly.send(payload, FAN)
    with refused(NO_CAMPAIGN, campaign=NOWHERE):
        assembly.send(payload)
    foreign, campaign = shop.create_campaign(author=FRIEND), shop.create_campaign(days=30)
    with refused(FOREIGN_CAMPAIGN):
        assembly.send(replace(payload, weight=PledgedTo(foreign)))
    payload = replace(payload, weight=PledgedTo(campaign))
    for _ in range(11):
        shop.pledge(FAN, campaign, 1)
    with refused(QUORUM_LOW, found=1, electorate=11, needed=2):
        assembly.send(payload)
    poor_shop = Shop()
    poor = Assembly(poor_shop)
    poor_shop.join(POOR)
    poor.chain.advance(seconds=PROPOSAL_TENURE_SECONDS)
    with refused(INSUFFICIENT, needed=20_000):
        poor.send(poor.draft(), _with_little_coin(poor_shop, POOR))
    assert PROPOSAL_CREATE.reads(FAN.address, payload) == (
        program_key(shop.program),
        books_key(shop.program),
        member_key(shop.program, FAN.address),
        campaign_key(campaign),
    )
    assert len(PROPOSAL_CREATE.reads(FAN.address, assembly.draft())) == 3


def test_the_payload_is_what_the_text_says(assembly: Assembly) -> None:
    until = Timestamp(assembly.shop.now + 5)
    payload = ProposalCreate(
        assembly.shop.program, "Rye?", TEXT, ("yes", "no"), 0, 0, EachMember(), 1, until, Timestamp(0)
    )
    shown = (assembly.shop.program, "Rye?", TEXT, ("yes", "no"), 0, 0, (0,), 1, until, 0)
    assert PROPOSAL_CREATE.payload.encode(payload) == shown
    assert assembly.proposal(assembly.send(payload)).title == "Rye?"


def _with_little_coin(shop: Shop, signer: Signer) -> Signer:
    shop.chain.send("transfer", Transfer(ToAccount(signer.address), Amount(20_000)), author=OWNER)
    return signer


@pytest.mark.parametrize(
    ("method", "options", "is_good"),
    [
        (RANKED, 12, True),
        (RANKED, 13, False),
        (APPROVAL, 16, True),
    ],
)
def test_at_most_twelve_options_are_ranked(assembly: Assembly, method: int, options: int, is_good: bool) -> None:
    names = [f"option {number}" for number in range(options)]
    if is_good:
        assert len(assembly.proposal(assembly.propose(*names, method=method)).options) == options
        return
    with refused(BAD_OPTIONS):
        assembly.propose(*names, method=method)


@pytest.mark.parametrize(
    ("days", "reveal_days", "is_good"),
    [(0, 0, False), (92, 0, True), (93, 0, False), (2, 31, True), (2, 32, False), (2, -1, False)],
)
def test_when_voting_and_revealing_may_end(assembly: Assembly, days: int, reveal_days: int, is_good: bool) -> None:
    payload = assembly.draft(days=days, reveal_days=reveal_days)
    if is_good:
        record = assembly.proposal(assembly.send(payload))
        assert (record.voting_until, record.reveal_until) == (payload.voting_until, payload.reveal_until)
        return
    with refused(BAD_TIMES):
        assembly.send(payload)


def test_an_open_vote_has_nothing_to_reveal(assembly: Assembly) -> None:
    payload = assembly.draft(reveal_days=1)
    with refused(BAD_TIMES):
        assembly.send(replace(payload, mode=0))


def test_a_member_may_propose_after_thirty_days(assembly: Assembly) -> None:
    joined = assembly.shop.member(FAN).joined_at
    assembly.chain.block(time=joined + PROPOSAL_TENURE_SECONDS - 1)
    with refused(NO_TENURE):
        assembly.propose(author=FAN)
    assembly.chain.block(time=joined + PROPOSAL_TENURE_SECONDS)
    assert assembly.proposal(assembly.propose(author=FAN)).proposer == FAN.address


def test_who_left_or_never_joined_can_not_propose(assembly: Assembly) -> None:
    shop = assembly.shop
    assembly.chain.advance(seconds=PROPOSAL_TENURE_SECONDS)
    shop.chain.send("member.leave", MemberLeave(shop.program), author=STRANGER, payment=Prepaid())
    for nobody in (STRANGER, Signer.named("till")):
        with refused(NO_TENURE):
            assembly.propose(author=nobody)


def test_the_quorum_of_a_member_is_a_share_and_the_owner_is_free() -> None:
    generous = SponsorPolicy(Amount(2), Amount(10**8), Amount(10**9), Amount(10**9))
    shop = Shop(pool=10**9, sponsor=generous)
    assembly = Assembly(shop)
    shop.join(FAN, FRIEND, STRANGER)
    shop.join(*(Signer.named(f"member {number}") for number in range(98)))
    assembly.chain.advance(seconds=PROPOSAL_TENURE_SECONDS)
    assert shop.books.members == 101
    with refused(QUORUM_LOW, found=1, electorate=101, needed=2):
        assembly.propose(author=FAN)
    for author, quorum in ((FAN, 2), (OWNER, 1)):
        record = assembly.proposal(assembly.propose(author=author, quorum=quorum, weight=EarnedPoints(5)))
        assert (record.electorate, record.quorum) == (101, quorum)
