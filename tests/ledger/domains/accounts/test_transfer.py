"""`transfer`: coin between accounts and into fee pools."""

import pytest

from ledger.coin import INSUFFICIENT
from ledger.domains.accounts.state import account_key
from ledger.domains.accounts.transfer import BELOW_MINIMUM, TRANSFER, CoinMoved, ToAccount, ToPool, Transfer
from ledger.domains.loyalty.state import NO_PROGRAM, books_key
from ledger.errors import Malformed
from ledger.schema import OUT_OF_RANGE
from ledger.types import INTEGER_MAX, Amount, ProgramId
from tests.support.memory_chain import FUNDS, Scenario, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, POOR, Shop


def transfer(to: Signer, amount: int) -> Transfer:
    return Transfer(ToAccount(to.address), Amount(amount))


def balance(chain: Scenario, signer: Signer) -> int:
    record = chain.record(account_key(signer.address))
    return 0 if record is None else record.balance


def test_coin_moves_to_an_account_that_did_not_exist(chain: Scenario) -> None:
    transaction = chain.sign("transfer", transfer(POOR, 5_000), author=FAN)
    fee = transaction.weight * chain.params.fee_rate_min
    block = chain.block(transaction)
    assert balance(chain, POOR) == 5_000
    assert balance(chain, FAN) == FUNDS - 5_000 - fee
    assert block.payees == ((chain.miner.address, 5_000_000 + fee),)
    assert chain.events == (CoinMoved(FAN.address, POOR.address, Amount(5_000)),)
    assert chain.events[0].subjects() == (FAN.address, POOR.address)


def test_coin_moves_to_oneself_once(chain: Scenario) -> None:
    chain.send("transfer", transfer(FAN, 5_000), author=FAN)
    assert chain.events[0].subjects() == (FAN.address,)


def test_coin_moves_into_a_fee_pool(shop: Shop) -> None:
    before = shop.books.pool
    shop.fill_pool(7, author=FAN)
    assert shop.books.pool == before + 7
    assert shop.chain.state.chain.pools == before + 7
    assert shop.program in shop.chain.events[0].subjects()


def test_an_account_that_is_emptied_has_no_record(chain: Scenario) -> None:
    chain.send("transfer", transfer(POOR, 50_000), author=FAN)
    fee = chain.sign("transfer", transfer(FAN, 48_000), author=POOR).weight * chain.params.fee_rate_min
    chain.send("transfer", transfer(FAN, 50_000 - fee), author=POOR)
    assert chain.record(account_key(POOR.address)) is None


def test_failures_come_in_the_documented_order(shop: Shop) -> None:
    chain = shop.chain
    nowhere = Transfer(ToPool(ProgramId(NOWHERE)), Amount(INTEGER_MAX))
    with refused(NO_PROGRAM, program=NOWHERE):
        chain.send("transfer", nowhere, author=FAN)
    available = balance(chain, FAN)
    fee = chain.sign("transfer", transfer(POOR, available), author=FAN).weight * chain.params.fee_rate_min
    with refused(INSUFFICIENT, needed=available, available=available - fee):
        chain.send("transfer", transfer(POOR, available), author=FAN)
    for left in (1, 999):
        with refused(BELOW_MINIMUM, account=FAN.address, balance=left, minimum=1_000):
            chain.send("transfer", transfer(POOR, available - fee - left), author=FAN)
    with refused(BELOW_MINIMUM, account=POOR.address, balance=999):
        chain.send("transfer", transfer(POOR, 999), author=FAN)


def test_the_least_balance_itself_is_allowed(chain: Scenario) -> None:
    chain.send("transfer", transfer(POOR, 1_000), author=FAN)
    assert balance(chain, POOR) == 1_000
    available = balance(chain, FRIEND)
    fee = chain.sign("transfer", transfer(POOR, available - 10_000), author=FRIEND).weight * chain.params.fee_rate_min
    chain.send("transfer", transfer(POOR, available - fee - 1_000), author=FRIEND)
    assert balance(chain, FRIEND) == 1_000


def test_an_amount_of_nothing_is_malformed(chain: Scenario) -> None:
    with refused(OUT_OF_RANGE, Malformed, field="amount"):
        chain.send("transfer", transfer(POOR, 0), author=FAN)


@pytest.mark.parametrize("to_pool", [False, True])
def test_reads_names_what_is_touched(shop: Shop, to_pool: bool) -> None:
    recipient = ToPool(shop.program) if to_pool else ToAccount(FRIEND.address)
    expected = books_key(shop.program) if to_pool else account_key(FRIEND.address)
    assert TRANSFER.reads(OWNER.address, Transfer(recipient, Amount(1))) == (account_key(OWNER.address), expected)
