"""What a program waits for before it hands out: who says it, who reads it, and what redemptions show (spec RWD-11)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.http.schemas.redemptions import HandOutAnswer, RedemptionAnswer
from ledger.domains.rewards.redeem import Redeem
from ledger.hashing import object_id
from ledger.types import Points
from tests.api.http.test_acceptances import Door, accept
from tests.support.attested_shop import justify_next, open_attested_shop
from tests.support.memory_chain import Signer
from tests.support.personal_shop import PersonalShop, open_personal_shop
from tests.support.shop import FAN, OWNER, TILL


@pytest.fixture
def attested(tmp_path: Path) -> Iterator[PersonalShop]:
    found = open_attested_shop(tmp_path / "data")
    yield found
    found.close()
    found.shop.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[PersonalShop]:
    """A shop on a chain without attestors."""
    found = open_personal_shop(tmp_path / "data")
    found.shop.earn(FAN, 1_000)
    yield found
    found.close()
    found.shop.close()


def path_of(shop: PersonalShop) -> str:
    return f"/v1/programs/{shop.shop.program.hex()}/hand-out"


def choose(shop: PersonalShop, who: Signer = OWNER, **body: Any) -> tuple[int, Any]:
    """Status, and the answer or the code of the refusal."""
    response = shop.put(path_of(shop), body, who)
    found = response.json()
    return response.status_code, found.get("code", found)


def redeem(shop: PersonalShop) -> bytes:
    """FAN asks for a reward; it waits. The hold's id."""
    of_shop = shop.shop
    reward = of_shop.list_reward()
    sent = of_shop.chain.sign("redeem", Redeem(of_shop.program, reward, 1, Points(100)), author=FAN)
    of_shop.chain.submit(sent)
    return object_id("hold", sent.txid, 0)


def look(shop: PersonalShop, hold: bytes) -> tuple[str, str]:
    """The standing and its sentence; the two lists say the same, once it is in a block."""
    found = shop.http.get(f"/v1/redemptions/{hold.hex()}").json()
    RedemptionAnswer.model_validate(found, strict=True)
    if found["confirmations"]:
        for path in (
            f"/v1/programs/{shop.shop.program.hex()}/redemptions",
            f"/v1/accounts/{shop.text(FAN)}/redemptions",
        ):
            assert found in shop.http.get(path).json()["items"]
    return found["standing"], found["says"]


def test_six_blocks_until_the_owner_says_something_else(plain: PersonalShop) -> None:
    found = plain.http.get(path_of(plain)).json()
    HandOutAnswer.model_validate(found, strict=True)
    assert (found["level"], found["blocks"], found["chosen_at"]) == ("blocks", 6, None)
    assert found["says"] == "What is redeemed is handed out once 6 blocks stand on it."
    hold = redeem(plain)
    assert look(plain, hold)[0] == "waiting"
    plain.shop.chain.mine(2)
    status, chosen = choose(plain, level="blocks", blocks=2)
    assert (status, chosen["blocks"]) == (200, 2)
    assert chosen["chosen_at"] == plain.shop.chain.clock.now()
    assert plain.http.get(path_of(plain)).json() == chosen
    assert look(plain, hold) == ("settled", "Deep enough in the chain: 2 blocks stand on it.")
    assert choose(plain, level="blocks", blocks=3)[0] == 200
    assert look(plain, hold) == (
        "waiting",
        "The points are held. It is safe for the shop once 3 blocks stand on it; now 2 do.",
    )
    program = plain.http.get(f"/v1/programs/{plain.shop.program.hex()}").json()
    assert program["hand_out"]["blocks"] == 3


def test_at_once_from_the_pool(plain: PersonalShop) -> None:
    assert choose(plain, level="pool")[1]["blocks"] is None
    hold = redeem(plain)
    assert look(plain, hold) == ("settled", "The shop hands it out once it is seen; now it is in no block.")
    plain.shop.chain.mine()
    assert look(plain, hold) == ("settled", "The shop hands it out once it is seen; now it is 1 block deep.")


def test_only_the_owner_says_it(plain: PersonalShop) -> None:
    for who in (TILL, FAN):
        assert choose(plain, who, level="pool") == (403, "hand_out.not_owner")
    unsigned = plain.http.put(path_of(plain), json={"level": "pool"})
    assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature.missing")
    other = plain.put(f"/v1/programs/{'ab' * 32}/hand-out", {"level": "pool"}, OWNER)
    assert other.json()["code"] == "program.unknown"
    assert plain.http.get(f"/v1/programs/{'ab' * 32}/hand-out").status_code == 404
    assert plain.http.get(path_of(plain)).json()["chosen_at"] is None


@pytest.mark.parametrize(
    "body", [{}, {"level": "soon"}, {"level": "blocks", "blocks": 0}, {"level": "blocks", "blocks": 10_001}]
)
def test_what_is_no_choice(plain: PersonalShop, body: dict[str, Any]) -> None:
    assert choose(plain, **body) == (400, "http.body")


@pytest.mark.parametrize("level", ["justified", "final"])
def test_what_never_comes_is_refused(plain: PersonalShop, level: str) -> None:
    assert choose(plain, level=level) == (422, "hand_out.no_attestors")


def test_until_it_is_justified_and_until_it_is_final(attested: PersonalShop) -> None:
    chain = attested.shop.chain
    assert choose(attested, level="final")[0] == 200
    hold = redeem(attested)
    wants_final = "The points are held. The shop hands it out once it is final; now it is"
    assert look(attested, hold) == ("waiting", f"{wants_final} in no block.")
    chain.mine(1)
    assert look(attested, hold) == ("waiting", f"{wants_final} 1 block deep.")
    justify_next(chain)
    standing, says = look(attested, hold)
    assert standing == "waiting" and says.endswith("blocks deep, justified.")
    assert choose(attested, level="justified")[0] == 200
    standing, says = look(attested, hold)
    assert standing == "settled" and says.startswith("The shop hands it out once it is justified; now it is ")
    assert choose(attested, level="final")[0] == 200
    justify_next(chain)
    assert look(attested, hold) == ("settled", "Final: no node that knows it takes it back.")
    assert choose(attested, level="blocks", blocks=10_000)[0] == 200
    assert look(attested, hold)[0] == "settled", "what is final waits for no more blocks"


def test_an_acceptance_names_its_own_depth_and_ends_when_it_is_final(attested: PersonalShop) -> None:
    chain, door = attested.shop.chain, Door(attested.http)
    assert choose(attested, level="pool")[0] == 200
    sent = chain.sign("redeem", Redeem(attested.shop.program, attested.shop.list_reward(), 1, Points(100)), author=FAN)
    chain.submit(sent)
    assert door.post(accept(attested.shop, sent, depth=1_000))[0] == 201
    hold = object_id("hold", sent.txid, 0)
    chain.mine()
    assert look(attested, hold) == (
        "accepted by the shop",
        "The shop hands it out at its own risk until 1000 blocks stand on it; now 1 does.",
    )
    justify_next(chain)
    assert look(attested, hold)[0] == "accepted by the shop"
    justify_next(chain)
    assert look(attested, hold)[0] == "settled"
