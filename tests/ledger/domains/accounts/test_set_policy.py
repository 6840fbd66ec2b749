"""`account.set_policy`: other keys, the same address."""

from ledger.coin import INSUFFICIENT, POOL_INSUFFICIENT
from ledger.domains.accounts.set_policy import SET_POLICY, PolicyChanged, SetPolicy
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import Malformed
from ledger.policy import BAD_POLICY, Policy
from ledger.transition import WRONG_POLICY
from ledger.types import Amount
from tests.support.memory_chain import Scenario, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, POOR, Shop

BOARD = Signer.named("board", threshold=2, keys_count=3)


def test_other_keys_sign_from_here_on_and_the_address_stays(chain: Scenario) -> None:
    chain.send("account.set_policy", SetPolicy(BOARD.policy), author=FAN)
    assert chain.events == (PolicyChanged(FAN.address, BOARD.policy.hash),)
    assert chain.events[0].subjects() == (FAN.address, BOARD.policy.hash)
    account = chain.record(account_key(FAN.address))
    assert account.policy_hash == BOARD.policy.hash
    assert account.deposit == chain.params.record_deposit == chain.state.chain.locked
    payment = Transfer(ToAccount(FRIEND.address), Amount(1))
    with refused(WRONG_POLICY, signer=FAN.address):
        chain.send("transfer", payment, author=FAN)
    chain.send("transfer", payment, author=FAN.governed_by(BOARD))


def test_a_later_change_locks_nothing_more(chain: Scenario) -> None:
    chain.send("account.set_policy", SetPolicy(BOARD.policy), author=FAN)
    chain.send("account.set_policy", SetPolicy(FAN.policy), author=FAN.governed_by(BOARD))
    assert chain.state.chain.locked == chain.params.record_deposit
    chain.send("transfer", Transfer(ToAccount(FRIEND.address), Amount(1)), author=FAN)


def test_an_account_with_another_policy_keeps_its_record_without_coin(shop: Shop) -> None:
    shop.join(POOR)
    shop.chain.send("account.set_policy", SetPolicy(BOARD.policy), author=POOR, payment=shop.sponsored)
    account = shop.chain.record(account_key(POOR.address))
    assert (account.balance, account.policy_hash) == (0, BOARD.policy.hash)


def test_the_deposit_must_be_there(chain: Scenario) -> None:
    chain.send("transfer", Transfer(ToAccount(POOR.address), Amount(10_000)), author=FAN)
    with refused(INSUFFICIENT, needed=10_000):
        chain.send("account.set_policy", SetPolicy(BOARD.policy), author=POOR)


def test_the_pools_deposit_must_be_there() -> None:
    shop = Shop(pool=10_500)
    shop.join_alone(FAN)
    with refused(POOL_INSUFFICIENT, needed=10_000):
        shop.chain.send("account.set_policy", SetPolicy(BOARD.policy), author=FAN, payment=shop.sponsored)


def test_a_policy_that_contradicts_itself_is_malformed(chain: Scenario) -> None:
    with refused(BAD_POLICY, Malformed):
        chain.send("account.set_policy", SetPolicy(Policy(2, (FAN.key,))), author=FAN)


def test_reads_names_the_account() -> None:
    assert SET_POLICY.reads(FAN.address, SetPolicy(FAN.policy)) == (account_key(FAN.address),)
