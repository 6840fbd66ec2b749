"""A process that writes one of the wallet's files and is killed at every line of that, and at bytes of what it writes.

    python -m tests.support.crash.files NAME FOLDER

For each point a child is made, which dies there; what it leaves must be what was there before or what was to be written. Prints at
how many points a child died, and ends with 1 where a file was anything else.
"""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from api.cli.session import write_file
from api.wallet import keystore, sequence, settlement, whole_file
from api.wallet.sealing import Carried
from api.wallet.sequence import take_sequence
from api.wallet.settlement import SettlementBook
from ledger.types import Address, Points, ProgramId

PROGRAM, TILL = ProgramId(b"p" * 32), Address(b"t" * 32)
OLD, NEW = b"old content\n" * 400, b"new content\n" * 500
TRACED: Final = {str(module.__file__) for module in (keystore, sequence, settlement, whole_file)}
FILE: Final = "file.json"
BYTES: Final = (0, 1, 17, 4_095, 4_096, 5_999)
Write = Callable[[Path], Any]


def _book(points: int) -> Write:
    def save(path: Path) -> None:
        SettlementBook(path, PROGRAM, {TILL: Carried(Points(points), b"s" * 32)}).save()

    return save


def _take(path: Path) -> int:
    return take_sequence(path.parent, PROGRAM, TILL)


WRITERS: Final[dict[str, tuple[Write | None, Write]]] = {
    "first keystore": (None, lambda path: keystore.save_keystore(path, NEW)),
    "keystore": (
        lambda path: keystore.save_keystore(path, OLD),
        lambda path: keystore.save_keystore(path, NEW, replace=True),
    ),
    "counter": (_take, _take),
    "book": (_book(1), _book(2)),
    "named file": (lambda path: write_file(path, OLD), lambda path: write_file(path, NEW)),
}
"""What writes the old content, and what is killed while it writes the new one."""


def die_at_line(number: int) -> None:
    """The end before the `number`-th line of the files that write."""
    left = [number]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def die_at_byte(number: int) -> None:
    """The end at the byte `number` of a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.RLIM_INFINITY))


def killed(arm: Callable[[], None], write: Callable[[], Any]) -> bool:
    """Whether a child that was armed died while it wrote."""
    child = os.fork()
    if child == 0:
        status = 3
        try:
            arm()
            write()
            status = 0
        except BaseException:  # noqa: BLE001  # the child's traceback is shown, and its end is reported
            traceback.print_exc()
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    assert code <= 0, f"the child ended with {code}"
    return code < 0


def content(folder: Path) -> dict[str, bytes]:
    """What a wallet would read: files that are not hidden."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def prepare(name: str, place: Path) -> Path:
    """A folder with the old content, if there is any; the file that is to be written."""
    place.mkdir()
    before, _ = WRITERS[name]
    if before is not None:
        before(place / FILE)
    return place / FILE


def kill_everywhere(name: str, folder: Path) -> int:
    """Kill at every line and at some bytes; at how many points. Raises AssertionError for a file that is neither old nor new."""
    _, write = WRITERS[name]
    write(prepare(name, folder / "undisturbed"))
    new = content(folder / "undisturbed")
    points = 0

    def dies(arm: Callable[[], None], at: str) -> bool:
        path = prepare(name, folder / at)
        old = content(path.parent)
        has_died = killed(arm, lambda: write(path))
        found = content(path.parent)
        assert found in ((old, new) if has_died else (new,)), f"{name}, killed at {at}: {found!r}"
        return has_died

    for number in BYTES:
        points += dies(lambda number=number: die_at_byte(number), f"byte {number}")
    line = 1
    while dies(lambda line=line: die_at_line(line), f"line {line}"):
        line += 1
    return points + line - 1


if __name__ == "__main__":
    sys.stdout.write(f"{kill_everywhere(sys.argv[1], Path(sys.argv[2]))}\n")
