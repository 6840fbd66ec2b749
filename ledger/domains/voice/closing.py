"""What blocks do for a proposal by themselves: end voting and revealing, note silence, and what was not kept (spec VOI-5)."""

from ledger.domains.voice.events import ObligationBroken, ProposalEnded, ProposalRevealing, ProposalUnanswered
from ledger.domains.voice.state import (
    BROKEN,
    ENDED,
    LAPSED,
    OPEN,
    REVEALING,
    SILENT,
    Proposal,
    Tally,
    load_obligation,
    load_proposal,
    load_tally,
    obligation_key,
    proposal_key,
)
from ledger.domains.voice.tally import leaders_of
from ledger.due import schedule
from ledger.evolve import replace
from ledger.kinds import Context, DueKind
from ledger.params import PROPOSAL_ANSWER_SECONDS, PROPOSAL_BLOCKS_MIN
from ledger.state import RuleView
from ledger.types import Height, ProposalId, Timestamp

STEP_DUE = "proposal.step"
END_OF_VOTING = 0
END_OF_REVEALING = 1
END_OF_ANSWERING = 2
END_OF_GRACE = 3


def step(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work of a proposal: the step of this number, or to be looked at again where blocks are missing still."""
    proposal_id = ProposalId(subject)
    if not _STEPS[number](view, proposal_id, context):
        schedule(view, kind=STEP_DUE, subject=subject, number=number, due=Timestamp(context.time + 1))


def _end_voting(view: RuleView, proposal_id: ProposalId, context: Context) -> bool:
    """Begin to reveal where there is something to reveal. False: voting is not over."""
    proposal = load_proposal(view, proposal_id)
    if not proposal.voting_is_over(context):
        return False
    tally = load_tally(view, proposal_id)
    if not tally.committed:
        _end(view, proposal_id, proposal, tally, context)
        return True
    height = Height(context.height + PROPOSAL_BLOCKS_MIN)
    view.put(proposal_key(proposal_id), replace(proposal, status=REVEALING, reveal_height=height))
    schedule(view, kind=STEP_DUE, subject=proposal_id, number=END_OF_REVEALING, due=proposal.reveal_until)
    view.emit(ProposalRevealing(proposal_id, proposal.program, tally.committed, proposal.reveal_until))
    return True


def _end_revealing(view: RuleView, proposal_id: ProposalId, context: Context) -> bool:
    """Count what was opened. False: revealing is not over."""
    proposal = load_proposal(view, proposal_id)
    if not proposal.revealing_is_over(context):
        return False
    _end(view, proposal_id, proposal, load_tally(view, proposal_id), context)
    return True


def _end(view: RuleView, proposal_id: ProposalId, proposal: Proposal, tally: Tally, context: Context) -> None:
    leaders = leaders_of(proposal, tally)
    ended = replace(
        proposal,
        status=ENDED,
        leaders=leaders,
        answer_by=Timestamp(context.time + PROPOSAL_ANSWER_SECONDS),
        answer_height=Height(context.height + PROPOSAL_BLOCKS_MIN),
    )
    view.put(proposal_key(proposal_id), ended)
    schedule(view, kind=STEP_DUE, subject=proposal_id, number=END_OF_ANSWERING, due=ended.answer_by)
    view.emit(
        ProposalEnded(
            proposal=proposal_id,
            program=proposal.program,
            counted=tally.counted,
            abstained=tally.committed - tally.counted if tally.committed else 0,
            power=tally.power,
            quorum_met=tally.counted >= proposal.quorum,
            leaders=leaders,
            answer_by=ended.answer_by,
        )
    )


def _end_answering(view: RuleView, proposal_id: ProposalId, context: Context) -> bool:
    """Note that nobody answered. False: there is time left."""
    proposal = load_proposal(view, proposal_id)
    if proposal.status != ENDED:
        return True
    if not proposal.answering_is_over(context):
        return False
    status = SILENT if load_tally(view, proposal_id).counted >= proposal.quorum else LAPSED
    view.put(proposal_key(proposal_id), replace(proposal, status=status))
    view.emit(ProposalUnanswered(proposal_id, proposal.program, status))
    return True


def _end_grace(view: RuleView, proposal_id: ProposalId, context: Context) -> bool:
    """Note that an obligation was not kept. False: its grace is not over."""
    obligation = load_obligation(view, proposal_id)
    if obligation.status != OPEN:
        return True
    if not obligation.is_broken(context):
        return False
    view.put(obligation_key(proposal_id), replace(obligation, status=BROKEN))
    view.emit(ObligationBroken(proposal_id, obligation.program, obligation.due_at))
    return True


_STEPS = (_end_voting, _end_revealing, _end_answering, _end_grace)

PROPOSAL_STEP = DueKind(name=STEP_DUE, anchor="VOI-5", weight=300, apply=step)
