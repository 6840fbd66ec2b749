"""A bug planted in each part of crowdfunding is found.

Most are planted in the model, whose functions are the paragraphs of the text: ledger and model are only ever compared, so a
fault that is found on the one side would be found on the other. Some are planted in the ledger, where it has a seam outside.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from ledger.registry import DUE_KINDS, KINDS
from tests.model import campaign_acts, escrow
from tests.model.campaign_records import COIN, SHARES
from tests.model.records import DAY
from tests.model.replay import live
from tests.model.walk import CAMPAIGN_DECK

LIVES_MAX = 80
ACTS = 150
SAVINGS = 12

Plant = Callable[[Any], Any]
Bug = tuple[str, str, Plant]


def _one_more(constant: int) -> int:
    return constant + 1


def _one_less(constant: int) -> int:
    return constant - 1


def _never(_: Any) -> Any:
    return lambda *_: None


def _a_second_late(asked: Any) -> Any:
    """The clock of the question is a second behind."""

    def late(model: Any, *rest: Any) -> Any:
        behind = model.copy()
        behind.now -= 1
        return asked(behind, *rest)

    return late


def _drop_tier_limit(take_places: Any) -> Any:
    """The limit of tiers is not looked at."""

    def take(model: Any, which: bytes, *rest: Any) -> None:
        terms = model.campaign_terms[which]
        model.campaign_terms[which] = terms._replace(tiers=tuple((*tier[:2], 0) for tier in terms.tiers))
        take_places(model, which, *rest)
        model.campaign_terms[which] = terms

    return take


def _drop_add_ons(take_places: Any) -> Any:
    """What add-ons cost is not counted."""

    def take(model: Any, which: bytes, quantity: int, tier: int, add_ons: tuple) -> None:
        terms = model.campaign_terms[which]
        free = tuple((title, 0, limit) for title, _, limit in terms.add_ons)
        model.campaign_terms[which] = terms._replace(add_ons=free)
        take_places(model, which, quantity, tier, add_ons)
        model.campaign_terms[which] = terms

    return take


def _leaves_no_trace(_: Any) -> Any:
    """A pledge that leaves ends, whatever was released."""

    def leave(*where: Any, by_refund: bool) -> None:
        escrow.end_pledge(*where)

    return leave


def _as_by_refund(leave: Any) -> Any:
    return lambda model, which, number, n, *, by_refund: leave(model, which, number, n, by_refund=True)


def _forget_own_weight(change_weight: Any) -> Any:
    """A creator's own pledges count like all others."""
    return lambda model, which, _, by: change_weight(model, which, b"", by)


def _goal_for_all(settle: Any) -> Any:
    """Keep-it-all needs the goal, too."""

    def settle_all(model: Any, which: bytes) -> None:
        terms = model.campaign_terms[which]
        model.campaign_terms[which] = terms._replace(all_or_nothing=True)
        settle(model, which)
        model.campaign_terms[which] = terms

    return settle_all


def _each_rounded_down(_: Any) -> Any:
    """The remainder of refunds goes to the last one."""
    return lambda found, q: found.escrowed if q == found.weight else found.refund_total * q // found.refund_weight


def _of_the_whole(_: Any) -> Any:
    """A share of what is left, as if nothing had been released before."""
    return lambda found, share: found.escrowed if share == found.shares_left else found.escrowed * share // SHARES


def _from_behind(split: Any) -> Any:
    """What was released is what lives longest."""

    def split_behind(lots: Any, points: int) -> Any:
        whole = sum(lot.points for lot in lots)
        front, rest = split(lots, whole - points)
        return rest, front

    return split_behind


def _backing_stays(pay_out: Any) -> Any:
    """With the last release the coin behind the points stays where it is."""

    def pay(model: Any, which: bytes, x: int) -> None:
        found = model.campaigns[which]
        pay_out(model, which, x)
        if found.unit != COIN and found.escrowed == x:
            model.change_books(found.unit[1], backing=found.backing)
            escrow.change_campaign(model, which, backing=found.backing)

    return pay


def _vote_counts_twice(put: Any) -> Any:
    """Who changes a vote has two."""
    return lambda model, which, quantity, *, approves: put(model, which, max(quantity, 0), approves=approves)


def _tie_approves(_: Any) -> Any:
    def is_approved(terms: Any, found: Any) -> bool:
        silent = found.basis - found.yes - found.no
        return found.yes + silent * terms.silence_approves >= found.no + silent * (not terms.silence_approves)

    return is_approved


def _silence_is_nothing(_: Any) -> Any:
    return lambda terms, found: found.yes > found.no


def _retry_again(count: Any) -> Any:
    """There is always one more try."""

    def count_first(model: Any, which: bytes) -> None:
        escrow.change_campaign(model, which, attempt=1)
        count(model, which)

    return count_first


BUGS: dict[str, tuple[Bug, ...]] = {
    "CRF-1: a campaign may begin a second too far away": (("crowdfunding", "DURATION_MAX", _one_more),),
    "CRF-1: its last step may be due a second too late": (("crowdfunding", "LENGTH_MAX", _one_more),),
    "CRF-2: tiers have no limit": (("crowdfunding", "_take_places", _drop_tier_limit),),
    "CRF-2: add-ons cost nothing": (("crowdfunding", "_take_places", _drop_add_ons),),
    "CRF-2: who bore a release is not on record": (
        ("decisions", "leave", _leaves_no_trace),
        ("crowdfunding", "leave", _leaves_no_trace),
    ),
    "CRF-2: what was prepaid stays in a withdrawn pledge": (("crowdfunding", "leave", _as_by_refund),),
    "CRF-3: a campaign is over a second late": (
        ("decisions", "is_over", _a_second_late),
        ("crowdfunding", "is_over", _a_second_late),
    ),
    "CRF-3: what is open is open for a block less": (("decisions", "BLOCKS_MIN", _one_less),),
    "CRF-3: keep-it-all needs the goal": (("decisions", "_settle", _goal_for_all),),
    "CRF-4: a piece holds a pledge more": (("decisions", "PIECE", _one_more),),
    "CRF-4: the remainder goes to the last": (("decisions", "refund_share", _each_rounded_down),),
    "CRF-5: a share of the whole, not of what is left": (("escrow", "part_of_escrow", _of_the_whole),),
    "CRF-5: what lives longest is released first": (("escrow", "split_from_front", _from_behind),),
    "COL-4: coin stays behind points when all was released": (
        ("escrow", "pay_out", _backing_stays),
        ("crowdfunding", "pay_out", _backing_stays),
    ),
    "CRF-6: the last day begins a second late": (
        ("crowdfunding", "is_last_day", lambda asked: lambda terms, now: asked(terms, now - 1)),
    ),
    "CRF-6: lots that join are not added up": (
        ("crowdfunding", "_join_lots", lambda _: lambda lots, more: lots + more),
    ),
    "CRF-6: a pledge holds a lot more": (("crowdfunding", "LOTS_MAX", _one_more),),
    "CRF-7: late, a unit less stays": (
        ("crowdfunding", "kept_of_late", lambda _: lambda found, quantity: quantity * found.shares_left // SHARES),
    ),
    "CRF-8: a tie approves": (("decisions", "is_approved", _tie_approves),),
    "CRF-8: silence says nothing": (("decisions", "is_approved", _silence_is_nothing),),
    "CRF-8: a changed vote counts twice": (("decisions", "_put_into_urn", _vote_counts_twice),),
    "CRF-8: the creator's own weight is in the basis": (("crowdfunding", "change_weight", _forget_own_weight),),
    "CRF-8: there are three tries": (("decisions", "_count", _retry_again),),
    "CRF-8: a day late from its end on": (
        ("decisions", "days_late", lambda _: lambda due, submitted_at: max(submitted_at - due, 0) // DAY),
    ),
    "CRF-9: a unit more is taken out": (
        (
            "crowdfunding",
            "share_of",
            lambda _: lambda found, quantity: -(-found.escrowed * quantity // max(found.weight, 1)),
        ),
    ),
    "CRF-9: places stay taken": (("crowdfunding", "_leave_places", _never),),
    "CRF-10: what is cancelled has failed": (
        ("crowdfunding", "stop", lambda stop: lambda model, which, _: stop(model, which, 2)),
    ),
}


def _find(name: str, unplant: Callable[[], None]) -> None:
    """Live until the bug is found; without it the same life has no fault."""
    steps = 0
    deck, acts = ((campaign_acts.save_up,), SAVINGS) if "lot" in name else (CAMPAIGN_DECK, ACTS)
    for seed in range(LIVES_MAX):
        run = live(f"campaigns/{seed}", range(acts), deck)
        steps += run.steps
        if run.fault is not None:
            unplant()
            again = live(f"campaigns/{seed}", range(acts), deck)
            assert again.fault is None, f"it was not the planted bug that was found: {again.fault.text}"
            return
    pytest.fail(f"{name}: not found in {steps} steps")


@pytest.mark.parametrize("bug", BUGS)
def test_bug_planted_in_the_model_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, plant in BUGS[bug]:
        found: Any = import_module(f"tests.model.{module}")
        monkeypatch.setattr(found, name, plant(getattr(found, name)))
    _find(bug, monkeypatch.undo)


LATE_CLOCKS = ("campaign.create", "pledge.cancel", "pledge.late", "milestone.submit", "campaign.decide")


@pytest.mark.parametrize("kind", LATE_CLOCKS)
def test_kind_of_the_ledger_whose_clock_is_a_second_behind_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registered = KINDS if kind in KINDS else DUE_KINDS
    found: Any = registered[kind]

    def apply(*given: Any) -> Any:
        *rest, context = given
        return found.apply(*rest, replace(context, time=context.time - 1))

    monkeypatch.setitem(registered, kind, replace(found, apply=apply))
    _find(kind, monkeypatch.undo)
