"""Proofs that a node makes are ones that anybody can check without it."""

from pathlib import Path

import pytest

from ledger.domains.accounts.state import account_key
from ledger.domains.loyalty.state import member_key
from ledger.errors import Violation
from ledger.proofs import check_proof, encode_proof, read_proof
from ledger.transaction import decode_transaction
from ledger.types import Height, RecordKey, TxId
from node.errors import NodeError
from node.proofs import NO_BLOCK, NO_RECORD, NO_TRANSACTION, make_record_proof, make_transaction_proof
from tests.node.lives import live
from tests.node.stored_chain import StoredScenario, StoredShop
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND

pytestmark = pytest.mark.usefixtures("database")


def test_everything_of_a_life_can_be_proved(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    live(shop)
    chain = shop.store.chain
    proved = 0
    for key in (
        account_key(FAN.address),
        member_key(shop.program, FAN.address),
        member_key(shop.program, FRIEND.address),
    ):
        report = check_proof(read_proof(encode_proof(make_record_proof(chain, key))), chain.chain_id)
        assert report.record == shop.chain.record(key)
        assert (report.anchor_height, report.anchor_hash) == (chain.tip.height, chain.tip.hash)
    for height, block in enumerate(shop.chain.blocks, start=1):
        for position, raw in enumerate(block.transactions):
            txid = decode_transaction(raw, chain.chain_id).txid
            proof = make_transaction_proof(chain, txid, Height(height), position)
            report = check_proof(read_proof(encode_proof(proof)), chain.chain_id)
            assert (report.txid, report.results) == (txid, block.results[position])
            proved += 1
    assert proved > 20
    root = chain.state_root
    shop.chain.mine()  # proving disturbed nothing: the next block is found valid
    assert chain.block_at(Height(chain.tip.height)) == shop.chain.blocks[-1]
    assert root != chain.state_root
    shop.close()


def test_a_proof_of_the_newest_transaction_needs_no_earlier_block(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN)
    chain = shop.store.chain
    proof = make_transaction_proof(chain, shop.chain.last_txid, chain.tip.height, 0)
    assert check_proof(proof, chain.chain_id).txid == shop.chain.last_txid
    record = make_record_proof(chain, account_key(FAN.address))
    shop.close()
    with pytest.raises(Violation):
        check_proof(record, type(chain.chain_id)(bytes(32)))


def test_what_is_not_there_can_not_be_proved(tmp_path: Path) -> None:
    scenario = StoredScenario(tmp_path / "chain.sqlite", FAN)
    chain = scenario.store.chain
    with refused(NO_BLOCK, NodeError):
        make_record_proof(chain, account_key(FAN.address))
    scenario.mine()
    with refused(NO_RECORD, NodeError):
        make_record_proof(chain, RecordKey(b"A" + bytes(32)))
    for height in (1, 2):
        with refused(NO_TRANSACTION, NodeError, txid=bytes(32)):
            make_transaction_proof(chain, TxId(bytes(32)), Height(height), 0)
    scenario.store.close()
