"""A till of a market on a fake clock: its parts as the service puts them together, with a node in this process."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from api.till.app import Till
from api.till.desk import Desk, Signing
from api.till.enrolment import Counter
from api.till.knowledge import Knowledge, visit_node
from api.till.member_book import MemberBook
from api.till.outbox import Outbox
from api.till.pruning import Pruning
from api.till.sale import Sale
from api.till.schedule import ScheduleOptions, SettlementSchedule
from api.till.store import KeptSale, TillStore
from api.till.tier_book import TierBook
from api.wallet.brand import Brand
from api.wallet.client import Client
from api.wallet.request_signing import AccountSigner
from api.wallet.sealing import Opening
from api.wallet.wallet import Wallet
from ledger import keys
from ledger.domains.loyalty.receipts import SignedReceipt, decode_receipt
from ledger.types import Points, Timestamp
from tests.support.market import TILL_SCOPES, Market
from tests.support.wallet_node import main_signer, master_of

TOKEN = "a-token-of-a-till-for-tests-only"
TILL = main_signer("till").address


class FakeTillClock:
    """Stands still until it is moved: `pass_seconds` is time going by, `set_back` or `set_forward` somebody setting the clock."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._steady = 1_000.0

    def now(self) -> Timestamp:
        return Timestamp(self._now)

    def steady(self) -> float:
        return self._steady

    def pass_seconds(self, seconds: float) -> None:
        """Time goes by."""
        self._now += round(seconds)
        self._steady += seconds

    def set_by(self, seconds: int) -> None:
        """Somebody sets the clock, forward or back."""
        self._now += seconds


class TillWorld:
    """The till of a market, with its store in a folder. `visit` is one contact with the node."""

    def __init__(self, market: Market, folder: Path, client: Client | None = None) -> None:
        self.market = market
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.client = market.node.client if client is None else client
        chain = market.node.chain
        chain.clock.set(chain.time + 5)
        self.clock = FakeTillClock(chain.clock.now())
        self.openings: list[Opening] = []
        self.open()

    def open(self) -> None:
        """Start, also a second time: the clock goes on, all else comes from the store."""
        self.brand = Brand(Wallet(master_of("till"), self.client))
        self.store = TillStore(
            self.folder,
            {"program": self.market.program.hex(), "key": keys.public_key_of(self.brand.wallet.main.seed).hex()},
            lambda _: 1,
        )
        self.knowledge = Knowledge(self.store, self.clock)
        self.signing = Signing(self.store, self.knowledge, self.brand, self.market.program, self.clock)
        self.tiers = TierBook(self.store, self.knowledge, self.client, self.market.program, self.clock)
        self.members = MemberBook(self.store, self.knowledge, self.client, self.market.program, self.clock)
        self.outbox = Outbox(self.store, self.client, self.clock, random_source=Random(1))
        self.pruning = Pruning(self.store, self.knowledge, self.clock, is_settling=True)
        self.schedule = SettlementSchedule(
            self.store,
            Brand(Wallet(master_of("till"), self.client)),
            self.market.program,
            self.clock,
            keep=self.openings.extend,
            options=ScheduleOptions(delay_seconds=3_600, book_file=self.folder / "book.json"),
            pruning=self.pruning,
        )

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def restart(self) -> None:
        """As after a crash of the process."""
        self.close()
        self.open()

    def visit(self) -> None:
        """One contact."""
        self.knowledge.learn(*visit_node(self.client, self.market.program, TILL))

    def member(self) -> str:
        """The fan's address as text."""
        return self.market.fan.address_text(self.market.member)

    def sale(self, name: str = "1", cents: int = 1_000, **more: Any) -> Sale:
        """A sale of the POS."""
        return Sale.model_validate({"id": name, "member": self.member(), "net_cents": cents, **more})

    def sell(self, name: str = "1", cents: int = 1_000, **more: Any) -> KeptSale:
        """Its receipt. Raises what the till refuses."""
        (outcome,) = self.signing.keep([self.sale(name, cents, **more)])
        if not isinstance(outcome, KeptSale):
            raise outcome
        return outcome

    def receipt(self, kept: KeptSale) -> SignedReceipt:
        """The receipt of a sale."""
        return decode_receipt(kept.signed)

    def grant(self, *, cap: int = 10**6, scopes: int = TILL_SCOPES) -> None:
        """Grant the till anew."""
        self.market.done(
            self.market.owner.grant_issuer(self.market.program, TILL, scopes=scopes, daily_cap=Points(cap))
        )

    def revoke(self) -> None:
        """Revoke the till's key."""
        before = self.market.node.chain.time
        self.market.done(self.market.owner.revoke_issuer(self.market.program, TILL))
        self._go_on_since(before)

    def pass_on_chain(self, *, days: int = 0, seconds: int = 0) -> None:
        """Time goes by for the chain, the node and the till alike."""
        before = self.market.node.chain.time
        self.market.node.chain.advance(days=days, seconds=seconds)
        self._go_on_since(before)

    def _go_on_since(self, before: int) -> None:
        self.clock.pass_seconds(self.market.node.chain.time - before)
        self.market.node.chain.clock.set(self.clock.now())

    def fan(self) -> AccountSigner:
        """The fan, who signs requests by the till's clock."""
        return replace(self.market.fan.owner(self.market.program), clock=lambda: float(self.clock.now()))

    def catch_up(self) -> None:
        """The chain has a block of now."""
        self.market.node.chain.mine_block(int(self.clock.now()))

    def till(self) -> Till:
        """All of it for the HTTP edge."""
        return Till(
            program=self.market.program,
            address=TILL,
            node_url="http://node",
            token=TOKEN,
            store=self.store,
            knowledge=self.knowledge,
            clock=self.clock,
            desk=Desk(self.signing, lambda: None),
            tiers=self.tiers,
            members=self.members,
            counter=Counter(self.knowledge, self.market.program, self.brand.wallet.main, self.client),
            outbox=self.outbox,
            schedule=self.schedule,
            pruning=self.pruning,
            on_retry=lambda: None,
        )
