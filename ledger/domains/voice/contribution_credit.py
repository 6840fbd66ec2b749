"""`contribution.credit`: a brand says what came of a fan's work, once and for good (spec MIS-4)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ledger.domains.crowdfunding.state import Campaign, campaign_key
from ledger.domains.crowdfunding.terms import collects_points_of
from ledger.domains.loyalty.program_sunset import NOT_OWNER
from ledger.domains.loyalty.state import load_program
from ledger.domains.rewards.state import reward_key
from ledger.domains.voice.contributions import contribution_key, load_contribution
from ledger.errors import Code, RuleViolation
from ledger.events import Event, declare_event
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import OneOf, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, ContributionId, Hash, ProgramId, RecordKey, RewardId

CREDITED = Code("contribution.credited", "it is said already what came of this contribution", "Nothing can be changed.")
NO_PRODUCT = Code(
    "contribution.no_product",
    "{product} is no campaign of the program's owner or in its points, and no reward of the program",
    "Name a campaign or a reward of this program.",
)


@dataclass(frozen=True, slots=True)
class CampaignProduct:
    """A product that was, or is to be, made by a campaign."""

    tag: ClassVar[int] = 0
    campaign: Annotated[CampaignId, identifier()]


@dataclass(frozen=True, slots=True)
class RewardProduct:
    """Something that the program offers."""

    tag: ClassVar[int] = 1
    reward: Annotated[RewardId, identifier()]


@dataclass(frozen=True, slots=True)
class ContributionCredit:
    """Which contribution, and what came of it."""

    contribution: Annotated[ContributionId, identifier()]
    product: Annotated[CampaignProduct | RewardProduct, OneOf(CampaignProduct, RewardProduct)]


@declare_event
@dataclass(frozen=True, slots=True)
class ContributionCredited(Event):
    """A brand said that this product came of a fan's work, among others."""

    name: ClassVar[str] = "contribution.credited"
    contribution: Annotated[ContributionId, identifier()]
    program: Annotated[ProgramId, identifier()]
    fan: Annotated[Address, identifier()]
    product: Annotated[Hash, identifier()]

    def subjects(self) -> tuple[bytes, ...]:
        return (self.fan, self.program, self.contribution, self.product)


def apply(view: RuleView, call: Call, payload: ContributionCredit, context: Context) -> tuple[str, ...]:
    """Codes in order: `contribution.unknown`, `program.not_owner`, `contribution.credited`, `contribution.no_product`."""
    contribution = load_contribution(view, payload.contribution)
    if call.author != load_program(view, contribution.program).owner:
        raise RuleViolation(NOT_OWNER)
    if contribution.credited_at:
        raise RuleViolation(CREDITED)
    product = _product(view, call, contribution.program, payload.product)
    credited = replace(contribution, credited_at=context.time, product=product)
    view.put(contribution_key(payload.contribution), credited)
    view.emit(ContributionCredited(payload.contribution, contribution.program, contribution.fan, product))
    return (APPLIED,)


def _product(view: RuleView, call: Call, program: ProgramId, product: CampaignProduct | RewardProduct) -> Hash:
    """The product's id, if it is one of the brand's."""
    if isinstance(product, RewardProduct):
        if view.get(reward_key(program, product.reward)) is None:
            raise RuleViolation(NO_PRODUCT, product=product.reward)
        return Hash(product.reward)
    campaign: Campaign | None = view.get(campaign_key(product.campaign))
    if campaign is None or (campaign.creator != call.author and not collects_points_of(campaign.unit, program)):
        raise RuleViolation(NO_PRODUCT, product=product.campaign)
    return Hash(product.campaign)


def cost(payload: ContributionCredit) -> Cost:
    """The contribution changes."""
    return Cost(records=1)


def reads(author: Address, payload: ContributionCredit) -> tuple[RecordKey, ...]:
    """The contribution."""
    return (contribution_key(payload.contribution),)


CONTRIBUTION_CREDIT = Kind(
    name="contribution.credit",
    anchor="MIS-4",
    payload=Struct(ContributionCredit),
    apply=apply,
    cost=cost,
    reads=reads,
)
