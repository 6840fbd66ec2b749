"""Which branch a chain follows when attestors have spoken, whatever the order in which it hears of it; and where it stops."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.finality.state import FINALITY_KEY
from ledger.errors import BlockViolation
from ledger.finality.votes import Checkpoint, sign_vote
from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.types import Amount, BlockHash, Height, Timestamp
from node.chain import Chain
from node.clock import ManualClock
from node.errors import NodeError
from node.finality.book import Taken
from node.finality.keeper import CONFLICT, NO_ATTESTORS, NOT_TRUSTED, OFF_FINAL
from node.mining.miner import pay_all_to, struct_prefix, with_nonce
from node.mining.search import search_range
from node.store.engine import open_engine
from node.store.migrate import migrate
from tests.support.attested import KEYS, SEEDS, AttestedBranches, attestors
from tests.support.memory_chain import Signer, sim_params
from tests.support.refusal import refused
from tests.support.shop import FAN

MINER = Signer.named("miner").address


class Store:
    """A chain on a file."""

    def __init__(self, folder: Path, params: Params, trusted: Checkpoint | None = None) -> None:
        self.folder, self.params = folder, params
        self.open(trusted)

    def open(self, trusted: Checkpoint | None = None) -> None:
        self.engine = open_engine(f"sqlite:///{self.folder / 'chain.sqlite'}")
        migrate(self.engine)
        self.clock = ManualClock(2_000_000_000)
        self.chain = Chain(self.engine, self.params, self.clock, TieKey(b"t" * 32), trusted)

    def close(self) -> None:
        self.chain.close()
        self.engine.dispose()

    def restart(self, trusted: Checkpoint | None = None) -> None:
        self.close()
        self.open(trusted)

    @property
    def final(self) -> int:
        return self.chain.finality.book.final.height

    def take(self, made: AttestedBranches, first: int = 1) -> None:
        """Every block of the branch on which `made` is now."""
        for twig in made.path[first:]:
            self.chain.accept_block(twig.block)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[AttestedBranches, "Store"]]:
    made = AttestedBranches()
    store = Store(tmp_path, made.params)
    yield made, store
    store.close()


def fork(made: AttestedBranches, height: int, length: int) -> BlockHash:
    """Another branch from `height` on, so many blocks long; `made` stands at its end."""
    made.unwind(made.tip.height - height)
    made.block(made.sign("transfer", _transfer(), author=FAN))
    made.mine(length - 1)
    return made.tip.block.hash


def _transfer() -> object:
    return Transfer(ToAccount(FAN.address), Amount(5_000))


def test_justification_comes_before_work(world: tuple[AttestedBranches, Store]) -> None:
    made, store = world
    made.mine(9)
    store.take(made)
    attested = made.tip.block.hash
    certificate = made.certificate(0, 8, 0, 1, 2)
    heavy = fork(made, 5, 9)
    store.take(made, 6)
    assert store.chain.tip.hash == heavy
    assert store.chain.take_certificate(certificate)[0] is Taken.JUSTIFIED
    assert store.chain.tip.hash == attested, "less work, and justified"
    made.mine(5)
    store.take(made, 6)
    assert store.chain.tip.hash == attested, "no work outweighs it"
    store.restart()
    assert store.chain.tip.hash == attested
    assert store.chain.finality.book.justified.height == 8


def test_votes_one_by_one_do_the_same(world: tuple[AttestedBranches, Store]) -> None:
    made, store = world
    made.mine(9)
    store.take(made)
    attested = made.tip.block.hash
    votes = [made.signed(0, 8, place) for place in (0, 2, 3)]
    heavy = fork(made, 5, 9)
    store.take(made, 6)
    assert [store.chain.take_vote(vote)[0] for vote in votes[:2]] == [Taken.KEPT] * 2
    assert store.chain.tip.hash == heavy
    assert store.chain.take_vote(votes[2])[0] is Taken.JUSTIFIED
    assert store.chain.tip.hash == attested


def test_votes_that_stand_in_blocks_of_a_side_branch_count(world: tuple[AttestedBranches, Store]) -> None:
    made, store = world
    made.mine(3)
    trunk = made.tip.block.hash
    made.mine(12)
    heavy = made.path[:]
    made.go_to(trunk)
    fork(made, 3, 6)
    made.vote(0, 8, 0, 1, 2)
    light = made.tip.block.hash
    for twig in heavy[1:]:
        store.chain.accept_block(twig.block)
    store.take(made, 4)
    assert store.chain.tip.hash == light


def test_a_certificate_that_comes_before_its_blocks(world: tuple[AttestedBranches, Store]) -> None:
    made, store = world
    made.mine(9)
    light, certificate = made.path[:], made.certificate(0, 8, 0, 1, 2)
    fork(made, 5, 9)
    store.take(made)
    assert store.chain.take_certificate(certificate)[0] is Taken.KEPT
    for twig in light[6:]:
        store.chain.accept_block(twig.block)
    assert store.chain.tip.hash == light[-1].block.hash


def test_nothing_below_a_final_block_is_left(world: tuple[AttestedBranches, Store]) -> None:
    made, store = world
    made.mine(9)
    store.take(made)
    for link in ((0, 4), (4, 8)):
        store.chain.take_certificate(made.certificate(*link, 0, 1, 2))
    assert (store.final, store.chain.finality.book.justified.height) == (4, 8)
    attested = made.tip.block.hash
    fork(made, 3, 12)
    store.take(made, 4)
    assert store.chain.tip.hash == attested


def test_a_late_node_comes_to_the_same_answer(world: tuple[AttestedBranches, Store], tmp_path: Path) -> None:
    made, store = world
    made.mine(9)
    light = made.path[:]
    certificates = [made.certificate(0, 4, 0, 1, 2), made.certificate(4, 8, 0, 1, 2)]
    fork(made, 2, 20)
    store.take(made)
    for certificate in certificates[::-1]:
        store.chain.take_certificate(certificate)
    for twig in light[3:]:
        store.chain.accept_block(twig.block)
    assert store.chain.tip.hash == light[-1].block.hash
    assert store.final == 4
    (tmp_path / "late").mkdir()
    late = Store(tmp_path / "late", made.params)
    for certificate in store.chain.finality.certificates_from(Height(0), 100):
        late.chain.take_certificate(certificate)
    for twig in light[1:]:
        late.chain.accept_block(twig.block)
    assert late.chain.tip.hash == store.chain.tip.hash
    assert late.final == store.final
    late.close()


def test_two_final_branches_stop_a_node_until_its_operator_decides(world: tuple[AttestedBranches, Store]) -> None:
    made, store = world
    made.mine(13)
    store.take(made)
    first = made.tip.block.hash
    for link in ((0, 4), (4, 8)):
        store.chain.take_certificate(made.certificate(*link, 0, 1, 2))
    fork(made, 0, 13)
    other = [made.certificate(0, 4, 0, 1, 3), made.certificate(4, 8, 0, 1, 3)]
    second, trusted = made.path[:], made.checkpoint(4)
    store.take(made)
    assert store.chain.tip.hash == first
    assert store.chain.take_certificate(other[0])[0] is Taken.JUSTIFIED
    _, change = store.chain.take_certificate(other[1])
    assert change.conflict is not None
    for _ in range(2):
        with refused(CONFLICT, NodeError, known_height=4, other_height=4):
            store.chain.accept_block(second[5].block)
        with refused(CONFLICT, NodeError):
            store.chain.take_certificate(other[0])
        assert store.chain.tip.hash == first
        store.restart()
    store.restart(trusted)
    store.chain.finality.check()
    assert store.chain.finality.anchor == trusted
    assert store.chain.tip.hash == second[-1].block.hash
    for certificate in other:
        store.chain.take_certificate(certificate)
    for certificate in (made.certificate(8, 12, 0, 1, 3),):
        store.chain.take_certificate(certificate)
    assert store.final == 8
    store.restart()
    assert (store.final, store.chain.tip.hash) == (8, second[-1].block.hash)


def test_a_trusted_checkpoint_at_the_first_start(tmp_path: Path) -> None:
    made = AttestedBranches()
    made.mine(9)
    light, trusted = made.path[:], made.checkpoint(8)
    fork(made, 5, 9)
    store = Store(tmp_path, made.params, trusted)
    with refused(OFF_FINAL, BlockViolation, height=8):
        store.take(made)
    assert store.chain.tip.height == 7
    for twig in light[6:]:
        store.chain.accept_block(twig.block)
    assert store.chain.tip.hash == light[-1].block.hash
    assert store.final == 8
    store.restart()
    assert store.final == 8
    store.close()
    with refused(NOT_TRUSTED, NodeError, height=8):
        Store(tmp_path, made.params, Checkpoint(Height(8), BlockHash(b"z" * 32)))


def test_trust_needs_attestors(tmp_path: Path) -> None:
    with refused(NO_ATTESTORS, NodeError):
        Store(tmp_path, sim_params(FAN.address), Checkpoint(Height(8), BlockHash(b"z" * 32)))
    store = Store(tmp_path, sim_params(FAN.address))
    made = AttestedBranches()
    made.mine(5)
    with refused(NO_ATTESTORS, NodeError):
        store.chain.take_certificate(made.certificate(0, 4, 0, 1, 2))
    with refused(NO_ATTESTORS, NodeError):
        store.chain.take_vote(made.signed(0, 4, 0))
    store.close()


def mine_here(store: Store, blocks: int) -> None:
    """Let the store's own templates become blocks."""
    for _ in range(blocks):
        time = store.chain.tip.header.time + 60
        template = store.chain.build_template([], pay_all_to(MINER), Timestamp(time))
        nonce = search_range(struct_prefix(template), template.target, 0, 2**20)
        assert nonce is not None
        store.chain.accept_block(with_nonce(template, nonce))


def test_a_miner_puts_votes_and_evidence_into_its_blocks(world: tuple[AttestedBranches, Store]) -> None:
    made, store = world
    made.mine(5)
    store.take(made)
    for place in (0, 1, 2):
        store.chain.take_vote(made.signed(0, 4, place))
    lie = made.signed(0, 4, 3)
    store.chain.take_vote(lie)
    other = replace(lie.vote, target=Checkpoint(Height(4), BlockHash(b"z" * 32)))
    store.chain.take_vote(sign_vote(SEEDS[KEYS[3]], KEYS[3], other))
    assert len(store.chain.finality.evidence) == 1
    mine_here(store, 1)
    stored = store.chain.state.stored(FINALITY_KEY)
    assert stored is not None
    finality = stored.record
    assert [found.height for found in finality.justified] == [0, 4]
    assert finality.scheduled[0].members == attestors(0, 1, 2)
    mine_here(store, 1)
    last = store.chain.block_at(store.chain.tip.height)
    assert last is not None
    assert not last.transactions, "each once"
