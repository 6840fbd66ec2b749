"""Ledger and model agree, whatever members, brands, tills, miners and forks do.

The machine asks hypothesis for each choice; a failure is shrunk, and its blob replays it. `scripts/model_run.py` does the same from
seeds, a million steps long.
"""

import os
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.model import (
    ballot_acts,
    brand_acts,
    campaign_acts,
    challenge_acts,
    contest_acts,
    fan_acts,
    gift_acts,
    guardian_acts,
    mission_acts,
    offer_acts,
    pledge_acts,
    proposal_acts,
    return_acts,
    review_acts,
    till_acts,
    time_acts,
    voice_acts,
)
from tests.model.life import Act, Life
from tests.model.replay import live
from tests.model.walk import VOICE_DECK, act, begin

NUMBERS_DRAWN_MAX = 2**16
BRAND_ACTS: tuple[Act, ...] = (
    brand_acts.update_program,
    brand_acts.update_reward,
    brand_acts.list_reward,
    brand_acts.grant_issuer,
    brand_acts.revoke_issuer,
    brand_acts.fill_pool,
    brand_acts.create_program,
    gift_acts.adjust,
    gift_acts.announce_sunset,
    gift_acts.claim,
)
FAN_ACTS: tuple[Act, ...] = (
    fan_acts.redeem,
    fan_acts.join,
    fan_acts.leave,
    fan_acts.grant_consent,
    fan_acts.revoke_consent,
    gift_acts.give_on,
    fan_acts.transfer,
    fan_acts.set_policy,
    guardian_acts.name_guardians,
    guardian_acts.recover,
    guardian_acts.cancel_recovery,
    fan_acts.send_again,
)


PROMISES: tuple[Act, ...] = (
    challenge_acts.create,
    challenge_acts.visit,
    challenge_acts.complete,
    challenge_acts.contest,
    challenge_acts.reverse,
    challenge_acts.live_through,
    offer_acts.issue,
    offer_acts.cite,
    offer_acts.settle,
    offer_acts.contest,
    offer_acts.reverse,
    offer_acts.live_through,
)


VOICE: tuple[Act, ...] = (
    proposal_acts.propose,
    ballot_acts.vote,
    ballot_acts.reveal,
    proposal_acts.respond,
    proposal_acts.fulfil,
    voice_acts.live_through,
    voice_acts.ask_backers,
    mission_acts.create,
    mission_acts.record,
    mission_acts.credit,
    review_acts.write,
    review_acts.reply,
)


CAMPAIGNS: tuple[Act, ...] = (
    pledge_acts.pledge,
    campaign_acts.create,
    campaign_acts.live_through,
    campaign_acts.submit,
    pledge_acts.vote,
    pledge_acts.withdraw,
    pledge_acts.change,
    pledge_acts.cancel,
    pledge_acts.pledge_late,
    campaign_acts.cancel,
    campaign_acts.post_update,
)


class DrawnChoices:
    """Choices of hypothesis: the first of several is the one to shrink to."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def number(self, low: int, high: int) -> int:
        return self._data.draw(st.integers(low, high))

    def choice(self, items: Sequence[Any]) -> Any:
        return items[self._data.draw(st.integers(0, len(items) - 1))]


class Agreement(RuleBasedStateMachine):
    """A ledger and a model, and what happens to both. Every rule compares the verdicts, every block all records."""

    life: Life

    @initialize(data=st.data())
    def open_shop(self, data: st.DataObject) -> None:
        self.life = begin(DrawnChoices(data))

    def _let(self, data: st.DataObject, what: Act) -> None:
        self.life.choose = DrawnChoices(data)
        act(self.life, what)

    @rule(data=st.data(), what=st.sampled_from(BRAND_ACTS))
    def brand_changes_what_it_offers(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data(), what=st.sampled_from((brand_acts.fulfil, brand_acts.cancel, brand_acts.refund)))
    def a_hold_ends(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data(), what=st.sampled_from(FAN_ACTS))
    def fan_does_something(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data(), what=st.sampled_from((till_acts.settle, till_acts.settle, till_acts.keep_coming)))
    def till_settles(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data())
    def till_signs_a_receipt(self, data: st.DataObject) -> None:
        self._let(data, till_acts.purchase)

    @rule(data=st.data(), what=st.sampled_from((contest_acts.contest, contest_acts.answer, return_acts.reverse)))
    def receipt_is_contested(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data(), what=st.sampled_from(PROMISES))
    def promise_is_made_or_kept(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data(), what=st.sampled_from(VOICE))
    def somebody_is_heard(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data(), what=st.sampled_from(CAMPAIGNS))
    def campaign_goes_on(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data())
    def block_is_mined(self, data: st.DataObject) -> None:
        self._let(data, time_acts.mine)

    @rule(data=st.data(), what=st.sampled_from((time_acts.come_to_a_deadline, time_acts.lend_a_consent)))
    def deadline_comes(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)

    @rule(data=st.data(), what=st.sampled_from((time_acts.reorganise, time_acts.mine_quietly)))
    def chain_branches(self, data: st.DataObject, what: Act) -> None:
        self._let(data, what)


def test_machine_finds_no_disagreement() -> None:
    full = os.environ.get("HYPOTHESIS_PROFILE") == "full"
    run_state_machine_as_test(
        Agreement,
        settings=settings(max_examples=20 if full else 8, stateful_step_count=60),
    )


@pytest.mark.parametrize("seed", range(6))
def test_lives_from_seeds_agree(seed: int) -> None:
    run = live(f"ci/{seed}", range(250))
    assert run.fault is None, run.fault.text
    assert run.steps > 100


def test_lives_of_those_who_speak_agree() -> None:
    ballots = 0
    for seed in range(3):
        run = live(f"voice/{seed}", range(200), VOICE_DECK)
        assert run.fault is None, run.fault.text
        ballots += run.outcomes["ballot.cast "] + run.outcomes["ballot.commit "]
    assert ballots > 20
