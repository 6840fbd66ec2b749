"""The address table: who can fill it, what is replaced, what is drawn and told."""

import random

from ledger.types import Timestamp
from node.p2p import addresses
from node.p2p.address import PeerAddress, make_address
from node.p2p.addresses import AddressBook

NOW = Timestamp(1_800_000_000)
TELLER = make_address("198.51.100.1", 8_790)
DAY = 86_400


def book(seed: int = 1) -> AddressBook:
    return AddressBook(b"k" * 32, random.Random(seed))


def some(number: int, group: int = 0) -> PeerAddress:
    return make_address(f"{20 + group}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 8_790)


def test_what_is_learned_is_found_and_told_within_limits() -> None:
    made = book()
    taken = [number for number in range(90) if made.learn(some(0, number), TELLER, NOW, NOW)]
    assert len(made) == len(taken) > 75, "few meet in one place"
    assert not any(made.learn(some(0, number), TELLER, NOW, NOW) for number in taken)
    shared = made.share(250, NOW)
    assert len(shared) == len(taken) * 23 // 100 == len({known.address for known in shared})
    assert len(made.share(5, NOW)) == 5
    lonely = book()
    assert lonely.share(250, NOW) == []
    lonely.learn(some(1), TELLER, NOW, NOW)
    assert len(lonely.share(250, NOW)) == 1


def test_one_group_of_tellers_fills_few_places() -> None:
    made = book()
    for number in range(60_000):
        made.learn(some(number, number % 100), TELLER, NOW, NOW)
    assert len(made) <= addresses.BUCKETS_PER_SOURCE * addresses.NEW_PLACES
    for number in range(20_000):
        made.note_success(some(number), NOW)
    assert made.tried_count <= addresses.BUCKETS_PER_GROUP * addresses.TRIED_PLACES


def test_times_are_never_later_than_now_and_old_ones_are_not_taken() -> None:
    made = book()
    made.learn(some(1), TELLER, NOW + 10 * DAY, NOW)
    assert made.share(1, NOW)[0].seen == NOW
    assert not made.learn(some(2), TELLER, NOW - 31 * DAY, NOW)
    assert not made.learn(make_address("240.0.0.1", 1), TELLER, NOW, NOW)
    made.learn(some(1), TELLER, NOW - DAY, NOW)
    known = made.find(some(1))
    assert known is not None and known.seen == NOW, "who saw it earlier takes nothing away"


def test_only_what_is_terrible_gives_its_place_away() -> None:
    made = book()
    number = 0
    while made.learn(some(number), TELLER, NOW, NOW):
        number += 1
    unlucky = some(number)
    place = made._new_place(unlucky, TELLER.group)
    holder = made._new[place]
    assert not made.learn(unlucky, TELLER, NOW, NOW)
    for _ in range(addresses.TERRIBLE_ATTEMPTS):
        made.note_attempt(holder.address)
    assert made.learn(unlucky, TELLER, NOW, NOW)
    assert holder.address not in made and unlucky in made


def test_what_was_reached_is_tried_and_pushes_nobody_out_of_the_book() -> None:
    made = book()
    made.learn(some(1), TELLER, NOW, NOW)
    made.note_attempt(some(1))
    made.note_success(some(1), NOW)
    made.note_success(some(1), Timestamp(NOW + 5))
    known = made.find(some(1))
    assert known is not None and (known.attempts, known.succeeded_at) == (0, NOW + 5)
    assert made.tried_count == 1
    number = 2
    while made._tried_place(some(number)) != made._tried_place(some(1)):
        number += 1
    made.note_success(some(number), NOW)
    assert made.tried_count == 1 and some(1) in made, "it is among the new again"
    made.forget(some(1))
    made.forget(some(1))
    assert some(1) not in made


def test_new_and_tried_are_drawn_alike_whatever_their_numbers() -> None:
    made = book()
    made.note_success(some(7, 99), NOW)
    for number in range(80):
        made.learn(some(0, number), TELLER, NOW, NOW)
    drawn = [made.pick(lambda _: True) for _ in range(1_000)]
    assert 400 < drawn.count(some(7, 99)) < 600
    assert made.pick(lambda _: False) is None
    assert made.pick(lambda address: address == some(7, 99), only_new=True) is None
    assert book().pick(lambda _: True) is None


def test_what_failed_often_is_drawn_less_often() -> None:
    made = book()
    for number in (1, 2):
        made.learn(some(0, number), TELLER, NOW, NOW)
    for _ in range(4):
        made.note_attempt(some(0, 1))
    drawn = [made.pick(lambda _: True) for _ in range(1_000)]
    assert 0 < drawn.count(some(0, 1)) < drawn.count(some(0, 2)) / 2


def test_a_table_survives_a_restart() -> None:
    made = book()
    for number in range(90):
        made.learn(some(0, number), TELLER, NOW, NOW)
    for number in range(20):
        made.note_success(some(0, number), NOW)
    again = book()
    again.restore(made.rows())
    assert sorted(again.rows()) == sorted(made.rows())
    assert again.tried_count == made.tried_count
