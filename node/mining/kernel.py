"""The nonce search compiled for this processor: SHA-256 twice over 80 bytes, in lanes, for two versions of a header at once.

What makes it fast: a vector instruction works on 8 or 16 nonces; the rounds are unrolled and their constants are part of the code;
the first 64 bytes and three rounds of the second block, which hold no nonce, are hashed once in a search; words of the schedule
that hold no nonce leave the loop; the second hash stops after 61 rounds, where the hash's highest word is known; and since the
second block holds no version, two versions share its message schedule. It needs numba, which compiles it in a few seconds and keeps
the result.

It says which nonces may do: by the highest 32 bits alone. Whoever asks hashes those again (`engine`).
"""

import struct
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from node.mining.sha256_rounds import (
    BLOCK_WORDS,
    DIGEST_WORDS,
    END_MARK,
    INITIAL_STATE,
    WORD_MASK,
    Numbers,
    State,
    add_states,
    run_rounds,
)

VERSIONS: Final = 2
"""Headers that are searched at once; they differ within their first 64 bytes only."""
FIXED_ROUNDS: Final = 3
"""Rounds of the second block before the nonce, its fourth word, comes."""
SECOND_ROUNDS: Final = 61
"""After the round 60 the second hash's last word is known but for a constant: it moves through e, f, g, h."""
HEADER_BITS: Final = 80 * 8
DIGEST_BITS: Final = 256
WORD: Final = ir.IntType(32)
_TARGET: Any = cpu_target.target_context
FEATURES: Final[frozenset[str]] = frozenset(_TARGET.codegen().magic_tuple()[2].split(","))
"""What numba compiles for: this processor, or another one that NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name."""
HAS_TERNARY_LOGIC: Final = "+avx512f" in FEATURES
LANES: Final = 16 if HAS_TERNARY_LOGIC else 8
"""Nonces of one vector: as many words as the processor's widest registers hold (less would do elsewhere, and does no harm)."""
VECTOR: Final = ir.VectorType(WORD, LANES)
MAJORITY_TABLE: Final = 0xE8
"""The truth table of the majority of three bits."""


class Lanes:
    """The arithmetic of vectors, as instructions that are added to a function under construction."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def constant(self, value: int) -> Any:
        """The same word in all lanes."""
        return ir.Constant(VECTOR, [value & WORD_MASK] * LANES)

    def spread(self, word: Any) -> Any:
        """A word that is known when the search runs, in all lanes."""
        undefined = ir.Constant(VECTOR, ir.Undefined)
        one = self._builder.insert_element(undefined, word, WORD(0))
        return self._builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(WORD, LANES), [0] * LANES))

    def add(self, *terms: Any) -> Any:
        """Their sum modulo 2^32."""
        total = terms[0]
        for term in terms[1:]:
            total = self._builder.add(total, term)
        return total

    def rotate(self, word: Any, bits: int) -> Any:
        """Turned right; one instruction where the processor has it."""
        right = self._builder.lshr(word, self.constant(bits))
        return self._builder.or_(right, self._builder.shl(word, self.constant(32 - bits)))

    def shift(self, word: Any, bits: int) -> Any:
        """Shifted right."""
        return self._builder.lshr(word, self.constant(bits))

    def xor(self, one: Any, two: Any, three: Any) -> Any:
        """Of three."""
        return self._builder.xor(self._builder.xor(one, two), three)

    def choose(self, selector: Any, one: Any, two: Any) -> Any:
        """Bit by bit; in three operations instead of four."""
        return self._builder.xor(two, self._builder.and_(selector, self._builder.xor(one, two)))

    def majority(self, one: Any, two: Any, three: Any) -> Any:
        """Bit by bit. LLVM does not see that AVX-512 has this in one instruction, so it is told.

        Elsewhere in three: what `two` and `three` differ in is what `one` and `two` differed in a round ago, and computed already.
        """
        if HAS_TERNARY_LOGIC:
            function = self._declare("llvm.x86.avx512.pternlog.d.512", [VECTOR] * 3 + [WORD])
            return self._builder.call(function, [one, two, three, WORD(MAJORITY_TABLE)])
        differing = self._builder.and_(self._builder.xor(one, two), self._builder.xor(two, three))
        return self._builder.xor(two, differing)

    def turn_bytes(self, word: Any) -> Any:
        """The bytes of each word in the opposite order."""
        return self._builder.call(self._declare(f"llvm.bswap.v{LANES}i32", [VECTOR]), [word])

    def _declare(self, name: str, arguments: list[Any]) -> Any:
        module = self._builder.module
        return module.globals.get(name) or ir.Function(module, ir.FunctionType(VECTOR, arguments), name)


# Where each part stands among the words that a search is told.
MIDSTATES: Final = 0
REACHED: Final = MIDSTATES + VERSIONS * DIGEST_WORDS
TAIL: Final = REACHED + VERSIONS * DIGEST_WORDS
LIMIT: Final = TAIL + FIXED_ROUNDS
WORDS: Final = LIMIT + 1


def _find_candidates(builder: Any, word_at: Any, nonce: Any) -> Any:
    """A number of 64 bits: bit i + 32 * v for nonce + i of version v, where the hash's highest word is at most the limit."""
    on = Lanes(builder)
    midstates = [_state(on, word_at, MIDSTATES, version) for version in range(VERSIONS)]
    reached = [_state(on, word_at, REACHED, version) for version in range(VERSIONS)]
    nonces = builder.add(on.spread(nonce), ir.Constant(VECTOR, list(range(LANES))))
    block = [on.spread(word_at(TAIL + place)) for place in range(FIXED_ROUNDS)]
    block += [on.turn_bytes(nonces), on.constant(END_MARK), *[on.constant(0)] * 10, on.constant(HEADER_BITS)]
    limit = on.spread(word_at(LIMIT))
    wide = ir.IntType(64)
    candidates: Any = wide(0)
    ends = run_rounds(on, reached, block, first=FIXED_ROUNDS)
    start: Any = tuple(on.constant(word) for word in INITIAL_STATE)
    for version, (midstate, end) in enumerate(zip(midstates, ends, strict=True)):
        digest = add_states(on, midstate, end)
        padding = [on.constant(END_MARK), *[on.constant(0)] * 6, on.constant(DIGEST_BITS)]
        (last,) = run_rounds(on, [start], [*digest, *padding], end=SECOND_ROUNDS)
        highest = on.turn_bytes(on.add(last[4], on.constant(INITIAL_STATE[7])))
        bits = builder.zext(builder.bitcast(builder.icmp_unsigned("<=", highest, limit), ir.IntType(LANES)), wide)
        candidates = builder.or_(candidates, builder.shl(bits, wide(32 * version)))
    return candidates


def _state(on: Lanes, word_at: Any, start: int, version: int) -> Any:
    return tuple(on.spread(word_at(start + version * DIGEST_WORDS + place)) for place in range(DIGEST_WORDS))


def _type_candidates(typing_context: Any, words: Any, nonce: Any) -> Any:
    """The instructions of `_find_candidates`, for numba."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])

        def word_at(place: int) -> Any:
            return builder.load(builder.gep(array.data, [WORD(place)]))

        return _find_candidates(builder, word_at, builder.trunc(arguments[1], WORD))

    return types.uint64(words, types.int64), generate


_candidates: Any = intrinsic(_type_candidates)


def _scan(words: Any, start: Any, groups: Any) -> Any:
    """The first group of lanes with a candidate, and its candidates; `groups` and 0 if there is none."""
    for group in range(groups):
        found = _candidates(words, start + group * LANES)
        if found != 0:
            return group, found
    return groups, np.uint64(0)


SIGNATURE: Final = types.UniTuple(types.uint64, 2)(types.Array(types.uint32, 1, "C"), types.int64, types.int64)


def compile_scan(*, is_cached: bool) -> Any:
    """The compiled search, `(words, start, groups)`; with `is_cached` from the cache, or put into it.

    numba keeps it beside this file, or else in the user's cache folder (NUMBA_CACHE_DIR names another), one for each processor;
    files are put in place whole, so several processes may do it at once. Raises RuntimeError where no folder can be written.
    """
    return njit(SIGNATURE, cache=is_cached, nogil=True)(_scan)


def prepare_words(prefixes: tuple[bytes, bytes], target: int) -> Any:
    """What a search is told, of the first 76 bytes of two headers that are the same from byte 64 on."""
    assert prefixes[0][64:] == prefixes[1][64:], "they share the second block"
    on = Numbers()
    midstates: list[int] = []
    reached: list[int] = []
    tail = struct.unpack(">3I", prefixes[0][64:])
    for prefix in prefixes:
        (end,) = run_rounds(on, [INITIAL_STATE], struct.unpack(f">{BLOCK_WORDS}I", prefix[:64]))
        midstate: State[int] = add_states(on, INITIAL_STATE, end)
        midstates += midstate
        (after,) = run_rounds(on, [midstate], [*tail, *[0] * (BLOCK_WORDS - FIXED_ROUNDS)], end=FIXED_ROUNDS)
        reached += after
    return np.array([*midstates, *reached, *tail, target >> (DIGEST_BITS - 32)], dtype=np.uint32)
