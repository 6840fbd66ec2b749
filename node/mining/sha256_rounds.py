"""SHA-256 in words of 32 bits, round by round (FIPS 180-4), over numbers or over anything that can be rotated and added.

The miner's kernel is this text with vectors in the place of numbers: what does not depend on the nonce is computed once, here.
"""

from collections.abc import Sequence
from math import isqrt
from typing import Final, Generic, Protocol, TypeVar

Word = TypeVar("Word")
State = tuple[Word, Word, Word, Word, Word, Word, Word, Word]

WORD_MASK: Final = 0xFFFFFFFF
ROUNDS: Final = 64
BLOCK_WORDS: Final = 16
DIGEST_WORDS: Final = 8
END_MARK: Final = 0x80000000
"""The bit that follows a message, at the start of a word."""


def _first_primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root(number: int) -> int:
    """The integer cube root, rounded down, by bisection."""
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


PRIMES: Final = _first_primes(ROUNDS)
ROUND_CONSTANTS: Final = tuple(_cube_root(prime << 96) & WORD_MASK for prime in PRIMES)
"""The first 32 bits of the fractional parts of the primes' cube roots (FIPS 180-4, 4.2.2)."""
INITIAL_STATE: Final[State[int]] = tuple(isqrt(prime << 64) & WORD_MASK for prime in PRIMES[:DIGEST_WORDS])  # pyright: ignore[reportAssignmentType] - 8 of them
"""The same of the square roots (FIPS 180-4, 5.3.3)."""


class Arithmetic(Protocol, Generic[Word]):
    """What rounds are made of. `constants` may be added to each of the round constants' uses at no cost."""

    def constant(self, value: int) -> Word:
        """The word that is the same everywhere."""
        ...

    def add(self, *terms: Word) -> Word:
        """Their sum modulo 2^32."""
        ...

    def rotate(self, word: Word, bits: int) -> Word:
        """Turned right."""
        ...

    def shift(self, word: Word, bits: int) -> Word:
        """Shifted right, with zeros from the left."""
        ...

    def xor(self, one: Word, two: Word, three: Word) -> Word:
        """The exclusive or of three."""
        ...

    def choose(self, selector: Word, one: Word, two: Word) -> Word:
        """Each bit of `one` where the selector's is 1, else of `two`."""
        ...

    def majority(self, one: Word, two: Word, three: Word) -> Word:
        """Each bit as most of the three have it."""
        ...


class Numbers:
    """The arithmetic of Python's integers."""

    def constant(self, value: int) -> int:
        """Itself."""
        return value

    def add(self, *terms: int) -> int:
        """Modulo 2^32."""
        return sum(terms) & WORD_MASK

    def rotate(self, word: int, bits: int) -> int:
        """Turned right."""
        return (word >> bits | word << (32 - bits)) & WORD_MASK

    def shift(self, word: int, bits: int) -> int:
        """Shifted right."""
        return word >> bits

    def xor(self, one: int, two: int, three: int) -> int:
        """Of three."""
        return one ^ two ^ three

    def choose(self, selector: int, one: int, two: int) -> int:
        """Bit by bit."""
        return (selector & one) | (~selector & two)

    def majority(self, one: int, two: int, three: int) -> int:
        """Bit by bit."""
        return (one & two) | (one & three) | (two & three)


def extend_word(on: Arithmetic[Word], words: Sequence[Word], number: int) -> Word:
    """Word `number` of the message schedule, 16..63, from a ring of the 16 before it."""
    early, late = words[(number + 1) % BLOCK_WORDS], words[(number + 14) % BLOCK_WORDS]
    small_zero = on.xor(on.rotate(early, 7), on.rotate(early, 18), on.shift(early, 3))
    small_one = on.xor(on.rotate(late, 17), on.rotate(late, 19), on.shift(late, 10))
    return on.add(words[number % BLOCK_WORDS], small_zero, words[(number + 9) % BLOCK_WORDS], small_one)


def run_round(on: Arithmetic[Word], state: State[Word], scheduled: Word) -> State[Word]:
    """One round; `scheduled` is the schedule's word plus the round's constant."""
    a, b, c, d, e, f, g, h = state
    big_one = on.xor(on.rotate(e, 6), on.rotate(e, 11), on.rotate(e, 25))
    first = on.add(h, scheduled, big_one, on.choose(e, f, g))
    big_zero = on.xor(on.rotate(a, 2), on.rotate(a, 13), on.rotate(a, 22))
    return on.add(first, big_zero, on.majority(a, b, c)), a, b, c, on.add(d, first), e, f, g


def run_rounds(
    on: Arithmetic[Word], states: Sequence[State[Word]], block: Sequence[Word], *, first: int = 0, end: int = ROUNDS
) -> list[State[Word]]:
    """Rounds first..end-1 of one block of 16 words from several states: the schedule is made once for all of them."""
    words, reached = list(block), list(states)
    for number in range(first, end):
        if number >= BLOCK_WORDS:
            words[number % BLOCK_WORDS] = extend_word(on, words, number)
        scheduled = on.add(words[number % BLOCK_WORDS], on.constant(ROUND_CONSTANTS[number]))
        reached = [run_round(on, state, scheduled) for state in reached]
    return reached


def add_states(on: Arithmetic[Word], one: State[Word], two: State[Word]) -> State[Word]:
    """Word by word: what ends a block."""
    a, b, c, d, e, f, g, h = (on.add(left, right) for left, right in zip(one, two, strict=True))
    return a, b, c, d, e, f, g, h
