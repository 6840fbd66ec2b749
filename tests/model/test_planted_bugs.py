"""A bug planted in each domain is found: the machine's acts, from seeds, run into a disagreement within a bounded number of steps.

The bugs are small and of the kind that reviews miss: a second late, a block early, a limit not looked at. They are planted in the
running ledger by name.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from ledger.kinds import Context
from tests.model.records import SIGN
from tests.model.replay import live, shrink
from tests.model.walk import DECK, VOICE_DECK

LIVES_MAX = 60
ACTS = 200
OF_VOICE = ("proposals", "ballots", "tally", "obligations", "missions", "reviews")


def _a_second_late(name: str) -> Callable[[Any], Any]:
    """A question about a record and a context, asked for the second before."""

    def plant(rule: Any) -> Any:
        def asked_late(record: Any, context: Context, *rest: Any) -> Any:
            return rule(record, replace(context, time=context.time - 1), *rest)

        return asked_late

    plant.__name__ = name
    return plant


def _a_unit_stays(pay_out: Any) -> Any:
    """Of what is released, a unit is left in escrow."""
    return lambda view, campaign_id, campaign, quantity, context: pay_out(
        view, campaign_id, campaign, max(quantity - 1, 0), context
    )


def _consent_lasts_longer(has_consent: Any) -> Any:
    return lambda view, fan, grantee, purpose, time, scope="": has_consent(view, fan, grantee, purpose, time - 1, scope)


def _a_point_more(left_of_cap: Any) -> Any:
    return lambda terms, books, issued: left_of_cap(terms, books, issued) + 1


def _never(_: Any) -> Any:
    return lambda *_: None


def _the_first_only(release: Any) -> Any:
    return lambda book, lots: release(book, tuple(lots)[:1])


def _the_first_of_them(found: Any) -> Any:
    return lambda *asked: found(*asked)[:1]


def _always(_: Any) -> Any:
    return lambda *_: True


def _those_who_sign_receipts(_: int) -> int:
    return SIGN


def _one_more(constant: int) -> int:
    return constant + 1


BUGS: dict[str, tuple[tuple[str, ...], str, Callable[[Any], Any]]] = {
    "loyalty: the grace is a day longer": (("loyalty.points",), "RESTORE_GRACE_DAYS", _one_more),
    "loyalty: the issuance cap gives way by a point": (
        ("loyalty.issuance",),
        "left_of_cap",
        _a_point_more,
    ),
    "rewards: a hold is over a block late": (("rewards.redeem",), "HOLD_BLOCKS_MIN", _one_more),
    "rewards: a hold is over a second late": (
        ("rewards.holds", "rewards.redeem_fulfil"),
        "hold_is_over",
        _a_second_late("hold"),
    ),
    "consent: it is active in the second in which it expires": (
        ("loyalty.earn",),
        "has_consent",
        _consent_lasts_longer,
    ),
    "crowdfunding: a unit stays in escrow": (("crowdfunding.decisions",), "pay_out", _a_unit_stays),
    "crowdfunding: it stays open for a block more": (("crowdfunding.decisions",), "DEADLINE_BLOCKS_MIN", _one_more),
    "challenges: an occurrence is over a second late": (("challenges.state",), "CONTEST_SECONDS", _one_more),
    "offers: a contested bonus waits for a day more": (("offers.offer_contest",), "OFFER_PENDING_DAYS", _one_more),
    "collateral: of lots that leave together only the first one's coin comes free": (
        ("loyalty.points",),
        "PointsBook.release",
        _the_first_only,
    ),
    "proposals: voting lasts a block longer": (("voice.proposal_create",), "PROPOSAL_BLOCKS_MIN", _one_more),
    "proposals: who has been a member for 30 days asks a second later": (
        ("voice.proposal_create",),
        "PROPOSAL_TENURE_SECONDS",
        _one_more,
    ),
    "ballots: what is shown need not have stood in the snapshot": (("voice.power",), "verify_inclusion", _always),
    "tally: of options that are equal only the first one leads": (("voice.closing",), "leaders_of", _the_first_of_them),
    "obligations: the grace is a second longer": (
        ("voice.proposal_respond",),
        "OBLIGATION_GRACE_SECONDS",
        _one_more,
    ),
    "missions: who signs receipts signs slips": (
        ("voice.contribution_record",),
        "SCOPE_RECORD",
        _those_who_sign_receipts,
    ),
    "reviews: anybody's pledge gives standing": (("voice.reviews",), "_has_pledged", _always),
    "accounts: dust may be left": (("accounts.transfer",), "_check_minimum", _never),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules, name, plant = BUGS[bug]
    for module in modules:
        found: Any = import_module(f"ledger.domains.{module}")
        *classes, last = name.split(".")
        for of_class in classes:
            found = getattr(found, of_class)
        monkeypatch.setattr(found, last, plant(getattr(found, last)))
    deck = VOICE_DECK if bug.split(":", maxsplit=1)[0] in OF_VOICE else DECK
    steps = 0
    for seed in range(LIVES_MAX):
        run = live(f"planted/{seed}", range(ACTS), deck)
        steps += run.steps
        if run.fault is not None:
            monkeypatch.undo()
            assert live(f"planted/{seed}", range(ACTS), deck).fault is None, "it was not the planted bug that was found"
            return
    pytest.fail(f"{bug}: not found in {steps} steps")


def test_fewest_acts_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    modules, name, plant = BUGS["rewards: a hold is over a block late"]
    module = import_module(f"ledger.domains.{modules[0]}")
    monkeypatch.setattr(module, name, plant(getattr(module, name)))
    runs = {seed: live(f"shrunk/{seed}", range(ACTS)) for seed in range(6)}
    seed, run = next((seed, run) for seed, run in runs.items() if run.fault is not None)
    assert run.fault is not None
    acts = shrink(f"shrunk/{seed}", range(ACTS), run.fault.label)
    again = live(f"shrunk/{seed}", acts)
    assert again.fault is not None and again.fault.label == run.fault.label
    assert len(acts) < 30
    assert any("redeem" in line for line in again.story)
