"""Receipts of a fan as purchases, as far as its own word and its consents let them count."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from api.personalization.catalogue import Catalogue
from api.personalization.facts import CATEGORY_PREFIX, RECEIPTS, FanFacts, Purchase, Wishes, leave_out
from api.personalization.group_reading import Granted, ReadFacts
from api.personalization.preferences import with_answers
from api.personalization.receipt_lines import read_bought_line
from api.receipts.store import KeptReceipt
from ledger.types import ProgramId, Timestamp

Categories = Mapping[str, str]
"""Of items, as the brand's feed says."""


def purchases_of(rows: Sequence[KeptReceipt], wishes: Wishes, categories: Categories) -> tuple[Purchase, ...]:
    """Receipts as purchases, the oldest first, as far as the fan's own word lets them count."""
    purchases = sorted((_purchase_of(row, categories) for row in rows), key=lambda found: (found.time, found.receipt))
    kept = tuple(found for found in purchases if found.time >= wishes.reset_at)
    return leave_out(kept, frozenset(wishes.document.get("given", ())))


def _purchase_of(kept: KeptReceipt, categories: Categories) -> Purchase:
    receipt = kept.signed.receipt
    lines = (read_bought_line(line, categories) for line in kept.lines)
    return Purchase(
        receipt=kept.id.hex(),
        time=Timestamp(receipt.time),
        period=kept.period,
        net_cents=receipt.net_cents,
        points=receipt.points,
        codes=receipt.codes,
        lines=tuple(line for line in lines if line is not None),
        received_at=kept.received_at,
    )


def covers_purchases(scopes: frozenset[str]) -> bool:
    """Whether lines of receipts may be read, be it of one category."""
    return RECEIPTS in scopes or any(scope.startswith(CATEGORY_PREFIX) for scope in scopes)


def granted_purchases(purchases: tuple[Purchase, ...], scopes: frozenset[str]) -> tuple[Purchase, ...]:
    """All of them, or of each only the lines of categories that were granted."""
    if RECEIPTS in scopes:
        return purchases
    wanted = {scope.removeprefix(CATEGORY_PREFIX) for scope in scopes if scope.startswith(CATEGORY_PREFIX)}
    if not wanted:
        return ()
    found: list[Purchase] = []
    for purchase in purchases:
        lines = tuple(line for line in purchase.lines if line.category in wanted)
        if lines:
            cents = sum(line.cents for line in lines)
            found.append(replace(purchase, net_cents=cents, points=0, codes=(), lines=lines))
    return tuple(found)


def facts_reader(program: ProgramId, catalogue: Catalogue) -> ReadFacts:
    """What is made of a fan's receipts and its word alone, where many are read."""

    def read_facts(one: Granted, said: tuple[str, int, int] | None, receipts: Sequence[KeptReceipt]) -> FanFacts:
        wishes = Wishes() if said is None else Wishes(with_answers(json.loads(said[0])), said[1], said[2])
        purchases = granted_purchases(purchases_of(receipts, wishes, catalogue.categories), one.scopes)
        return FanFacts(one.fan, program, one.scopes, 0, purchases, wishes=wishes)

    return read_facts
