"""Records of reviews: what one says of a subject, on what standing, and how many say the same (spec REV-1, REV-2)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.crowdfunding.state import (
    Campaign,
    FormerPledge,
    Pledge,
    campaign_key,
    former_pledge_key,
    load_campaign,
    pledge_key,
)
from ledger.domains.crowdfunding.terms import collects_points_of
from ledger.domains.loyalty.shapes import COIN, PAYER, TIME
from ledger.domains.loyalty.state import Member, Program, load_program, member_key, program_key
from ledger.domains.voice.contributions import Contribution, contribution_key
from ledger.evolve import replace
from ledger.schema import Integer, ListOf, OneOf, OptionalIdentifier, identifier
from ledger.state import RuleView, Table
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    CampaignId,
    ContributionId,
    Hash,
    ProgramId,
    RecordKey,
    Timestamp,
)

ENDORSE = 0
CRITICISE = 1
STANCE = Integer(ENDORSE, CRITICISE)
STANCE_NAMES = ("endorse", "criticise")
"""How people write the stances."""

SCORE_MAX = 5
SCORE = Integer(1, SCORE_MAX)
COUNTS = ListOf(Integer(0, INTEGER_MAX), SCORE_MAX, SCORE_MAX)
REVISIONS = Integer(1, INTEGER_MAX)


@dataclass(frozen=True, slots=True)
class ProgramSubject:
    """A brand, an artist, an influencer: the program that it runs."""

    tag: ClassVar[int] = 0
    program: Annotated[ProgramId, identifier()]

    @property
    def id(self) -> Hash:
        """The subject id."""
        return Hash(self.program)


@dataclass(frozen=True, slots=True)
class CampaignSubject:
    """A product in the making: its campaign."""

    tag: ClassVar[int] = 1
    campaign: Annotated[CampaignId, identifier()]

    @property
    def id(self) -> Hash:
        """The subject id."""
        return Hash(self.campaign)


Subject = ProgramSubject | CampaignSubject
SUBJECT = OneOf(ProgramSubject, CampaignSubject)


@dataclass(frozen=True, slots=True)
class Earned:
    """The author is, or was, a member with a settled entry."""

    tag: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The author is, or was, a member that got a reward."""

    tag: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class PledgeStanding:
    """The author backed a campaign."""

    tag: ClassVar[int] = 2
    campaign: Annotated[CampaignId, identifier()]
    number: Annotated[int, Integer(0, 2**32 - 1)]


@dataclass(frozen=True, slots=True)
class Contributed:
    """The author has a contribution on record."""

    tag: ClassVar[int] = 3
    contribution: Annotated[ContributionId, identifier()]


Standing = Earned | Redeemed | PledgeStanding | Contributed
STANDING = OneOf(Earned, Redeemed, PledgeStanding, Contributed)
STANDING_NAMES = ("earned", "redeemed", "pledged", "contributed")
"""How people write the standings."""


@dataclass(frozen=True, slots=True)
class Review:
    """What one author says of one subject now, with how often it changed, and the subject's last reply."""

    payer: Annotated[bytes, PAYER]
    deposit: Annotated[Amount, COIN]
    stance: Annotated[int, STANCE]
    score: Annotated[int, SCORE]
    text: Annotated[Hash, OptionalIdentifier()]
    standing: Annotated[Standing, STANDING]
    first_at: Annotated[Timestamp, TIME]
    latest_at: Annotated[Timestamp, TIME]
    revisions: Annotated[int, REVISIONS]
    reply: Annotated[Hash, OptionalIdentifier()]
    replied_at: Annotated[Timestamp, TIME]
    replies: Annotated[int, Integer(0, INTEGER_MAX)]


@dataclass(frozen=True, slots=True)
class Scores:
    """How many authors' latest reviews of a subject give 1 to 5, by stance; and how often the subject replied."""

    endorsing: Annotated[tuple[int, ...], COUNTS]
    criticising: Annotated[tuple[int, ...], COUNTS]
    replies: Annotated[int, Integer(0, INTEGER_MAX)]

    def changed(self, stance: int, score: int, by: int) -> "Scores":
        """With one review more (`by` 1) or less (`by` -1)."""
        counts = self.criticising if stance == CRITICISE else self.endorsing
        changed = (*counts[: score - 1], counts[score - 1] + by, *counts[score:])
        return replace(self, criticising=changed) if stance == CRITICISE else replace(self, endorsing=changed)


NO_SCORES = Scores((0,) * SCORE_MAX, (0,) * SCORE_MAX, 0)

REVIEWS = Table(b"r", Review)
SCORES = Table(b"s", Scores)


def review_key(subject: Hash, author: Address) -> RecordKey:
    """`r` + subject id + author."""
    return RecordKey(b"r" + subject + author)


def scores_key(subject: Hash) -> RecordKey:
    """`s` + subject id."""
    return RecordKey(b"s" + subject)


def subject_key(subject: Subject) -> RecordKey:
    """The subject's own record."""
    return program_key(subject.program) if isinstance(subject, ProgramSubject) else campaign_key(subject.campaign)


def load_own_account(view: RuleView, subject: Subject) -> Address:
    """The account that speaks for the subject, or `program.unknown` or `campaign.unknown`."""
    if isinstance(subject, ProgramSubject):
        return load_program(view, subject.program).owner
    return load_campaign(view, subject.campaign).creator


def has_standing(view: RuleView, author: Address, subject: Subject, standing: Standing) -> bool:
    """Whether the author had to do with the subject in the way that it names (spec REV-2)."""
    if isinstance(standing, PledgeStanding):
        return _has_pledged(view, author, subject, standing)
    if isinstance(standing, Contributed):
        return _has_contributed(view, author, subject, standing)
    if isinstance(subject, CampaignSubject):
        return False
    member: Member | None = view.get(member_key(subject.program, author))
    if member is None:
        return False
    return bool(member.entries if isinstance(standing, Earned) else member.redemptions)


def _has_pledged(view: RuleView, author: Address, subject: Subject, standing: PledgeStanding) -> bool:
    named = standing.campaign, standing.number
    pledge: Pledge | FormerPledge | None = view.get(pledge_key(*named)) or view.get(former_pledge_key(*named))
    if pledge is None or pledge.backer != author:
        return False
    if isinstance(subject, CampaignSubject):
        return standing.campaign == subject.campaign
    campaign: Campaign = view.get(campaign_key(standing.campaign))
    program: Program = view.get(program_key(subject.program))
    return campaign.creator == program.owner or collects_points_of(campaign.unit, subject.program)


def _has_contributed(view: RuleView, author: Address, subject: Subject, standing: Contributed) -> bool:
    found: Contribution | None = view.get(contribution_key(standing.contribution))
    if found is None or found.fan != author:
        return False
    return (found.program if isinstance(subject, ProgramSubject) else found.product) == subject.id
