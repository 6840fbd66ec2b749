"""A life by chance: which acts there are, how often each comes, and runs that any seed repeats."""

from collections.abc import Sequence

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
from tests.model.life import ANNA, BEN, CARL, DORA, OWNER, TILL, Act, Chooser, Idle, Life, draw_params
from tests.model.records import array_of_terms
from tests.model.terms import friendly_terms
from tests.model.world import World
from tests.second_decoder.hashing import object_id

ACTS: dict[Act, int] = {
    brand_acts.create_program: 1,
    brand_acts.fill_pool: 3,
    brand_acts.update_program: 5,
    brand_acts.grant_issuer: 3,
    brand_acts.revoke_issuer: 1,
    brand_acts.list_reward: 4,
    brand_acts.update_reward: 5,
    brand_acts.fulfil: 5,
    brand_acts.cancel: 4,
    brand_acts.refund: 4,
    fan_acts.join: 7,
    fan_acts.leave: 3,
    fan_acts.redeem: 11,
    fan_acts.grant_consent: 5,
    fan_acts.revoke_consent: 3,
    fan_acts.transfer: 7,
    fan_acts.set_policy: 2,
    guardian_acts.name_guardians: 4,
    guardian_acts.recover: 6,
    guardian_acts.cancel_recovery: 1,
    fan_acts.send_again: 3,
    till_acts.purchase: 10,
    till_acts.settle: 16,
    till_acts.keep_coming: 1,
    return_acts.reverse: 10,
    gift_acts.adjust: 6,
    gift_acts.give_on: 7,
    gift_acts.announce_sunset: 1,
    gift_acts.claim: 6,
    contest_acts.contest: 12,
    contest_acts.answer: 12,
    challenge_acts.create: 6,
    challenge_acts.visit: 8,
    challenge_acts.complete: 7,
    challenge_acts.contest: 9,
    challenge_acts.reverse: 7,
    challenge_acts.live_through: 9,
    offer_acts.issue: 7,
    offer_acts.cite: 7,
    offer_acts.settle: 6,
    offer_acts.contest: 8,
    offer_acts.reverse: 6,
    offer_acts.live_through: 6,
    proposal_acts.propose: 3,
    proposal_acts.respond: 5,
    proposal_acts.fulfil: 4,
    ballot_acts.vote: 18,
    ballot_acts.reveal: 7,
    voice_acts.live_through: 12,
    voice_acts.ask_backers: 4,
    voice_acts.ask_at_once: 1,
    mission_acts.create: 2,
    mission_acts.record: 6,
    mission_acts.credit: 4,
    mission_acts.live_through: 2,
    review_acts.write: 13,
    review_acts.reply: 4,
    campaign_acts.create: 3,
    campaign_acts.submit: 4,
    campaign_acts.cancel: 1,
    campaign_acts.post_update: 2,
    campaign_acts.live_through: 11,
    campaign_acts.crowd: 1,
    campaign_acts.save_up: 1,
    campaign_acts.outlive: 2,
    pledge_acts.pledge: 9,
    pledge_acts.pledge_late: 3,
    pledge_acts.change: 6,
    pledge_acts.cancel: 3,
    pledge_acts.vote: 6,
    pledge_acts.withdraw: 5,
    time_acts.mine: 34,
    time_acts.come_to_a_deadline: 14,
    time_acts.lend_a_consent: 2,
    time_acts.mine_quietly: 1,
    time_acts.reorganise: 2,
}
DECK = [act for act, weight in ACTS.items() for _ in range(weight)]
CAMPAIGN_DECK = [
    act
    for act in DECK
    if act.__module__ in (campaign_acts.__name__, pledge_acts.__name__, time_acts.__name__)
    or act in (till_acts.settle, gift_acts.adjust, brand_acts.fill_pool, fan_acts.leave, fan_acts.join)
    if act not in (campaign_acts.save_up, time_acts.lend_a_consent)
]
"""Campaigns, and what they need: time, members, points, coin."""
VOICES = (ballot_acts, mission_acts, proposal_acts, review_acts, voice_acts)
VOICE_DECK = [
    act
    for act in DECK
    if act.__module__ in [module.__name__ for module in (*VOICES, time_acts)]
    or act in (till_acts.settle, brand_acts.create_program, brand_acts.fill_pool, brand_acts.grant_issuer)
    or act in (brand_acts.fulfil, fan_acts.redeem)
    or act in (campaign_acts.create, pledge_acts.pledge, pledge_acts.cancel, fan_acts.leave, fan_acts.join)
]
"""Who asks, votes, helps and reviews, and what they need: time, members, points, pledges."""


def open_shop(life: Life) -> None:
    """What a life begins with: a program with a filled pool, a till, members and a reward."""
    choose, world = life.choose, life.world
    rate = world.params.fee_rate_min
    offset = choose.choice((0, 0, 60, -1_439, 1_439))
    payload = ("Corner", "point", 0, offset, array_of_terms(friendly_terms(choose, rate)))
    tx, raw = world.make("program.create", payload, OWNER.address)
    assert world.offer(tx, raw) == ""
    program = object_id("program", tx.txid)
    for kind, rest, author in (
        ("transfer", ((1, program), choose.choice((10**9, 10**9, 10**9, 2 * 10**6))), OWNER),
        ("issuer.grant", (program, TILL.address, 127, choose.choice((10**6, 10**6, 3_000))), OWNER),
        ("reward.list", (program, "Bread", 20, 50, 1_000, (0, 0, 0), (0, 2**40), 0), OWNER),
        *(("consent.grant", (program, 0, "", 0), fan) for fan in (ANNA, BEN)),
        *(("member.join", (program, TILL.address, b"", False, ()), fan) for fan in (ANNA, BEN, CARL, DORA)),
    ):
        payment = (1, program) if kind == "member.join" else None
        tx, raw = world.make(kind, rest, author.address, payment)
        assert world.offer(tx, raw) == "", kind
    world.mine(world.now + 60, [OWNER.address])


def begin(choose: Chooser) -> Life:
    """A new chain, with its shop open."""
    life = Life(World(draw_params(choose)), choose)
    open_shop(life)
    return life


def act(life: Life, what: Act) -> None:
    """Let something be done, if there is anything to do."""
    try:
        what(life)
    except Idle:
        return


def act_of(life: Life, deck: Sequence[Act] = DECK) -> None:
    """Whatever comes next in a life."""
    act(life, life.choose.choice(deck))
