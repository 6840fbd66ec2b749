"""One changed byte anywhere fails: every byte of a proof of every sort, for the checker of the ledger and for the second one.

On this chain every other nonce proves the work, so nothing here is refused for lack of work alone: it is the hashes that bind.
"""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import check_proof as second
from ledger.codec import unpack
from ledger.domains.accounts.state import account_key
from ledger.domains.crowdfunding.state import campaign_key, pledge_key
from ledger.domains.loyalty.state import books_key, member_key, program_key
from ledger.errors import LedgerError
from ledger.proofs import check_proof, encode_proof, read_proof
from ledger.state import Table
from ledger.types import BlockHash, ChainId
from tests.support.sealed_chain import SealedChain
from tests.support.shop import FAN, FRIEND, OWNER, Shop

CHECKER = Path(__file__).resolve().parents[2] / "scripts" / "check_proof.py"
LINES_MAX = 330


def make_proofs() -> dict[str, bytes]:
    """A file of every sort, from a shop with members, points, a campaign and pledges."""
    shop = Shop()
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 500)
    campaign = shop.create_campaign(author=OWNER, in_points=True, goal=100, days=1, tiers=(("Signed", 50, 5),))
    shop.pledge(FAN, campaign, 60, tier=1)
    shop.chain.mine(3)
    sealed, program = SealedChain(shop.chain), program_key(shop.program)
    tip = len(sealed.blocks) - 1
    pledged = next(height for height in range(tip, 0, -1) if sealed.blocks[height].block.transactions)
    proofs = {
        "transaction": sealed.prove_transaction(pledged, 0, anchor=tip),
        "transaction in the anchor": sealed.prove_transaction(pledged, 0, anchor=pledged, following=2),
        "account": sealed.prove_record(account_key(FAN.address)),
        "program totals": sealed.prove_record(books_key(shop.program), program),
        "member": sealed.prove_record(member_key(shop.program, FAN.address), program),
        "campaign": sealed.prove_record(campaign_key(campaign), program),
        "pledge": sealed.prove_record(pledge_key(campaign, 0), campaign_key(campaign), program),
    }
    return {sort: encode_proof(proof) for sort, proof in proofs.items()}


PROOFS = make_proofs()
SORTS = sorted(PROOFS)
ALL = st.sampled_from(SORTS).map(PROOFS.__getitem__)


def holds(data: bytes, chain_id: ChainId | None = None, trust: BlockHash | None = None) -> bool:
    """The verdict of the ledger's checker."""
    try:
        check_proof(read_proof(data), chain_id, trust=trust)
    except LedgerError:
        return False
    return True


def holds_for_the_second(data: bytes, chain_id: bytes | None = None, trust: bytes | None = None) -> bool:
    """The verdict of `scripts/check_proof.py`."""
    try:
        second.check_proof(data, chain_id, trust)
    except second.Fault:
        return False
    return True


def verdict(data: bytes, chain_id: bytes | None = None, trust: bytes | None = None) -> bool:
    """Both verdicts, which are the same."""
    found = holds(data, None if chain_id is None else ChainId(chain_id), None if trust is None else BlockHash(trust))
    assert holds_for_the_second(data, chain_id, trust) is found
    return found


@pytest.mark.parametrize("sort", SORTS)
def test_every_byte_of_a_proof_is_bound(sort: str) -> None:
    """Each byte once with a bit flipped and once with any other value, so that no place of any part is left out."""
    data, chance = PROOFS[sort], random.Random(sort)
    assert verdict(data)
    for place in range(len(data)):
        for change in (1 << chance.randrange(8), chance.randrange(1, 256)):
            changed = bytearray(data)
            changed[place] ^= change
            assert not verdict(bytes(changed)), f"byte {place} of {len(data)} can be changed by {change:#04x}"


@pytest.mark.parametrize("sort", SORTS)
def test_bytes_that_are_cut_off_or_added_are_noticed(sort: str) -> None:
    data = PROOFS[sort]
    for length in range(len(data)):
        assert not verdict(data[:length])
    for tail in (b"\x00", b"\xc4\x00", data):
        assert not verdict(data + tail)
        assert not verdict(tail + data)


@given(ALL, st.integers(0, 2**20), st.integers(1, 255))
def test_one_changed_byte_anywhere_fails(data: bytes, place: int, change: int) -> None:
    changed = bytearray(data)
    changed[place % len(data)] ^= change
    assert not verdict(bytes(changed))


@given(ALL, st.integers(0, 2**20), st.integers(0, 60), st.binary(max_size=60))
@settings(max_examples=300)
def test_a_stretch_that_was_replaced_is_noticed(data: bytes, start: int, length: int, other: bytes) -> None:
    start %= len(data)
    changed = data[:start] + other + data[start + length :]
    assert verdict(changed) is (changed == data)


@given(st.binary(max_size=400))
def test_the_checkers_agree_about_any_bytes(data: bytes) -> None:
    assert not verdict(data)


@given(ALL, st.sampled_from([0, 1, 2, 3]), st.binary(min_size=32, max_size=32))
def test_the_checkers_agree_about_what_the_reader_knows(data: bytes, part: int, other: bytes) -> None:
    fields = unpack(data)
    assert isinstance(fields, tuple)
    chain_id, rests_on = fields[1], fields[2]
    assert isinstance(chain_id, bytes)
    assert isinstance(rests_on, bytes)
    known = {0: (chain_id, rests_on), 1: (chain_id, chain_id), 2: (other, None), 3: (None, other)}[part]
    assert verdict(data, *known) is (part < 2)


@pytest.mark.parametrize("sort", SORTS)
def test_a_longer_form_of_the_same_value_is_refused(sort: str) -> None:
    """Canonical bytes only: each item that has a one-byte header gets the next longer one."""
    data = PROOFS[sort]
    assert data[:2] == b"\x96\x01"
    for longer in (
        b"\xdc\x00\x06" + data[1:],  # the array of six
        data[:1] + b"\xcc\x01" + data[2:],  # the version
        data[:2] + b"\xc5\x00" + data[3:],  # the length of the chain id
        data[:2] + b"\xd9" + data[3:],  # a text instead of bytes
        data[:1] + b"\xc3" + data[2:],  # a boolean instead of 1
    ):
        assert not verdict(longer)


def test_the_second_checker_stands_alone() -> None:
    text = CHECKER.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported == {"argparse", "collections.abc", "datetime", "hashlib", "pathlib", "sys", "typing"}


def test_the_second_checker_names_every_field_of_the_records_that_it_knows() -> None:
    found = second.FIELDS
    for letter, text in found.items():
        names = text.partition(":")[2].split()
        assert tuple(names) == Table.catalogue[ord(letter)].shape.names, letter
