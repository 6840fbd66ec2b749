"""A shop on a chain with four attestors and a checkpoint every four blocks, behind the API."""

from collections.abc import Iterable
from pathlib import Path

from api.http.settings import HttpSettings
from ledger.finality.votes import Vote, sign_vote
from ledger.params import Params
from tests.support.attested import INTERVAL, KEYS, SEEDS, attestors
from tests.support.live_shop import LiveChain, LiveShop
from tests.support.memory_chain import sim_params
from tests.support.personal_shop import PersonalShop
from tests.support.receipt_shop import SETTINGS
from tests.support.shop import FAN, FRIEND, FUNDED


def attested_shop_params() -> Params:
    """A shop's chain with attestors of equal weight."""
    people = (signer.address for signer in FUNDED)
    return sim_params(*people, attestors=attestors(0, 1, 2, 3), checkpoint_interval_blocks=INTERVAL)


def open_attested_shop(folder: Path, settings: HttpSettings = SETTINGS) -> PersonalShop:
    """Nothing is justified but the first block; FAN has 1,000 points."""
    shop = LiveShop(folder, params=attested_shop_params())
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 1_000)
    return PersonalShop(shop, settings)


def vote(chain: LiveChain, places: Iterable[int] = (0, 1, 2)) -> int:
    """Attestors vote for what the node would have them vote for; the height of their target."""
    desk = chain.node.desk
    assert desk is not None, "this chain has attestors"
    height = 0
    for place in places:
        sight = desk.sight(KEYS[place])
        said = Vote(sight.chain_id, sight.set_number, sight.source, sight.target)
        desk.submit(sign_vote(SEEDS[KEYS[place]], KEYS[place], said))
        height = said.target.height
    return height


def justify_next(chain: LiveChain) -> int:
    """Mine up to two blocks above the next checkpoint, and let a quorum vote for it; its height."""
    tip = chain.node.chain.tip.height
    wanted = (tip // INTERVAL + 1) * INTERVAL + 2
    chain.mine(wanted - tip)
    assert vote(chain) == wanted - 2
    return wanted - 2
