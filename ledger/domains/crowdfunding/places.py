"""Tiers and add-ons of a campaign: who has a place, and what it costs at least (spec CRF-2)."""

from collections.abc import Sequence
from itertools import pairwise

from ledger.domains.crowdfunding.state import Campaign, ChosenAddOn, Pledge
from ledger.domains.crowdfunding.terms import CampaignTerms
from ledger.errors import Code, Malformed, RuleViolation
from ledger.evolve import replace

BAD_ADD_ONS = Code(
    "pledge.add_ons",
    "the add-ons of a pledge are named once each, in ascending order",
    "Sort them, and name how many of each.",
)
NO_TIER = Code(
    "pledge.no_tier", "the campaign has {count} tiers, not {tier}", "Choose one of its tiers, or 0 for none."
)
NO_ADD_ON = Code("pledge.no_add_on", "the campaign has {count} add-ons, not {add_on}", "Choose among its add-ons.")
BELOW_TIER = Code(
    "pledge.below_tier", "tier and add-ons cost {least} at least, and {offered} is offered", "Pledge more."
)
TIER_TAKEN = Code("pledge.tier_taken", "all {limit} places of this tier are taken", "Choose another tier.")
ADD_ON_TAKEN = Code(
    "pledge.add_on_taken",
    "{left} of the {limit} pieces of add-on {add_on} are left",
    "Take fewer, or leave it out.",
)


def check_add_ons(add_ons: Sequence[ChosenAddOn]) -> None:
    """Raise `pledge.add_ons` unless each is named once, in order."""
    if any(first >= second for (first, _), (second, _) in pairwise(add_ons)):
        raise Malformed(BAD_ADD_ONS)


def take_places(
    campaign: Campaign, terms: CampaignTerms, *, quantity: int, tier: int, add_ons: Sequence[ChosenAddOn]
) -> Campaign:
    """Count a pledge's tier and add-ons; returns the campaign.

    Raises `pledge.no_tier`, `pledge.no_add_on`, `pledge.below_tier`, `pledge.tier_taken`, `pledge.add_on_taken`.
    """
    if tier > len(terms.tiers):
        raise RuleViolation(NO_TIER, count=len(terms.tiers), tier=tier)
    for add_on, _ in add_ons:
        if add_on > len(terms.add_ons):
            raise RuleViolation(NO_ADD_ON, count=len(terms.add_ons), add_on=add_on)
    least = terms.tiers[tier - 1][1] if tier else 0
    least += sum(terms.add_ons[add_on - 1][1] * count for add_on, count in add_ons)
    if quantity < least:
        raise RuleViolation(BELOW_TIER, least=least, offered=quantity)
    _refuse_taken(campaign, terms, tier, add_ons)
    return _count(campaign, tier, add_ons, 1)


def _refuse_taken(campaign: Campaign, terms: CampaignTerms, tier: int, add_ons: Sequence[ChosenAddOn]) -> None:
    if tier:
        limit = terms.tiers[tier - 1][2]
        if limit and campaign.taken[tier - 1] >= limit:
            raise RuleViolation(TIER_TAKEN, limit=limit)
    for add_on, count in add_ons:
        limit, added = terms.add_ons[add_on - 1][2], campaign.added[add_on - 1]
        if limit and added + count > limit:
            raise RuleViolation(ADD_ON_TAKEN, left=limit - added, limit=limit, add_on=add_on)


def free_places(campaign: Campaign, pledge: Pledge) -> Campaign:
    """The campaign without a pledge's tier and add-ons."""
    return _count(campaign, pledge.tier, pledge.add_ons, -1)


def _count(campaign: Campaign, tier: int, add_ons: Sequence[ChosenAddOn], sign: int) -> Campaign:
    if not tier and not add_ons:
        return campaign
    taken, added = list(campaign.taken), list(campaign.added)
    if tier:
        taken[tier - 1] += sign
    for add_on, count in add_ons:
        added[add_on - 1] += sign * count
    return replace(campaign, taken=tuple(taken), added=tuple(added))
