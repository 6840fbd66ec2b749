"""Proofs that a node makes are ones that anybody can check without it."""

from pathlib import Path

import pytest

from ledger.domains.accounts.state import account_key
from ledger.domains.crowdfunding.state import NO_CAMPAIGN
from ledger.domains.loyalty.state import NO_MEMBER, NO_PROGRAM, member_key
from ledger.errors import Violation
from ledger.proofs import (
    TRUST_ABOVE,
    TRUST_BELOW,
    TRUST_HOME,
    Proof,
    ShownRecord,
    ShownTransaction,
    check_proof,
    encode_proof,
    read_proof,
)
from ledger.transaction import decode_transaction
from ledger.types import BlockHash, CampaignId, Height, ProgramId, RecordKey, TxId
from node.errors import NodeError
from node.proofs import (
    NO_BLOCK,
    NO_RECORD,
    NO_TRANSACTION,
    NOT_MY_CHAIN,
    make_account_proof,
    make_campaign_proof,
    make_member_proof,
    make_pledge_proof,
    make_program_proof,
    make_record_proof,
    make_transaction_proof,
)
from tests.node.lives import live
from tests.node.stored_chain import StoredScenario, StoredShop
from tests.support.guarded import guard, guardianship_of
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, OWNER

pytestmark = pytest.mark.usefixtures("database")


def test_the_proof_of_a_guarded_account_shows_who_may_recover_it(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    guard(shop.chain)
    report = check_proof(make_account_proof(shop.store.chain, FAN.address), shop.store.chain.chain_id)
    records = [shown.record for shown in report.shown if isinstance(shown, ShownRecord)]
    assert records == [shop.chain.record(account_key(FAN.address)), guardianship_of(shop.chain)]
    shop.store.close()


def test_everything_of_a_life_can_be_proved(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    live(shop)
    chain = shop.store.chain
    proved = named = 0
    for key in (
        account_key(FAN.address),
        member_key(shop.program, FAN.address),
        member_key(shop.program, FRIEND.address),
    ):
        report = check_proof(read_proof(encode_proof(make_record_proof(chain, key))), chain.chain_id)
        table = "Account" if key[:1] == b"A" else "Member"
        assert report.shown == (ShownRecord(key, table, shop.chain.record(key)),)
        assert (report.anchor_height, report.anchor_hash) == (chain.tip.height, chain.tip.hash)
    for height, block in enumerate(shop.chain.blocks, start=1):
        for position, raw in enumerate(block.transactions):
            txid = decode_transaction(raw, chain.chain_id).txid
            proof = make_transaction_proof(chain, txid, Height(height), position)
            report = check_proof(read_proof(encode_proof(proof)), chain.chain_id)
            shown, *naming = report.shown
            assert isinstance(shown, ShownTransaction)
            assert (shown.txid, shown.results, shown.height) == (txid, block.results[position], height)
            named += len(naming)
            proved += 1
    assert proved > 20
    assert named > 10, "programs and campaigns come with what is about them"
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
    shown = check_proof(proof, chain.chain_id).shown[0]
    assert isinstance(shown, ShownTransaction)
    assert (shown.txid, shown.depth) == (shop.chain.last_txid, 1)
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


def tables_of(proof: Proof) -> list[str | None]:
    """The tables of the records that a proof shows once it went through its file."""
    shown = check_proof(read_proof(encode_proof(proof))).shown
    return [item.table if isinstance(item, ShownRecord) else "transaction" for item in shown]


def test_each_sort_comes_with_what_names_it(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN)
    shop.earn(FAN, 500)
    in_points = shop.create_campaign(author=OWNER, in_points=True, goal=100, days=1)
    shop.pledge(FAN, in_points, 60)
    in_coin = shop.create_campaign(author=OWNER, goal=10_000, days=1)
    shop.pledge(FRIEND, in_coin, 5_000)
    chain, last = shop.store.chain, shop.chain.last_txid
    assert tables_of(make_account_proof(chain, FRIEND.address)) == ["Account"]
    assert tables_of(make_program_proof(chain, shop.program)) == ["Books", "Program"]
    assert tables_of(make_member_proof(chain, shop.program, FAN.address)) == ["Member", "Program"]
    assert tables_of(make_campaign_proof(chain, in_points)) == ["Campaign", "CampaignTerms", "Program"]
    assert tables_of(make_campaign_proof(chain, in_coin)) == ["Campaign", "CampaignTerms"]
    assert tables_of(make_pledge_proof(chain, in_points, 0)) == ["Pledge", "Campaign", "CampaignTerms", "Program"]
    assert tables_of(make_pledge_proof(chain, in_coin, 0)) == ["Pledge", "Campaign", "CampaignTerms"]
    assert tables_of(make_transaction_proof(chain, last, chain.tip.height, 0)) == [
        "transaction",
        "Campaign",
        "CampaignTerms",
    ]
    shop.close()


def test_what_is_unknown_is_said_to_be(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    chain, campaign = shop.store.chain, shop.create_campaign(author=OWNER)
    nothing = bytes(32)
    with refused(NO_PROGRAM):
        make_program_proof(chain, ProgramId(nothing))
    with refused(NO_PROGRAM):
        make_member_proof(chain, ProgramId(nothing), FAN.address)
    with refused(NO_MEMBER):
        make_member_proof(chain, shop.program, FAN.address)
    with refused(NO_CAMPAIGN):
        make_campaign_proof(chain, CampaignId(nothing))
    with refused(NO_CAMPAIGN):
        make_pledge_proof(chain, CampaignId(nothing), 0)
    for number in (0, 2**32, -1):
        with refused(NO_RECORD, NodeError):
            make_pledge_proof(chain, campaign, number)
    shop.close()


def test_a_proof_leads_to_the_block_that_the_reader_knows(tmp_path: Path) -> None:
    shop = StoredShop(tmp_path / "chain.sqlite")
    shop.join(FAN)
    joined, height = shop.chain.last_txid, shop.store.chain.tip.height
    shop.chain.mine(5)
    chain = shop.store.chain
    roles = {0: TRUST_BELOW, 1: TRUST_BELOW, height: TRUST_HOME, height + 2: TRUST_BELOW, chain.tip.height: TRUST_ABOVE}
    for known, role in roles.items():
        trust = chain.header_at(Height(known)).hash
        proof = make_transaction_proof(chain, joined, height, 0, trust)
        assert check_proof(read_proof(encode_proof(proof)), trust=trust).trust == role
        assert proof.trusted.height == (0 if known == chain.tip.height else known)
        record = make_program_proof(chain, shop.program, trust)
        expected = TRUST_BELOW if role == TRUST_HOME else role
        assert check_proof(record, trust=trust).trust == expected
    with refused(NOT_MY_CHAIN, NodeError, hash="ab" * 32):
        make_account_proof(chain, FAN.address, BlockHash(b"\xab" * 32))
    shop.close()
