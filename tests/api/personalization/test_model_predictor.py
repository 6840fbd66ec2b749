"""Models as a predictor: whom they answer, on which scale, and what strange purchases make of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from api.personalization.basis import NOTHING, basis_of, find_basis
from api.personalization.catalogue import Catalogue, Product
from api.personalization.export import Bought, BoughtItem, number_fan, update_export
from api.personalization.facts import BoughtLine, FanFacts, Purchase, Wishes
from api.personalization.features import open_features
from api.personalization.model_predictor import ModelPredictor
from api.personalization.models import Models, train
from api.personalization.predictor import BY_HABIT, BY_MODEL, BY_POPULARITY, PlainRules
from api.personalization.rhythm import DAY_SECONDS
from api.personalization.sources import open_facts
from ledger.types import Address, ProgramId
from tests.support.made_up_models import NAMES, PROGRAM, make_models

FAN = Address(b"f" * 32)
READ_AT = 1_000_000
CUT_AT = READ_AT - 3_600
NOW = READ_AT + 60


def make_product(item: str, **changes: Any) -> Product:
    plain = Product(item, {}, "shelf", 100, True, False, (), {}, {}, "", 0, 0, 0, 0)
    return replace(plain, **changes)


def make_catalogue(*names: str, **changes: dict[str, Any]) -> Catalogue:
    return Catalogue.of_products(1, "", {name: make_product(name, **changes.get(name, {})) for name in names or NAMES})


def make_purchase(
    number: int, *items: str, days_ago: float = 10.0, quantity: int = 1, received_at: int = 0
) -> Purchase:
    time = int(CUT_AT - days_ago * DAY_SECONDS)
    lines = tuple(BoughtLine(item, quantity, 100, 0, "shelf") for item in items)
    return Purchase(f"{number:064x}", time, 0, 100, 1, (), lines, received_at or min(time, READ_AT - 1))


def make_facts(*purchases: Purchase, **document: Any) -> FanFacts:
    program = ProgramId(bytes.fromhex(PROGRAM))
    ordered = tuple(sorted(purchases, key=lambda one: one.time))
    return FanFacts(FAN, program, frozenset({"receipts"}), 0, ordered, wishes=Wishes(document))


def predictor_of(facts: FanFacts, **more: Any) -> ModelPredictor:
    """Models that rest on these facts."""
    models = make_models([number_fan(FAN)], bases=[basis_of(facts.purchases, READ_AT)], **more)
    return ModelPredictor({models.program: models})


WEEKLY = tuple(make_purchase(week, "bread", "milk", days_ago=7 * week) for week in range(1, 5))


def test_a_fan_whom_a_model_knows_and_others() -> None:
    facts = make_facts(*WEEKLY)
    predictor = predictor_of(facts)
    assert predictor.stage_of(facts) == "prediction" and predictor.version_of(facts).startswith("model ")
    unknown = replace(facts, fan=Address(b"u" * 32), memo={})
    assert predictor.stage_of(unknown) == "behaviour" and predictor.version_of(unknown) == "plain rules 1"
    elsewhere = replace(facts, program=ProgramId(b"e" * 32), memo={})
    assert predictor.stage_of(elsewhere) == "behaviour" and predictor.outlook(elsewhere).leaving(NOW) < 0.01
    assert predictor.is_prepared(elsewhere, make_catalogue())
    nothing = make_models([number_fan(FAN)], bases=[NOTHING])
    assert ModelPredictor({PROGRAM: nothing}).stage_of(facts) == "behaviour", (
        "models that know no basis are of no export"
    )


@pytest.mark.parametrize(
    "changed",
    [
        WEEKLY[:-1],
        (*WEEKLY[:-1], replace(WEEKLY[-1], lines=WEEKLY[-1].lines[:1])),
        (*WEEKLY, make_purchase(9, "tea", days_ago=60)),
        (),
    ],
)
def test_whatever_of_its_receipts_is_not_granted_any_more_the_rules_answer(changed: Sequence[Purchase]) -> None:
    predictor, facts = predictor_of(make_facts(*WEEKLY)), make_facts(*changed)
    assert predictor.stage_of(facts) == PlainRules().stage_of(facts) != "prediction"
    assert list(predictor.next_basket(facts, make_catalogue(), NOW, 9)) == list(
        PlainRules().next_basket(facts, make_catalogue(), NOW, 9)
    )


def test_what_came_later_breaks_nothing_and_is_not_recommended() -> None:
    predictor = predictor_of(make_facts(*WEEKLY))
    late = make_purchase(8, "jam", days_ago=30, received_at=READ_AT)
    new = make_purchase(9, "tea", "bread", days_ago=-0.05, received_at=READ_AT + 30)
    facts = make_facts(*WEEKLY, late, new)
    assert predictor.stage_of(facts) == "prediction"
    assert list(predictor.discover(facts, make_catalogue(), 9)) == []
    assert "bread" not in {
        one.item for one in predictor.next_basket(facts, make_catalogue(), NOW, 9) if one.score > 0.5
    }
    assert predictor.outlook(facts).leaving(NOW) == PlainRules().outlook(facts).leaving(NOW)


def test_scores_are_between_0_and_1_and_say_what_they_rest_on() -> None:
    facts = make_facts(*WEEKLY)
    predictor, catalogue = predictor_of(facts, log_odds=2.0), make_catalogue()
    assert not predictor.is_prepared(facts, catalogue)
    predictor.prepare(facts, catalogue, NOW)
    assert predictor.is_prepared(facts, catalogue)
    found = list(predictor.discover(facts, catalogue, 9))
    assert [(one.item, one.score, one.because, one.grounds) for one in found] == [
        ("tea", 1.0, ("bread", "milk"), BY_MODEL),
        ("jam", 0.6667, (), BY_MODEL),
    ]
    due = list(predictor.next_basket(facts, catalogue, NOW, 9))
    assert [(one.item, one.score) for one in due] == [("milk", 0.8), ("bread", 0.4303)], "even odds, and e to 1 against"
    sure = predictor_of(facts, log_odds=80.0).next_basket(facts, catalogue, NOW, 9)
    assert [one.score for one in sure] == [1.0, 1.0]
    never = predictor_of(facts, log_odds=-1e9).next_basket(facts, catalogue, NOW, 9)
    assert list(never) == []


def test_the_probability_of_leaving_grows_with_silence() -> None:
    facts = make_facts(*WEEKLY)
    predictor = predictor_of(facts)
    assert predictor.outlook(facts).leaving(CUT_AT) == 0.2
    assert predictor.outlook(facts).leaving(CUT_AT - 9) == 0.2
    assert predictor.outlook(facts).leaving(CUT_AT + 21 * DAY_SECONDS) == pytest.approx(0.333, abs=0.001)
    assert predictor.outlook(facts).leaving(CUT_AT + 42 * DAY_SECONDS) == 1


def test_what_lasts_is_out_of_stock_recalled_or_unwanted_is_left_out() -> None:
    facts = make_facts(*WEEKLY)
    predictor = predictor_of(facts, log_odds=2.0)
    for change in ({"in_stock": False}, {"recall": {"en": "x"}}):
        catalogue = make_catalogue(tea=change, milk=change)
        assert [one.item for one in predictor.discover(facts, catalogue, 9)] == ["jam"]
        assert [one.item for one in predictor.next_basket(facts, catalogue, NOW, 9)] == ["bread"]
    lasting = make_catalogue(milk={"lasts": True})
    assert [one.item for one in predictor.next_basket(facts, lasting, NOW, 9)] == ["bread"]
    picky = make_facts(*WEEKLY, dislikes=["tea", "bread"])
    assert [one.item for one in predictor.discover(picky, make_catalogue(), 9)] == ["jam"]
    assert [one.item for one in predictor.next_basket(picky, make_catalogue(), NOW, 9)] == ["milk"]
    assert list(predictor.discover(facts, Catalogue(), 9)) == [], "what the feed does not name is not offered"
    rules = PlainRules().next_basket(facts, make_catalogue(milk={"recall": {"en": "x"}}), NOW, 9)
    assert {one.item for one in rules} <= {"bread"}, "by rules neither"


def test_who_has_lots_of_it_is_answered_by_its_own_interval() -> None:
    lots = make_facts(*WEEKLY[1:], replace(WEEKLY[0], lines=(BoughtLine("bread", 9, 100, 0), WEEKLY[0].lines[1])))
    found = {one.item: one for one in predictor_of(lots, log_odds=2.0).next_basket(lots, make_catalogue(), NOW, 9)}
    assert found["milk"].grounds == BY_MODEL
    assert found["bread"].grounds == BY_HABIT and found["bread"].score < 0.1


def test_where_nothing_was_learned_the_rules_rank_the_next_basket() -> None:
    facts = make_facts(*WEEKLY)
    models = predictor_of(facts).find_trusted(facts)
    assert models is not None
    plain = {key: replace(ranking, is_log_odds=False) for key, ranking in models.rankings.items()}
    predictor = ModelPredictor({PROGRAM: replace(models, rankings=plain)})
    assert {one.grounds for one in predictor.next_basket(facts, make_catalogue(), NOW, 9)} == {BY_HABIT}


def test_a_newcomer_is_shown_what_is_popular_and_a_regular_is_not() -> None:
    models = make_models()
    predictor = ModelPredictor({PROGRAM: models})
    newcomer = make_facts(WEEKLY[0])
    found = list(predictor.discover(newcomer, make_catalogue(), 9))
    assert [(one.item, one.score, one.grounds) for one in found] == [
        ("tea", 0.3, BY_POPULARITY),
        ("jam", 0.2, BY_POPULARITY),
    ]
    assert predictor.stage_of(newcomer) == "rules"
    assert predictor.version_of(newcomer) == f"plain rules 1, popularity by model {models.version} of 1970-01-12"
    paired = make_catalogue(bread={"pairs_with": ("jam",)})
    assert [one.item for one in predictor.discover(make_facts(WEEKLY[0]), paired, 9)] == ["jam", "tea"], (
        "the brand first"
    )
    regular = make_facts(*WEEKLY)
    assert list(predictor.discover(regular, make_catalogue(), 9)) == []


def test_the_basis_is_of_receipts_and_items_in_any_order() -> None:
    one, two = (b"a" * 32, ["x", "y"]), (b"b" * 32, [])
    assert find_basis([one, two]) == find_basis([two, one]) != find_basis([one])
    assert find_basis([]) == NOTHING and 0 < find_basis([two]) < 2**63
    assert find_basis([(b"a" * 32, ["x"])]) != find_basis([one])


# --- strange purchases, all the way ---

START = int(datetime(2026, 1, 5, 3, tzinfo=UTC).timestamp())
AS_OF = date(2026, 3, 1)


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[bytes, list[Bought]], Models]:
    """Fan 0 bought nothing, fan 1 once, fan 2 one thing a thousand times, fan 3 only what has no category, others by habit."""
    fans = [bytes([number]) * 32 for number in range(12)]
    bought: dict[bytes, list[Bought]] = {fan: [] for fan in fans}

    def buy(fan: bytes, at: int, *items: tuple[str, str]) -> None:
        receipt = fan[:28] + len(bought[fan]).to_bytes(4, "big")
        bought[fan].append(Bought(receipt, at, tuple(BoughtItem(item, shelf, 1, 100) for item, shelf in items)))

    buy(fans[1], START, ("bread", "bakery"))
    for number in range(1_000):
        buy(fans[2], START + number * 3_600, ("milk", "dairy"))
    for week in range(7):
        buy(fans[3], START + week * 7 * DAY_SECONDS, ("odd", ""))
        for fan in fans[4:]:
            usual = ("bread", "bakery") if fan[0] % 2 else ("tea", "drinks")
            buy(fan, START + (week * 7 + fan[0] % 7) * DAY_SECONDS, usual, ("milk", "dairy"))
    folder = tmp_path_factory.mktemp("strange")
    update_export(
        folder, "Asia/Seoul", fans, lambda fan: bought[fan], program=PROGRAM, read_at=START + 60 * DAY_SECONDS
    )
    return bought, train(open_features(open_facts(folder), AS_OF, catalogue_min=1), AS_OF, 7)


def facts_of(bought: dict[bytes, list[Bought]], number: int) -> FanFacts:
    fan = bytes([number]) * 32
    purchases = tuple(
        Purchase(
            one.receipt.hex(),
            one.moment,
            0,
            100,
            1,
            (),
            tuple(BoughtLine(item.product, item.quantity, item.cents, 0, item.category) for item in one.items),
            one.moment,
        )
        for one in bought[fan]
    )
    return FanFacts(Address(fan), ProgramId(bytes.fromhex(PROGRAM)), frozenset({"receipts"}), 0, purchases)


def test_strange_fans_are_answered(strange: tuple[dict[bytes, list[Bought]], Models]) -> None:
    bought, models = strange
    predictor = ModelPredictor({PROGRAM: models})
    catalogue = make_catalogue("bread", "milk", "tea", "odd", "other")
    now = models.cut_at + 3_600
    answers = {}
    for number in range(12):
        facts = facts_of(bought, number)
        discoveries = list(predictor.discover(facts, catalogue, 9))
        due = list(predictor.next_basket(facts, catalogue, now, 9))
        own = {line.item for one in facts.purchases for line in one.lines}
        assert not own & {one.item for one in discoveries} and {one.item for one in due} <= own
        assert all(0 <= one.score <= 1 for one in (*discoveries, *due))
        assert 0 <= predictor.outlook(facts).leaving(now) <= 1
        answers[number] = (predictor.stage_of(facts), discoveries, due)
    assert answers[0][0] == "rules" and {one.grounds for one in answers[0][1]} == {BY_POPULARITY}
    assert answers[1][0] == "prediction" and answers[1][2] == [], "bought once, it is nobody's usual item"
    assert answers[2][0] == "prediction" and {one.item for one in answers[2][1]} == {"bread", "tea"}
    assert answers[3][0] == "prediction" and {one.grounds for one in answers[3][2]} <= {BY_HABIT}
    assert all(answers[number][0] == "prediction" for number in range(4, 12))
    assert models.basis(number_fan(bytes([2]) * 32)) == basis_of(facts_of(bought, 2).purchases, models.read_at)
