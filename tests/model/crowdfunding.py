"""CRF-1 to CRF-4."""

from tests.model.collateral import backing_of
from tests.model.points import give_points_back, take_points
from tests.model.records import DAY, FAILED, FUNDED, OPEN, Call, Campaign, M, Pledge, refuse_unless
from tests.model.state import Model
from tests.second_decoder.hashing import object_id

DURATION_MAX = 400 * DAY
BLOCKS_MIN = 6
PIECE = 16
COIN = (0,)


def is_over(model: Model, campaign: Campaign) -> bool:
    """CRF-1."""
    return model.now >= campaign.deadline and model.height >= campaign.deadline_height


def create(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-1."""
    title, unit, goal, deadline, tiers = payload
    refuse_unless(model.now < deadline <= model.now + DURATION_MAX, "campaign.deadline")
    if unit != COIN:
        refuse_unless(unit[1] in model.programs, "program.unknown")
        refuse_unless(model.programs[unit[1]].owner == call.author, "program.not_owner")
    model.take(call.payer, model.record_deposit)
    campaign = object_id("campaign", call.txid)
    model.campaigns[campaign] = Campaign(
        creator=call.author,
        payer=call.payer,
        deposit=model.record_deposit,
        title=title,
        unit=unit,
        goal=goal,
        deadline=deadline,
        deadline_height=model.height + BLOCKS_MIN,
        tiers=tiers,
        taken=(0,) * len(tiers),
        status=OPEN,
        pledged=0,
        pledges=0,
        refunded=0,
        escrowed=0,
        backing=0,
    )
    model.queue("campaign.settle", campaign, 0, deadline)
    return [""]


def pledge(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-2."""
    wanted, quantity, tier = payload
    campaign = model.campaigns.get(wanted)
    refuse_unless(campaign is not None, "campaign.unknown")
    assert campaign is not None
    refuse_unless(campaign.status == OPEN and not is_over(model, campaign), "pledge.campaign_over")
    refuse_unless(tier <= len(campaign.tiers), "pledge.no_tier")
    taken = list(campaign.taken)
    if tier:
        _, least, limit = campaign.tiers[tier - 1]
        refuse_unless(quantity >= least, "pledge.below_tier")
        refuse_unless(limit == 0 or taken[tier - 1] < limit, "pledge.tier_taken")
        taken[tier - 1] += 1
    refuse_unless(campaign.pledged + quantity <= M, "pledge.too_much")
    lots, backing = (), 0
    if campaign.unit == COIN:
        model.take(b"A" + call.author, quantity)
    else:
        program = campaign.unit[1]
        refuse_unless((program, call.author) in model.members, "member.unknown")
        lots = take_points(model, program, call.author, quantity, "escrowed")
        backing = backing_of(model, program, lots)
    model.take(call.payer, model.record_deposit)
    model.take(call.payer, model.prepaid_exit)
    model.pledges[wanted, campaign.pledges] = Pledge(
        call.payer, model.record_deposit, model.prepaid_exit, call.author, quantity, tier, lots
    )
    model.campaigns[wanted] = campaign._replace(
        taken=tuple(taken),
        pledged=campaign.pledged + quantity,
        pledges=campaign.pledges + 1,
        escrowed=campaign.escrowed + quantity,
        backing=campaign.backing + backing,
    )
    return [""]


def settle(model: Model, subject: bytes) -> None:
    """Due work `campaign.settle` (CRF-3)."""
    campaign = model.campaigns[subject]
    if not is_over(model, campaign):
        model.queue("campaign.settle", subject, 0, model.now + 1)
    elif campaign.pledged >= campaign.goal:
        if campaign.unit == COIN:
            model.give(b"A" + campaign.creator, campaign.pledged)
        else:
            program, pledged = campaign.unit[1], campaign.pledged
            model.change_books(program, escrowed=-pledged, redeemed=pledged, backing=-campaign.backing)
        model.campaigns[subject] = campaign._replace(status=FUNDED, escrowed=0)
    else:
        model.campaigns[subject] = campaign._replace(status=FAILED)
        if campaign.pledges:
            model.queue("campaign.refund", subject, 0, model.now)


def pledges_in_piece(model: Model, subject: bytes, number: int) -> int:
    """How many pledges one piece of refunds holds (CRF-4, DUE-2)."""
    return min(number + PIECE, model.campaigns[subject].pledges) - number


def refund(model: Model, subject: bytes, number: int) -> None:
    """Due work `campaign.refund` (CRF-4)."""
    campaign = model.campaigns[subject]
    end = number + pledges_in_piece(model, subject, number)
    returned = 0
    for index in range(number, end):
        found = model.pledges.pop((subject, index))
        if campaign.unit == COIN:
            model.give(b"A" + found.backer, found.quantity)
        else:
            give_points_back(model, campaign.unit[1], found.backer, found.lots, "escrowed")
        model.fees += found.prepaid
        model.give(found.payer, found.deposit)
        returned += found.quantity
    model.campaigns[subject] = campaign._replace(refunded=end, escrowed=campaign.escrowed - returned)
    if end < campaign.pledges:
        model.queue("campaign.refund", subject, end, model.now)
