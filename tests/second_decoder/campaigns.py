"""Shapes of crowdfunding, copied from the prose of CRF-1 to CRF-11, in the form of layouts.py, and what they cannot say."""

from itertools import pairwise

from tests.second_decoder.faults import Fault

# CRF-1, CRF-2
SHAPES = {
    "unit": "one of: 0 CoinUnit[], 1 PointsUnit[program: id, licensor: id?]",
    "campaign_terms": """[title: text 1..128, unit, goal: int 1..M, deadline: int 0..2^40,
                          tiers: list 0..32 of [title: text 1..128, least: int 1..M, limit: int 0..2^31-1],
                          all_or_nothing: bool,
                          add_ons: list 0..16 of [title: text 1..128, price: int 1..M, limit: int 0..2^31-1],
                          stretch: list 0..8 of [amount: int 1..M, title: text 1..128],
                          milestones: list 0..12 of [title: text 1..128, share: int 1..10000, due: int 0..2^40],
                          reserve: int 0..10000, delivery_due: int 0..2^40, grace_seconds: int 60..31622400,
                          vote_seconds: int 60..5184000, retry_seconds: int 0..7776000, silence_approves: bool,
                          late_until: int 0..2^40, delivery_key: id?]""",
    "add_ons": "list 0..16 of [add_on: int 1..16, count: int 1..1000]",
}

# Kind -> (payload, records, slots, due, whether it is an exit). CRF-1, CRF-2, CRF-6 to CRF-11.
KIND_SHAPES = {
    "campaign.create": ("campaign_terms", 4, 3, 14, False),
    "pledge": ("[campaign: id, quantity: int 1..M, tier: int 0..32, add_ons]", 6, 1, 1, False),
    "pledge.change": (
        "[campaign: id, number: int 0..2^32-1, quantity: int 1..M, tier: int 0..32, add_ons]",
        7,
        0,
        0,
        False,
    ),
    "pledge.cancel": ("[campaign: id, number: int 0..2^32-1]", 7, 0, 0, True),
    "pledge.late": ("[campaign: id, quantity: int 1..M, tier: int 0..32, add_ons]", 7, 1, 1, False),
    "milestone.submit": ("[campaign: id, step: int 0..12, evidence: id]", 2, 0, 2, False),
    "milestone.vote": ("[campaign: id, number: int 0..2^32-1, approves: bool]", 2, 0, 0, False),
    "delivery.confirm": ("[campaign: id, number: int 0..2^32-1, received: bool]", 2, 0, 0, False),
    "pledge.withdraw": ("[campaign: id, number: int 0..2^32-1]", 8, 0, 0, True),
    "campaign.cancel": ("[campaign: id]", 2, 0, 1, False),
    "campaign.post_update": ("[campaign: id, text_hash: id]", 1, 0, 0, False),
}

# CRF-2, CRF-6, CRF-7: the kinds that wait for a recovery.
WAITS = {"pledge", "pledge.change", "pledge.late"}

RECORD_SHAPES = {
    "F": (
        "Campaign",
        "campaign:id",
        """[creator: id, payer: bytes 0..33, deposit: int 0..M, unit, status: int 0..6, pledged: int 0..M, weight: int 0..M,
            own_weight: int 0..M, escrowed: int 0..M, released: int 0..M, returned: int 0..M, pledges: int 0..2^32-1,
            taken: list 0..32 of int 0..M, added: list 0..16 of int 0..M, stage: int 0..2^32-1, until: int 0..2^40,
            until_height: int 0..2^32-1, step: int 0..13, shares_left: int 0..10000, attempt: int 1..2,
            round: int 0..2^32-1, submitted_at: int 0..2^40, basis: int 0..M, yes: int 0..M, no: int 0..M,
            late_days: list 0..13 of int 0..M, delivered_at: int 0..2^40, updates: int 0..2^32-1,
            refund_total: int 0..M, refund_weight: int 0..M, backing: int 0..M]""",
    ),
    "P": (
        "Pledge",
        "campaign:id number:be4",
        """[payer, deposit, prepaid, backer: id, quantity: int 0..M, tier: int 0..32, lots: list 0..128 of lot, add_ons,
            voted_round: int 0..2^32-1, approves: bool]""",
    ),
    "b": (
        "FormerPledge",
        "campaign:id number:be4",
        "[payer, deposit, prepaid, backer: id, quantity: int 0..M, returned: int 0..M]",
    ),
    "f": ("CampaignTerms", "campaign:id", "campaign_terms"),
}


def check_terms(terms: dict) -> None:
    """CRF-1, Check 1 to 4."""
    milestones = terms["milestones"]
    if sum(item["share"] for item in milestones) + terms["reserve"] != 10_000:
        raise Fault("campaign.shares")
    amounts = [terms["goal"], *(item["amount"] for item in terms["stretch"])]
    if any(left >= right for left, right in pairwise(amounts)):
        raise Fault("campaign.stretch")
    dues = [item["due"] for item in milestones]
    last = terms["delivery_due"] or (dues[-1] if dues else 0)
    following = [due for number, due in enumerate(dues) if number or due]
    if terms["delivery_due"]:
        following.append(terms["delivery_due"])
    elif not milestones or terms["reserve"] or terms["delivery_key"]:
        raise Fault("campaign.due_times")
    if any(due <= terms["deadline"] for due in following) or following != sorted(following):
        raise Fault("campaign.due_times")
    if terms["late_until"] and not terms["deadline"] < terms["late_until"] <= last:
        raise Fault("campaign.late_until")


def check_add_ons(add_ons: list[dict]) -> None:
    """CRF-2: the numbers ascend strictly."""
    if any(left["add_on"] >= right["add_on"] for left, right in pairwise(add_ons)):
        raise Fault("pledge.add_ons")


def licensor_of(payload: dict) -> bytes:
    """CRF-1: who co-signs, empty for nobody."""
    return payload["unit"]["licensor"] if payload["unit"]["is"] == "PointsUnit" else b""
