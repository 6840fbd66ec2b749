"""What blocks do by themselves: ending, silence, lapse, broken obligations; and the owner's answers."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.voice.events import (
    ObligationBroken,
    ObligationFulfilled,
    ProposalAnswered,
    ProposalEnded,
    ProposalUnanswered,
)
from ledger.domains.voice.obligation_fulfil import FULFILLED, OBLIGATION_FULFIL, ObligationFulfil, days_late
from ledger.domains.voice.proposal_respond import (
    ANSWER_LATE,
    ANSWERED,
    BAD_DUE,
    BAD_PRODUCT,
    BINDING,
    NOT_ENDED,
    PROPOSAL_RESPOND,
    Adopt,
    Decline,
    ProposalRespond,
)
from ledger.domains.voice.state import (
    ADOPTED,
    BROKEN,
    DECLINED,
    ENDED,
    KEPT,
    LAPSED,
    LATE,
    NO_OBLIGATION,
    NO_PROPOSAL,
    OPEN,
    SILENT,
    VOTING,
    PledgedTo,
    obligation_key,
    proposal_key,
)
from ledger.types import Amount, Hash, ProposalId, Timestamp
from tests.support.assembly import EVIDENCE, WHY, Assembly
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, some_hash


def _ended(assembly: Assembly, **changes: Any) -> ProposalId:
    """A proposal on which `FAN` voted and which was counted."""
    proposal = assembly.propose(**changes)
    assembly.cast(proposal, FAN, 1)
    assembly.shop.pass_days(2)
    assert assembly.proposal(proposal).status == ENDED
    return proposal


def _adopted(assembly: Assembly, days: int = 10) -> ProposalId:
    """One that was adopted, due in so many days."""
    proposal = _ended(assembly)
    assembly.respond(proposal, Adopt(Timestamp(assembly.shop.now + days * DAY_SECONDS), Hash(b"")))
    return proposal


def _events_of(assembly: Assembly, kind: type[object]) -> list[object]:
    """Every event of one class, in order."""
    return [event for block in assembly.chain.mined for _, event in block.transition.events if type(event) is kind]


def test_a_proposal_ends_with_its_leaders(assembly: Assembly) -> None:
    proposal = _ended(assembly, quorum=1)
    record = assembly.proposal(proposal)
    event = ProposalEnded(proposal, assembly.shop.program, 1, 0, 1, True, (1,), record.answer_by)
    assert _events_of(assembly, ProposalEnded) == [event]
    assert event.subjects() == (proposal, assembly.shop.program)
    assert record.leaders == (1,)


def test_it_does_not_end_before_its_blocks(assembly: Assembly) -> None:
    proposal = assembly.propose()
    assembly.chain.advance(days=3)
    assembly.chain.mine(3)
    assert assembly.proposal(proposal).status == VOTING
    assembly.chain.mine(4)
    record = assembly.proposal(proposal)
    assert (record.status, record.leaders) == (ENDED, ())


def test_a_brand_that_stays_silent_is_on_record(assembly: Assembly) -> None:
    proposal = _ended(assembly)
    assembly.shop.pass_days(30)
    assert assembly.proposal(proposal).status == SILENT
    event = ProposalUnanswered(proposal, assembly.shop.program, SILENT)
    assert _events_of(assembly, ProposalUnanswered) == [event]
    assert event.subjects() == (proposal, assembly.shop.program)
    with refused(ANSWER_LATE):
        assembly.respond(proposal)


def test_without_a_quorum_no_answer_is_owed(assembly: Assembly) -> None:
    proposal, answered = _ended(assembly, quorum=2), _ended(assembly, quorum=2)
    assembly.respond(answered, Decline())
    assembly.shop.pass_days(30)
    assert assembly.proposal(proposal).status == LAPSED
    assert assembly.proposal(answered).status == DECLINED
    with refused(ANSWER_LATE):
        assembly.respond(proposal)


def test_the_owner_has_six_blocks_also_after_an_outage(assembly: Assembly) -> None:
    proposal = _ended(assembly)
    record = assembly.proposal(proposal)
    assembly.chain.block(time=record.answer_by + DAY_SECONDS)
    if assembly.chain.height < record.answer_height:
        assembly.chain.mine(record.answer_height - assembly.chain.height - 1)
        assembly.respond(proposal)
    assert assembly.proposal(proposal).status == ADOPTED


def test_an_answer_after_its_time_is_late_whether_or_not_silence_was_noted(assembly: Assembly) -> None:
    proposal = _ended(assembly)
    record = assembly.proposal(proposal)
    assembly.chain.mine(6)
    assembly.chain.block(time=record.answer_by - 1)
    payload = ProposalRespond(proposal, Decline(), WHY)
    assembly.chain.send("proposal.respond", payload, author=OWNER)
    late = _ended(assembly)
    until = assembly.proposal(late).answer_by
    assembly.chain.mine(6)
    assembly.chain.block(time=until)
    with refused(ANSWER_LATE, until=until):
        assembly.respond(late)


def test_adopting_makes_an_obligation(assembly: Assembly) -> None:
    shop, proposal = assembly.shop, _ended(assembly)
    reward = shop.list_reward()
    now, due = shop.now, Timestamp(shop.now + 400 * DAY_SECONDS)
    assembly.respond(proposal, Adopt(due, Hash(reward)))
    event = ProposalAnswered(proposal, shop.program, ADOPTED, due, Hash(reward), WHY, OWNER.address)
    assert assembly.chain.events == (event,)
    assert event.subjects() == (proposal, shop.program)
    record, obligation = assembly.proposal(proposal), assembly.obligation(proposal)
    assert (record.status, record.answered_at, record.why) == (ADOPTED, now, WHY)
    found = (obligation.status, obligation.due_at, obligation.grace_until, obligation.product, obligation.deposit)
    assert found == (OPEN, due, due + 30 * DAY_SECONDS, reward, 10_000)
    campaign = shop.create_campaign()
    other = _ended(assembly)
    assembly.respond(other, Adopt(Timestamp(shop.now + 1), Hash(campaign)))
    assert assembly.obligation(other).product == campaign


def test_declining_says_why(assembly: Assembly) -> None:
    proposal = _ended(assembly)
    assembly.respond(proposal, Decline())
    assert assembly.chain.events == (
        ProposalAnswered(proposal, assembly.shop.program, DECLINED, Timestamp(0), Hash(b""), WHY, OWNER.address),
    )
    assert assembly.chain.record(obligation_key(proposal)) is None


def test_failures_of_answering_come_in_the_documented_order(assembly: Assembly) -> None:
    shop, chain = assembly.shop, assembly.chain
    campaign, foreign = shop.create_campaign(days=30), shop.create_campaign(author=FRIEND)
    shop.pledge(FAN, campaign, 100)
    proposal = assembly.propose(weight=PledgedTo(campaign))
    payload = ProposalRespond(ProposalId(NOWHERE), Decline(), WHY)

    def send(changed: ProposalRespond, author: Signer = OWNER) -> None:
        chain.send("proposal.respond", changed, author=author)

    with refused(NO_PROPOSAL, proposal=NOWHERE):
        send(payload, FAN)
    payload = replace(payload, proposal=proposal)
    with refused(NOT_OWNER):
        send(payload, FAN)
    with refused(NOT_ENDED):
        send(payload)
    assembly.cast(proposal, FAN, 0, pledges=(0,))
    shop.pass_days(2)
    with refused(BINDING):
        send(payload)
    for due in (shop.now, shop.now + 400 * DAY_SECONDS + 1):
        with refused(BAD_DUE, due=due, maximum=400):
            send(replace(payload, answer=Adopt(Timestamp(due), Hash(NOWHERE))))
    due = Timestamp(shop.now + 1)
    for product in (Hash(NOWHERE), Hash(foreign)):
        with refused(BAD_PRODUCT, product=product):
            send(replace(payload, answer=Adopt(due, product)))
    adopt = replace(payload, answer=Adopt(due, Hash(b"")))
    send(adopt)
    with refused(ANSWERED):
        send(adopt)
    assert PROPOSAL_RESPOND.reads(OWNER.address, payload) == (proposal_key(proposal),)


def test_an_owner_without_coin_can_not_adopt(assembly: Assembly) -> None:
    proposal = _ended(assembly)
    left = assembly.shop.coin_of(OWNER)
    rest = ToAccount(FAN.address)
    assembly.chain.send("transfer", Transfer(rest, Amount(left - 12_500)), author=OWNER)
    with refused(INSUFFICIENT, needed=10_000):
        assembly.respond(proposal)


def test_a_binding_proposal_without_a_quorum_may_be_declined(assembly: Assembly) -> None:
    campaign = assembly.shop.create_campaign(days=30)
    for _ in range(11):
        assembly.shop.pledge(FAN, campaign, 5)
    proposal = assembly.propose(weight=PledgedTo(campaign), quorum=2)
    assembly.cast(proposal, FAN, 0, pledges=(0,))
    assembly.shop.pass_days(2)
    assembly.respond(proposal, Decline())
    assert assembly.proposal(proposal).status == DECLINED


@pytest.mark.parametrize(
    ("seconds_after_due", "status", "late"),
    [(0, KEPT, 0), (1, LATE, 1), (19 * DAY_SECONDS, LATE, 19), (30 * DAY_SECONDS - 1, LATE, 30)],
)
def test_kept_or_late(assembly: Assembly, seconds_after_due: int, status: int, late: int) -> None:
    proposal = _adopted(assembly)
    due = assembly.obligation(proposal).due_at
    assembly.chain.mine(6)
    assembly.chain.block(time=due + seconds_after_due)
    now = assembly.shop.now
    assembly.chain.send("obligation.fulfil", ObligationFulfil(proposal, EVIDENCE), author=OWNER)
    obligation = assembly.obligation(proposal)
    assert (obligation.status, obligation.fulfilled_at, obligation.evidence) == (status, now, EVIDENCE)
    event = ObligationFulfilled(proposal, assembly.shop.program, status, late, EVIDENCE)
    assert assembly.chain.events == (event,)
    assert event.subjects() == (proposal, assembly.shop.program)
    with refused(FULFILLED):
        assembly.chain.send("obligation.fulfil", ObligationFulfil(proposal, EVIDENCE), author=OWNER)
    assembly.shop.pass_days(40)
    assert assembly.obligation(proposal).status == status


def test_what_is_not_done_is_broken_and_stays_so(assembly: Assembly) -> None:
    proposal = _adopted(assembly)
    due = assembly.obligation(proposal).due_at
    assembly.shop.pass_days(41)
    assert assembly.obligation(proposal).status == BROKEN
    event = ObligationBroken(proposal, assembly.shop.program, due)
    assert _events_of(assembly, ObligationBroken) == [event]
    assert event.subjects() == (proposal, assembly.shop.program)
    assembly.chain.send("obligation.fulfil", ObligationFulfil(proposal, EVIDENCE), author=OWNER)
    obligation = assembly.obligation(proposal)
    assert (obligation.status, obligation.evidence) == (BROKEN, EVIDENCE)
    done = assembly.chain.events[0]
    assert isinstance(done, ObligationFulfilled) and done.days_late == 32


def test_the_grace_has_six_blocks_too(assembly: Assembly) -> None:
    proposal = _adopted(assembly, days=1)
    assembly.chain.block(time=assembly.obligation(proposal).grace_until)
    assembly.chain.mine(2)
    assert assembly.obligation(proposal).status == OPEN
    assembly.chain.mine(4)
    assert assembly.obligation(proposal).status == BROKEN


def test_failures_of_fulfilling(assembly: Assembly) -> None:
    send, payload = assembly.chain.send, ObligationFulfil(ProposalId(NOWHERE), some_hash("done"))
    with refused(NO_OBLIGATION, proposal=NOWHERE):
        send("obligation.fulfil", payload, author=FAN)
    proposal = _adopted(assembly)
    with refused(NOT_OWNER):
        send("obligation.fulfil", replace(payload, proposal=proposal), author=FAN)
    assert OBLIGATION_FULFIL.reads(OWNER.address, payload) == (obligation_key(ProposalId(NOWHERE)),)


@pytest.mark.parametrize(("seconds", "days"), [(-5, 0), (0, 0), (1, 1), (86_400, 1), (86_401, 2)])
def test_days_late(seconds: int, days: int) -> None:
    assert days_late(Timestamp(1_000), Timestamp(1_000 + seconds)) == days
