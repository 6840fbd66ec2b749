"""A brand's products and its shop's zone as its last feed told them, in memory. Said by the brand; nothing of any fan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache

from api.receipts.products import KeptProduct
from api.receipts.store import ReceiptStore
from ledger.types import ProgramId

PROGRAMS_REMEMBERED: Final = 64
CODE_BYTES_MAX: Final = 32
"""What a receipt's category code can hold (spec RCP-1)."""


def in_each_language(said: Mapping[str, str]) -> dict[str, str]:
    """A brand's text in English and Korean; what it said in one language only stands for both, and nothing is empty."""
    either = said.get("en") or said.get("ko") or ""
    return {language: said.get(language) or either for language in ("en", "ko")}


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `lasts`: bought once, it is not soon bought again. Times 0: it never happened. Texts are by language.

    `code` is under which category code tills count it, at most 32 bytes; empty: nobody knows.
    """

    item: str
    names: Mapping[str, str]
    category: str
    price_cents: int
    in_stock: bool
    lasts: bool
    pairs_with: tuple[str, ...]
    how_to: Mapping[str, str]
    recall: Mapping[str, str]
    made_from: str
    first_at: int
    restocked_at: int
    cheaper_at: int
    price_before_cents: int
    code: str = ""

    def name(self, language: str) -> str:
        """What it is called; the item's id where it has no name."""
        return in_each_language(self.names)[language] or self.item


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A program's products by item. `zone` empty: the program's own fixed offset. `version` rises with each feed.

    `begun` is when the first product was named, `changed` are (time, item) of news, the latest first; `made` came of something.
    """

    version: int = 0
    zone: str = ""
    products: Mapping[str, Product] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    by_category: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    begun: int = 0
    changed: tuple[tuple[int, str], ...] = ()
    made: tuple[str, ...] = ()

    @staticmethod
    def of_products(version: int, zone: str, products: Mapping[str, Product]) -> "Catalogue":
        """The catalogue with its indexes: rules look at what matters, not at all products for each fan."""
        categories = {item: product.category for item, product in products.items() if product.category}
        by_category: dict[str, list[str]] = {}
        for item, category in categories.items():
            by_category.setdefault(category, []).append(item)
        begun = min((product.first_at for product in products.values()), default=0)
        changes = {item: _changed_at(product, begun) for item, product in products.items()}
        return Catalogue(
            version=version,
            zone=zone,
            products=products,
            categories=categories,
            by_category={category: tuple(items) for category, items in by_category.items()},
            begun=begun,
            changed=tuple(sorted(((at, item) for item, at in changes.items() if at), reverse=True)),
            made=tuple(item for item, product in products.items() if product.made_from),
        )

    def news(self, since: int) -> Iterator[Product]:
        """Products that came after the first feed, are there again, or fell in price after a time; the latest first."""
        for at, item in self.changed:
            if at <= since:
                return
            yield self.products[item]

    def name(self, item: str, language: str) -> str:
        """What an item is called."""
        found = self.products.get(item)
        return item if found is None else found.name(language)

    def code(self, item: str) -> str:
        """Under which category code tills count an item; empty where nobody said."""
        found = self.products.get(item)
        return "" if found is None else found.code


class Catalogues:
    """Catalogues by program. Used in the receipt store's thread."""

    def __init__(self) -> None:
        self._remembered: LRUCache[ProgramId, Catalogue] = LRUCache(PROGRAMS_REMEMBERED)

    def read(self, store: ReceiptStore, program: ProgramId) -> Catalogue:
        """The catalogue of the program's last feed; an empty one if it has none."""
        return self.at(store, program, store.products.version(program))

    def at(self, store: ReceiptStore, program: ProgramId, version: int) -> Catalogue:
        """The same where the present version is known."""
        known = self._remembered.get(program)
        if known is None or known.version != version:
            products = {kept.item: product_of(kept) for kept in store.products.all_of(program)}
            known = Catalogue.of_products(version, store.products.zone(program), products)
            self._remembered[program] = known
        return known


def _changed_at(product: Product, begun: int) -> int:
    """When a feed changed it last in a way that a fan may be told of; 0: never. What the first feed named is not new."""
    first = product.first_at if product.first_at > begun else 0
    return max(first, product.restocked_at, product.cheaper_at)


def product_of(kept: KeptProduct) -> Product:
    """A product from its document."""
    document: Mapping[str, Any] = kept.document
    return Product(
        item=kept.item,
        names=document.get("names", {}),
        category=document.get("category", ""),
        price_cents=document.get("price_cents", 0),
        in_stock=document.get("in_stock", True),
        lasts=document.get("lasts", False),
        pairs_with=tuple(document.get("pairs_with", ())),
        how_to=document.get("how_to", {}),
        recall=document.get("recall", {}),
        made_from=document.get("made_from", ""),
        first_at=kept.first_at,
        restocked_at=kept.restocked_at,
        cheaper_at=kept.cheaper_at,
        price_before_cents=kept.price_before_cents,
        code=_code_of(document),
    )


def _code_of(document: Mapping[str, Any]) -> str:
    """As the brand says, or else the category, as tills write it (spec RCP-1); empty where no receipt can hold it."""
    found: str = document.get("code") or document.get("category", "")
    try:
        size = len(found.encode())
    except UnicodeEncodeError:
        return ""
    return found if size <= CODE_BYTES_MAX else ""
