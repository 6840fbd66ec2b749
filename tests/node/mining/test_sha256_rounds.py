"""SHA-256 in words, beside hashlib."""

import hashlib
import struct

from hypothesis import given
from hypothesis import strategies as st

from node.mining.sha256_rounds import (
    BLOCK_WORDS,
    INITIAL_STATE,
    ROUND_CONSTANTS,
    ROUNDS,
    Numbers,
    State,
    add_states,
    run_rounds,
)

ON = Numbers()


def hash_words(message: bytes) -> bytes:
    """The digest, with the padding of FIPS 180-4."""
    padding = b"\x80" + bytes(-(len(message) + 9) % 64) + struct.pack(">Q", len(message) * 8)
    state = INITIAL_STATE
    for start in range(0, len(message) + len(padding), 64):
        block = struct.unpack(f">{BLOCK_WORDS}I", (message + padding)[start : start + 64])
        (end,) = run_rounds(ON, [state], block)
        state = add_states(ON, state, end)
    return struct.pack(">8I", *state)


def test_the_constants_are_those_of_the_standard() -> None:
    assert (ROUND_CONSTANTS[0], ROUND_CONSTANTS[63]) == (0x428A2F98, 0xC67178F2)
    assert (INITIAL_STATE[0], INITIAL_STATE[7]) == (0x6A09E667, 0x5BE0CD19)
    assert len(ROUND_CONSTANTS) == ROUNDS


@given(st.binary(max_size=200))
def test_it_hashes_as_hashlib_does(message: bytes) -> None:
    assert hash_words(message) == hashlib.sha256(message).digest()


words = st.integers(0, 2**32 - 1)
states = st.tuples(*[words] * 8)


@given(st.lists(states, min_size=2, max_size=3), st.lists(words, min_size=16, max_size=16), st.integers(0, 64))
def test_rounds_can_be_interrupted_and_states_share_a_schedule(
    several: list[State[int]], block: list[int], pause: int
) -> None:
    pause = min(pause, BLOCK_WORDS)  # later words of the schedule need all before them
    whole = run_rounds(ON, several, block)
    assert whole == [run_rounds(ON, [state], block)[0] for state in several]
    assert whole == run_rounds(ON, run_rounds(ON, several, block, end=pause), block, first=pause)
