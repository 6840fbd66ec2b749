"""What a campaign comes to: settlement, steps and their votes, stopping, refunds (CRF-3, CRF-4, CRF-8)."""

from tests.model.campaign_records import DONE, FAILED, FUNDED, OPEN, OVERDUE, REJECTED, Campaign, CampaignTerms
from tests.model.escrow import change_campaign, leave, release
from tests.model.records import DAY, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call

BLOCKS_MIN = 6
PIECE = 16


def is_over(model: Model, campaign: Campaign) -> bool:
    """CRF-3."""
    return campaign.until != 0 and model.now >= campaign.until and model.height >= campaign.until_height


def next_decision(model: Model, which: bytes, time: int) -> None:
    """CRF-3: the next decision is at a time."""
    stage = model.campaigns[which].stage + 1
    change_campaign(model, which, stage=stage, until=time, until_height=model.height + BLOCKS_MIN)
    model.queue("campaign.decide", which, stage, time)


def _no_decision(model: Model, which: bytes) -> None:
    change_campaign(model, which, stage=model.campaigns[which].stage + 1, until=0, until_height=0)


def decide(model: Model, which: bytes, number: int) -> None:
    """Due work `campaign.decide` (CRF-3)."""
    found = model.campaigns[which]
    if found.stage != number:
        return
    if not is_over(model, found):
        model.queue("campaign.decide", which, number, model.now + 1)
    elif found.status == OPEN:
        _settle(model, which)
    elif found.submitted_at:
        _count(model, which)
    else:
        stop(model, which, OVERDUE)


def _settle(model: Model, which: bytes) -> None:
    terms, found = model.campaign_terms[which], model.campaigns[which]
    is_funded = found.pledged >= terms.goal if terms.all_or_nothing else found.pledged > 0
    if not is_funded:
        stop(model, which, FAILED)
        return
    change_campaign(model, which, status=FUNDED)
    if terms.milestones and terms.due_times[0] == 0:
        release(model, which, terms.shares[0])
        change_campaign(model, which, late_days=(0,), step=1)
    _begin_step(model, which)


def _begin_step(model: Model, which: bytes) -> None:
    """CRF-8: a step begins."""
    terms, found = model.campaign_terms[which], model.campaigns[which]
    if found.step == len(terms.due_times):
        change_campaign(model, which, status=DONE, submitted_at=0)
        _no_decision(model, which)
    else:
        change_campaign(model, which, attempt=1, submitted_at=0)
        next_decision(model, which, max(terms.due_times[found.step], model.now) + terms.grace_seconds)


def is_approved(terms: CampaignTerms, found: Campaign) -> bool:
    """CRF-8: what the vote comes to."""
    silent = found.basis - found.yes - found.no
    assert silent >= 0
    for_it, against = (found.yes + silent, found.no) if terms.silence_approves else (found.yes, found.no + silent)
    return for_it > against


def days_late(due: int, submitted_at: int) -> int:
    """CRF-8: days that have begun since a step's due time."""
    return -(-max(submitted_at - due, 0) // DAY)


def _count(model: Model, which: bytes) -> None:
    """CRF-8: the vote is counted."""
    terms, found = model.campaign_terms[which], model.campaigns[which]
    if is_approved(terms, found):
        late = days_late(terms.due_times[found.step], found.submitted_at)
        change_campaign(model, which, late_days=(*found.late_days, late))
        if terms.shares[found.step]:
            release(model, which, terms.shares[found.step])
        if found.step == len(terms.milestones):
            change_campaign(model, which, delivered_at=found.submitted_at)
        change_campaign(model, which, step=found.step + 1)
        _begin_step(model, which)
    elif found.attempt == 1 and terms.retry_seconds > 0:
        change_campaign(model, which, attempt=2, submitted_at=0)
        next_decision(model, which, model.now + terms.retry_seconds)
    else:
        stop(model, which, REJECTED)


def stop(model: Model, which: bytes, status: int) -> None:
    """CRF-4."""
    found = change_campaign(model, which, status=status, submitted_at=0)
    _no_decision(model, which)
    change_campaign(model, which, refund_total=found.escrowed, refund_weight=found.weight)
    if found.escrowed > 0:
        model.queue("campaign.refund", which, 0, model.now)


def _piece(model: Model, which: bytes, number: int) -> range:
    return range(number, min(number + PIECE, model.campaigns[which].pledges))


def numbers_in_piece(model: Model, which: bytes, number: int) -> int:
    """How many pledges one piece of refunds looks at, whether they are still there or not (CRF-4, DUE-2)."""
    return len(_piece(model, which, number))


def refund_share(found: Campaign, q: int) -> int:
    """What a pledge of q gets back when its turn comes (CRF-4)."""
    s, whole = found.refund_weight - found.weight, found.refund_weight
    return found.refund_total * (s + q) // whole - found.refund_total * s // whole


def refund(model: Model, which: bytes, number: int) -> None:
    """Due work `campaign.refund` (CRF-4)."""
    for each in (each for each in _piece(model, which, number) if (which, each) in model.pledges):
        found, pledge = model.campaigns[which], model.pledges[which, each]
        q = pledge.quantity
        share = refund_share(found, q)
        leave(model, which, each, share, by_refund=True)
        own = q if pledge.backer == found.creator else 0
        change_campaign(
            model,
            which,
            weight=found.weight - q,
            own_weight=found.own_weight - own,
            escrowed=found.escrowed - share,
            returned=found.returned + share,
        )
    found = model.campaigns[which]
    if found.weight > 0:
        model.queue("campaign.refund", which, min(number + PIECE, found.pledges), model.now)


# --- steps and votes ---


def own_campaign(model: Model, call: Call, which: bytes) -> Campaign:
    """The campaign of which the author is the creator."""
    refuse_unless(which in model.campaigns, "campaign.unknown")
    refuse_unless(model.campaigns[which].creator == call.author, "campaign.not_creator")
    return model.campaigns[which]


def submit(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-8, milestone.submit."""
    which, step, _ = payload
    found = own_campaign(model, call, which)
    refuse_unless(found.status == FUNDED, "campaign.not_funded")
    refuse_unless(not is_over(model, found), "campaign.waiting")
    refuse_unless(found.submitted_at == 0, "milestone.vote_open")
    refuse_unless(step == found.step, "milestone.not_next")
    basis = found.weight - found.own_weight
    change_campaign(model, which, round=found.round + 1, submitted_at=model.now, basis=basis, yes=0, no=0)
    next_decision(model, which, model.now + model.campaign_terms[which].vote_seconds)
    return [""]


def _put_into_urn(model: Model, which: bytes, quantity: int, *, approves: bool) -> None:
    found = model.campaigns[which]
    yes, no = (quantity, 0) if approves else (0, quantity)
    change_campaign(model, which, yes=found.yes + yes, no=found.no + no)


def _vote(model: Model, call: Call, payload: tuple, *, on_delivery: bool) -> list[str]:
    which, number, approves = payload
    refuse_unless(which in model.campaigns, "campaign.unknown")
    found = model.campaigns[which]
    refuse_unless(found.status == FUNDED, "campaign.not_funded")
    refuse_unless(not is_over(model, found), "campaign.waiting")
    refuse_unless(found.submitted_at != 0, "milestone.no_vote")
    is_delivery = found.step == len(model.campaign_terms[which].milestones)
    if on_delivery:
        refuse_unless(is_delivery, "delivery.not_submitted")
    else:
        refuse_unless(not is_delivery, "milestone.is_delivery")
    refuse_unless((which, number) in model.pledges, "pledge.unknown")
    pledge = model.pledges[which, number]
    refuse_unless(pledge.backer == call.author, "pledge.not_backer")
    refuse_unless(pledge.backer != found.creator, "milestone.own_pledge")
    if pledge.voted_round == found.round:
        _put_into_urn(model, which, -pledge.quantity, approves=pledge.approves)
    _put_into_urn(model, which, pledge.quantity, approves=approves)
    model.pledges[which, number] = pledge._replace(voted_round=found.round, approves=approves)
    return [""]


def vote(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-8, milestone.vote."""
    return _vote(model, call, payload, on_delivery=False)


def confirm(model: Model, call: Call, payload: tuple) -> list[str]:
    """CRF-8, delivery.confirm."""
    return _vote(model, call, payload, on_delivery=True)
