"""Whatever is sent, mined and taken back: what waits can always be mined, together and in its order."""

import random
from pathlib import Path
from typing import Any

import pytest

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import LedgerError
from ledger.transaction import OwnFee, Transaction
from ledger.types import Amount, Timestamp
from node.mempool.policy import MempoolLimits
from node.mining.miner import pay_all_to
from tests.node.mempool.desk import assert_consistent
from tests.node.stored_chain import MINER, StoredChain, StoredScenario
from tests.support.memory_chain import FUNDS, Scenario, Signer, sim_params
from tests.support.shop import FAN, FRIEND

pytestmark = pytest.mark.usefixtures("database")
PARAMS = sim_params(FAN.address, FRIEND.address, validity_blocks_max=6)
PEOPLE = (FAN, FRIEND, *(Signer.named(f"person {number}") for number in range(3)))
STEPS = 120


def some_transfer(rng: random.Random, signing: Scenario, height: int, sent: list[Transaction]) -> Transaction:
    """A transfer that may or may not be valid; often one that spends what another sends, or that replaces one."""
    author, to = rng.sample(PEOPLE, 2)
    amount = rng.choice((2_000, 10_000, 1_000_000, FUNDS // 3, FUNDS // 2))
    body: dict[str, Any] = {"valid_from": max(height - rng.randrange(3), 0)}
    body["valid_until"] = height + rng.randrange(3)
    if sent and rng.random() < 0.3:
        rival = rng.choice(sent)
        author = next(person for person in PEOPLE if person.address == rival.author)
        body["salt"] = rival.body.salt
    fee = OwnFee(Amount(900 * rng.randrange(2, 12)))
    return signing.sign("transfer", Transfer(ToAccount(to.address), Amount(amount)), author=author, payment=fee, **body)


@pytest.mark.parametrize("seed", range(4))
def test_what_waits_can_be_mined(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    signing = Scenario(params=PARAMS)
    limits = MempoolLimits(weight_max=9_000, author_count_max=6, dropped_remembered=30)
    store = StoredChain(tmp_path / "chain.sqlite", PARAMS, limits=limits)
    rival = StoredScenario(tmp_path / "rival.sqlite", params=PARAMS)
    sent: list[Transaction] = []
    codes: set[str] = set()
    reorganisations = 0
    for _ in range(STEPS):
        action = rng.random()
        if action < 0.85:
            made = [some_transfer(rng, signing, store.chain.tip.height + 1, sent) for _ in range(rng.randrange(1, 4))]
            sent.extend(made)
            results = store.pool.submit_batch([transaction.raw for transaction in made])
            codes |= {result.code.name for result in results if isinstance(result, LedgerError)}
        elif action < 0.95:
            chosen = store.pool.select(rng.choice((5_000, 50_000)))[: rng.randrange(20)]
            # One that depends on another that paid too little stays behind: it waits on, or the reason why not is known.
            template = store.chain.build_template(chosen, pay_all_to(MINER), Timestamp(0))
            behind = {transaction.txid for transaction, _ in template.dropped}
            store.mine(*(transaction for transaction in chosen if transaction.txid not in behind))
            assert all(store.pool.get(txid) or store.pool.dropped(txid) for txid in behind)
        else:
            old_tip = store.chain.tip.hash
            rival.mine(max(store.chain.tip.height - len(rival.blocks), 0) + 1)
            store.take_all(rival.blocks)
            assert store.chain.tip.hash == rival.blocks[-1].hash != old_tip
            reorganisations += 1
        assert_consistent(store.pool)
        assert store.pool.weight <= limits.weight_max
        waiting = store.pool.select(10**9)
        assert len(store.build(*waiting).transactions) == len(waiting), f"seed {seed}"
    assert {"coin.insufficient", "mempool.full", "mempool.replacement_fee"} <= codes, f"seed {seed}: {codes}"
    assert reorganisations, f"seed {seed}"
    store.close()
    rival.store.close()
