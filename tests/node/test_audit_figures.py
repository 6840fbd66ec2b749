"""What an audit counts: held against a chain whose every block is known, and against sums done by hand."""

from pathlib import Path

import pytest

from ledger.pow import target_from_compact, work_of
from node.audit import AuditReport, audit_store
from node.audit_figures import HISTOGRAM_EDGES, SAMPLES_MAX, BlockFigures, Shares, measure_shares
from tests.node.lives import live
from tests.node.stored_chain import MINER, StoredShop
from tests.support.memory_chain import sim_params


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> StoredShop:
    shop = StoredShop(tmp_path_factory.mktemp("lived") / "chain.sqlite")
    live(shop)
    shop.close()
    return shop


@pytest.fixture(scope="module")
def report(lived: StoredShop) -> AuditReport:
    return audit_store(lived.store.path.parent, lived.chain.params)


def test_kinds_codes_and_fees_are_those_of_the_blocks(lived: StoredShop, report: AuditReport) -> None:
    mined, figures = lived.chain.mined, report.figures
    assert figures.kinds.total() == sum(len(block.transactions) for block in mined) == figures.transactions
    assert figures.kinds["member.join"] == 2
    assert figures.kinds["pledge"] == 4
    assert dict(figures.skipped_by_kind) == {("earn", "earn.no_member"): 1}
    rewards = sum(amount for block in mined for _, amount in block.payees)
    subsidies = sum(lived.chain.params.emission.subsidy(block.context.height) for block in mined)
    assert (figures.rewards, figures.subsidies, figures.fees) == (rewards, subsidies, rewards - subsidies)
    assert figures.fees > 0
    assert {address: (paid.blocks, paid.amount) for address, paid in figures.payees.items()} == {
        MINER: (len(mined), rewards)
    }
    assert figures.mining() == Shares(1, rewards, rewards, rewards, 1)


def test_block_times_are_between_headers(lived: StoredShop, report: AuditReport) -> None:
    times = report.figures.block_times()
    gaps = sorted(block.time - block.context.time for block in lived.chain.mined)
    assert times.count == len(gaps)
    assert times.mean == sum(gaps) // len(gaps)
    assert (times.quantiles["least"], times.quantiles["greatest"]) == (gaps[0], gaps[-1])
    assert times.quantiles["median"] == gaps[(len(gaps) - 1) // 2]
    assert sum(count for _, count in times.classes) == len(gaps)
    assert dict(times.classes)[60] == sum(1 for gap in gaps if 30 < gap <= 60)
    assert dict(times.classes)[None] == sum(1 for gap in gaps if gap > HISTOGRAM_EDGES[-1])


def test_difficulty_is_the_work_of_each_header(lived: StoredShop, report: AuditReport) -> None:
    series = report.figures.difficulty()
    assert [sample.height for sample in series] == list(range(1, len(lived.chain.blocks) + 1))
    for sample, block in zip(series, lived.chain.blocks, strict=True):
        assert (sample.time, sample.work) == (block.header.time, work_of(target_from_compact(block.header.bits)))


def test_a_long_series_is_thinned_out_to_its_last_block() -> None:
    figures = BlockFigures(sim_params())
    for height in range(1, 3 * SAMPLES_MAX + 2):
        figures._times.append(height)
        figures._bits.append(0x207FFFFF)
    series = figures.difficulty()
    assert len(series) <= SAMPLES_MAX + 1
    assert (series[0].height, series[-1].height) == (1, 3 * SAMPLES_MAX + 1)


def test_nothing_counted_is_no_division_by_zero() -> None:
    figures = BlockFigures(sim_params())
    assert figures.block_times().mean == 0
    assert figures.difficulty() == ()
    assert figures.mining() == Shares(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([], Shares(0, 0, 0, 0, 0)),
        ([0, 0], Shares(0, 0, 0, 0, 0)),
        ([7], Shares(1, 7, 7, 7, 1)),
        ([5, 5], Shares(2, 10, 5, 10, 2)),
        ([6, 5, 0], Shares(2, 11, 6, 11, 1)),
        ([1] * 20, Shares(20, 20, 1, 10, 11)),
    ],
)
def test_shares(amounts: list[int], expected: Shares) -> None:
    assert measure_shares(amounts) == expected


def test_state_figures_are_those_of_the_tip(lived: StoredShop, report: AuditReport, tmp_path: Path) -> None:
    (position,) = report.positions
    assert position.recorded == lived.books
    assert position.liability == lived.books.pending + lived.books.available + lived.books.held + lived.books.escrowed
    assert [found.campaign for found in report.campaigns] == list(lived.chain.state.table(b"F").values())
    balances = [account.balance for account in lived.chain.state.table(b"A").values()]
    assert report.coin_shares == measure_shares(balances)
    assert report.time == lived.chain.time
