"""CRF-1 to CRF-5 of campaigns that release all at settlement: no votes, late pledges, changes or exits yet."""

from tests.model.points import give_points_back, take_points
from tests.model.records import (
    DAY,
    DONE,
    FAILED,
    OPEN,
    Call,
    Campaign,
    CampaignTerms,
    M,
    Pledge,
    refuse_unless,
)
from tests.model.state import Model
from tests.second_decoder.hashing import object_id

DURATION_MAX = 400 * DAY
BLOCKS_MIN = 6
PIECE = 16
COIN = (0,)


def is_over(model: Model, campaign: Campaign) -> bool:
    """CRF-3."""
    return campaign.until > 0 and model.now >= campaign.until and model.height >= campaign.until_height


def create(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-1."""
    terms = CampaignTerms(*payload)
    refuse_unless(model.now < terms.deadline <= model.now + DURATION_MAX, "campaign.deadline")
    if terms.unit != COIN:
        refuse_unless(terms.unit[1] in model.programs, "program.unknown")
        program = model.programs[terms.unit[1]]
        refuse_unless(not model.has_closed(terms.unit[1]), "program.closed")
        refuse_unless(program.owner == (terms.unit[2] or call.author), "program.not_owner")
    model.take(call.payer, model.record_deposit)
    campaign = object_id("campaign", call.txid)
    model.campaign_terms[campaign] = terms
    model.campaigns[campaign] = Campaign(
        creator=call.author,
        payer=call.payer,
        deposit=model.record_deposit,
        unit=terms.unit,
        status=OPEN,
        pledged=0,
        weight=0,
        own_weight=0,
        escrowed=0,
        released=0,
        returned=0,
        pledges=0,
        taken=(0,) * len(terms.tiers),
        added=(0,) * len(terms.add_ons),
        stage=1,
        until=terms.deadline,
        until_height=model.height + BLOCKS_MIN,
        step=0,
        shares_left=10_000,
        attempt=1,
        round=0,
        submitted_at=0,
        basis=0,
        yes=0,
        no=0,
        late_days=(),
        delivered_at=0,
        updates=0,
        refund_total=0,
        refund_weight=0,
    )
    model.queue("campaign.decide", campaign, 1, terms.deadline)
    return [""]


def pledge(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-2."""
    wanted, quantity, tier, add_ons = payload
    campaign = model.campaigns.get(wanted)
    refuse_unless(campaign is not None, "campaign.unknown")
    assert campaign is not None and add_ons == ()
    terms = model.campaign_terms[wanted]
    refuse_unless(campaign.status == OPEN and not is_over(model, campaign), "pledge.campaign_over")
    refuse_unless(tier <= len(terms.tiers), "pledge.no_tier")
    taken = list(campaign.taken)
    if tier:
        _, least, limit = terms.tiers[tier - 1]
        refuse_unless(quantity >= least, "pledge.below_tier")
        refuse_unless(limit == 0 or taken[tier - 1] < limit, "pledge.tier_taken")
        taken[tier - 1] += 1
    refuse_unless(campaign.pledged + quantity <= M, "pledge.too_much")
    lots = ()
    if campaign.unit == COIN:
        model.take(b"A" + call.author, quantity)
    else:
        program = campaign.unit[1]
        refuse_unless(not model.has_closed(program), "program.closed")
        refuse_unless((program, call.author) in model.members, "member.unknown")
        lots = take_points(model, program, call.author, quantity, "escrowed")
    model.take(call.payer, model.record_deposit)
    model.take(call.payer, model.prepaid_exit)
    model.pledges[wanted, campaign.pledges] = Pledge(
        call.payer, model.record_deposit, model.prepaid_exit, call.author, quantity, tier, lots, (), 0, False
    )
    model.campaigns[wanted] = campaign._replace(
        taken=tuple(taken),
        pledged=campaign.pledged + quantity,
        weight=campaign.weight + quantity,
        own_weight=campaign.own_weight + (quantity if call.author == campaign.creator else 0),
        pledges=campaign.pledges + 1,
        escrowed=campaign.escrowed + quantity,
    )
    return [""]


def decide(model: Model, subject: bytes, number: int) -> None:
    """Due work `campaign.decide` (CRF-3): here only the settlement."""
    campaign, terms = model.campaigns[subject], model.campaign_terms[subject]
    if campaign.stage != number:
        return
    if not is_over(model, campaign):
        model.queue("campaign.decide", subject, number, model.now + 1)
        return
    ended = campaign._replace(stage=campaign.stage + 1, until=0, until_height=0)
    if campaign.pledged >= (terms.goal if terms.all_or_nothing else 1):
        if campaign.unit == COIN:
            model.give(b"A" + campaign.creator, campaign.escrowed)
        else:
            model.change_books(campaign.unit[1], escrowed=-campaign.escrowed, redeemed=campaign.escrowed)
        model.campaigns[subject] = ended._replace(
            status=DONE, escrowed=0, released=campaign.escrowed, step=1, shares_left=0, late_days=(0,)
        )
        return
    model.campaigns[subject] = ended._replace(
        status=FAILED, refund_total=campaign.escrowed, refund_weight=campaign.weight
    )
    if campaign.escrowed:
        model.queue("campaign.refund", subject, 0, model.now)


def pledges_in_piece(model: Model, subject: bytes, number: int) -> int:
    """How many pledges one piece of refunds looks at (CRF-4, DUE-2)."""
    return min(number + PIECE, model.campaigns[subject].pledges) - number


def refund(model: Model, subject: bytes, number: int) -> None:
    """Due work `campaign.refund` (CRF-4); nothing was released, so that each share is the pledge itself."""
    campaign = model.campaigns[subject]
    end = number + pledges_in_piece(model, subject, number)
    returned, own = 0, 0
    for index in range(number, end):
        found = model.pledges.pop((subject, index))
        if campaign.unit == COIN:
            model.give(b"A" + found.backer, found.quantity)
        else:
            give_points_back(model, campaign.unit[1], found.backer, found.lots, "escrowed")
        model.fees += found.prepaid
        model.give(found.payer, found.deposit)
        returned += found.quantity
        own += found.quantity if found.backer == campaign.creator else 0
    left = campaign.weight - returned
    model.campaigns[subject] = campaign._replace(
        escrowed=campaign.escrowed - returned,
        returned=campaign.returned + returned,
        weight=left,
        own_weight=campaign.own_weight - own,
    )
    if left:
        model.queue("campaign.refund", subject, end, model.now)
