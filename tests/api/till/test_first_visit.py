"""Before a till serves: what is wrong with program or grant is said at once, and a till without its node starts."""

from pathlib import Path

import pytest

from api.till import errors
from api.till.errors import TillRefused
from api.till.first_visit import make_first_visit
from api.wallet.errors import ClientProblem, Unreachable
from ledger.domains.loyalty.state import SCOPE_ENROL
from ledger.types import ProgramId
from tests.support.market import Market
from tests.support.refusal import refused
from tests.support.till_world import TILL, TillWorld
from tests.support.wallet_node import main_signer


@pytest.fixture
def fresh(market: Market, tmp_path: Path) -> TillWorld:
    """A till that has never heard of its node."""
    return TillWorld(market, tmp_path / "fresh")


def visit(world: TillWorld, program: ProgramId | None = None, *, is_new: bool = True) -> list[str]:
    return make_first_visit(world.client, program or world.market.program, TILL, is_new=is_new)


def test_a_granted_till_hears_nothing(fresh: TillWorld) -> None:
    assert visit(fresh) == [] and visit(fresh, is_new=False) == []


def test_a_new_till_of_an_unknown_program_does_not_start(fresh: TillWorld) -> None:
    with pytest.raises(ClientProblem) as caught:
        visit(fresh, ProgramId(b"\x5f" * 32))
    assert caught.value.code == "program.unknown"


def test_a_new_till_whose_key_may_not_sign_does_not_start(fresh: TillWorld) -> None:
    owner = main_signer("owner").address
    with refused(errors.NOT_GRANTED, TillRefused):
        make_first_visit(fresh.client, fresh.market.program, owner, is_new=True)


def test_a_new_till_whose_key_was_revoked_does_not_start(fresh: TillWorld) -> None:
    fresh.revoke()
    with refused(errors.REVOKED, TillRefused):
        visit(fresh)


def test_a_till_that_was_at_work_starts_and_is_warned(world: TillWorld) -> None:
    world.grant(scopes=SCOPE_ENROL)
    (said,) = visit(world, is_new=False)
    assert "has not granted this till's key the scope till: it signs nothing" in said and "grant-issuer" in said
    world.revoke()
    (said,) = visit(world, is_new=False)
    assert "has revoked this till's key" in said
    (said,) = visit(world, ProgramId(b"\x5f" * 32), is_new=False)
    assert "does not know the program" in said


def test_without_its_node_it_starts_and_says_that_nothing_was_checked(fresh: TillWorld) -> None:
    class Down:
        def chain(self) -> object:
            raise Unreachable("client.unreachable", "no node answers")

    (said,) = make_first_visit(Down(), fresh.market.program, TILL, is_new=True)  # pyright: ignore[reportArgumentType]  # it has the one method that is asked first
    assert "could not be checked: no node answers" in said

    class Strange:
        def chain(self) -> object:
            return {"name": "something else"}

        def program(self, program: bytes) -> object:
            return {}

    (said,) = make_first_visit(Strange(), fresh.market.program, TILL, is_new=True)  # pyright: ignore[reportArgumentType]  # as above
    assert "not of this version" in said
