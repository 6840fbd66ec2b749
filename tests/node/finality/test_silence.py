"""The operator hears when nothing is justified any more."""

from pathlib import Path

from structlog.testing import capture_logs

from node.finality.silence import SilenceWatch, is_silent
from tests.node.finality.test_following import Store
from tests.support.attested import INTERVAL, AttestedBranches
from tests.support.memory_chain import sim_params
from tests.support.shop import FAN


def test_two_intervals_are_silence() -> None:
    assert not is_silent(20 + 2 * INTERVAL, 20, INTERVAL)
    assert is_silent(21 + 2 * INTERVAL, 20, INTERVAL)


def test_it_is_told_once_and_again_when_the_gap_has_doubled(tmp_path: Path) -> None:
    made = AttestedBranches()
    store = Store(tmp_path, made.params)
    watch = SilenceWatch(store.chain)
    with capture_logs() as logs:
        for height in range(1, 20):
            made.mine()
            store.chain.accept_block(made.tip.block)
            assert watch.look() is (height in (9, 18))
        store.chain.take_certificate(made.certificate(0, 16, 0, 1, 2))
        assert not watch.look()
    assert [entry["event"] for entry in logs if entry["event"].startswith("finality.")] == [
        "finality.silent",
        "finality.silent",
        "finality.goes_on",
    ]
    store.close()


def test_without_attestors_nothing_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path, sim_params(FAN.address))
    assert not SilenceWatch(store.chain).look()
    store.close()
