"""Records of proposals: what is asked, its tally, its ballots, and what the owner took upon itself (spec VOI-1, VOI-3, VOI-7)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.loyalty.shapes import COIN, PAYER, TIME
from ledger.errors import Code, RuleViolation
from ledger.kinds import Context
from ledger.params import PROPOSAL_OPTIONS_MAX, RANKED_OPTIONS_MAX
from ledger.schema import Integer, ListOf, Octets, OneOf, OptionalIdentifier, Row, Text, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    CampaignId,
    Hash,
    Height,
    ProgramId,
    ProposalId,
    RecordKey,
    Timestamp,
)

NO_PROPOSAL = Code("proposal.unknown", "there is no proposal {proposal}", "`GET /v1/proposals` lists them.")
NO_OBLIGATION = Code(
    "obligation.unknown",
    "the proposal {proposal} has led to no obligation",
    "Only what was adopted is one: look at the proposal's answer.",
)

# How options are chosen (spec VOI-3).
SINGLE = 0
APPROVAL = 1
RANKED = 2
METHOD_NAMES = ("single", "approval", "ranked")
"""How people write the methods."""

# Whether choices are seen while voting goes on.
OPENLY = 0
SEALED = 1
MODE_NAMES = ("open", "sealed")
"""How people write the modes."""

# What has become of a proposal (spec VOI-1).
VOTING = 0
REVEALING = 1
ENDED = 2
ADOPTED = 3
DECLINED = 4
SILENT = 5
LAPSED = 6
PROPOSAL_STATUS_NAMES = ("voting", "revealing", "ended", "adopted", "declined", "silent", "lapsed")
"""How people write what has become of a proposal."""

# What has become of an obligation (spec VOI-7).
OPEN = 0
KEPT = 1
LATE = 2
BROKEN = 3
OBLIGATION_STATUS_NAMES = ("open", "kept", "late", "broken")
"""How people write what has become of an obligation."""

AGE_DAYS = (30, 90, 365, 1_095)
"""Days of membership at which the age classes 1 to 4 begin (spec VOI-2)."""
AGE_NOT_SHOWN = 5
"""Age class of those who vote by pledges: they show no membership."""
AGE_NAMES = ("under 30 days", "30 to 89 days", "90 to 364 days", "1 to 3 years", "3 years or longer", "not shown")
"""How people write the age classes."""

COUNT = Integer(0, 2**32 - 1)
HEIGHT = Integer(0, 2**32 - 1)
POWER = Integer(0, INTEGER_MAX)
TITLE = Text(1, 128)
OPTIONS = ListOf(Text(1, 64), 2, PROPOSAL_OPTIONS_MAX)
OPTION_NUMBER = Integer(0, PROPOSAL_OPTIONS_MAX - 1)
CHOICE = ListOf(OPTION_NUMBER, 1, PROPOSAL_OPTIONS_MAX)
CHOICE_MADE = ListOf(OPTION_NUMBER, 0, PROPOSAL_OPTIONS_MAX)
METHOD = Integer(SINGLE, RANKED)
MODE = Integer(OPENLY, SEALED)
QUORUM = Integer(1, 2**32 - 1)
AGE = Integer(0, AGE_NOT_SHOWN)


@dataclass(frozen=True, slots=True)
class EachMember:
    """Every member has one vote."""

    tag: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class EarnedPoints:
    """A member votes with the points that it earned past the return window, at most `cap`. Advice, as points can be given away."""

    tag: ClassVar[int] = 1
    cap: Annotated[int, Integer(1, 2**31 - 1)]


@dataclass(frozen=True, slots=True)
class PledgedTo:
    """Backers of a campaign vote with what they pledged. Binding: the answer can only be to adopt."""

    tag: ClassVar[int] = 2
    campaign: Annotated[CampaignId, identifier()]


BallotWeight = EachMember | EarnedPoints | PledgedTo
BALLOT_WEIGHT = OneOf(EachMember, EarnedPoints, PledgedTo)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is asked of whom, the snapshot that decides who may vote, and how far it has come (spec VOI-1).

    `text` is a hash of the text, which is off chain. `electorate` is how many might vote: the program's members, or the campaign's
    pledges. `reveal_height` 0: revealing has not begun. `leaders` are the options that nobody beat, the winner first. `why` is a
    hash of the answer's text. The owner may answer until the later of `answer_by` and `answer_height`.
    """

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    proposer: Annotated[Address, identifier()]
    title: Annotated[str, TITLE]
    text: Annotated[Hash, identifier()]
    options: Annotated[tuple[str, ...], OPTIONS]
    method: Annotated[int, METHOD]
    mode: Annotated[int, MODE]
    weight: Annotated[BallotWeight, BALLOT_WEIGHT]
    quorum: Annotated[int, QUORUM]
    snapshot_height: Annotated[Height, HEIGHT]
    snapshot_at: Annotated[Timestamp, TIME]
    snapshot_root: Annotated[Hash, identifier()]
    snapshot_slots: Annotated[int, Integer(1, INTEGER_MAX)]
    electorate: Annotated[int, Integer(0, INTEGER_MAX)]
    voting_until: Annotated[Timestamp, TIME]
    voting_height: Annotated[Height, HEIGHT]
    reveal_until: Annotated[Timestamp, TIME]
    reveal_height: Annotated[Height, HEIGHT]
    status: Annotated[int, Integer(VOTING, LAPSED)]
    leaders: Annotated[tuple[int, ...], CHOICE_MADE]
    answer_by: Annotated[Timestamp, TIME]
    answer_height: Annotated[Height, HEIGHT]
    answered_at: Annotated[Timestamp, TIME]
    why: Annotated[Hash, OptionalIdentifier()]

    @property
    def is_binding(self) -> bool:
        """Whether the owner can only adopt once the quorum is met."""
        return isinstance(self.weight, PledgedTo)

    def voting_is_over(self, context: Context) -> bool:
        """Whether nobody can vote any more, by time and by height."""
        return context.time >= self.voting_until and context.height >= self.voting_height

    def revealing_is_over(self, context: Context) -> bool:
        """Whether nothing can be revealed any more; its height is known since revealing began."""
        is_late = context.time >= self.reveal_until and context.height >= self.reveal_height
        return bool(self.reveal_height) and is_late

    def answering_is_over(self, context: Context) -> bool:
        """Whether the owner can't answer any more."""
        return context.time >= self.answer_by and context.height >= self.answer_height


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted (spec VOI-5). `committed` are sealed ballots; those that nobody opened abstained.

    `squares` is the sum of the squares of powers, the highest byte first. `counts` has one number for each option; for a ranked
    method the pairwise matrix, row by row. `ages` are (voters, power) by age class.
    """

    counted: Annotated[int, COUNT]
    committed: Annotated[int, COUNT]
    power: Annotated[int, POWER]
    largest: Annotated[int, POWER]
    squares: Annotated[bytes, Octets(32, 32)]
    counts: Annotated[tuple[int, ...], ListOf(POWER, 2, RANKED_OPTIONS_MAX**2)]
    ages: Annotated[tuple[tuple[int, int], ...], ListOf(Row(COUNT, POWER), AGE_NOT_SHOWN + 1, AGE_NOT_SHOWN + 1)]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One voter's ballot, which stays. `commitment` empty: it is open. `choice` empty: it is sealed still, and abstains so far."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    prepaid: Annotated[Amount, COIN]
    power: Annotated[int, Integer(1, INTEGER_MAX)]
    age: Annotated[int, AGE]
    commitment: Annotated[Hash, OptionalIdentifier()]
    choice: Annotated[tuple[int, ...], CHOICE_MADE]
    cast_at: Annotated[Timestamp, TIME]


@dataclass(frozen=True, slots=True)
class Obligation:
    """What the owner took upon itself by adopting: due when, for which product, and what became of it (spec VOI-7)."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    program: Annotated[ProgramId, identifier()]
    due_at: Annotated[Timestamp, TIME]
    grace_until: Annotated[Timestamp, TIME]
    grace_height: Annotated[Height, HEIGHT]
    product: Annotated[Hash, OptionalIdentifier()]
    status: Annotated[int, Integer(OPEN, BROKEN)]
    fulfilled_at: Annotated[Timestamp, TIME]
    evidence: Annotated[Hash, OptionalIdentifier()]

    def is_broken(self, context: Context) -> bool:
        """Whether its grace is over without it being fulfilled, be it written down already or not."""
        if self.status != OPEN:
            return self.status == BROKEN
        return context.time >= self.grace_until and context.height >= self.grace_height


PROPOSALS = Table(b"p", Proposal)
TALLIES = Table(b"t", Tally)
BALLOTS = Table(b"v", Ballot)
OBLIGATIONS = Table(b"o", Obligation)

NO_HASH = Hash(b"")
"""For "none"."""
NOT_YET = Timestamp(0)
"""For "has not happened"."""
NO_HEIGHT = Height(0)
"""For a height that is not known yet."""


def proposal_key(proposal: ProposalId) -> RecordKey:
    """`p` + proposal."""
    return RecordKey(b"p" + proposal)


def tally_key(proposal: ProposalId) -> RecordKey:
    """`t` + proposal."""
    return RecordKey(b"t" + proposal)


def ballot_key(proposal: ProposalId, voter: Address) -> RecordKey:
    """`v` + proposal + voter."""
    return RecordKey(b"v" + proposal + voter)


def obligation_key(proposal: ProposalId) -> RecordKey:
    """`o` + proposal."""
    return RecordKey(b"o" + proposal)


def load_proposal(view: RuleView, proposal: ProposalId) -> Proposal:
    """The proposal, or `proposal.unknown`."""
    found: Proposal | None = view.get(proposal_key(proposal))
    if found is None:
        raise RuleViolation(NO_PROPOSAL, proposal=proposal)
    return found


def load_tally(view: RuleView, proposal: ProposalId) -> Tally:
    """The tally of a proposal that exists."""
    found: Tally | None = view.get(tally_key(proposal))
    assert found is not None, f"the proposal {proposal.hex()} has no tally"
    return found


def load_obligation(view: RuleView, proposal: ProposalId) -> Obligation:
    """What adopting the proposal led to, or `obligation.unknown`."""
    found: Obligation | None = view.get(obligation_key(proposal))
    if found is None:
        raise RuleViolation(NO_OBLIGATION, proposal=proposal)
    return found
