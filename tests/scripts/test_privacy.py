"""The attack on small made-up ledgers, where the answer is known."""

import random
from pathlib import Path

import numpy as np
import pytest

from privacy import (
    NOTHING,
    BadInputError,
    Basket,
    Ledger,
    attack_clear,
    attack_sums,
    choose_pairs,
    main,
    make_ledgers,
    measure,
)

ACCOUNTS, WEEKS = 60, 20


def made_up_baskets(per_week: int) -> list[Basket]:
    chance = random.Random(1)
    return [
        Basket(account, week * 168 + chance.randrange(168), 1_000 + week, chance.randint(1, 400))
        for account in range(ACCOUNTS)
        for week in range(WEEKS)
        for _ in range(per_week)
    ]


def shown_sums(baskets: list[Basket]) -> dict[tuple[int, int], int]:
    shown: dict[tuple[int, int], int] = {}
    for basket in baskets:
        place = basket.period, basket.account
        shown[place] = shown.get(place, 0) + basket.points
    return shown


def test_baskets_in_clear_find_everybody() -> None:
    baskets = made_up_baskets(2)
    singled_out, guess = attack_clear(baskets, choose_pairs(baskets, 5, 1))
    assert singled_out == guess == 1.0


def test_two_equal_accounts_share_the_guess() -> None:
    baskets = [Basket(account, hour, 1_000, 7) for account in (0, 1) for hour in (1, 2)]
    assert attack_clear(baskets, choose_pairs(baskets, 3, 1)) == (0.0, 0.5)


def test_one_basket_a_week_makes_a_sum_as_good_as_the_basket() -> None:
    baskets = made_up_baskets(1)
    weekly, *_ = make_ledgers(baskets, shown_sums(baskets), ACCOUNTS)
    assert attack_sums(weekly, baskets, choose_pairs(baskets, 5, 1))[1] > 0.95


def test_longer_periods_and_noise_hide_more() -> None:
    baskets = made_up_baskets(2)
    shown = {
        place: max(points + random.Random(points).randint(-400, 400), 0)
        for place, points in shown_sums(baskets).items()
    }
    pairs = choose_pairs(baskets, 5, 1)
    weekly, long, noisy = (attack_sums(found, baskets, pairs)[1] for found in make_ledgers(baskets, shown, ACCOUNTS))
    assert weekly > 1.5 * long > 0 and weekly > 2 * noisy > 0


def test_an_account_without_an_entry_is_ruled_out() -> None:
    entries = np.full((1, 3), NOTHING, dtype=np.int64)
    entries[0, 0], entries[0, 2] = 30, 11
    baskets = [Basket(0, 1, 5, 10), Basket(0, 2, 5, 20), Basket(2, 3, 5, 11)]
    assert attack_sums(Ledger("x", 1, 0, entries), baskets, [(baskets[0], baskets[1])]) == (1.0, 1.0)


def test_pairs_are_of_one_account_and_repeatable() -> None:
    baskets = [*made_up_baskets(1), Basket(ACCOUNTS, 1, 1_000, 1)]  # the last account has one basket only
    pairs = choose_pairs(baskets, 4, 9)
    assert pairs == choose_pairs(baskets, 4, 9) != choose_pairs(baskets, 4, 8)
    assert len(pairs) == 4 * ACCOUNTS and all(a.account == b.account and a is not b for a, b in pairs)


def test_a_wrong_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "fansumer demo replay" in capsys.readouterr().err
    with pytest.raises(BadInputError):
        measure(tmp_path, 1, 1)
    assert main([str(tmp_path), "--pairs", "0"]) == 2
