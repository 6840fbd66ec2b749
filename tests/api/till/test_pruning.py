"""What a till forgets: sales that can be contested and brought back no more, and nothing else."""

import sqlite3
from dataclasses import replace

from api.till.pruning import AGAIN_SECONDS, Pruning
from api.till.schedule import BOOK
from api.till.tables import HANDED_OVER, SET_ASIDE
from api.wallet.settlement import SettlementBook
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.state import PerVisit
from ledger.params import RETURN_KEEP_SECONDS
from ledger.types import Points
from tests.support.till_world import TillWorld

DAY = 86_400
KEPT = RETURN_KEEP_SECONDS + DAY


def prune(world: TillWorld) -> int:
    """As often as it is wanted."""
    document = world.store.document("pruning")
    if document is not None:
        world.store.keep_document("pruning", {**document, "at": 0})
    return world.pruning.prune_if_due(lambda _: None)


def sell_settled(world: TillWorld, *names: str) -> None:
    """Sales that the node has and an entry settles."""
    for name in names:
        kept = world.sell(name)
        world.store.mark_handed_over(kept.number)
        world.store.mark_settled([kept.receipt])


def names(world: TillWorld) -> list[str]:
    with sqlite3.connect(f"file:{world.store.path}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute("SELECT sale FROM sales ORDER BY number")]


def test_what_nobody_can_contest_or_bring_back_goes_and_numbers_go_on(world: TillWorld) -> None:
    sell_settled(world, "a", "b", "c")
    world.clock.pass_seconds(KEPT)
    assert prune(world) == 0 and names(world) == ["a", "b", "c"]
    world.clock.pass_seconds(1)
    assert prune(world) == 2 and names(world) == ["c"], "the last one holds the number"
    assert world.store.find("a") is None and world.store.next_number() == 4
    world.restart()
    assert world.store.next_number() == 4
    last = world.store.find("c")
    assert last is not None
    assert world.pruning.show() == {"kept_days": KEPT // DAY, "sales": 1, "oldest": last.signed_at}
    assert prune(world) == 0


def test_what_is_not_done_stays(world: TillWorld) -> None:
    kept = {name: world.sell(name) for name in ("waiting", "aside", "unsettled", "settled", "last")}
    for name in ("unsettled", "settled"):
        world.store.mark_handed_over(kept[name].number)
    world.store.set_aside(kept["aside"].number, code="receipt.foreign", detail="not ours")
    world.store.mark_settled([kept[name].receipt for name in ("waiting", "aside", "settled")])
    world.clock.pass_seconds(10 * KEPT)
    assert prune(world) == 1
    assert names(world) == ["waiting", "aside", "unsettled", "last"]
    assert world.store.count_hand_over()[SET_ASIDE] == 1 and world.store.count_hand_over()[HANDED_OVER] == 1
    office = Pruning(world.store, world.knowledge, world.clock, is_settling=False)
    world.store.keep_document("pruning", {"at": 0, "window_days": 0})
    assert office.prune_if_due(lambda _: None) == 1, "where the office settles, this till can't know"
    assert names(world) == ["waiting", "aside", "last"]


def test_it_looks_once_a_day_and_not_before_the_terms_are_known(world: TillWorld) -> None:
    sell_settled(world, "a", "b")
    assert world.pruning.work() > 0
    world.store.keep_document("pruning", {"at": world.clock.now() + KEPT, "window_days": 0, "kept_days": 170})
    world.clock.pass_seconds(KEPT + AGAIN_SECONDS - 1)
    assert world.pruning.prune_if_due(lambda _: None) == 0
    world.clock.pass_seconds(1)
    contact, world.knowledge.contact = world.knowledge.contact, None
    assert world.pruning.prune_if_due(lambda _: None) == 0
    world.knowledge.contact = contact
    assert world.pruning.prune_if_due(lambda _: None) == 1


def test_a_longer_window_and_a_cool_down_keep_longer(world: TillWorld) -> None:
    facts = world.market.till.read_program(world.market.program)
    sell_settled(world, "a", "b")
    rules = (*facts.terms.rules, PerVisit(Points(5), 1, 400 * DAY))
    better = replace(facts.terms, rules=rules)
    payload = ProgramUpdate(world.market.program, 1, better)
    wallet = world.market.owner.wallet
    world.market.done(
        wallet.send("program.update", payload, wallet.main, payment=world.market.owner.pay(world.market.program))
    )
    world.visit()
    world.clock.pass_seconds(400 * DAY - 600)
    assert prune(world) == 0
    world.clock.pass_seconds(1_200)
    assert prune(world) == 1
    world.store.keep_document("pruning", {"at": 0, "window_days": 300, "kept_days": 0})
    sell_later = world.clock.now()
    assert world.pruning.prune_if_due(lambda _: None) == 0
    document = world.store.document("pruning")
    assert (document["at"], document["window_days"]) == (sell_later, 300), "a window that was known once is remembered"
    assert document["kept_days"] == (RETURN_KEEP_SECONDS // DAY) + 301


def test_the_settlement_book_forgets_with_the_store(world: TillWorld) -> None:
    for name in ("a", "b"):
        world.store.mark_handed_over(world.sell(name, 3_000).number)
    world.pass_on_chain(days=1)
    world.schedule.work()

    def book() -> SettlementBook:
        data = world.store.read_bytes(BOOK)
        assert data is not None
        return SettlementBook.read(data, world.store.path, world.market.program)

    assert (len(book().settled), len(book().numbers)) == (2, 2)
    carried = book().carried
    world.pass_on_chain(seconds=KEPT + AGAIN_SECONDS)
    world.schedule.work()
    assert names(world) == ["b"]
    assert (len(book().settled), len(book().numbers)) == (1, 1) and book().carried == carried
    world.restart()
    world.schedule.work()
    assert world.market.points()["entries"] == 1, "what is forgotten is not settled again"


def test_what_is_pruned_is_in_no_file_any_more(world: TillWorld) -> None:
    sell_settled(world, "a-sale-that-was-long-ago", "b")
    world.clock.pass_seconds(KEPT + 1)
    assert prune(world) == 1
    world.close()
    for path in world.folder.iterdir():
        assert b"a-sale-that-was-long-ago" not in path.read_bytes(), path.name
    world.open()
