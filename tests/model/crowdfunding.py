"""Campaigns and pledges: CRF-1, CRF-2, CRF-6, CRF-7, CRF-9 to CRF-11. What follows by itself is in `decisions`."""

from itertools import pairwise

from tests.model.campaign_records import (
    CANCELLED,
    COIN,
    FUNDED,
    OPEN,
    SHARES,
    Campaign,
    CampaignTerms,
    Pledge,
)
from tests.model.collateral import backing_of
from tests.model.decisions import is_over, next_decision, own_campaign, stop
from tests.model.escrow import (
    change_backing,
    change_campaign,
    end_pledge,
    forget,
    give_units_back,
    leave,
    pay_out,
    put_in,
)
from tests.model.records import DAY, NOBODY, Lot, M, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import object_id

DURATION_MAX = 400 * DAY
LENGTH_MAX = 1_826 * DAY
LOTS_MAX = 128
UPDATES_MAX = 2**32 - 1

AddOns = tuple[tuple[int, int], ...]


def check_terms(payload: tuple) -> None:
    """CRF-1, the check."""
    terms = CampaignTerms(*payload)
    refuse_unless(sum(share for _, share, _ in terms.milestones) + terms.reserve == SHARES, "campaign.shares")
    amounts = [terms.goal, *(amount for amount, _ in terms.stretch)]
    refuse_unless(all(before < after for before, after in pairwise(amounts)), "campaign.stretch")
    times = [due for _, _, due in terms.milestones]
    fits = all(due > terms.deadline for due in times[1:]) and times[1:] == sorted(times[1:])
    if times and times[0] != 0:
        fits = fits and times[0] > terms.deadline and times == sorted(times)
    if terms.delivery_due:
        fits = fits and terms.delivery_due > terms.deadline and terms.delivery_due >= max(times, default=0)
    else:
        fits = fits and bool(times) and terms.reserve == 0 and terms.delivery_key == b""
    refuse_unless(fits, "campaign.due_times")
    late = terms.late_until
    refuse_unless(late == 0 or terms.deadline < late <= terms.due_times[-1], "campaign.late_until")


def check_add_ons(add_ons: AddOns) -> None:
    """CRF-2, the check."""
    refuse_unless(all(left < right for (left, _), (right, _) in pairwise(add_ons)), "pledge.add_ons")


def create(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-1."""
    terms = CampaignTerms(*payload)
    refuse_unless(model.now < terms.deadline <= model.now + DURATION_MAX, "campaign.deadline")
    refuse_unless(terms.due_times[-1] <= model.now + LENGTH_MAX, "campaign.too_long")
    if terms.unit != COIN:
        _, program, licensor = terms.unit
        refuse_unless(program in model.programs, "program.unknown")
        refuse_unless(not model.has_closed(program), "program.closed")
        refuse_unless(model.programs[program].owner == (licensor or call.author), "program.not_owner")
    model.take(call.payer, model.record_deposit)
    which = object_id("campaign", call.txid)
    model.campaign_terms[which] = terms
    model.campaigns[which] = Campaign._make((0,) * len(Campaign._fields))._replace(
        creator=call.author,
        payer=call.payer,
        deposit=model.record_deposit,
        unit=terms.unit,
        status=OPEN,
        taken=(0,) * len(terms.tiers),
        added=(0,) * len(terms.add_ons),
        shares_left=SHARES,
        attempt=1,
        late_days=(),
    )
    next_decision(model, which, terms.deadline)
    return [""]


# --- pledges ---


def _take_places(model: Model, which: bytes, quantity: int, tier: int, add_ons: AddOns) -> None:
    """CRF-2, places."""
    terms, found = model.campaign_terms[which], model.campaigns[which]
    taken, added = list(found.taken), list(found.added)
    refuse_unless(tier <= len(terms.tiers), "pledge.no_tier")
    refuse_unless(all(number <= len(terms.add_ons) for number, _ in add_ons), "pledge.no_add_on")
    least = terms.tiers[tier - 1][1] if tier else 0
    least += sum(terms.add_ons[number - 1][1] * count for number, count in add_ons)
    refuse_unless(least <= quantity, "pledge.below_tier")
    if tier:
        limit = terms.tiers[tier - 1][2]
        refuse_unless(limit == 0 or taken[tier - 1] < limit, "pledge.tier_taken")
        taken[tier - 1] += 1
    for number, count in add_ons:
        limit = terms.add_ons[number - 1][2]
        refuse_unless(limit == 0 or added[number - 1] + count <= limit, "pledge.add_on_taken")
        added[number - 1] += count
    change_campaign(model, which, taken=tuple(taken), added=tuple(added))


def _leave_places(model: Model, which: bytes, pledge: Pledge) -> None:
    found = model.campaigns[which]
    taken, added = list(found.taken), list(found.added)
    if pledge.tier:
        taken[pledge.tier - 1] -= 1
    for number, count in pledge.add_ons:
        added[number - 1] -= count
    assert min((*taken, *added), default=0) >= 0
    change_campaign(model, which, taken=tuple(taken), added=tuple(added))


def change_weight(model: Model, which: bytes, backer: bytes, by: int) -> None:
    """The weight, and the creator's own part of it."""
    found = model.campaigns[which]
    own = by if backer == found.creator else 0
    change_campaign(model, which, weight=found.weight + by, own_weight=found.own_weight + own)


def _add(model: Model, which: bytes, *, pledged: int, escrowed: int) -> None:
    found = model.campaigns[which]
    change_campaign(model, which, pledged=found.pledged + pledged, escrowed=found.escrowed + escrowed)


def _make(model: Model, call: Call, payload: tuple) -> int:
    """CRF-2 from places on; the pledge's number."""
    which, quantity, tier, add_ons = payload
    _take_places(model, which, quantity, tier, add_ons)
    refuse_unless(model.campaigns[which].pledged + quantity <= M, "pledge.too_much")
    lots = put_in(model, call, which, quantity)
    model.take(call.payer, model.record_deposit)
    model.take(call.payer, model.prepaid_exit)
    number = model.campaigns[which].pledges
    model.pledges[which, number] = Pledge(
        payer=call.payer,
        deposit=model.record_deposit,
        prepaid=model.prepaid_exit,
        backer=call.author,
        quantity=quantity,
        tier=tier,
        lots=lots,
        add_ons=add_ons,
        voted_round=0,
        approves=False,
    )
    change_campaign(model, which, pledges=number + 1)
    change_weight(model, which, call.author, quantity)
    _add(model, which, pledged=quantity, escrowed=quantity)
    return number


def pledge(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-2."""
    which = payload[0]
    refuse_unless(which in model.campaigns, "campaign.unknown")
    found = model.campaigns[which]
    refuse_unless(found.status == OPEN and not is_over(model, found), "pledge.campaign_over")
    _make(model, call, payload)
    return [""]


def kept_of_late(found: Campaign, quantity: int) -> int:
    """What of a late pledge stays in escrow (CRF-7)."""
    return -(-quantity * found.shares_left // SHARES)


def pledge_late(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-7."""
    which, quantity = payload[:2]
    refuse_unless(which in model.campaigns, "campaign.unknown")
    found = model.campaigns[which]
    refuse_unless(found.status == FUNDED, "campaign.not_funded")
    refuse_unless(not is_over(model, found), "campaign.waiting")
    refuse_unless(found.submitted_at == 0, "milestone.vote_open")
    refuse_unless(model.now < model.campaign_terms[which].late_until, "pledge.not_late")
    _make(model, call, payload)
    pay_out(model, which, quantity - kept_of_late(found, quantity))
    return [""]


def _own_pledge(model: Model, call: Call, which: bytes, number: int) -> Pledge:
    refuse_unless((which, number) in model.pledges, "pledge.unknown")
    refuse_unless(model.pledges[which, number].backer == call.author, "pledge.not_backer")
    return model.pledges[which, number]


def is_last_day(terms: CampaignTerms, now: int) -> bool:
    """CRF-6."""
    return terms.all_or_nothing and now >= terms.deadline - DAY


def _keep_goal(model: Model, which: bytes, pledged: int) -> None:
    """CRF-6, the last day."""
    terms, found = model.campaign_terms[which], model.campaigns[which]
    broken = is_last_day(terms, model.now) and found.pledged >= terms.goal and pledged < terms.goal
    refuse_unless(not broken, "pledge.goal_reached")


def _join_lots(lots: tuple[Lot, ...], more: tuple[Lot, ...]) -> tuple[Lot, ...]:
    together: dict[tuple[int, int, int], int] = {}
    for lot in (*lots, *more):
        key = (lot.expiry_day, lot.activation_day, lot.version)
        together[key] = together.get(key, 0) + lot.points
    return tuple(Lot(version, begins, ends, points) for (ends, begins, version), points in sorted(together.items()))


def change(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-6."""
    which, number, quantity, tier, add_ons = payload
    refuse_unless(which in model.campaigns, "campaign.unknown")
    before, found = _own_pledge(model, call, which, number), model.campaigns[which]
    refuse_unless(found.status == OPEN, "pledge.bound")
    refuse_unless(not is_over(model, found), "campaign.waiting")
    _leave_places(model, which, before)
    _take_places(model, which, quantity, tier, add_ons)
    d = quantity - before.quantity
    _keep_goal(model, which, found.pledged + d)
    refuse_unless(found.pledged + d <= M, "pledge.too_much")
    lots = before.lots
    if d > 0:
        lots = _join_lots(lots, put_in(model, call, which, d))
        refuse_unless(len(lots) <= LOTS_MAX, "pledge.too_many_lots")
    if d < 0:
        lots, back = give_units_back(model, which, before, -d)
        if found.unit != COIN:
            change_backing(model, which, -backing_of(model, found.unit[1], back))
    model.pledges[which, number] = before._replace(quantity=quantity, tier=tier, add_ons=add_ons, lots=lots)
    change_weight(model, which, call.author, d)
    _add(model, which, pledged=d, escrowed=d)
    return [""]


def cancel_pledge(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-6."""
    which, number = payload
    refuse_unless(which in model.campaigns, "campaign.unknown")
    former = model.former_pledges.get((which, number))
    if former is not None:
        refuse_unless(former.backer == call.author, "pledge.not_backer")
        refuse_unless(call.payer != NOBODY or former.prepaid != 0, "pledge.not_prepaid")
        forget(model, which, number)
        return [""]
    own, found = _own_pledge(model, call, which, number), model.campaigns[which]
    if found.status == OPEN:
        refuse_unless(not is_over(model, found), "campaign.waiting")
        _keep_goal(model, which, found.pledged - own.quantity)
        end_pledge(model, which, number, own.quantity)
        _leave_places(model, which, own)
        _add(model, which, pledged=-own.quantity, escrowed=-own.quantity)
    else:
        refuse_unless(found.until == 0 and found.escrowed == 0, "pledge.bound")
        end_pledge(model, which, number, 0)
    change_weight(model, which, call.author, -own.quantity)
    return [""]


def share_of(found: Campaign, quantity: int) -> int:
    """What of the escrow is that of a pledge (CRF-9)."""
    return found.escrowed * quantity // found.weight


def withdraw(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-9."""
    which, number = payload
    refuse_unless(which in model.campaigns, "campaign.unknown")
    own, found = _own_pledge(model, call, which, number), model.campaigns[which]
    refuse_unless(found.status == FUNDED, "campaign.not_funded")
    refuse_unless(not is_over(model, found), "campaign.waiting")
    refused = found.round > 0 and own.voted_round == found.round and not own.approves
    refuse_unless(refused, "pledge.not_refused")
    share = share_of(found, own.quantity)
    leave(model, which, number, share, by_refund=False)
    _leave_places(model, which, own)
    change_weight(model, which, call.author, -own.quantity)
    _add(model, which, pledged=0, escrowed=-share)
    change_campaign(model, which, returned=found.returned + share)
    return [""]


# --- the creator ---


def cancel(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-10."""
    (which,) = payload
    found = own_campaign(model, call, which)
    refuse_unless(found.status == OPEN or (found.status == FUNDED and found.escrowed > 0), "campaign.nothing_left")
    refuse_unless(not is_over(model, found), "campaign.waiting")
    stop(model, which, CANCELLED)
    return [""]


def post_update(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-11."""
    which, _ = payload
    found = own_campaign(model, call, which)
    refuse_unless(found.updates < UPDATES_MAX, "campaign.updates")
    change_campaign(model, which, updates=found.updates + 1)
    return [""]
