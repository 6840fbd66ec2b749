"""`campaign.post_update`: the creator tells its backers something, in a text that can't be changed afterwards (spec CRF-11)."""

from dataclasses import dataclass
from typing import Annotated, Final

from ledger.domains.crowdfunding.events import UpdatePosted
from ledger.domains.crowdfunding.state import NOT_CREATOR, campaign_key, load_campaign
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.schema import Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, CampaignId, Hash, RecordKey

TOO_MANY_UPDATES = Code("campaign.updates", "the campaign has had {count} updates", "Tell them elsewhere.")
UPDATES_MAX: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class CampaignPostUpdate:
    """The hash of the text (TXT-1), which is off the chain."""

    campaign: Annotated[CampaignId, identifier()]
    text_hash: Annotated[Hash, identifier()]


def apply(view: RuleView, call: Call, payload: CampaignPostUpdate, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.unknown`, `campaign.not_creator`, `campaign.updates`."""
    campaign = load_campaign(view, payload.campaign)
    if campaign.creator != call.author:
        raise RuleViolation(NOT_CREATOR)
    if campaign.updates == UPDATES_MAX:
        raise RuleViolation(TOO_MANY_UPDATES, count=campaign.updates)
    number = campaign.updates + 1
    view.put(campaign_key(payload.campaign), replace(campaign, updates=number))
    view.emit(UpdatePosted(payload.campaign, call.author, number, payload.text_hash))
    return (APPLIED,)


def cost(payload: CampaignPostUpdate) -> Cost:
    """The campaign changes."""
    return Cost(records=1)


def reads(author: Address, payload: CampaignPostUpdate) -> tuple[RecordKey, ...]:
    """The campaign."""
    return (campaign_key(payload.campaign),)


CAMPAIGN_POST_UPDATE = Kind(
    name="campaign.post_update",
    anchor="CRF-11",
    payload=Struct(CampaignPostUpdate),
    apply=apply,
    cost=cost,
    reads=reads,
)
