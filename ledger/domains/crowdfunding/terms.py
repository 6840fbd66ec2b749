"""What a campaign promises: fixed when it is made, and never changed (spec CRF-1)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Final

from ledger.domains.loyalty.state import TIME
from ledger.errors import Code, Malformed
from ledger.params import (
    CAMPAIGN_ADD_ONS_MAX,
    CAMPAIGN_MILESTONES_MAX,
    CAMPAIGN_STRETCH_MAX,
    CAMPAIGN_TIERS_MAX,
    GRACE_SECONDS_MAX,
    RETRY_SECONDS_MAX,
    SHARES,
    VOTE_SECONDS_MAX,
    WINDOW_SECONDS_MIN,
)
from ledger.schema import Boolean, Integer, ListOf, OneOf, OptionalIdentifier, Row, Text, identifier
from ledger.types import INTEGER_MAX, Address, ProgramId, Timestamp

BAD_SHARES = Code(
    "campaign.shares",
    "the shares of the milestones and the reserve sum to {found} hundredths of a percent, not to {expected}",
    "Change them until they sum to 100 %.",
)
BAD_STRETCH = Code(
    "campaign.stretch",
    "the stretch goals {before} and {after} do not ascend",
    "Name them in ascending order, the first above the goal.",
)
BAD_DUE_TIMES = Code(
    "campaign.due_times",
    "the due times do not fit: {reason}",
    "Let milestones follow the deadline in their order, and the delivery follow them; only the first may be due at settlement.",
)
BAD_LATE_UNTIL = Code(
    "campaign.late_until",
    "late pledges until {late_until:time} do not lie between the deadline and the last due time {last:time}",
    "Choose a time after the deadline and not after the last due time, or none.",
)

NEVER_DUE: Final = Timestamp(0)
"""A first milestone that is released at settlement; no delivery; no late pledges."""
NOBODY: Final = Address(b"")
NO_KEY: Final = b""
"""The creator takes no delivery forms."""
DEFAULT_SECONDS: Final = 30 * 86_400
NAME = Text(1, 128)
MANY = Integer(0, 2**31 - 1)
SOME = Integer(1, INTEGER_MAX)

Tier = tuple[str, int, int]
"""(title, least pledge, how many may take it; 0 is no limit)."""
AddOn = tuple[str, int, int]
"""(title, price, how many there are; 0 is no limit)."""
StretchGoal = tuple[int, str]
"""(amount, title)."""
Milestone = tuple[str, int, int]
"""(title, share of 10,000, due time)."""

TIER = Row(NAME, SOME, MANY)
ADD_ON = Row(NAME, SOME, MANY)
STRETCH_GOAL = Row(SOME, NAME)
MILESTONE = Row(NAME, Integer(1, SHARES), TIME)

AT_SETTLEMENT: Final[tuple[Milestone, ...]] = (("Everything at settlement", SHARES, NEVER_DUE),)
"""Milestones of a campaign that releases all at once."""


@dataclass(frozen=True, slots=True)
class CoinUnit:
    """The campaign collects coin."""

    tag: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class PointsUnit:
    """The campaign collects a program's points; what is released counts as redeemed with that program.

    `licensor` is the program's owner where that is not the creator: it co-signs, and the points are a licensed voucher.
    """

    tag: ClassVar[int] = 1
    program: Annotated[ProgramId, identifier()]
    licensor: Annotated[Address, OptionalIdentifier()] = NOBODY


Unit = CoinUnit | PointsUnit
UNIT = OneOf(CoinUnit, PointsUnit)


def collects_points_of(unit: Unit, program: ProgramId) -> bool:
    """Whether the units are points of this program, its owner's own or licensed."""
    return isinstance(unit, PointsUnit) and unit.program == program


@dataclass(frozen=True, slots=True)
class CampaignTerms:
    """The terms of one campaign. Times are seconds since 1970, `*_seconds` lengths; shares are of 10,000.

    With `all_or_nothing` a goal that is not reached refunds everybody. A step (milestone or delivery) is overdue `grace_seconds`
    after its due time; a vote on it lasts `vote_seconds`, silence counts as `silence_approves` says, and after a rejection it may
    be submitted once more within `retry_seconds` (0: not at all). `reserve` is kept until delivery. `delivery_due` 0: nothing is to
    be delivered. Until `late_until` late pledges are taken (0: none). `delivery_key` is an X25519 key for the off-chain form.
    """

    title: Annotated[str, NAME]
    unit: Annotated[Unit, UNIT]
    goal: Annotated[int, SOME]
    deadline: Annotated[Timestamp, TIME]
    tiers: Annotated[tuple[Tier, ...], ListOf(TIER, 0, CAMPAIGN_TIERS_MAX)] = ()
    all_or_nothing: Annotated[bool, Boolean()] = True
    add_ons: Annotated[tuple[AddOn, ...], ListOf(ADD_ON, 0, CAMPAIGN_ADD_ONS_MAX)] = ()
    stretch: Annotated[tuple[StretchGoal, ...], ListOf(STRETCH_GOAL, 0, CAMPAIGN_STRETCH_MAX)] = ()
    milestones: Annotated[tuple[Milestone, ...], ListOf(MILESTONE, 0, CAMPAIGN_MILESTONES_MAX)] = AT_SETTLEMENT
    reserve: Annotated[int, Integer(0, SHARES)] = 0
    delivery_due: Annotated[Timestamp, TIME] = NEVER_DUE
    grace_seconds: Annotated[int, Integer(WINDOW_SECONDS_MIN, GRACE_SECONDS_MAX)] = DEFAULT_SECONDS
    vote_seconds: Annotated[int, Integer(WINDOW_SECONDS_MIN, VOTE_SECONDS_MAX)] = DEFAULT_SECONDS
    retry_seconds: Annotated[int, Integer(0, RETRY_SECONDS_MAX)] = DEFAULT_SECONDS
    silence_approves: Annotated[bool, Boolean()] = False
    late_until: Annotated[Timestamp, TIME] = NEVER_DUE
    delivery_key: Annotated[bytes, OptionalIdentifier()] = NO_KEY

    @property
    def steps(self) -> int:
        """Number of milestones, and one for a delivery."""
        return len(self.milestones) + bool(self.delivery_due)

    @property
    def last_due(self) -> Timestamp:
        """The last time by which something is promised; 0 where all is released at settlement."""
        return self.delivery_due or Timestamp(self.milestones[-1][2])

    def due_time(self, step: int) -> Timestamp:
        """When a step is due; `step` = number of milestones is the delivery."""
        return Timestamp(self.milestones[step][2]) if step < len(self.milestones) else self.delivery_due

    def share(self, step: int) -> int:
        """What a step releases, of 10,000."""
        return self.milestones[step][1] if step < len(self.milestones) else self.reserve

    def stretch_reached(self, pledged: int) -> int:
        """How many stretch goals `pledged` units reach."""
        return sum(amount <= pledged for amount, _ in self.stretch)


def check_terms(terms: CampaignTerms) -> None:
    """What the shapes can't say. Raises `campaign.shares`, `campaign.stretch`, `campaign.due_times`, `campaign.late_until`."""
    shares = terms.reserve + sum(share for _, share, _ in terms.milestones)
    if shares != SHARES:
        raise Malformed(BAD_SHARES, found=shares, expected=SHARES)
    amounts = (terms.goal, *(amount for amount, _ in terms.stretch))
    for before, after in pairwise(amounts):
        if after <= before:
            raise Malformed(BAD_STRETCH, before=before, after=after)
    _check_due_times(terms)
    if terms.late_until and not terms.deadline < terms.late_until <= terms.last_due:
        raise Malformed(BAD_LATE_UNTIL, late_until=terms.late_until, last=terms.last_due)


def _check_due_times(terms: CampaignTerms) -> None:
    dues = [due for _, _, due in terms.milestones]
    if terms.delivery_due:
        dues.append(terms.delivery_due)
    elif not dues or terms.reserve or terms.delivery_key:
        reason = "without a delivery there are milestones, no reserve, and no key for delivery forms"
        raise Malformed(BAD_DUE_TIMES, reason=reason)
    if terms.milestones and dues[0] == NEVER_DUE:
        del dues[0]
    if any(due <= terms.deadline for due in dues):
        raise Malformed(BAD_DUE_TIMES, reason="a step is due before the deadline")
    if any(after < before for before, after in pairwise(dues)):
        raise Malformed(BAD_DUE_TIMES, reason="a step is due before the one that precedes it")
