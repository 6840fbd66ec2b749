"""Block rewards: who may be paid, and when it can be spent."""

import pytest

from ledger.errors import BlockViolation
from ledger.reward import BAD_PAYEES, Maturing, Payee, check_payees, maturing_key
from ledger.types import Address, Amount, Height
from tests.support.memory_chain import Scenario, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN

ONE, TWO = Address(bytes([1]) * 32), Address(bytes([2]) * 32)


def payees(*rows: tuple[Address, int]) -> tuple[Payee, ...]:
    return tuple((address, Amount(amount)) for address, amount in rows)


@pytest.mark.parametrize(
    ("rows", "total"),
    [((), 0), (((ONE, 5),), 5), (((ONE, 10), (TWO, 10)), 20), (((ONE, 11), (TWO, 9 + 1)), 21)],
)
def test_good_payees(rows: tuple[tuple[Address, int], ...], total: int) -> None:
    check_payees(payees(*rows), Amount(total), Amount(10))


@pytest.mark.parametrize(
    ("rows", "total", "reason"),
    [
        (((TWO, 10), (ONE, 10)), 20, "ascending"),
        (((ONE, 10), (ONE, 10)), 20, "ascending"),
        (((ONE, 10), (TWO, 10)), 21, "sum"),
        ((), 1, "sum"),
        (((ONE, 11), (TWO, 9)), 20, "less than 10"),
    ],
)
def test_bad_payees(rows: tuple[tuple[Address, int], ...], total: int, reason: str) -> None:
    with pytest.raises(BlockViolation, match=reason) as caught:
        check_payees(payees(*rows), Amount(total), Amount(10))
    assert caught.value.code is BAD_PAYEES


def test_a_block_with_bad_payees_is_refused(chain: Scenario) -> None:
    with refused(BAD_PAYEES, BlockViolation):
        chain.execute().finish(())
    with refused(BAD_PAYEES, BlockViolation):
        chain.execute().finish(((FAN.address, Amount(4_999_999)),))


def test_a_reward_can_be_spent_when_it_is_old_enough(chain: Scenario) -> None:
    chain.mine()
    assert chain.record(maturing_key(Height(1))) == Maturing(((chain.miner.address, Amount(5_000_000)),))
    before = chain.state.chain
    chain.mine(chain.params.maturity_blocks - 1)
    assert chain.state.chain.accounts == before.accounts
    chain.mine()
    assert chain.state.chain.accounts == before.accounts + 5_000_000
    assert chain.record(maturing_key(Height(1))) is None
    assert chain.state.chain.maturing == 10 * 5_000_000


def test_a_block_without_reward_pays_nobody() -> None:
    chain = Scenario(params=sim_params(subsidy_initial=Amount(0)))
    chain.mine(12)
    assert chain.state.chain.emitted == 0
    assert chain.record(maturing_key(Height(3))) is None
    chain.replay()


def test_the_subsidy_halves(chain: Scenario) -> None:
    chain = Scenario(params=sim_params(halving_interval_blocks=2, subsidy_initial=Amount(3)))
    chain.mine(7)
    assert chain.state.chain.emitted == 3 + 3 + 1 + 1
    chain.replay()
