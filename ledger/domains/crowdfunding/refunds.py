"""A campaign that stopped gives back what is in escrow, piece by piece, with nobody's signature (spec CRF-4)."""

from typing import Final

from ledger.domains.crowdfunding.escrow import Returns, leave, own_weight, share_between
from ledger.domains.crowdfunding.events import PledgeRefunded
from ledger.domains.crowdfunding.state import Pledge, campaign_key, load_campaign, pledge_key
from ledger.due import schedule
from ledger.evolve import replace
from ledger.kinds import Context, DueKind
from ledger.params import DUE_CHUNK
from ledger.state import RuleView
from ledger.types import CampaignId

REFUND_DUE: Final = "campaign.refund"


def units_of_refund(view: RuleView, subject: bytes, number: int) -> int:
    """How many pledges the piece that begins with `number` looks at."""
    return min(DUE_CHUNK, load_campaign(view, CampaignId(subject)).pledges - number)


def refund(view: RuleView, subject: bytes, number: int, context: Context) -> None:
    """Due work: give the pledges of the next `DUE_CHUNK` numbers their shares, then queue up again."""
    campaign_id = CampaignId(subject)
    campaign = load_campaign(view, campaign_id)
    until = number + units_of_refund(view, subject, number)
    weight, own, returned, backing = campaign.weight, 0, 0, campaign.backing
    returns = Returns.open(view, campaign, context)
    for index in range(number, until):
        pledge: Pledge | None = view.get(pledge_key(campaign_id, index))
        if pledge is None:
            continue
        before = campaign.refund_weight - weight
        share = share_between(campaign.refund_total, campaign.refund_weight, before, pledge.quantity)
        backing -= returns.give(pledge, share, ends=True)[1]
        leave(view, campaign_id, campaign, index, pledge, share, prepaid=pledge.prepaid)
        view.emit(PledgeRefunded(campaign_id, pledge.backer, index, share))
        weight -= pledge.quantity
        own += own_weight(campaign, pledge.backer, pledge.quantity)
        returned += share
    returns.save()
    left = replace(
        campaign,
        weight=weight,
        own_weight=campaign.own_weight - own,
        escrowed=campaign.escrowed - returned,
        returned=campaign.returned + returned,
        backing=backing,
    )
    view.put(campaign_key(campaign_id), left)
    if weight:
        schedule(view, kind=REFUND_DUE, subject=subject, number=until, due=context.time)


REFUND = DueKind(name=REFUND_DUE, anchor="CRF-4", weight=600, apply=refund, units=units_of_refund)
