"""Points fade, bans end, and memory is bounded."""

from ledger.types import Timestamp
from node.p2p import scores
from node.p2p.address import make_address
from node.p2p.scores import Scores

ONE, OTHER = make_address("203.0.113.7", 1), make_address("203.0.113.8", 1)


def test_points_add_up_by_host_and_fade_by_one_a_minute() -> None:
    found = Scores()
    assert not found.blame(ONE, 60, 0.0)
    assert not found.blame(make_address("203.0.113.7", 2), 30, 0.0)
    assert found.points(ONE, 0.0) == 90
    assert found.points(ONE, 600.0) == 80
    assert found.points(ONE, 10_000.0) == 0
    assert found.points(OTHER, 0.0) == 0
    assert not found.blame(ONE, 19, 600.0)
    assert found.blame(ONE, 1, 600.0)
    assert found.points(ONE, 600.0) == 0, "who was left begins anew"


def test_addresses_of_one_ipv6_subscriber_are_one_host() -> None:
    found = Scores()
    found.ban(make_address("2001:db8:1:2::1", 1), Timestamp(100), "why")
    assert found.ban_of(make_address("2001:db8:1:2:ffff::", 9), Timestamp(99)) is not None
    assert found.ban_of(make_address("2001:db8:1:3::1", 1), Timestamp(99)) is None


def test_a_ban_ends_by_time_or_by_the_operator() -> None:
    found = Scores()
    found.ban(ONE, Timestamp(100), "garbage")
    assert found.bans(Timestamp(99))[ONE.host].reason == "garbage"
    assert found.bans(Timestamp(100)) == {}
    assert found.ban_of(ONE, Timestamp(100)) is None
    found.ban(OTHER, Timestamp(100), "garbage")
    kept = found.bans(Timestamp(0))
    assert found.lift(OTHER.host) and not found.lift(OTHER.host)
    again = Scores()
    again.restore(kept)
    assert again.ban_of(OTHER, Timestamp(0)) is not None


def test_only_so_many_hosts_are_remembered() -> None:
    found = Scores()
    for number in range(scores.HOSTS_MAX + 5):
        address = make_address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
        found.blame(address, 1, 0.0)
        found.ban(address, Timestamp(10), "")
    assert len(found.bans(Timestamp(0))) == scores.HOSTS_MAX
    assert found.points(make_address("10.0.0.1", 1), 0.0) == 0
