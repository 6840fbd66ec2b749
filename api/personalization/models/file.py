"""A model file: what it is, the SHA-256 of all that follows, a JSON header with its length, then arrays as bytes.

    fansumer-models 2\\n | sha256 (32) | header length (8, big-endian) | header (JSON) | arrays, little-endian, one by one

Nothing in it is executed when it is read. The version of the models is the beginning of that hash.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from api.personalization.errors import MODELS_DAMAGED, MODELS_MISSING, MODELS_UNKNOWN, PersonalizationError
from api.personalization.models.served import LEVELS, MOMENTS, TASKS, Catalogue, Level, Models, Ranking, Task
from api.wallet.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy

MAGIC: Final = b"fansumer-models "
FORMAT: Final = b"2"
HASH_BYTES: Final = 32
LENGTH_BYTES: Final = 8
VERSION_DIGITS: Final = 16
FILE_BYTES_MAX: Final = 2**33
Piece = bytes | memoryview

DTYPES: Final = ("<i4", "<i8", "<f4", "<f8")


def save_models(models: Models, path: Path) -> None:
    """Write models whole or not at all, readable by their owner only. Raises OSError."""
    write_whole(path, list_pieces(models))


def encode_models(models: Models) -> bytes:
    """The bytes of a model file."""
    return b"".join(list_pieces(models))


def list_pieces(models: Models) -> list[Piece]:
    """The same in pieces, of which the large ones are the models' own memory: those of a million fans are not copied for a file."""
    content = _list_content(models)
    return [MAGIC + FORMAT + b"\n", _hash(content).digest(), *content]


def load_models(path: Path) -> Models:
    """Read models. Raises PersonalizationError models.file_missing, models.damaged, models.unknown_format."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise PersonalizationError(MODELS_DAMAGED, path=str(path), reason="it is too large")
        data = path.read_bytes()
    except FileNotFoundError:
        raise PersonalizationError(MODELS_MISSING, path=str(path)) from None
    except OSError as fault:
        reason = fault.strerror or "it cannot be read"
        raise PersonalizationError(MODELS_DAMAGED, path=str(path), reason=reason) from None
    if not data.startswith(MAGIC):
        raise PersonalizationError(MODELS_UNKNOWN, path=str(path), reason="it does not begin like one")
    start = MAGIC + FORMAT + b"\n"
    if not data.startswith(start):
        raise PersonalizationError(MODELS_UNKNOWN, path=str(path), reason="its format has another number")
    rest = memoryview(data)[len(start) :]  # no copy: a million fans' models are large
    digest, content = rest[:HASH_BYTES], rest[HASH_BYTES:]
    if sha256(content).digest() != digest:
        raise PersonalizationError(MODELS_DAMAGED, path=str(path), reason="its checksum does not fit its content")
    try:
        return _decode(content)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as fault:
        raise PersonalizationError(MODELS_DAMAGED, path=str(path), reason=f"{type(fault).__name__}: {fault}") from None


def name_version(models: Models) -> Models:
    """The same models with the version that their content gives."""
    return replace(models, version=_hash(_list_content(models)).hexdigest()[:VERSION_DIGITS])


def _hash(content: Iterable[Piece]) -> Any:
    digest = sha256()
    for piece in content:
        digest.update(piece)
    return digest


def _list_content(models: Models) -> list[Piece]:
    """All but the version, canonically: equal models are equal bytes."""
    arrays = _name_arrays(models)
    header = {
        "as_of": models.as_of.isoformat(),
        "seed": models.seed,
        "program": models.program,
        "cut_at": models.cut_at,
        "read_at": models.read_at,
        "log_odds": [[task, level] for task in TASKS for level in LEVELS if models.rankings[task, level].is_log_odds],
        "names": {level: list(models.catalogues[level].names) for level in LEVELS},
        "arrays": [[name, array.dtype.newbyteorder("<").str, list(array.shape)] for name, array in arrays],
    }
    text = json.dumps(header, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    flat = [array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view("u1").data for _, array in arrays]
    return [len(text).to_bytes(LENGTH_BYTES, "big"), text, *flat]


def _name_arrays(models: Models) -> list[tuple[str, numpy.ndarray[Any, Any]]]:
    named = [("households", models.households), ("bases", models.bases), ("churns", models.churns)]
    named += [("promotions", models.promotions), ("redemptions", models.redemptions)]
    named += [(f"timing.{moment}", models.timings[moment]) for moment in MOMENTS]
    for level in LEVELS:
        named += [
            (f"near.{level}", models.catalogues[level].near),
            (f"weights.{level}", models.catalogues[level].weights),
        ]
        for task in TASKS:
            ranking, name = models.rankings[task, level], f"{task}.{level}"
            named += [(f"items.{name}", ranking.items), (f"scores.{name}", ranking.scores)]
            named += [(f"popular.{name}", ranking.popular), (f"popular_scores.{name}", ranking.popular_scores)]
    return named


def _decode(content: memoryview) -> Models:
    size = int.from_bytes(content[:LENGTH_BYTES], "big")
    header = json.loads(bytes(content[LENGTH_BYTES : LENGTH_BYTES + size]))
    learned = {(task, level) for task, level in header["log_odds"]}
    arrays = _read_arrays(content, LENGTH_BYTES + size, header["arrays"])
    catalogues: dict[Level, Catalogue] = {
        level: Catalogue.of(header["names"][level], arrays[f"near.{level}"], arrays[f"weights.{level}"])
        for level in LEVELS
    }
    rankings: dict[tuple[Task, Level], Ranking] = {
        (task, level): Ranking(
            arrays[f"items.{task}.{level}"],
            arrays[f"scores.{task}.{level}"],
            arrays[f"popular.{task}.{level}"],
            arrays[f"popular_scores.{task}.{level}"],
            is_log_odds=(task, level) in learned,
        )
        for task in TASKS
        for level in LEVELS
    }
    return Models(
        as_of=date.fromisoformat(header["as_of"]),
        seed=int(header["seed"]),
        version=sha256(content).hexdigest()[:VERSION_DIGITS],
        households=arrays["households"],
        catalogues=catalogues,
        rankings=rankings,
        timings={moment: arrays[f"timing.{moment}"] for moment in MOMENTS},
        churns=arrays["churns"],
        promotions=arrays["promotions"],
        redemptions=arrays["redemptions"],
        bases=arrays["bases"],
        program=str(header["program"]),
        cut_at=int(header["cut_at"]),
        read_at=int(header["read_at"]),
    )


def _read_arrays(content: memoryview, start: int, listed: list[Any]) -> dict[str, numpy.ndarray[Any, Any]]:
    import numpy

    arrays: dict[str, numpy.ndarray[Any, Any]] = {}
    for name, kind, shape in listed:
        if kind not in DTYPES or any(length < 0 for length in shape):
            raise ValueError(f"array {name} is of no known kind")
        count = math.prod(shape)
        arrays[name] = numpy.frombuffer(content, dtype=kind, count=count, offset=start).reshape(shape)
        start += arrays[name].nbytes
    if start != len(content):
        raise ValueError("there are bytes behind the last array")
    return arrays
