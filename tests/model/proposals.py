"""Proposals from the question to the answer, and what an answer obliges to: VOI-1, VOI-5 (due work), VOI-6, VOI-7."""

from tests.model.records import DAY, refuse_unless
from tests.model.state import Model
from tests.model.tallies import empty_tally, leaders, quorum_is_met
from tests.model.transaction import Call
from tests.model.voice_records import (
    ADOPTED,
    BROKEN,
    DECLINED,
    ENDED,
    KEPT,
    LAPSED,
    PLEDGED_TO,
    RANKED,
    REVEALING,
    SEALED_BALLOTS,
    SILENT,
    STANDS,
    TOO_LATE,
    VOTING,
    Obligation,
    Proposal,
)
from tests.second_decoder.hashing import object_id

VOTING_MAX = 92 * DAY
REVEALING_MAX = 31 * DAY
TENURE = 30 * DAY
ANSWER_SECONDS = 30 * DAY
GRACE = 30 * DAY
DUE_MAX = 400 * DAY
BLOCKS_MIN = 6
RANKED_MAX = 12
ADOPT = 0


def proposal_of(model: Model, wanted: bytes) -> Proposal:
    """The proposal, which exists."""
    refuse_unless(wanted in model.proposals, "proposal.unknown")
    return model.proposals[wanted]


def voting_is_over(model: Model, proposal: Proposal) -> bool:
    """VOI-3."""
    return model.now >= proposal.voting_until and model.height >= proposal.voting_height


def _times_fit(model: Model, mode: int, voting_until: int, reveal_until: int) -> bool:
    """VOI-1, 2."""
    if not model.now < voting_until <= model.now + VOTING_MAX:
        return False
    if mode == SEALED_BALLOTS:
        return voting_until < reveal_until <= voting_until + REVEALING_MAX
    return reveal_until == 0


def _has_tenure(model: Model, program: bytes, author: bytes) -> bool:
    """VOI-1, 4."""
    if model.programs[program].owner == author:
        return True
    return model.is_present_member(program, author) and model.members[program, author].joined_at + TENURE <= model.now


def least_quorum(model: Model, program: bytes, weight: tuple, author: bytes) -> tuple[int, int]:
    """VOI-1, 6: the electorate, and how many of it at least."""
    if weight[0] == PLEDGED_TO:
        electorate = model.campaigns[weight[1]].pledges
        return electorate, -(-electorate // 10)
    electorate = model.books[program].members
    return electorate, 0 if model.programs[program].owner == author else -(-electorate // 100)


def create(model: Model, call: Call, payload: tuple) -> list[str]:
    """VOI-1."""
    program, title, text, options, method, mode, weight, quorum, voting_until, reveal_until = payload
    refuse_unless(len(set(options)) == len(options), "proposal.options")
    refuse_unless(method != RANKED or len(options) <= RANKED_MAX, "proposal.options")
    refuse_unless(_times_fit(model, mode, voting_until, reveal_until), "proposal.times")
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(_has_tenure(model, program, call.author), "proposal.no_tenure")
    if weight[0] == PLEDGED_TO:
        refuse_unless(weight[1] in model.campaigns, "campaign.unknown")
        theirs = model.campaigns[weight[1]].creator == model.programs[program].owner
        refuse_unless(theirs, "proposal.foreign_campaign")
    electorate, least = least_quorum(model, program, weight, call.author)
    refuse_unless(quorum >= least, "proposal.quorum_low")
    deposit = 2 * model.record_deposit
    model.take(call.payer, deposit)
    proposal = object_id("proposal", call.txid)
    model.proposals[proposal] = Proposal(
        payer=call.payer,
        deposit=deposit,
        program=program,
        proposer=call.author,
        title=title,
        text=text,
        options=options,
        method=method,
        mode=mode,
        weight=weight,
        quorum=quorum,
        snapshot_height=model.height - 1,
        snapshot_at=model.now,
        snapshot_root=model.parent_root,
        snapshot_slots=model.parent_slots,
        electorate=electorate,
        voting_until=voting_until,
        voting_height=model.height + BLOCKS_MIN,
        reveal_until=reveal_until,
        reveal_height=0,
        status=VOTING,
        leaders=(),
        answer_by=0,
        answer_height=0,
        answered_at=0,
        why=b"",
    )
    model.tallies[proposal] = empty_tally(len(options), method)
    model.queue("proposal.step", proposal, 0, voting_until)
    return [""]


# --- due work (VOI-5) ---


def _end(model: Model, wanted: bytes) -> None:
    proposal = model.proposals[wanted]
    answer_by = model.now + ANSWER_SECONDS
    model.proposals[wanted] = proposal._replace(
        status=ENDED,
        leaders=leaders(proposal, model.tallies[wanted]),
        answer_by=answer_by,
        answer_height=model.height + BLOCKS_MIN,
    )
    model.queue("proposal.step", wanted, 2, answer_by)


def _end_of_voting(model: Model, wanted: bytes) -> bool:
    proposal = model.proposals[wanted]
    if not voting_is_over(model, proposal):
        return False
    if proposal.mode == SEALED_BALLOTS and model.tallies[wanted].committed > 0:
        model.proposals[wanted] = proposal._replace(status=REVEALING, reveal_height=model.height + BLOCKS_MIN)
        model.queue("proposal.step", wanted, 1, proposal.reveal_until)
    else:
        _end(model, wanted)
    return True


def _end_of_revealing(model: Model, wanted: bytes) -> bool:
    proposal = model.proposals[wanted]
    if model.now < proposal.reveal_until or model.height < proposal.reveal_height:
        return False
    _end(model, wanted)
    return True


def _end_of_answering(model: Model, wanted: bytes) -> bool:
    proposal = model.proposals[wanted]
    if proposal.status != ENDED:
        return True
    if model.now < proposal.answer_by or model.height < proposal.answer_height:
        return False
    met = quorum_is_met(proposal, model.tallies[wanted])
    model.proposals[wanted] = proposal._replace(status=SILENT if met else LAPSED)
    return True


def _end_of_grace(model: Model, wanted: bytes) -> bool:
    obligation = model.obligations[wanted]
    if obligation.status != STANDS:
        return True
    if not is_broken(model, obligation):
        return False
    model.obligations[wanted] = obligation._replace(status=BROKEN)
    return True


STEPS = (_end_of_voting, _end_of_revealing, _end_of_answering, _end_of_grace)


def do_step(model: Model, wanted: bytes, number: int) -> None:
    """Due work `proposal.step`: done, or queued again."""
    if not STEPS[number](model, wanted):
        model.queue("proposal.step", wanted, number, model.now + 1)


# --- answers and obligations ---


def _is_product(model: Model, program: bytes, owner: bytes, product: bytes) -> bool:
    campaign = model.campaigns.get(product)
    return (campaign is not None and campaign.creator == owner) or (program, product) in model.rewards


def respond(model: Model, call: Call, payload: tuple) -> list[str]:
    """VOI-6."""
    wanted, answer, why = payload
    proposal = proposal_of(model, wanted)
    refuse_unless(model.programs[proposal.program].owner == call.author, "program.not_owner")
    refuse_unless(proposal.status not in (VOTING, REVEALING), "proposal.not_ended")
    refuse_unless(proposal.status not in (ADOPTED, DECLINED), "proposal.answered")
    refuse_unless(proposal.status == ENDED, "proposal.answer_late")
    late = model.now >= proposal.answer_by and model.height >= proposal.answer_height
    refuse_unless(not late, "proposal.answer_late")
    if answer[0] == ADOPT:
        _adopt(model, call, wanted, *answer[1:])
        status = ADOPTED
    else:
        binds = proposal.weight[0] == PLEDGED_TO and quorum_is_met(proposal, model.tallies[wanted])
        refuse_unless(not binds, "proposal.binding")
        status = DECLINED
    model.proposals[wanted] = proposal._replace(status=status, answered_at=model.now, why=why)
    return [""]


def _adopt(model: Model, call: Call, wanted: bytes, due_at: int, product: bytes) -> None:
    program = model.proposals[wanted].program
    refuse_unless(model.now < due_at <= model.now + DUE_MAX, "obligation.due")
    known = product == b"" or _is_product(model, program, call.author, product)
    refuse_unless(known, "obligation.product")
    model.take(call.payer, model.record_deposit)
    model.obligations[wanted] = Obligation(
        payer=call.payer,
        deposit=model.record_deposit,
        program=program,
        due_at=due_at,
        grace_until=due_at + GRACE,
        grace_height=model.height + BLOCKS_MIN,
        product=product,
        status=STANDS,
        fulfilled_at=0,
        evidence=b"",
    )
    model.queue("proposal.step", wanted, 3, due_at + GRACE)


def is_broken(model: Model, obligation: Obligation) -> bool:
    """VOI-7."""
    if obligation.status != STANDS:
        return obligation.status == BROKEN
    return model.now >= obligation.grace_until and model.height >= obligation.grace_height


def fulfil(model: Model, call: Call, payload: tuple) -> list[str]:
    """VOI-7."""
    wanted, evidence = payload
    refuse_unless(wanted in model.obligations, "obligation.unknown")
    obligation = model.obligations[wanted]
    refuse_unless(model.programs[obligation.program].owner == call.author, "program.not_owner")
    refuse_unless(obligation.fulfilled_at == 0, "obligation.fulfilled")
    in_time = KEPT if model.now <= obligation.due_at else TOO_LATE
    status = BROKEN if is_broken(model, obligation) else in_time
    model.obligations[wanted] = obligation._replace(status=status, fulfilled_at=model.now, evidence=evidence)
    return [""]
