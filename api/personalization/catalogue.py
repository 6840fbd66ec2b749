"""A brand's products and its shop's zone as its last feed told them, in memory. Said by the brand; nothing of any fan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache

from api.receipts.products import KeptProduct
from api.receipts.store import ReceiptStore
from ledger.types import ProgramId

PROGRAMS_REMEMBERED: Final = 64


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `lasts`: bought once, it is not soon bought again. Times 0: it never happened. Texts are by language."""

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

    def name(self, language: str) -> str:
        """What it is called; the item's id where it has no name."""
        return self.names.get(language) or self.names.get("en") or self.item


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A program's products by item. `zone` empty: the program's own fixed offset. `version` rises with each feed."""

    version: int = 0
    zone: str = ""
    products: Mapping[str, Product] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)

    def name(self, item: str, language: str) -> str:
        """What an item is called."""
        found = self.products.get(item)
        return item if found is None else found.name(language)


class Catalogues:
    """Catalogues by program. Used in the receipt store's thread."""

    def __init__(self) -> None:
        self._remembered: LRUCache[ProgramId, Catalogue] = LRUCache(PROGRAMS_REMEMBERED)

    def read(self, store: ReceiptStore, program: ProgramId) -> Catalogue:
        """The catalogue of the program's last feed; an empty one if it has none."""
        version = store.products.version(program)
        known = self._remembered.get(program)
        if known is None or known.version != version:
            products = {kept.item: product_of(kept) for kept in store.products.all_of(program)}
            categories = {item: product.category for item, product in products.items() if product.category}
            known = Catalogue(version, store.products.zone(program), products, categories)
            self._remembered[program] = known
        return known


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
    )
