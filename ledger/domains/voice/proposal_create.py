"""`proposal.create`: a program's owner, or a member of some time, asks those who were there before it asked (spec VOI-1)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.coin import take_from
from ledger.domains.crowdfunding.state import campaign_key, load_campaign
from ledger.domains.loyalty.state import (
    TIME,
    Member,
    Program,
    books_key,
    load_books,
    load_program,
    member_key,
    program_key,
)
from ledger.domains.voice.closing import END_OF_VOTING, STEP_DUE
from ledger.domains.voice.state import (
    BALLOT_WEIGHT,
    METHOD,
    MODE,
    NO_HASH,
    NO_HEIGHT,
    NOT_YET,
    OPENLY,
    OPTIONS,
    QUORUM,
    RANKED,
    TITLE,
    VOTING,
    BallotWeight,
    PledgedTo,
    Proposal,
    proposal_key,
    tally_key,
)
from ledger.domains.voice.tally import empty_tally
from ledger.due import schedule
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import (
    BINDING_QUORUM_DIVISOR,
    PROPOSAL_BLOCKS_MIN,
    PROPOSAL_QUORUM_DIVISOR,
    PROPOSAL_REVEAL_SECONDS_MAX,
    PROPOSAL_TENURE_SECONDS,
    PROPOSAL_VOTING_SECONDS_MAX,
    RANKED_OPTIONS_MAX,
)
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.supply import load_chain_record
from ledger.types import Address, Amount, Hash, Height, ProgramId, ProposalId, RecordKey, Timestamp

BAD_OPTIONS = Code(
    "proposal.options",
    "no two options may be equal, and at most {maximum} can be ranked",
    "Name each option once; with more of them choose another method.",
)
BAD_TIMES = Code(
    "proposal.times",
    "voting until {voting:time} and revealing until {revealing:time} don't fit the time {time:time}",
    "Voting ends within 92 days; revealing, of a sealed vote only, at most 31 days later.",
)
NO_TENURE = Code(
    "proposal.no_tenure",
    "only the program's owner, and who has been its member for {needed:day}, can propose",
    "Join the program, and propose when you have been a member for so long.",
)
FOREIGN_CAMPAIGN = Code(
    "proposal.foreign_campaign",
    "the campaign is not one of the program's owner",
    "Name a campaign that the program's owner created, or another weight.",
)
QUORUM_LOW = Code(
    "proposal.quorum_low",
    "a quorum of {found} is too low: of {electorate} who may vote {needed} must",
    "Raise the quorum; it counts ballots.",
)


@dataclass(frozen=True, slots=True)
class ProposalCreate:
    """Ask which of the options it shall be. The id is `object_id("proposal", txid, 0)`. `text` is a text hash (TXT-1).

    Voting and revealing end at their times, and not before so many blocks; `reveal_until` is 0 where votes are open.
    """

    program: Annotated[ProgramId, identifier()]
    title: Annotated[str, TITLE]
    text: Annotated[Hash, identifier()]
    options: Annotated[tuple[str, ...], OPTIONS]
    method: Annotated[int, METHOD]
    mode: Annotated[int, MODE]
    weight: Annotated[BallotWeight, BALLOT_WEIGHT]
    quorum: Annotated[int, QUORUM]
    voting_until: Annotated[Timestamp, TIME]
    reveal_until: Annotated[Timestamp, TIME]


@declare_event
@dataclass(frozen=True, slots=True)
class ProposalCreated(Event):
    """Members or backers are asked."""

    name: ClassVar[str] = "proposal.created"
    proposal: Annotated[ProposalId, identifier()]
    program: Annotated[ProgramId, identifier()]
    proposer: Annotated[Address, identifier()]
    title: Annotated[str, TITLE]
    voting_until: Annotated[Timestamp, TIME]
    text: Annotated[Hash, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.proposal, self.program, self.proposer)


def apply(view: RuleView, call: Call, payload: ProposalCreate, context: Context) -> tuple[str, ...]:
    """Codes in order: `proposal.options`, `proposal.times`, `program.unknown`, `proposal.no_tenure`, `campaign.unknown`,
    `proposal.foreign_campaign`, `proposal.quorum_low`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    _check_form(payload, context)
    program = load_program(view, payload.program)
    _check_tenure(view, call.author, payload.program, program, context)
    electorate = _check_quorum(view, call.author, payload, program)
    deposit = Amount(2 * context.params.record_deposit)
    take_from(view, call.payer, deposit, "locked")
    proposal_id = ProposalId(object_id("proposal", call.txid, 0))
    proposal = Proposal(
        payer=call.payer,
        deposit=deposit,
        program=payload.program,
        proposer=call.author,
        title=payload.title,
        text=payload.text,
        options=payload.options,
        method=payload.method,
        mode=payload.mode,
        weight=payload.weight,
        quorum=payload.quorum,
        snapshot_height=Height(context.height - 1),
        snapshot_at=context.time,
        snapshot_root=context.state_root,
        snapshot_slots=load_chain_record(view).slot_count,
        electorate=electorate,
        voting_until=payload.voting_until,
        voting_height=Height(context.height + PROPOSAL_BLOCKS_MIN),
        reveal_until=payload.reveal_until,
        reveal_height=NO_HEIGHT,
        status=VOTING,
        leaders=(),
        answer_by=NOT_YET,
        answer_height=NO_HEIGHT,
        answered_at=NOT_YET,
        why=NO_HASH,
    )
    view.put(proposal_key(proposal_id), proposal)
    view.put(tally_key(proposal_id), empty_tally(payload.method, len(payload.options)))
    schedule(view, kind=STEP_DUE, subject=proposal_id, number=END_OF_VOTING, due=payload.voting_until)
    created = ProposalCreated(
        proposal_id, payload.program, call.author, payload.title, payload.voting_until, payload.text
    )
    view.emit(created)
    return (APPLIED,)


def _check_form(payload: ProposalCreate, context: Context) -> None:
    """The options are different ones and not too many, and the times follow each other."""
    options, voting, revealing = payload.options, payload.voting_until, payload.reveal_until
    too_many = payload.method == RANKED and len(options) > RANKED_OPTIONS_MAX
    if too_many or len(set(options)) < len(options):
        raise RuleViolation(BAD_OPTIONS, maximum=RANKED_OPTIONS_MAX)
    if payload.mode == OPENLY:
        reveals_well = revealing == 0
    else:
        reveals_well = voting < revealing <= voting + PROPOSAL_REVEAL_SECONDS_MAX
    if not context.time < voting <= context.time + PROPOSAL_VOTING_SECONDS_MAX or not reveals_well:
        raise RuleViolation(BAD_TIMES, voting=voting, revealing=revealing, time=context.time)


def _check_tenure(view: RuleView, author: Address, program_id: ProgramId, program: Program, context: Context) -> None:
    """The owner may ask at any time, a member after some time."""
    if author == program.owner:
        return
    member: Member | None = view.get(member_key(program_id, author))
    if member is None or member.left_at or context.time < member.joined_at + PROPOSAL_TENURE_SECONDS:
        raise RuleViolation(NO_TENURE, needed=PROPOSAL_TENURE_SECONDS // 86_400)


def _check_quorum(view: RuleView, author: Address, payload: ProposalCreate, program: Program) -> int:
    """How many may vote, of whom enough must for the proposal to count."""
    if isinstance(payload.weight, PledgedTo):
        campaign = load_campaign(view, payload.weight.campaign)
        if campaign.creator != program.owner:
            raise RuleViolation(FOREIGN_CAMPAIGN)
        electorate, divisor = campaign.pledges, BINDING_QUORUM_DIVISOR
    else:
        electorate, divisor = load_books(view, payload.program).members, PROPOSAL_QUORUM_DIVISOR
    needed = -(-electorate // divisor)
    is_free = author == program.owner and not isinstance(payload.weight, PledgedTo)
    if payload.quorum < needed and not is_free:
        raise RuleViolation(QUORUM_LOW, found=payload.quorum, electorate=electorate, needed=needed)
    return electorate


def cost(payload: ProposalCreate) -> Cost:
    """Proposal, tally and due item are made, the payer touched; two more steps will follow."""
    return Cost(records=4, slots=3, due=3)


def reads(author: Address, payload: ProposalCreate) -> tuple[RecordKey, ...]:
    """Program, books, the proposer's membership, and the campaign."""
    keys = (program_key(payload.program), books_key(payload.program), member_key(payload.program, author))
    if isinstance(payload.weight, PledgedTo):
        return (*keys, campaign_key(payload.weight.campaign))
    return keys


PROPOSAL_CREATE = Kind(
    name="proposal.create", anchor="VOI-1", payload=Struct(ProposalCreate), apply=apply, cost=cost, reads=reads
)
