"""A brand that settled honestly, and what it hands over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.reporting.receipts_audit import ReceiptsReport, audit_receipts
from api.reporting.receipts_folder import ReceiptsFolder
from api.wallet.sealing import Opening
from ledger.domains.loyalty.receipts import SignedReceipt
from node.audit import reading_store
from node.audit_settlements import ProgramSettlements, collect_settlements
from node.replay import StoreSource
from tests.support.market import Market
from tests.support.wallet_node import open_wallet_node


@dataclass
class Books:
    """Receipts and openings of a market, and a way to audit them."""

    market: Market
    folder: Path
    receipts: list[SignedReceipt]
    openings: list[Opening]

    def facts(self) -> ProgramSettlements:
        """What the chain says."""
        with reading_store(self.folder) as connection:
            params = self.market.node.chain.params
            return collect_settlements(StoreSource(connection), params, self.market.program)

    def audit(
        self,
        receipts: list[SignedReceipt] | None = None,
        openings: list[Opening] | None = None,
        *,
        is_whole: bool = True,
        facts: ProgramSettlements | None = None,
        change: Callable[[ReceiptsFolder], None] = lambda folder: None,
    ) -> ReceiptsReport:
        """Hold what is handed over against the chain."""
        folder = ReceiptsFolder(self.folder)
        folder.receipts = [
            (f"{place}.bin", found) for place, found in enumerate(self.receipts if receipts is None else receipts)
        ]
        folder.openings = [
            (f"{place}.json", found) for place, found in enumerate(self.openings if openings is None else openings)
        ]
        change(folder)
        return audit_receipts(folder, facts or self.facts(), is_whole=is_whole)


def make_books(folder: Path, market: Market) -> Books:
    """Three purchases, settled in three entries that carry something on."""
    receipts: list[SignedReceipt] = []
    openings: list[Opening] = []
    for cents in (4_000, 2_590, 9_990):
        receipts.append(market.buy(cents))
        openings += market.settle(folder / "book.json", *receipts, last=False)
    return Books(market, folder, receipts, openings)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """For tests that go on settling."""
    with open_wallet_node(tmp_path / "node") as node:
        market = Market(node)
        market.enrol()
        yield make_books(tmp_path / "node", market)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """For tests that only read."""
    folder = tmp_path_factory.mktemp("market") / "node"
    with open_wallet_node(folder) as node:
        market = Market(node)
        market.enrol()
        yield make_books(folder, market)
