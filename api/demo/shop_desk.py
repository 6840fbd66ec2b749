"""What happens at the node beside the chain: the shop publishes its products, tills hand receipts over, fans open their apps.

All of it goes the same way in as any shop's and any fan's: the feed is signed by the brand's owner, a receipt by the till that gave
it, a fan's requests by the fan. Everything is done at the replay's own time, so messages have found their moments when it ends.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from api.demo.app_fans import ShownFans
from api.demo.brand import open_brand
from api.demo.consents import refuses_consent
from api.demo.households import open_household
from api.demo.journey import DAY_SECONDS, HouseholdId
from api.demo.paperwork import HandOver
from api.demo.plan import SETUP_BLOCKS, Plan
from api.demo.products import ZONE, Product
from api.wallet.builder import Signer
from api.wallet.client import Client
from api.wallet.request_signing import AccountSigner
from ledger.address import encode_address
from ledger.domains.loyalty.receipts import encode_receipt
from ledger.types import Height, ProgramId, Timestamp
from node.clock import Clock

NEWS_DAYS: Final = 3
"""So many days before the replay ends the second feed comes."""
OPENED_DAYS: Final = (17, NEWS_DAYS, 0)
"""So many days before the end the apps are opened: what is decided the first time is old enough for the brand's report (PER-4), the
second time there are news, and what is shown the last time is still there for whoever looks after the replay."""


def find_day(plan: Plan, as_of: Timestamp, days: int) -> Height:
    """The block before which something is done so many days before the end; never before there is a program."""
    found = plan.height_once(Timestamp(as_of - days * DAY_SECONDS)) if days else plan.last
    return Height(max(found, SETUP_BLOCKS + 1))


class ShopDesk:
    """One program at a node whose time is `clock`'s. All methods raise `ClientProblem`."""

    def __init__(
        self, client: Client, pool: ThreadPoolExecutor, clock: Clock, *, program: ProgramId, prefix: str
    ) -> None:
        self._client = client
        self._pool = pool
        self._clock = clock
        self._program = program
        self._prefix = prefix
        self._waiting: deque[HandOver] = deque()
        self._receipts_of: Counter[HouseholdId] = Counter()
        self._told: Counter[HouseholdId] = Counter()

    @property
    def handed_over(self) -> int:
        """How many receipts the node was given."""
        return self._receipts_of.total()

    def publish(self, products: Sequence[Product], *, whole: bool) -> None:
        """Name products to the node."""
        self._client.personal.put_products(
            self._sign_as(open_brand().owner), self._program, products, zone=ZONE, whole=whole
        )

    def expect(self, hand_overs: Iterable[HandOver]) -> None:
        """Note a week's receipts, which are handed over at their time. Weeks come in their order."""
        self._waiting.extend(hand_overs)

    def hand_over(self) -> None:
        """Hand over what was bought by now; the same receipt again would be kept once."""
        now = self._clock.now()
        due: list[HandOver] = []
        while self._waiting and self._waiting[0].signed.receipt.time <= now:
            due.append(self._waiting.popleft())
        for household in self._pool.map(self._hand_over_one, due):
            self._receipts_of[household] += 1

    def open_apps(self) -> None:
        """Every fan who agreed and was handed a receipt before looks at its messages, and opens about every second one."""
        agreeing = sorted(household for household in self._receipts_of if not refuses_consent(household))
        self._told = Counter(dict(zip(agreeing, self._pool.map(self._open_app, agreeing), strict=True)))

    def choose_shown_fans(self) -> ShownFans:
        """Who is shown, by what the apps saw when they were opened last; of equals the lowest number."""
        refusing = {household: count for household, count in self._receipts_of.items() if refuses_consent(household)}
        return ShownFans(_find_most(self._told), _find_most(refusing))

    def _hand_over_one(self, one: HandOver) -> HouseholdId:
        self._client.hand_over(encode_receipt(one.signed), one.lines)
        return one.household

    def _open_app(self, household: HouseholdId) -> int:
        sign = self._sign_as(open_household(household, self._program))
        shown = self._client.personal.messages(sign, self._program)["items"]
        if shown:
            at = int(self._clock.now())
            kinds = {message["id"]: "opened" if is_opened(message["id"]) else "impression" for message in shown}
            events = [{"message": message, "kind": kind, "at": at} for message, kind in kinds.items()]
            self._client.personal.give_feedback(sign, self._program, events)
        return len(shown)

    def _sign_as(self, signer: Signer) -> AccountSigner:
        address = encode_address(self._prefix, signer.address)
        return AccountSigner(signer, address, lambda: float(self._clock.now()))


def _find_most(counts: Mapping[HouseholdId, int]) -> HouseholdId | None:
    return min(counts, key=lambda household: (-counts[household], household), default=None)


def is_opened(message: str) -> bool:
    """Whether a fan opens a message: every second one, by its id."""
    return int(message[:2], 16) % 2 == 0
