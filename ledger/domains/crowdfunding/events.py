"""What happens to campaigns and pledges, as typed facts."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.crowdfunding.state import NUMBER, QUANTITY, STATUS, STEP
from ledger.domains.crowdfunding.terms import NAME, SOME
from ledger.domains.loyalty.state import TIME
from ledger.events import Event, declare_event
from ledger.params import CAMPAIGN_STRETCH_MAX, CAMPAIGN_TIERS_MAX
from ledger.schema import Boolean, Integer, OptionalIdentifier, identifier
from ledger.types import Address, CampaignId, Hash, ProgramId, Timestamp


@declare_event
@dataclass(frozen=True, slots=True)
class CampaignCreated(Event):
    """A campaign is open. `program` is empty where it collects coin."""

    name: ClassVar[str] = "campaign.created"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    title: Annotated[str, NAME]
    goal: Annotated[int, SOME]
    deadline: Annotated[Timestamp, TIME]
    program: Annotated[ProgramId, OptionalIdentifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator, *_named(self.program))


def _named(program: ProgramId) -> tuple[bytes, ...]:
    return (program,) if program else ()


@declare_event
@dataclass(frozen=True, slots=True)
class CampaignSettled(Event):
    """A campaign's deadline passed. Status 1: funded; 2: failed, and refunds follow. `stretch` stretch goals were reached."""

    name: ClassVar[str] = "campaign.settled"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    status: Annotated[int, STATUS]
    pledged: Annotated[int, QUANTITY]
    stretch: Annotated[int, Integer(0, CAMPAIGN_STRETCH_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)


@declare_event
@dataclass(frozen=True, slots=True)
class CampaignReleased(Event):
    """Units left escrow for the creator: coin went to its account; points count as redeemed with `program`, whose owner owes the
    creator for them. `late`: of a late pledge, not by a step.
    """

    name: ClassVar[str] = "campaign.released"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    program: Annotated[ProgramId, OptionalIdentifier()]
    step: Annotated[int, STEP]
    quantity: Annotated[int, QUANTITY]
    late: Annotated[bool, Boolean()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator, *_named(self.program))


@declare_event
@dataclass(frozen=True, slots=True)
class CampaignStopped(Event):
    """A campaign ended before its end: status 3 cancelled, 4 rejected, 5 overdue. `escrowed` units go back pro rata."""

    name: ClassVar[str] = "campaign.stopped"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    status: Annotated[int, STATUS]
    step: Annotated[int, STEP]
    escrowed: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)


@declare_event
@dataclass(frozen=True, slots=True)
class CampaignDone(Event):
    """Every step was taken. `delivered_at` is 0 where nothing was to be delivered, else `late_days` says how late that was."""

    name: ClassVar[str] = "campaign.done"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    delivered_at: Annotated[Timestamp, TIME]
    late_days: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)


@declare_event
@dataclass(frozen=True, slots=True)
class UpdatePosted(Event):
    """The creator told its backers something: the hash of the text (TXT-1), which is off the chain."""

    name: ClassVar[str] = "campaign.update_posted"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    number: Annotated[int, NUMBER]
    text_hash: Annotated[Hash, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)


@declare_event
@dataclass(frozen=True, slots=True)
class Pledged(Event):
    """A fan backed a campaign. `number` names the pledge within it. `late`: after its deadline."""

    name: ClassVar[str] = "pledge.made"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, NUMBER]
    quantity: Annotated[int, QUANTITY]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]
    late: Annotated[bool, Boolean()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


@declare_event
@dataclass(frozen=True, slots=True)
class PledgeChanged(Event):
    """A backer changed a pledge, which was of `before` units, before the deadline."""

    name: ClassVar[str] = "pledge.changed"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, NUMBER]
    before: Annotated[int, QUANTITY]
    quantity: Annotated[int, QUANTITY]
    tier: Annotated[int, Integer(0, CAMPAIGN_TIERS_MAX)]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


@declare_event
@dataclass(frozen=True, slots=True)
class PledgeCancelled(Event):
    """A backer ended a pledge; `quantity` units came back: all of them, or none after everything was released."""

    name: ClassVar[str] = "pledge.cancelled"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, NUMBER]
    quantity: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


@declare_event
@dataclass(frozen=True, slots=True)
class PledgeWithdrawn(Event):
    """A backer who had voted no took its part of what was not released."""

    name: ClassVar[str] = "pledge.withdrawn"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, NUMBER]
    quantity: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


@declare_event
@dataclass(frozen=True, slots=True)
class PledgeRefunded(Event):
    """A stopped campaign gave a pledge its part of what was not released, nobody having asked."""

    name: ClassVar[str] = "pledge.refunded"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, NUMBER]
    quantity: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


@declare_event
@dataclass(frozen=True, slots=True)
class StepSubmitted(Event):
    """The creator says that a step is done. Backers vote until `closes_at`, on `basis`."""

    name: ClassVar[str] = "milestone.submitted"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    step: Annotated[int, STEP]
    attempt: Annotated[int, Integer(1, 2)]
    round: Annotated[int, NUMBER]
    evidence: Annotated[Hash, identifier()]
    basis: Annotated[int, QUANTITY]
    closes_at: Annotated[Timestamp, TIME]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)


@declare_event
@dataclass(frozen=True, slots=True)
class StepVoted(Event):
    """A pledge voted, or changed its vote. Of the delivery, `approves` says that it was received."""

    name: ClassVar[str] = "milestone.voted"
    campaign: Annotated[CampaignId, identifier()]
    backer: Annotated[Address, identifier()]
    number: Annotated[int, NUMBER]
    round: Annotated[int, NUMBER]
    approves: Annotated[bool, Boolean()]
    quantity: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.backer, self.campaign)


@declare_event
@dataclass(frozen=True, slots=True)
class StepDecided(Event):
    """A vote was counted. `late_days` is how late the step was submitted."""

    name: ClassVar[str] = "milestone.decided"
    campaign: Annotated[CampaignId, identifier()]
    creator: Annotated[Address, identifier()]
    step: Annotated[int, STEP]
    attempt: Annotated[int, Integer(1, 2)]
    is_delivery: Annotated[bool, Boolean()]
    approved: Annotated[bool, Boolean()]
    yes: Annotated[int, QUANTITY]
    no: Annotated[int, QUANTITY]
    basis: Annotated[int, QUANTITY]
    late_days: Annotated[int, QUANTITY]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.campaign, self.creator)
