"""`proposal.respond`: the owner adopts, which is an obligation, or declines; either with its reason (spec VOI-6)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import lock_deposit
from ledger.domains.crowdfunding.state import Campaign, campaign_key
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import TIME, load_program
from ledger.domains.rewards.state import reward_key
from ledger.domains.voice.closing import END_OF_GRACE, STEP_DUE
from ledger.domains.voice.events import ProposalAnswered
from ledger.domains.voice.state import (
    ADOPTED,
    DECLINED,
    ENDED,
    NO_HASH,
    NOT_YET,
    OPEN,
    SILENT,
    Obligation,
    Proposal,
    load_proposal,
    load_tally,
    obligation_key,
    proposal_key,
)
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import OBLIGATION_DAYS_MAX, OBLIGATION_GRACE_SECONDS, PROPOSAL_BLOCKS_MIN
from ledger.schema import OneOf, OptionalIdentifier, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, Hash, Height, ProgramId, ProposalId, RecordKey, RewardId, Timestamp

NOT_ENDED = Code(
    "proposal.not_ended", "the proposal is not counted yet", "Answer when voting and revealing are over and counted."
)
ANSWERED = Code("proposal.answered", "the proposal was answered already", "Nothing: an answer is given once.")
ANSWER_LATE = Code(
    "proposal.answer_late",
    "the time to answer went by at {until:time}",
    "Nothing: that no answer came is on the record. A new proposal can be answered.",
)
BINDING = Code(
    "proposal.binding",
    "backers decided this with their pledges and met the quorum: it can't be declined",
    "Adopt it, with the day by which you will do it.",
)
BAD_DUE = Code(
    "obligation.due",
    "the due time {due:time} is not within the next {maximum} days of {time:time}",
    "Choose a time in the future, at most 400 days away.",
)
BAD_PRODUCT = Code(
    "obligation.product",
    "{product} is neither a campaign of the program's owner nor a reward of the program",
    "Name one of these, or nothing.",
)


@dataclass(frozen=True, slots=True)
class Adopt:
    """The winner will be done by `due_at`; `product` is the campaign or the reward that it is about, if there is one."""

    tag: ClassVar[int] = 0
    due_at: Annotated[Timestamp, TIME]
    product: Annotated[Hash, OptionalIdentifier()]


@dataclass(frozen=True, slots=True)
class Decline:
    """It will not be done."""

    tag: ClassVar[int] = 1


Answer = Adopt | Decline
ANSWER = OneOf(Adopt, Decline)


@dataclass(frozen=True, slots=True)
class ProposalRespond:
    """The owner's answer, and the hash of the text that says why (TXT-1)."""

    proposal: Annotated[ProposalId, identifier()]
    answer: Annotated[Answer, ANSWER]
    why: Annotated[Hash, identifier()]


def apply(view: RuleView, call: Call, payload: ProposalRespond, context: Context) -> tuple[str, ...]:
    """Codes in order: `proposal.unknown`, `program.not_owner`, `proposal.not_ended`, `proposal.answered`, `proposal.answer_late`,
    `proposal.binding`, `obligation.due`, `obligation.product`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    proposal = load_proposal(view, payload.proposal)
    owner = load_program(view, proposal.program).owner
    if call.author != owner:
        raise RuleViolation(NOT_OWNER)
    _check_answerable(proposal, context)
    status, due_at, product = DECLINED, NOT_YET, NO_HASH
    if isinstance(payload.answer, Adopt):
        status, due_at, product = ADOPTED, payload.answer.due_at, payload.answer.product
        _make_obligation(view, call, payload.proposal, proposal.program, payload.answer, context)
    elif proposal.is_binding and load_tally(view, payload.proposal).counted >= proposal.quorum:
        raise RuleViolation(BINDING)
    answered = replace(proposal, status=status, answered_at=context.time, why=payload.why)
    view.put(proposal_key(payload.proposal), answered)
    view.emit(ProposalAnswered(payload.proposal, proposal.program, status, due_at, product, payload.why, owner))
    return (APPLIED,)


def _check_answerable(proposal: Proposal, context: Context) -> None:
    if proposal.status < ENDED:
        raise RuleViolation(NOT_ENDED)
    if proposal.status in (ADOPTED, DECLINED):
        raise RuleViolation(ANSWERED)
    if proposal.status >= SILENT or proposal.answering_is_over(context):
        raise RuleViolation(ANSWER_LATE, until=proposal.answer_by)


def _make_obligation(
    view: RuleView, call: Call, proposal_id: ProposalId, program: ProgramId, answer: Adopt, context: Context
) -> None:
    """What is adopted is due. Raises `obligation.due`, `obligation.product`, and what locking the deposit raises."""
    if not context.time < answer.due_at <= context.time + OBLIGATION_DAYS_MAX * 86_400:
        raise RuleViolation(BAD_DUE, due=answer.due_at, maximum=OBLIGATION_DAYS_MAX, time=context.time)
    if answer.product and not _is_product(view, call.author, program, answer.product):
        raise RuleViolation(BAD_PRODUCT, product=answer.product)
    obligation = Obligation(
        payer=call.payer,
        deposit=lock_deposit(view, call, context),
        program=program,
        due_at=answer.due_at,
        grace_until=Timestamp(answer.due_at + OBLIGATION_GRACE_SECONDS),
        grace_height=Height(context.height + PROPOSAL_BLOCKS_MIN),
        product=answer.product,
        status=OPEN,
        fulfilled_at=NOT_YET,
        evidence=NO_HASH,
    )
    view.put(obligation_key(proposal_id), obligation)
    schedule(view, kind=STEP_DUE, subject=proposal_id, number=END_OF_GRACE, due=obligation.grace_until)


def _is_product(view: RuleView, owner: Address, program: ProgramId, product: Hash) -> bool:
    campaign: Campaign | None = view.get(campaign_key(CampaignId(product)))
    if campaign is not None:
        return campaign.creator == owner
    return view.get(reward_key(program, RewardId(product))) is not None


def cost(payload: ProposalRespond) -> Cost:
    """The proposal changes; adopting makes an obligation and a due item."""
    return Cost(records=3, slots=2, due=1)


def reads(author: Address, payload: ProposalRespond) -> tuple[RecordKey, ...]:
    """The proposal."""
    return (proposal_key(payload.proposal),)


PROPOSAL_RESPOND = Kind(
    name="proposal.respond", anchor="VOI-6", payload=Struct(ProposalRespond), apply=apply, cost=cost, reads=reads
)
