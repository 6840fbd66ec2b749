"""Drives a replay: one process holds the node, its API on a loopback port, and this driver, which mines.

The chain's clock stands where the driver puts it. The office (till, settlement desk, fans' wallets) works ahead in a second
process. Nothing reaches the node but by its API, and every figure of the summary is read from there. Beside the chain the shop
names its products, and fans with the app get their receipts and open it (`ShopDesk`).
"""

import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Final

from api.demo.brand import PERIODS, RETURN_WINDOW_DAYS, make_salt, open_brand, set_up_program
from api.demo.campaigns import sign_campaigns
from api.demo.journey import DAY_SECONDS, HouseholdId
from api.demo.office import settlement_height
from api.demo.office_process import OfficeProcess
from api.demo.paperwork import BRAND, Assignment, Overview, Purchases, Signed, Week
from api.demo.plan import FIRST_HEIGHT, LAST_SECONDS, SECOND_HEIGHT, CampaignTimes, Plan, make_plan
from api.demo.receipts_file import RECEIPTS_FILE
from api.demo.results import ReplayError, Results, read_results
from api.demo.sender import SENDERS, Sender
from api.demo.shop_desk import NEWS_DAYS, OPENED_DAYS, ShopDesk, find_day
from api.demo.summary import ReplaySummary
from api.demo.summing_up import STORE_FILE, Run, summarise
from api.demo.tally import Stopwatch, Tally, Traffic
from api.http.settings import HttpSettings
from api.service import Service, bind_port
from api.wallet.builder import ChainFacts, build
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from api.wallet.whole_file import PUBLIC, write_whole
from ledger.address import encode_address
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.errors import Code
from ledger.hashing import object_id
from ledger.networks import private_params, replay_eras
from ledger.params import Params, params_to_mapping
from ledger.transaction import Sponsored
from ledger.types import CampaignId, Height, HoldId, Timestamp, TxId
from node.clock import ManualClock
from node.node import Node, NodeConfig

__all__ = ["PARAMS_FILE", "STORE_FILE", "Driver", "ReplayError", "Report"]

CHAIN_NAME: Final = "grocer-replay"
PARAMS_FILE: Final = "params.json"
WEEKS_AHEAD: Final = 2
"""Weeks that the office may be ahead: bounds what waits in memory."""
PROGRESS_BLOCKS: Final = 24
"""Blocks between two looks at the progress bar."""

BATCHES: Final = frozenset({"earn", "offer.issue", "offer.settle"})
"""What holds many entries: whether each was taken is looked at in the end."""
REVERSALS: Final = frozenset({"reverse", "offer.reverse"})

REFUSED = Code(
    "replay.refused",
    "the node refused a transaction for block {height}: {reason}",
    "Report this: all of a replay's transactions but coupons and pledges must be valid.",
)
MINING_FAILED = Code(
    "replay.mining_failed", "block {height} could not be mined", "Report this: nobody else mines here."
)
Report = Callable[[str, int, int], None]
"""Shows what is being done: (what, done, of how many; 0 is unknown)."""


def make_params(plan: Plan) -> Params:
    """The replay's own chain: coin for the demo brand, sim rules up to the plan's last block, dev rules after it."""
    return private_params(
        name=CHAIN_NAME,
        genesis_time=plan.times[0],
        eras=replay_eras(plan.switch_height),
        allocations=open_brand().allocations(),
    )


class Driver:
    """One replay from the purchases to the summary."""

    def __init__(
        self, folder: Path, as_of: Timestamp, weeks: int | None, data_dir: Path | None, report: Report
    ) -> None:
        # The last basket lies in the last seven days, with the closing blocks' room after it.
        self._purchases = Purchases(Timestamp(as_of - LAST_SECONDS), weeks, data_dir)
        self._folder = folder
        self._as_of = as_of
        self._report = report
        self._watch = Stopwatch()
        self._traffic = Traffic()
        self._due: defaultdict[Height, list[Signed]] = defaultdict(list)
        self._wishes: defaultdict[Height, list[Signed]] = defaultdict(list)
        self._credits: defaultdict[Height, list[Week]] = defaultdict(list)
        self._batches: defaultdict[str, list[TxId]] = defaultdict(list)
        self._members: dict[str, HouseholdId] = {}
        self._tally = Tally()
        self._campaigns: tuple[CampaignId, ...] = ()

    def run(self) -> ReplaySummary:
        """Load, mine, and report."""
        started = perf_counter()
        with ExitStack() as stack:
            office = OfficeProcess()
            stack.callback(office.close)
            self._report("reading the purchases", 0, 0)
            with self._watch.phase("load"):
                self._overview: Overview = office.open(self._purchases)
            self._plan = make_plan(self._overview.first_basket, self._as_of)
            with self._watch.phase("open"):
                self._open(stack)
            self._mine_all(office)
            self._report("reading the results", 0, 0)
            with self._watch.phase("results"):
                results = self._read_results()
            self._report("closing", 0, 0)
        return self._summarise(results, perf_counter() - started)

    def _open(self, stack: ExitStack) -> None:
        """A node on a clock that stands still, its API on a free port, and the driver's client."""
        params = make_params(self._plan)
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(params_to_mapping(params), indent=2)
        write_whole(self._folder / PARAMS_FILE, f"{text}\n".encode(), mode=PUBLIC)
        self._clock = ManualClock(params.genesis_time)
        self._node = Node(NodeConfig(self._folder, params), self._clock)
        stack.callback(self._node.close)
        self._node.chain.subscribe(self._traffic.count)
        self._miner = self._node.start_miner(open_brand().owner.address, 0)
        settings = HttpSettings(loopback_exempt=True, tip_age_seconds_max=None)
        service = Service(self._node, bind_port("127.0.0.1", 0), settings)
        stack.callback(service.close)
        service.start()
        self._client = stack.enter_context(Client(service.url))
        self._facts = ChainFacts.of_answer(self._client.chain())
        self._pool = pool = stack.enter_context(ThreadPoolExecutor(SENDERS, thread_name_prefix="sender"))
        self._sender = Sender(self._client, pool)

    # --- mining -----------------------------------------------------------------------------------------------------

    def _mine_all(self, office: OfficeProcess) -> None:
        """Every block of the plan. A week's transactions are here before the first block that one of them is for."""
        owner = open_brand().owner.address
        self._setup = set_up_program(
            self._facts, open_brand(), self._overview.promotions, first=FIRST_HEIGHT, second=SECOND_HEIGHT
        )
        for height, raws in ((FIRST_HEIGHT, self._setup.first), (SECOND_HEIGHT, self._setup.second)):
            self._due[height] = [Signed(height, BRAND, owner, raw) for raw in raws]
        receipts_path = self._folder / RECEIPTS_FILE
        office.begin(Assignment(self._facts, self._setup.program, self._setup.rewards, self._plan, receipts_path))
        self._desk = ShopDesk(
            self._client, self._pool, self._clock, program=self._setup.program, prefix=self._facts.address_prefix
        )
        periods = self._overview.periods
        settled = [settlement_height(self._plan, period) for period in periods]
        self._campaign_times = self._plan.plan_campaigns(settled)
        self._news = find_day(self._plan, self._as_of, NEWS_DAYS)
        self._openings = {find_day(self._plan, self._as_of, days) for days in OPENED_DAYS}
        ordered: list[Future[Week]] = [office.order_week(index) for index in range(min(WEEKS_AHEAD, len(periods)))]
        height = FIRST_HEIGHT
        for index in range(len(periods)):
            with self._watch.phase("wait for the office"):
                self._schedule(ordered[index].result())
            if index + WEEKS_AHEAD < len(periods):
                ordered.append(office.order_week(index + WEEKS_AHEAD))
            # The next week begins with the block whose time is this week's end: the one before this week is settled.
            until = settled[index] - 2 if index + 1 < len(periods) else self._plan.last
            while height <= until:
                self._mine(height)
                if height == FIRST_HEIGHT:
                    with self._watch.phase("products"):
                        self._desk.publish(self._overview.feeds.first, whole=True)
                height = Height(height + 1)
        assert height == self._plan.switch_height, "every planned block was mined"

    def _schedule(self, week: Week) -> None:
        self._tally.add_week(week)
        for signed in (*week.joins, *week.consents, *week.settlements, *week.offers, *week.reversals):
            self._due[signed.height].append(signed)
        for signed in week.redemptions:
            self._wishes[signed.height].append(signed)
        prefix = self._facts.address_prefix
        self._members.update((encode_address(prefix, signed.account), signed.household) for signed in week.joins)
        usable = Timestamp(PERIODS.ends(week.period) + RETURN_WINDOW_DAYS * DAY_SECONDS)
        self._credits[self._plan.height_once(usable)].append(week)
        self._desk.expect(week.hand_overs)

    def _mine(self, height: Height) -> None:
        """Send what is for this block, and mine it at its time."""
        times = self._campaign_times
        if times is not None and height == times.created:
            self._schedule_campaigns(times)
        if height in self._due or height in self._wishes or height in self._credits:
            with self._watch.phase("send"):
                self._send_due(height)
                self._send_wishes(height)
        if height == self._news:
            with self._watch.phase("products"):
                self._desk.publish(self._overview.feeds.second, whole=False)
        if height in self._openings:
            with self._watch.phase("open apps"):
                self._desk.open_apps()
        with self._watch.phase("hand over"):
            self._desk.hand_over()
        with self._watch.phase("mine"):
            time = self._plan.times[height]
            self._clock.set(time)
            accepted = self._miner.mine_one(time)
        if accepted is None or not accepted.is_tip:
            raise ReplayError(MINING_FAILED, height=height)
        if height % PROGRESS_BLOCKS == 0:
            self._report("mining hourly blocks", height, self._plan.last)

    def _schedule_campaigns(self, times: CampaignTimes) -> None:
        signed = sign_campaigns(self._facts, open_brand(), self._setup.program, times, self._tally.balances)
        self._campaigns = signed.ids
        self._due[times.created].extend(signed.creations)
        self._wishes[times.pledged].extend(signed.pledges)

    def _send_due(self, height: Height) -> None:
        """Joins, consents, settlements, returns, hand-outs: none of them may be refused."""
        due = self._due.pop(height, [])
        for signed, outcome in zip(due, self._sender.send(due), strict=True):
            if isinstance(outcome, ClientProblem):
                raise ReplayError(REFUSED, height=height, reason=str(outcome))
            if signed.kind in BATCHES:
                self._batches[signed.kind].append(outcome)
            elif signed.kind in REVERSALS:
                self._tally.take_back(signed)
        for week in self._credits.pop(height, []):
            self._tally.balances.update(week.credited)

    def _send_wishes(self, height: Height) -> None:
        """Coupons and pledges: whether a fan's points suffice, and whether a coupon is left, is for the node to say."""
        wishes = self._wishes.pop(height, [])
        fulfilments = self._due[Height(height + 1)]
        for signed, outcome in zip(wishes, self._sender.send_in_order(wishes), strict=True):
            if isinstance(outcome, ClientProblem):
                self._tally.refuse(signed, outcome.code)
                continue
            self._tally.spend(signed)
            if signed.reward is not None:
                fulfilments.append(self._sign_fulfilment(Height(height + 1), outcome))

    def _sign_fulfilment(self, height: Height, redemption: TxId) -> Signed:
        """The till hands the coupon's reward out in the next block."""
        till = open_brand().till
        hold = HoldId(object_id("hold", redemption, 0))
        raw = build(
            self._facts,
            "redeem.fulfil",
            RedeemFulfil(hold, 1),
            till,
            valid_from=height,
            payment=Sponsored(self._setup.program),
            salt=make_salt("fulfil", hold.hex()),
        )
        return Signed(height, BRAND, till.address, raw)

    # --- results ----------------------------------------------------------------------------------------------------

    def _read_results(self) -> Results:
        return read_results(
            self._client,
            self._setup.program,
            batches=self._batches,
            campaigns=self._campaigns,
            members=self._members,
            promised=self._tally.promised,
        )

    def _summarise(self, results: Results, seconds: float) -> ReplaySummary:
        run = Run(
            as_of=self._as_of,
            folder=self._folder,
            plan=self._plan,
            campaign_times=self._campaign_times,
            seconds=seconds,
            phases=self._watch.seconds,
            traffic=self._traffic,
            handed_over=self._desk.handed_over,
            shown_fans=self._desk.choose_shown_fans(),
        )
        return summarise(run, self._overview, self._setup, self._tally, results)
