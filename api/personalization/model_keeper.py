"""The models that a node answers by: found in a file or a folder, checked, swapped while requests are answered, and masked.

The place is looked at every few seconds, in a thread. A newer file is read whole, its checksum compared, and then one reference is
replaced. A file that cannot be used is named in the log and in `fansumer node status`, and what was served before goes on; a file
that is gone is served no more. Of several files of a program the one that rests on the latest export counts.

Consent: who took it back or erased a receipt is answered by the rules at the next read (`model_predictor`). Beyond that, every
quarter of a day and after each swap all fans of the models are asked for at the consent gate, and the rows of those on whom they do
not rest any more are taken out for everybody. What others' rows learned from these is gone within a day, too: until then the models
are to be trained anew, or they answer nobody. What rests on an export of more than a week ago answers nobody either.
"""

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import structlog

from api.personalization.basis import basis_of
from api.personalization.errors import (
    MODELS_MANY,
    MODELS_MISSING,
    MODELS_NOBODYS,
    MODELS_OLD,
    MODELS_TAKEN_BACK,
    PersonalizationError,
)
from api.personalization.export import number_fan
from api.personalization.extra import require_serving
from api.personalization.model_predictor import ModelPredictor
from api.personalization.models import Models, load_models
from api.personalization.predictor import PlainRules
from api.personalization.rhythm import DAY_SECONDS
from api.personalization.service import Personalization
from ledger.errors import LedgerError
from ledger.types import ProgramId
from node.clock import Clock

log = structlog.get_logger()

SUFFIX: Final = ".models"
"""In a folder, what files are looked at."""
LOOK_SECONDS: Final = 5.0
REVIEW_SECONDS: Final = DAY_SECONDS // 4
SERVED_DAYS_MAX: Final = 7
"""After the export: the next basket that models speak of is that of a week."""
REBUILT_SECONDS: Final = DAY_SECONDS - REVIEW_SECONDS
"""After a review that took fans out: what others' rows learned from these is gone a day after they took it back."""
FILES_MAX: Final = 64
LISTED_AT_ONCE: Final = 1_000
REVIEWED_AT_ONCE: Final = 25
"""Members, and of them fans of the models: so few, that who asks for its messages has its turn between them."""

PROGRAM: Final = re.compile("[0-9a-f]{64}")

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class KeptFile:
    """A model file that could be used. `models` None: another one of its program is newer, and it takes no memory."""

    path: Path
    stamp: Stamp
    program: str
    rank: tuple[int, int, int]
    """Of several files of a program the greatest counts: when its export was read, its day, when it was written."""
    models: Models | None


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """The models that answer for a program; `taken_out` counts the fans who are not in them any more."""

    path: Path
    stamp: Stamp
    models: Models
    versions: Any
    """int64 of each household: of its purchases when they were last found to be what the models rest on; 0: they never were."""
    taken_out: int = 0
    reviewed_at: int | None = None


class ModelKeeper:
    """Keeps the predictor of one node's personalization up to date. Raises PersonalizationError personalization.extra_missing."""

    def __init__(self, place: Path, personal: Personalization, clock: Clock) -> None:
        require_serving()
        self._place = place
        self._personal = personal
        self._clock = clock
        self._files: dict[Path, KeptFile] = {}
        self._tried: dict[Path, Stamp] = {}
        self._faults: dict[Path, LedgerError] = {}
        self._served: dict[str, Served] = {}
        self._taken_out_at: dict[tuple[Path, Stamp], int] = {}
        """When a review first took somebody out of the models of a file."""
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Until it is cancelled. A fault of a disk or of the store is said, and tried again."""
        while True:
            try:
                await self.look()
                await self.review_due()
            except (LedgerError, OSError) as fault:
                log.warning("models.wait", reason=str(fault))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Take up what is new at the place."""
        async with self._looking:
            files, faults, tried = await asyncio.to_thread(
                _read_place, self._place, dict(self._files), dict(self._faults), dict(self._tried)
            )
            for path in sorted(faults):
                if str(faults[path]) != str(self._faults.get(path)):
                    log.warning("models.refused", code=faults[path].code.name, reason=str(faults[path]))
            self._files, self._faults, self._tried = files, faults, tried
            kept = {(file.path, file.stamp) for file in files.values()}
            self._taken_out_at = {key: at for key, at in self._taken_out_at.items() if key in kept}
            self._choose()

    def _choose(self) -> None:
        now, served = self._clock.now(), dict(self._served)
        newest = _find_newest(self._files.values())
        for program in [program for program in served if program not in newest]:
            del served[program]
        for program, file in newest.items():
            fault = self._find_end(file, now)
            if fault is not None:
                served.pop(program, None)
                self._refuse(file.path, fault)
                continue
            known = served.get(program)
            if file.models is not None and (known is None or (known.path, known.stamp) != (file.path, file.stamp)):
                served[program] = Served(file.path, file.stamp, file.models, _no_versions(file.models))
                log.info("models.served", version=file.models.version, as_of=file.models.as_of.isoformat())
        self._swap(served)

    def _find_end(self, file: KeptFile, now: int) -> PersonalizationError | None:
        """Why models answer nobody any more; None: they may."""
        days = (now - file.rank[0]) // DAY_SECONDS
        if days >= SERVED_DAYS_MAX:
            return PersonalizationError(MODELS_OLD, path=str(file.path), days=days, maximum=SERVED_DAYS_MAX)
        taken_out_at = self._taken_out_at.get((file.path, file.stamp))
        if taken_out_at is not None and now - taken_out_at >= REBUILT_SECONDS:
            return PersonalizationError(MODELS_TAKEN_BACK, path=str(file.path), hours=REBUILT_SECONDS // 3_600)
        return None

    def _refuse(self, path: Path, fault: PersonalizationError) -> None:
        if path not in self._faults:
            self._faults[path] = fault
            log.warning("models.refused", code=fault.code.name, reason=str(fault))

    def _swap(self, served: dict[str, Served]) -> None:
        """One reference is replaced: who is answered meanwhile is answered by one or the other."""
        if served == self._served:
            return
        self._served = served
        models = {program: one.models for program, one in served.items()}
        self._personal.predictor = ModelPredictor(models) if models else PlainRules()

    # --- consent ---

    async def review_due(self) -> None:
        """Take out of the models whom they may not rest on any more, where that was not looked at for a quarter of a day."""
        for program, one in list(self._served.items()):
            now = self._clock.now()
            if one.reviewed_at is None or now - one.reviewed_at >= REVIEW_SECONDS:
                await self.review(program)

    async def review(self, program: str) -> int:
        """Ask the gate for every fan of a program's models; how many were taken out."""
        one = self._served[program]
        versions = await self._find_versions(one, ProgramId(bytes.fromhex(program)))
        stay = versions > 0
        gone = one.models.households[~stay].tolist()
        less = await asyncio.to_thread(one.models.without, gone) if gone else one.models
        async with self._looking:
            if self._served.get(program) is not one:
                return 0  # newer ones came meanwhile, and are looked at next
            taken_out, now = one.taken_out + len(gone), self._clock.now()
            reviewed = replace(one, models=less, taken_out=taken_out, reviewed_at=now, versions=versions[stay])
            self._swap({**self._served, program: reviewed})
            file = self._files.get(one.path)
            if file is not None:
                self._files[one.path] = replace(file, models=None if file.models is None else less)
        if gone:
            self._taken_out_at.setdefault((one.path, one.stamp), self._clock.now())
            log.info("models.masked", version=less.version, fans=len(gone))
        return len(gone)

    async def _find_versions(self, served: Served, program: ProgramId) -> Any:
        """Of each household of the models that of what it bought, where they rest on it still; 0 of the others.

        Who bought, erased and took back nothing since the last review is not read again.
        """
        models, before, versions = served.models, served.versions, _no_versions(served.models)
        gate, position = self._personal.gate, None
        while True:
            fans, position = await gate.list_buyers(program, position, LISTED_AT_ONCE)
            places = {fan: place for fan in fans if (place := models.place(number_fan(fan))) is not None}
            for first in range(0, len(places), REVIEWED_AT_ONCE):
                known = {fan: int(before[places[fan]]) for fan in list(places)[first : first + REVIEWED_AT_ONCE]}
                for one in await gate.read_purchases(list(known), program, "models", known):
                    place = places[one.fan]
                    is_same = one.purchases is None or basis_of(one.purchases, models.read_at) == models.bases[place]
                    versions[place] = one.version if is_same else 0
            if position is None:
                return versions

    # --- status ---

    def report(self) -> dict[str, Any]:
        """For the operator: what is served, and what is wrong with files."""
        return {
            "place": str(self._place),
            "served": [
                {
                    "program": program,
                    "version": one.models.version,
                    "as_of": one.models.as_of.isoformat(),
                    "read_at": one.models.read_at,
                    "fans": len(one.models.households),
                    "taken_out": one.taken_out,
                    "file": str(one.path),
                }
                for program, one in sorted(self._served.items())
            ],
            "faults": [
                {"file": str(path), "code": fault.code.name, "detail": str(fault), "advice": fault.code.advice}
                for path, fault in sorted(self._faults.items())
            ],
        }


def _no_versions(models: Models) -> Any:
    import numpy

    return numpy.zeros(len(models.households), dtype=numpy.int64)


def _find_newest(files: Collection[KeptFile]) -> dict[str, KeptFile]:
    newest: dict[str, KeptFile] = {}
    for file in files:
        known = newest.get(file.program)
        if known is None or file.rank > known.rank:
            newest[file.program] = file
    return newest


def _list_files(place: Path) -> tuple[list[Path], LedgerError | None]:
    if not place.is_dir():
        return [place], None
    found = [path for path in place.glob(f"*{SUFFIX}") if path.is_file()]
    if len(found) <= FILES_MAX:
        return sorted(found), None
    latest = sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)[:FILES_MAX]
    return sorted(latest), PersonalizationError(MODELS_MANY, path=str(place), maximum=FILES_MAX)


def _read_place(
    place: Path, files: dict[Path, KeptFile], faults: dict[Path, LedgerError], tried: dict[Path, Stamp]
) -> tuple[dict[Path, KeptFile], dict[Path, LedgerError], dict[Path, Stamp]]:
    """What is at the place now: of each program the models of its newest file. Used in a thread."""
    paths, fault = _list_files(place)
    for gone in {*files, *faults, *tried} - set(paths):
        for known in (files, faults, tried):
            known.pop(gone, None)
    if fault is not None:
        faults[place] = fault
    for path in paths:
        _read_file(path, files, faults, tried)
        _drop_older(files)
    for newest in _find_newest(files.values()).values():
        if newest.models is None:  # the file that was newer is gone
            tried.pop(newest.path, None)
            _read_file(newest.path, files, faults, tried)
    return files, faults, tried


def _read_file(
    path: Path, files: dict[Path, KeptFile], faults: dict[Path, LedgerError], tried: dict[Path, Stamp]
) -> None:
    """Read a file that is new or changed; a damaged one leaves what was known of it."""
    try:
        state = path.stat()
    except FileNotFoundError:
        files.pop(path, None)
        tried.pop(path, None)
        faults[path] = PersonalizationError(MODELS_MISSING, path=str(path))
        return
    stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
    if tried.get(path) == stamp:
        return
    tried[path] = stamp
    try:
        models = load_models(path)
        if not PROGRAM.fullmatch(models.program):
            raise PersonalizationError(MODELS_NOBODYS, path=str(path))
    except PersonalizationError as fault:
        faults[path] = fault
        return
    faults.pop(path, None)
    rank = (models.read_at, models.as_of.toordinal(), stamp[0])
    files[path] = KeptFile(path, stamp, models.program, rank, models)


def _drop_older(files: dict[Path, KeptFile]) -> None:
    newest = _find_newest(files.values())
    for path, file in list(files.items()):
        if newest[file.program] is not file and file.models is not None:
            files[path] = replace(file, models=None)
