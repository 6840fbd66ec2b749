"""Who is paid: windows, claims and payees, with the same arithmetic written a second time from the text."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ledger.header import Header
from ledger.params import PAYEES_MAX
from ledger.reward import Payee, check_payees
from ledger.types import Address, Amount, BlockHash, CompactBits, Hash, Height, Timestamp, Work
from node.stratum.payout import CLAIMS_MAX, Claim, Window, share_reward
from node.stratum.shares import BLOCKS_KEPT_MAX, RUN_SHARES, SHARES_KEPT_MAX, PoolBlock, ShareBook

HEADER = Header(0x20000000, BlockHash(bytes(32)), Hash(bytes(32)), Timestamp(1), CompactBits(0x207FFFFF), 0)
CLAIMS = st.dictionaries(st.integers(0, 99), st.integers(0, 10**20), min_size=1, max_size=80).filter(
    lambda claims: any(claims.values())
)


def address(number: int) -> Address:
    return Address(number.to_bytes(32, "big"))


def add(book: ShareBook, who: int, weight: int) -> int:
    return book.add(time=Timestamp(5), address=address(who), worker="", weight=Work(weight), header=HEADER).number


def plain_payees(claims: dict[Address, int], reward: int, minimum: int) -> tuple[Payee, ...]:
    """Spec MINE-6, step by step."""
    if reward == 0:
        return ()
    order = sorted((a for a in claims if claims[a]), key=lambda a: (-claims[a], a))[:64]
    while len(order) > 1:
        total = sum(claims[a] for a in order)
        if Fraction(reward * claims[order[-1]], total) // 1 >= max(minimum, 1):
            break
        order = order[:-1]
    total = sum(claims[a] for a in order)
    paid = {a: reward * claims[a] // total for a in order}
    for a in order[: reward - sum(paid.values())]:
        paid[a] += 1
    return tuple((a, Amount(paid[a])) for a in sorted(paid))


@given(CLAIMS, st.integers(0, 5 * 10**9), st.sampled_from([0, 1, 1_000, 10**8]))
def test_payees_are_what_the_law_takes(claims: dict[int, int], reward: int, minimum: int) -> None:
    named = {address(number): claim for number, claim in claims.items()}
    payees = share_reward(named, Amount(reward), Amount(minimum))
    check_payees(payees, Amount(reward), Amount(minimum))
    assert len(payees) <= PAYEES_MAX and payees == plain_payees(named, reward, minimum)


def test_shares_are_paid_in_proportion_and_to_the_last_unit() -> None:
    claims = {address(1): 2, address(2): 1, address(3): 1}
    assert share_reward(claims, Amount(102), Amount(0)) == ((address(1), 52), (address(2), 25), (address(3), 25))
    assert share_reward(claims, Amount(100), Amount(26)) == ((address(1), 67), (address(2), 33))
    assert share_reward(claims, Amount(100), Amount(34)) == ((address(1), 100),), "a lone payee may get anything"


def test_the_window_is_the_fewest_newest_shares() -> None:
    book = ShareBook()
    assert book.window(10, {address(7), address(3)}) == Window(
        0, 0, (Claim(address(3), 0, 0, 1), Claim(address(7), 0, 0, 1))
    )
    assert [add(book, who, weight) for who, weight in ((1, 5), (2, 3), (1, 4))] == [1, 2, 3]
    assert book.window(7, ()) == Window(2, 3, (Claim(address(1), 1, 4, 0), Claim(address(2), 1, 3, 0)))
    assert book.window(8, ()).first == 1 and book.window(10**9, ()).first == 1 and book.window(4, ()).first == 3


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=40), st.integers(1, 200))
def test_a_window_over_runs_is_the_plain_one(found: list[tuple[int, int]], wanted: int) -> None:
    many = found * (2 * RUN_SHARES // len(found) + 1)
    book = ShareBook()
    for who, weight in many:
        add(book, who, weight)
    wanted *= RUN_SHARES // 20
    plain: list[tuple[int, int]] = []
    for who, weight in reversed(many):
        if sum(w for _, w in plain) >= wanted:
            break
        plain.append((who, weight))
    window = book.window(wanted, ())
    assert (window.first, window.last) == (len(many) - len(plain) + 1, len(many))
    assert {(c.address, c.shares, c.weight) for c in window.claims} == {
        (address(who), sum(w == who for w, _ in plain), sum(v for w, v in plain if w == who)) for who, _ in plain
    }


def test_only_so_many_shares_and_claims_count() -> None:
    book = ShareBook()
    for number in range(SHARES_KEPT_MAX + 3 * RUN_SHARES):
        add(book, number, 1)
    window = book.window(10**9, ())
    assert window.last - window.first + 1 == SHARES_KEPT_MAX and len(book._runs) <= SHARES_KEPT_MAX // RUN_SHARES + 2
    assert len(window.claims) == CLAIMS_MAX


def found(name: int, height: int, window: Window, paid: set[int], *, is_active: bool = True) -> PoolBlock:
    payees = tuple((address(who), Amount(1)) for who in sorted(paid))
    return PoolBlock(BlockHash(address(name)), Height(height), Timestamp(1), window, payees, is_active)


def test_what_a_block_does_not_pay_is_carried_to_the_next_and_taken_back_with_it() -> None:
    book = ShareBook()
    add(book, 1, 1_000)
    add(book, 2, 3)
    first = book.window(10**9, ())
    book.put_block(found(50, 1, first, {1}))
    second = book.window(1, ())
    assert second == Window(2, 2, (Claim(address(2), 1, 3, 3),))
    book.put_block(found(51, 2, Window(2, 2, (Claim(address(1), 1, 9, 0), *second.claims)), {1}))
    assert book.window(1, ()).claims == (Claim(address(2), 1, 3, 6),)
    book.put_block(found(51, 2, second, {1}, is_active=False))
    assert book.window(1, ()) == second
    book.put_block(found(52, 2, second, {2}))
    assert book.window(1, ()).claims == (Claim(address(2), 1, 3, 0),)


def test_blocks_are_forgotten_in_memory_the_lowest_first() -> None:
    book = ShareBook()
    for number in range(BLOCKS_KEPT_MAX + 5):
        book.put_block(found(number, number, Window(0, 0, ()), set()))
    assert book.block(BlockHash(address(4))) is None and book.block(BlockHash(address(5))) is not None
