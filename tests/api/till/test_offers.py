"""Personal offers at a till: looked at without a network, cited once, counted to the cap, settled with the purchases."""

from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from api.till import errors
from api.till.errors import TillRefused
from api.wallet.offers import make_offer, offer_text
from api.wallet.program_file import read_terms_file
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.offers.terms import PersonalOffer
from ledger.errors import Code
from ledger.types import Points, ProgramId, Timestamp
from tests.support.market import TERMS_FILE
from tests.support.refusal import refused
from tests.support.till_world import TillWorld


def refuses(code: Code) -> AbstractContextManager[None]:
    return refused(code, TillRefused)


def offer_at(world: TillWorld, points: int = 20) -> PersonalOffer:
    """Bread for ten, from now on for a day."""
    now = world.clock.now()
    return make_offer(
        world.market.program,
        world.market.member,
        points=Points(points),
        expires_at=Timestamp(now + 86_400),
        from_time=Timestamp(now),
        net_cents_min=1_000,
        codes=("bread",),
    )


def sell(world: TillWorld, name: str, offer: PersonalOffer, cents: int = 1_000) -> bytes:
    """The offer that the receipt cites."""
    kept = world.sell(name, cents, codes={"bread": cents}, offer=offer_text(offer))
    return world.receipt(kept).receipt.offer


def test_a_receipt_cites_the_offer_and_promises_the_purchases_points(world: TillWorld) -> None:
    offer = offer_at(world)
    kept = world.sell("a", 1_000, codes={"bread": 1_000}, offer=f" {offer_text(offer)}\n")
    receipt = world.receipt(kept).receipt
    assert (receipt.offer, receipt.points) == (offer.offer_id, 100)
    again = world.sell("a", 1_000, codes={"bread": 1_000}, offer=offer_text(offer))
    assert (again.is_new, again.signed) == (False, kept.signed)
    with refuses(errors.SALE_CONFLICT):
        world.sell("a", 1_000, codes={"bread": 1_000})


def test_an_offer_counts_once_at_a_till(world: TillWorld) -> None:
    offer = offer_at(world)
    assert sell(world, "a", offer) == offer.offer_id
    with refuses(errors.OFFER_REFUSED):
        sell(world, "b", offer)
    text = offer_text(offer_at(world))
    batch = [world.sale(name, 1_000, codes={"bread": 1_000}, offer=text) for name in ("c", "d")]
    kept, refusal = world.signing.keep(batch)
    assert not isinstance(kept, TillRefused)
    assert isinstance(refusal, TillRefused)
    assert refusal.code is errors.OFFER_REFUSED
    assert world.receipt(world.sell("b")).receipt.offer == b"", "the sale goes without it"


def test_what_is_not_asked_for_or_somebody_elses_is_refused(world: TillWorld) -> None:
    offer = offer_at(world)
    spoiled = (
        replace(offer, member=world.market.owner.wallet.main.address),
        replace(offer, program=ProgramId(bytes(32))),
        replace(offer, expires_at=Timestamp(world.clock.now() - 1)),
    )
    for number, other in enumerate(spoiled):
        with refuses(errors.OFFER_REFUSED):
            sell(world, str(number), other)
    with pytest.raises(TillRefused, match=f"and this is {world.member()}"):
        sell(world, "whose", spoiled[0])
    with refuses(errors.OFFER_REFUSED):
        sell(world, "small", offer, 999)
    with refuses(errors.OFFER_REFUSED):
        world.sell("other", 1_000, codes={"milk": 1_000}, offer=offer_text(offer))
    for text in ("hello", "fansumer-offer:1:AAAA", offer_text(offer)[:-4]):
        with refuses(errors.BAD_SALE):
            world.sell("text", 1_000, offer=text)
    assert world.receipt(world.sell("fine")).receipt.sequence == 1


def test_the_bonus_counts_to_the_tills_cap(world: TillWorld) -> None:
    world.grant(cap=130)
    world.visit()
    offer = offer_at(world)
    with refuses(errors.CAP_REACHED):
        sell(world, "a", offer_at(world, 31))
    assert sell(world, "a", offer) == offer.offer_id
    assert world.receipt(world.sell("b", 100)).receipt.points == 10
    with refuses(errors.CAP_REACHED):
        world.sell("c", 10)


def allow_offers(world: TillWorld) -> None:
    """A budget in the terms, and a fan who agreed."""
    market = world.market
    terms = read_terms_file(TERMS_FILE.replace("offer_day_max = 0 ", "offer_day_max = 100 "))
    market.done(market.owner.update_program(market.program, 1, terms))
    market.done(market.fan.grant_consent(market.program, purpose=PERSONALISE))


@pytest.mark.parametrize("is_issued", [True, False])
def test_the_schedule_settles_what_receipts_cite(world: TillWorld, is_issued: bool) -> None:
    market = world.market
    if is_issued:
        allow_offers(world)
        world.visit()
    offer = offer_at(world)
    if is_issued:
        market.done(market.owner.issue_offers(market.program, [offer]))
    sell(world, "a", offer)
    world.pass_on_chain(days=2)
    world.schedule.work()
    assert world.schedule.problem == ""
    shown = world.client.account(world.member())["programs"][0]
    assert shown["available"] + shown["pending"] >= (70 if is_issued else 50)
    run = world.schedule.show()["last_run"]
    codes = [item["code"] for item in run["offers_not_credited"]]
    assert (run["offers"], codes) == ((1, []) if is_issued else (0, ["offer.unknown"]))
