"""The sizes that PRF-5 states are those of real files, whose paths lead through trees of that many leaves."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.block import history_leaf
from ledger.domains.accounts.state import Account, account_key
from ledger.domains.crowdfunding.state import Campaign, campaign_key, campaign_terms_key
from ledger.domains.crowdfunding.terms import CampaignTerms, PointsUnit
from ledger.domains.loyalty.books import EMPTY_BOOKS
from ledger.domains.loyalty.state import Program, books_key, program_key
from ledger.merkle import IncrementalTree, leaf_hash
from ledger.proofs import (
    Anchor,
    Proof,
    RecordClaim,
    ShownRecord,
    Trusted,
    check_proof,
    encode_proof,
    measure_proof,
    read_proof,
)
from ledger.state import encode_record, record_leaf
from ledger.types import Address, Amount, CampaignId, Hash, Height, Points, ProgramId, RecordKey, Slot, Timestamp
from tests.support.memory_chain import Scenario
from tests.support.sealed_chain import SealedChain
from tests.support.shop import FAN, FUNDED

PAGE = Path(__file__).resolve().parents[2] / "ledger" / "spec" / "proofs.md"
SCENARIO = Scenario(*FUNDED)
SCENARIO.mine()
CHAIN = SealedChain(SCENARIO)

PROGRAM, CAMPAIGN = ProgramId(b"p" * 32), CampaignId(b"c" * 32)
PAYER = b"A" + FAN.address
RECORDS: dict[RecordKey, object] = {
    account_key(FAN.address): Account(Amount(10**12), Hash(b""), Amount(0)),
    books_key(PROGRAM): replace(
        EMPTY_BOOKS,
        pool=Amount(10**9),
        issued=Points(10**9),
        available=Points(10**9),
        members=100_000,
        sponsor_height=100_000,
    ),
    program_key(PROGRAM): Program(
        FAN.address, PAYER, Amount(1_000), "Roasterie!", "beans", 0, -300, ((1, 1_793_491_200), (2, 1_800_000_000))
    ),
    campaign_key(CAMPAIGN): Campaign(
        creator=Address(FAN.address),
        payer=PAYER,
        deposit=Amount(1_000),
        unit=PointsUnit(PROGRAM),
        status=0,
        pledged=12_345,
        weight=12_345,
        own_weight=0,
        escrowed=12_345,
        released=0,
        returned=0,
        pledges=321,
        taken=(),
        added=(),
        stage=1,
        until=Timestamp(1_801_000_000),
        until_height=Height(100_000),
        step=0,
        shares_left=10_000,
        attempt=1,
        round=0,
        submitted_at=Timestamp(0),
        basis=0,
        yes=0,
        no=0,
        late_days=(),
        delivered_at=Timestamp(0),
        updates=0,
        refund_total=0,
        refund_weight=0,
        backing=0,
    ),
    campaign_terms_key(CAMPAIGN): CampaignTerms(
        "A roastery of our own", PointsUnit(PROGRAM), 20_000, Timestamp(1_801_000_000)
    ),
}
ASKED = (
    (account_key(FAN.address),),
    (books_key(PROGRAM), program_key(PROGRAM)),
    (campaign_key(CAMPAIGN), campaign_terms_key(CAMPAIGN), program_key(PROGRAM)),
)


def sizes_with(count: int) -> list[int]:
    """(hashes in a path, then bytes of each file) with `count` slots and as many blocks below the anchor."""
    leaves = [record_leaf(key, encode_record(key, record)) for key, record in RECORDS.items()]
    state = IncrementalTree([*leaves, *(leaf_hash(place.to_bytes(4, "big")) for place in range(len(leaves), count))])
    genesis = CHAIN.blocks[0]
    first = history_leaf(genesis.block.hash, genesis.work, genesis.block.header.time)
    history = IncrementalTree([first, *(leaf_hash(place.to_bytes(4, "big")) for place in range(1, count))])
    commitment = replace(
        CHAIN.blocks[-1].commitment,
        height=Height(count),
        state_root=state.root(),
        slot_count=count,
        history_root=history.root(),
    )
    block = CHAIN.seal(commitment, SCENARIO.mined[-1], genesis, ()).block
    anchor = Anchor(block.header.encode(), block.coinbase, block.commitment_bytes, ())
    path, work = history.inclusion_path(0), genesis.work.to_bytes(32, "big")
    trusted = Trusted(Height(0), genesis.block.hash, work, genesis.block.header.time, path)
    found = [len(path)]
    keys = list(RECORDS)
    for asked in ASKED:
        claims = tuple(
            RecordClaim(key, encode_record(key, RECORDS[key]), Slot(slot), state.inclusion_path(slot))
            for slot, key in ((keys.index(key), key) for key in asked)
        )
        proof = Proof(1, SCENARIO.chain_id, block.hash, anchor, trusted, claims)
        data = encode_proof(proof)
        shown = [item for item in check_proof(read_proof(data)).shown if isinstance(item, ShownRecord)]
        assert [item.record for item in shown] == [RECORDS[key] for key in asked]
        assert 387 <= measure_proof(proof)["block"] <= 411, "as PRF-5 says of one payee"
        assert 75 <= measure_proof(proof)["trusted"] - 34 * len(path) - (1 if len(path) < 16 else 3) <= 79
        found.append(len(data))
    return found


def stated() -> dict[int, list[int]]:
    """The table of PRF-5: records -> hashes in a path, bytes of each file."""
    text = PAGE.read_text(encoding="utf-8").partition("## PRF-5")[2]
    rows = re.findall(r"^\| ([\d,]+) \|((?: [\d,]+ \|)+)$", text, re.MULTILINE)
    numbers = [[int(cell.replace(",", "")) for cell in (first, *rest.strip(" |").split(" | "))] for first, rest in rows]
    return {first: rest for first, *rest in numbers}


@pytest.mark.parametrize("count", [1_000, 10_000, 100_000])
def test_sizes_are_as_stated(count: int) -> None:
    assert sizes_with(count) == stated()[count]


def test_a_million_records_follow_by_the_formula() -> None:
    """Three hashes more in each path than at 100,000, whose paths have the longer mark already."""
    at_100_000, at_million = stated()[100_000], stated()[1_000_000]
    assert (at_100_000[0], at_million[0]) == (17, 20)
    for asked, before, after in zip(ASKED, at_100_000[1:], at_million[1:], strict=True):
        assert after == before + 34 * 3 * (1 + len(asked))
