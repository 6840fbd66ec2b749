"""The shop's product feed: what `products.parquet` of the data says of what was bought in the window, with prices.

The data has no price of its own: a product's is what one of it cost on the last line that has it, before the last week of the
window, and in it. SCRIPTED are the Korean names of the largest categories, what goes with what, and one recall. Three days before
the replay ends a second feed says what became cheaper and what is called back, so that this is news when somebody looks.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from api.demo.app_fans import has_app
from api.demo.journey import HouseholdId, Journey, find_data_folder, find_period, read_table
from api.personalization.features.lines import DROPPED
from api.personalization.sources import FUEL, GASOLINE

PRODUCTS_FILE: Final = "products.parquet"
ZONE: Final = "America/New_York"
BY_THE_PIECE: Final = frozenset({"GROCERY", "DRUG GM", "NUTRITION", "MEAT-PCKGD"})
"""Departments in which a line's sum by its quantity is a price; elsewhere it is often a weight's."""
FALL_MIN_PERCENT: Final = 10
"""By how much a price must have fallen to be news."""

RECALLED_CATEGORY: Final = "EGGS"
"""Its most bought product is called back."""
RECALL: Final = {
    "en": "A test says that it may be spoiled (made up for this demo). Do not use it; the shop takes it back.",
    "ko": "상했을 수 있다는 검사 결과가 나왔습니다(데모를 위해 지어낸 내용). 사용하지 마시고 매장에 가져오시면 돌려받습니다.",
}
PAIRS: Final = (
    ("SOFT DRINKS", "BAG SNACKS"),
    ("FLUID MILK PRODUCTS", "COLD CEREAL"),
    ("BAKED BREAD/BUNS/ROLLS", "PNT BTR/JELLY/JAMS"),
    ("CHEESE", "CRACKERS/MISC BKD FD"),
    ("DRY NOODLES/PASTA", "PASTA SAUCE"),
    ("COFFEE", "COFFEE FILTERS"),
    ("SALAD MIX", "SALD DRSNG/SNDWCH SPRD"),
    ("HOT DOGS", "CONDIMENTS/SAUCES"),
    ("ICE CREAM/MILK/SHERBTS", "SYRUPS/TOPPINGS"),
    ("LAUNDRY DETERGENTS", "LAUNDRY ADDITIVES"),
)
"""A product of either category goes with the most bought one of the other."""
KOREAN: Final = {
    "BACON": "베이컨",
    "BAG SNACKS": "봉지 과자",
    "BAKED BREAD/BUNS/ROLLS": "빵",
    "BAKED SWEET GOODS": "단과자빵",
    "BATH TISSUES": "화장지",
    "BEEF": "소고기",
    "BUTTER": "버터",
    "CANDY - CHECKLANE": "사탕",
    "CANDY - PACKAGED": "사탕",
    "CAT FOOD": "고양이 사료",
    "CHEESE": "치즈",
    "CHICKEN": "닭고기",
    "COFFEE": "커피",
    "COFFEE FILTERS": "커피 필터",
    "COLD CEREAL": "시리얼",
    "CONDIMENTS/SAUCES": "소스",
    "CRACKERS/MISC BKD FD": "크래커",
    "DOG FOODS": "강아지 사료",
    "DRY NOODLES/PASTA": "파스타 면",
    "EGGS": "달걀",
    "FLUID MILK PRODUCTS": "우유",
    "FROZEN PIZZA": "냉동 피자",
    "FRZN MEAT/MEAT DINNERS": "냉동 식사",
    "HOT DOGS": "핫도그 소시지",
    "ICE CREAM/MILK/SHERBTS": "아이스크림",
    "LAUNDRY ADDITIVES": "섬유 유연제",
    "LAUNDRY DETERGENTS": "세탁 세제",
    "LUNCHMEAT": "런천미트",
    "MARGARINES": "마가린",
    "ORAL HYGIENE PRODUCTS": "구강 용품",
    "PAPER TOWELS": "키친타월",
    "PASTA SAUCE": "파스타 소스",
    "PNT BTR/JELLY/JAMS": "땅콩버터와 잼",
    "POTATOES": "감자",
    "REFRGRATD JUICES/DRNKS": "냉장 주스",
    "SALAD MIX": "샐러드 채소",
    "SALD DRSNG/SNDWCH SPRD": "샐러드 드레싱",
    "SOFT DRINKS": "탄산음료",
    "SOUP": "수프",
    "SYRUPS/TOPPINGS": "시럽",
    "TROPICAL FRUIT": "열대 과일",
    "VEGETABLES - SHELF STABLE": "채소 통조림",
    "YOGURT": "요구르트",
}
"""Put before a product's own name, which is the data's."""

Product = Mapping[str, Any]
"""As `PUT /v1/programs/{id}/products` takes it."""


@dataclass(frozen=True, slots=True)
class Feeds:
    """What the shop sells, with the prices before the last week; and again what is cheaper since, or called back."""

    first: tuple[Product, ...]
    second: tuple[Product, ...]


def load_feeds(journey: Journey, data_dir: Path | None = None) -> Feeds:
    """The feeds of a journey's products.

    Raises JourneyError journey.data_missing, journey.file_missing, journey.file_damaged.
    """
    sales = _count_sales(journey)
    described = list(_read_descriptions(data_dir, sales.named))
    leaders = _find_leaders(described, sales.lines)
    both_ways = [*PAIRS, *((other, category) for category, other in PAIRS)]
    goes_with = {category: leaders[other] for category, other in both_ways if other in leaders}
    first: list[Product] = []
    second: list[Product] = []
    for found in described:
        price_now = sales.price[found.number]
        price = sales.before.get(found.number, price_now)
        pair = goes_with.get(found.category)
        product = {
            "item": str(found.number),
            "names": found.name(),
            "category": found.category,
            "price_cents": price,
            "pairs_with": [] if pair is None else [str(pair)],
        }
        first.append(product)
        is_cheaper = found.is_piece and 0 < price_now * 100 <= price * (100 - FALL_MIN_PERCENT)
        recall = RECALL if found.number == leaders.get(RECALLED_CATEGORY) else {}
        if is_cheaper or recall:
            second.append(product | {"price_cents": price_now, "recall": recall})
    return Feeds(tuple(first), tuple(second))


@dataclass(frozen=True, slots=True)
class Described:
    """A row of the data's products."""

    number: int
    category: str
    kind: str
    size: str
    is_piece: bool

    def name(self) -> dict[str, str]:
        """How it is called by language, such as "Fluid milk white only, 1 GA"; the data's abbreviations stay."""
        name = " ".join((self.kind or self.category).split()).capitalize()
        name = f"{name}, {' '.join(self.size.split())}" if self.size.strip() else name
        korean = KOREAN.get(self.category)
        return {"en": name} if korean is None else {"en": name, "ko": f"{korean} ({name})"}


def _read_descriptions(data_dir: Path | None, wanted: Set[int]) -> Iterator[Described]:
    texts = dict.fromkeys(("department", "product_category", "product_type", "package_size"), "string")
    table = read_table(find_data_folder(data_dir) / PRODUCTS_FILE, {"product_id": "int64"} | texts, gaps=texts)
    columns = [table[name].to_pylist() for name in table.column_names]
    for number, department, category, kind, size in zip(*columns, strict=True):
        is_fuel = department == FUEL or (kind or "").startswith(GASOLINE)
        known = FUEL if is_fuel else category or ""
        if number in wanted and known and known not in DROPPED:
            yield Described(number, known, kind or "", size or "", department in BY_THE_PIECE)


def _find_leaders(described: Sequence[Described], lines: Counter[int]) -> dict[str, int]:
    """By category its product with most lines; of equals the first."""
    leaders: dict[str, int] = {}
    for found in described:
        leader = leaders.get(found.category)
        if leader is None or lines[found.number] > lines[leader]:
            leaders[found.category] = found.number
    return leaders


@dataclass(slots=True)
class Sales:
    """What the window's lines say of each product: what one of it cost in cents, before the last week and at the end; on how many
    lines it stands; and which products are worth a place in the feed.
    """

    before: dict[int, int] = field(default_factory=dict[int, int])
    price: dict[int, int] = field(default_factory=dict[int, int])
    lines: Counter[int] = field(default_factory=Counter[int])
    named: set[int] = field(default_factory=set[int])


def _count_sales(journey: Journey) -> Sales:
    """Named is what two households bought, or one with the app: of the others nobody would be told."""
    last_period = find_period(journey.baskets[-1].time)
    sales, buyer, is_last = Sales(), dict[int, HouseholdId](), False
    for basket in journey.baskets:
        if not is_last and find_period(basket.time) == last_period:
            sales.before, is_last = sales.price.copy(), True
        by_app = has_app(basket.household_id)
        for line in journey.lines_of(basket):
            product = line.product_id
            sales.lines[product] += 1
            if by_app or buyer.setdefault(product, basket.household_id) != basket.household_id:
                sales.named.add(product)
            price = (line.sales + line.coupon_discount) // line.quantity if line.quantity else 0
            if price or product not in sales.price:
                sales.price[product] = price
    return sales
