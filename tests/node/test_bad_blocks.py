"""A block with one bad thing of each kind: its code, nothing changed, the header condemned only where it is to blame."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ledger import coinbase as coinbase_format
from ledger.block import BODY_MISMATCH, COMMITTED_WRONG, Block, Commitment
from ledger.codec import pack
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import BlockViolation, Code, LedgerError
from ledger.hashing import sha256d
from ledger.header_chain import HEADER_BITS, HEADER_TIME, HEADER_VERSION, HEADER_WORK
from ledger.params import PAYEES_MAX
from ledger.reward import BAD_PAYEES
from ledger.transaction import OwnFee, Transaction, Witness, encode_transaction
from ledger.types import Amount, Hash, Height, Signature
from node.chain import (
    BAD_TRANSACTION,
    KNOWN_INVALID,
    TOO_EARLY,
    UNKNOWN_PARENT,
    WRONG_RESULTS,
    WRONG_ROOT,
    WRONG_SLOT_COUNT,
)
from tests.node.forged_blocks import child_of, forge, seal, with_coinbase, work_on
from tests.node.stored_chain import MINER, StoredChain, StoredScenario
from tests.support.memory_chain import Signer, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, POOR

PARAMS = sim_params(FAN.address, FRIEND.address, block_weight_max=100_000, validity_blocks_max=3)
SEVERAL = 6


@dataclass(frozen=True)
class Scene:
    """A store with a few blocks, a good next block with several transfers that it has not seen yet, and how to sign more."""

    scenario: StoredScenario
    store: StoredChain
    good: Block

    def sign(self, amount: int = 5_000, *, author: Signer = FAN, **body: Any) -> Transaction:
        return self.scenario.sign(
            "transfer", Transfer(ToAccount(FRIEND.address), Amount(amount)), author=author, **body
        )

    def with_last(self, raw: bytes) -> Block:
        """The good block, its last transaction replaced."""
        return forge(self.good, transactions=(*self.good.transactions[:-1], raw))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """What every scene begins with; nothing is done to it."""
    scenario = StoredScenario(tmp_path_factory.mktemp("begun") / "chain.sqlite", FAN, FRIEND, params=PARAMS)
    scenario.mine(3)
    found = Scene(scenario, scenario.store, scenario.genesis.block)
    scenario.block(found.sign())
    transfers = [found.sign(5_000 + index) for index in range(SEVERAL)]
    good = scenario.store.build(*transfers)
    scenario.store.close()
    return Scene(scenario, scenario.store, good)


@pytest.fixture
def scene(begun: Scene, tmp_path: Path) -> Iterator[Scene]:
    shutil.copy(begun.store.path, tmp_path / "chain.sqlite")
    store = StoredChain(tmp_path / "chain.sqlite", PARAMS)
    yield replace(begun, store=store)
    store.close()


def rekeyed(transaction: Transaction, signature: bytes) -> bytes:
    """The transaction with another signature."""
    witness = transaction.witnesses[0]
    return encode_transaction(transaction.body_bytes, (Witness(witness.policy, ((0, Signature(signature)),)),))


def spoiled(scene: Scene, old: bytes, new: bytes) -> bytes:
    """The bytes of a good transaction with some of them replaced; its structure stays, its signature does not fit."""
    raw = scene.good.transactions[-1]
    assert raw.count(old) == 1
    return raw.replace(old, new)


def impostor(scene: Scene) -> bytes:
    """A transfer of `FAN` that another account's key signed."""
    return scene.sign(author=replace(FRIEND, address=FAN.address)).raw


def commit(good: Block) -> Commitment:
    return Commitment.decode(good.commitment_bytes)


def payees(good: Block, *amounts: int) -> Block:
    """The good block with its reward split; what is left over goes to the last."""
    total = sum(amount for _, amount in commit(good).payees)
    addresses = sorted(Signer.named(f"payee {index}").address for index in range(len(amounts) + 1))
    shares = (*amounts, total - sum(amounts))
    return forge(good, commitment={"payees": tuple(zip(addresses, map(Amount, shares), strict=True))})


def unsorted_payees(good: Block) -> Block:
    (payee,) = commit(good).payees
    half = Amount(payee[1] // 2)
    pair = sorted(((MINER, half), (FAN.address, Amount(payee[1] - half))), reverse=True)
    return forge(good, commitment={"payees": tuple(pair)})


def too_heavy(scene: Scene) -> Block:
    weight = scene.sign().weight
    transfers = [scene.sign(5_000 + index) for index in range(PARAMS.block_weight_max // weight + 1)]
    return forge(scene.good, transactions=[transfer.raw for transfer in transfers])


def overspent(scene: Scene) -> Block:
    fee = OwnFee(Amount(10_000))
    return scene.with_last(scene.sign(10**12 - 20_000, payment=fee).raw)  # of what genesis gave, the others spend too


def slot_count(scene: Scene) -> int:
    return commit(scene.good).slot_count


Forgery = Callable[[Scene], Block]

HEADERS: dict[str, tuple[Forgery, Code]] = {
    "version": (lambda s: forge(s.good, header={"version": 0x20000001}), HEADER_VERSION),
    "time": (lambda s: forge(s.good, header={"time": s.scenario.time}), HEADER_TIME),
    "bits": (lambda s: forge(s.good, header={"bits": 0x207FFFFE}), HEADER_BITS),
    "work": (lambda s: replace(s.good, header=work_on(s.good.header, fail=True)), HEADER_WORK),
    "parent": (lambda s: forge(s.good, header={"previous": bytes(32)}), UNKNOWN_PARENT),
}
"""Refused for the header alone; nothing of it is kept."""

SPOILED: dict[str, Forgery] = {
    "coinbase": lambda s: replace(s.good, coinbase=s.good.coinbase[:50] + b"\xff" + s.good.coinbase[51:]),
    "commitment": lambda s: replace(s.good, commitment_bytes=replace(commit(s.good), height=Height(3)).encode()),
    "transaction": lambda s: replace(s.good, transactions=(b"\x00", *s.good.transactions[1:])),
    "order": lambda s: replace(s.good, transactions=s.good.transactions[::-1]),
    "signature": lambda s: replace(s.good, transactions=(*s.good.transactions[:-1], rekeyed(s.sign(), bytes(64)))),
    "too few": lambda s: replace(s.good, transactions=s.good.transactions[:-1], results=s.good.results[:-1]),
    "too many": lambda s: replace(
        s.good, transactions=(*s.good.transactions, s.sign().raw), results=(*s.good.results, ("",))
    ),
    "no results": lambda s: replace(s.good, results=()),
    "other results": lambda s: replace(s.good, results=(("coin.insufficient",), *s.good.results[1:])),
    "more results": lambda s: replace(s.good, results=(("", ""), *s.good.results[1:])),
    "transaction root": lambda s: forge(s.good, commitment={"transaction_root": bytes(32)}),
    "count": lambda s: forge(s.good, commitment={"transaction_count": SEVERAL + 1}),
}
"""The body is not the one that the header stands for. The last two can never be given a body, but nobody can know that."""

CONDEMNED: dict[str, tuple[Forgery, Code, str]] = {
    "coinbase grammar": (
        lambda s: with_coinbase(s.good, b"\x02" + s.good.coinbase[1:]),
        coinbase_format.COINBASE_GRAMMAR,
        "byte 0",
    ),
    "magic": (lambda s: forge(s.good, coinbase={"magic": b"none"}), COMMITTED_WRONG, "magic"),
    "height in the coinbase": (lambda s: forge(s.good, coinbase={"height": 3}), COMMITTED_WRONG, "in the coinbase"),
    "reward in the coinbase": (lambda s: forge(s.good, coinbase={"reward": 3}), COMMITTED_WRONG, "in the coinbase"),
    "commitment bytes": (
        lambda s: seal(s.good, s.good.commitment_bytes + b"\x00"),
        Code.catalogue["codec.trailing"],
        "",
    ),
    "commitment shape": (lambda s: seal(s.good, pack((1, 2, 3))), Code.catalogue["shape.count"], ""),
    "height": (
        lambda s: forge(s.good, coinbase={"height": 3}, commitment={"height": 3}),
        COMMITTED_WRONG,
        "chain id or height",
    ),
    "chain id": (lambda s: forge(s.good, commitment={"chain_id": bytes(32)}), COMMITTED_WRONG, "chain id or height"),
    "history root": (lambda s: forge(s.good, commitment={"history_root": bytes(32)}), WRONG_ROOT, "history"),
    "state root": (lambda s: forge(s.good, commitment={"state_root": bytes(32)}), WRONG_ROOT, "state"),
    "more slots": (lambda s: forge(s.good, commitment={"slot_count": slot_count(s) + 1}), WRONG_SLOT_COUNT, "slots"),
    "fewer slots": (lambda s: forge(s.good, commitment={"slot_count": slot_count(s) - 1}), WRONG_SLOT_COUNT, "slots"),
    "results": (lambda s: forge(s.good, results=[("coin.insufficient",)] * SEVERAL), WRONG_RESULTS, ""),
    "entries": (lambda s: forge(s.good, results=[("", "")] * SEVERAL), WRONG_RESULTS, ""),
    "payees sum": (
        lambda s: forge(s.good, commitment={"payees": ((MINER, 1),)}, coinbase={"reward": 1}),
        BAD_PAYEES,
        "sum",
    ),
    "no payees": (lambda s: forge(s.good, commitment={"payees": ()}, coinbase={"reward": 0}), BAD_PAYEES, "sum"),
    "payees order": (lambda s: unsorted_payees(s.good), BAD_PAYEES, "ascending"),
    "dust payee": (lambda s: payees(s.good, PARAMS.account_minimum - 1), BAD_PAYEES, "less than"),
    "too many payees": (lambda s: payees(s.good, *[1_000] * PAYEES_MAX), Code.catalogue["shape.count"], "payees"),
    "malformed transaction": (
        lambda s: s.with_last(b"\x00"),
        BAD_TRANSACTION,
        "transaction 5 is not valid: envelope.shape",
    ),
    "other chain": (
        lambda s: s.with_last(spoiled(s, s.scenario.chain_id[:4], b"else")),
        BAD_TRANSACTION,
        "wrong_chain",
    ),
    "envelope version": (
        lambda s: s.with_last(spoiled(s, b"\x99\x01", b"\x99\x02")),
        BAD_TRANSACTION,
        "envelope.version",
    ),
    "unknown kind": (
        lambda s: s.with_last(spoiled(s, b"transfer", b"transfix")),
        BAD_TRANSACTION,
        "envelope.unknown_kind",
    ),
    "bad signature": (lambda s: s.with_last(rekeyed(s.sign(), bytes(64))), BAD_TRANSACTION, "witness.signature"),
    "wrong policy": (
        lambda s: s.with_last(impostor(s)),
        BAD_TRANSACTION,
        "witness.wrong_policy",
    ),
    "repeated in the block": (lambda s: s.with_last(s.good.transactions[0]), BAD_TRANSACTION, "envelope.repeated"),
    "repeated in the chain": (
        lambda s: s.with_last(s.scenario.blocks[-1].transactions[0]),
        BAD_TRANSACTION,
        "envelope.repeated",
    ),
    "salt used": (
        lambda s: s.with_last(s.sign(salt=(1).to_bytes(8, "big")).raw),
        BAD_TRANSACTION,
        "envelope.salt_used",
    ),
    "expired": (
        lambda s: s.with_last(s.sign(valid_from=1, valid_until=3).raw),
        BAD_TRANSACTION,
        "envelope.expired",
    ),
    "early": (lambda s: s.with_last(s.sign(valid_from=7, valid_until=8).raw), BAD_TRANSACTION, "envelope.early"),
    "validity range": (lambda s: s.with_last(s.sign(valid_until=100).raw), BAD_TRANSACTION, "envelope.validity"),
    "overspending": (overspent, BAD_TRANSACTION, "coin.insufficient"),
    "no coin at all": (lambda s: s.with_last(s.sign(author=POOR).raw), BAD_TRANSACTION, "coin.insufficient"),
    "low fee": (lambda s: s.with_last(s.sign(payment=OwnFee(Amount(1))).raw), BAD_TRANSACTION, "fee.too_low"),
    "too heavy": (too_heavy, BAD_TRANSACTION, "block.full"),
}
"""The header stands for something that is not valid: nothing can save the block, and nobody looks at it twice."""


def attempt(scene: Scene, block: Block) -> LedgerError:
    """Offer a block that must be refused and must change nothing; what it was refused with."""
    store = scene.store
    tip, root, window, tables = store.chain.tip, store.chain.state_root, dict(store.chain.window), store.tables
    with pytest.raises(LedgerError) as caught:
        store.take(block)
    assert store.chain.tip == tip
    assert store.chain.state_root == root
    assert store.chain.window == window
    assert store.tables == tables
    assert "?" not in str(caught.value)
    return caught.value


def assert_good_block_follows(scene: Scene) -> None:
    """The good block is still taken, and a restarted node agrees with the one that saw the bad one."""
    store = scene.store
    assert store.take(scene.good).is_tip
    root, tables = store.chain.state_root, store.tables
    store.restart()
    assert (store.chain.state_root, store.tables) == (root, tables)


@pytest.mark.parametrize("name", HEADERS)
def test_a_bad_header_is_refused_and_forgotten(scene: Scene, name: str) -> None:
    make, code = HEADERS[name]
    block = make(scene)
    assert attempt(scene, block).code is code
    assert attempt(scene, block).code is code
    assert scene.store.chain.block(block.hash) is None
    assert_good_block_follows(scene)


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_body_does_not_condemn_its_header(scene: Scene, name: str) -> None:
    block = SPOILED[name](scene)
    for _ in range(2):
        assert attempt(scene, block).code is BODY_MISMATCH
    assert scene.store.chain.block(block.hash) is None
    if block.header != scene.good.header:
        assert name in ("transaction root", "count")
    assert_good_block_follows(scene)


@pytest.mark.parametrize("name", CONDEMNED)
def test_a_block_that_commits_to_something_bad_is_condemned_with_its_descendants(scene: Scene, name: str) -> None:
    make, code, reason = CONDEMNED[name]
    block = make(scene)
    assert sha256d(block.coinbase) == block.header.merkle_root
    fault = attempt(scene, block)
    assert fault.code is code
    assert reason in str(fault)
    again = attempt(scene, block)
    assert again.code is KNOWN_INVALID
    assert again.fields == {"reason": code.name}
    child = child_of(scene.good, scene.good)
    orphan = replace(child, header=work_on(replace(child.header, previous=block.hash)))
    assert attempt(scene, orphan).fields == {"reason": code.name}
    scene.store.restart()
    assert attempt(scene, block).code is KNOWN_INVALID
    assert_good_block_follows(scene)


def test_a_block_from_the_future_is_taken_when_its_time_has_come(scene: Scene) -> None:
    store = scene.store
    limit = PARAMS.future_limit_seconds(Height(5))
    assert limit == 240, "half-life / 30"
    store.clock.set(scene.good.header.time - limit - 1)
    before = store.tables
    with refused(TOO_EARLY, BlockViolation, ahead=limit + 1, maximum=limit, time=scene.good.header.time):
        store.chain.accept_block(scene.good)
    assert store.tables == before
    store.clock.set(scene.good.header.time - limit)
    assert store.chain.accept_block(scene.good).is_tip


def test_a_bad_block_is_not_remembered_for_its_spoiled_copies(scene: Scene) -> None:
    """A bad block's header is condemned only by its own body."""
    bad = forge(scene.good, commitment={"state_root": Hash(bytes(32))})
    copy = replace(bad, transactions=scene.good.transactions[:-1], results=scene.good.results[:-1])
    assert attempt(scene, copy).code is BODY_MISMATCH
    assert attempt(scene, bad).code is WRONG_ROOT
    assert attempt(scene, copy).code is KNOWN_INVALID
