"""Frames that wait: turns, lanes, limits."""

from ledger.types import WtxId
from node.p2p.inbox import LINK_BYTES_MAX, LINK_FRAMES_MAX, FairInbox
from node.p2p.messages import BlockBody, Inventory, Ping, encode_message

TALK = encode_message(Inventory((WtxId(bytes(32)),)))
BLOCK = encode_message(BlockBody(b"block"))


def taken(inbox: FairInbox) -> list[tuple[int, bytes]]:
    found = []
    while (one := inbox.take()) is not None:
        found.append(one)
    return found


def test_connections_take_turns() -> None:
    inbox = FairInbox()
    pings = [encode_message(Ping(bytes([number] * 8))) for number in range(5)]
    for frame in pings:
        inbox.put(1, frame)
    inbox.put(2, pings[0])
    inbox.put(3, pings[0])
    assert [link for link, _ in taken(inbox)] == [1, 2, 3, 1, 1, 1, 1]


def test_blocks_go_before_transactions_whoever_sends_them() -> None:
    inbox = FairInbox()
    for link in (1, 2):
        inbox.put(link, TALK)
    inbox.put(3, BLOCK)
    inbox.put(1, BLOCK)
    assert taken(inbox) == [(3, BLOCK), (1, BLOCK), (1, TALK), (2, TALK)]


def test_a_connection_is_full_by_bytes_or_by_frames_and_nothing_is_dropped() -> None:
    inbox = FairInbox()
    for _ in range(LINK_FRAMES_MAX):
        assert not inbox.is_full(1)
        inbox.put(1, TALK)
    assert inbox.is_full(1)
    assert not inbox.is_full(2)
    inbox.put(2, bytes(LINK_BYTES_MAX))
    assert inbox.is_full(2)
    inbox.take()
    inbox.take()
    assert not inbox.is_full(1)
    assert len(taken(inbox)) == LINK_FRAMES_MAX - 1
    assert inbox.bytes == 0


def test_what_a_lost_connection_left_is_forgotten() -> None:
    inbox = FairInbox()
    for link in (1, 2, 1):
        inbox.put(link, TALK)
        inbox.put(link, BLOCK)
    inbox.forget(1)
    inbox.forget(1)
    assert taken(inbox) == [(2, BLOCK), (2, TALK)]
    assert inbox.bytes == 0


def test_who_may_not_speak_loses_no_turn() -> None:
    inbox = FairInbox()
    pings = [encode_message(Ping(bytes([number] * 8))) for number in range(3)]
    for link in (1, 2):
        for frame in pings:
            inbox.put(link, frame)
    assert [inbox.take(lambda link: link == 2) for _ in range(3)] == [(2, frame) for frame in pings]
    assert inbox.take(lambda link: link == 2) is None and (inbox.frames, inbox.bytes) == (3, sum(map(len, pings)))
    assert taken(inbox) == [(1, frame) for frame in pings]
    assert (inbox.frames, inbox.bytes) == (0, 0)


def test_all_together_have_a_limit_that_is_chosen() -> None:
    inbox = FairInbox(bytes_max=len(BLOCK))
    inbox.put(1, BLOCK)
    assert inbox.is_full(1) and not inbox.is_full(2)
