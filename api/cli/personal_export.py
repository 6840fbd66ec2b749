"""`fansumer personalize export`: purchases of fans who agreed to it, from a node that runs here into Parquet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli.options import AsJson, Network, Program
from api.cli.options import DataDir as Folder

if TYPE_CHECKING:
    from api.personalization.export import Bought

FANS_AT_ONCE: Final = 20


def export(
    program: Program,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="A folder of its own for the files.")],
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone", help="The shops' time zone; by default that of the brand's product feed, or the program's."
        ),
    ] = None,
    network: Network = "dev",
    data_dir: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Bring the files of a program's purchases up to date, from the node that runs on this machine.

    Only fans who allow the program to personalise are in them, and of each only what it allows, in this moment: who took that back
    or erased receipts since the last time is taken out. Each fan sees in its log that it was read. What did not change is not
    written again. Nobody but you should be able to read the folder.

    \b
    Example:
      fansumer personalize export 5f5f...5f --out purchases
    """
    from api.cli.output import UsageFault, print_answer
    from api.cli.session import FILE_FAILED, read_id
    from api.personalization.extra import require_extra

    of_program = read_id(program, "PROGRAM").hex()
    require_extra()
    from api.personalization.export import check_export, delete_fans, number_fan, order_fans, update_export

    asked = _Node(network, data_dir, of_program)
    fans = asked.list_fans()
    named = zone or asked.zone
    try:
        check_export(out, named, of_program)
        read = _Purchases(asked, order_fans(fans))
        written = update_export(out, named, fans, read.of, program=of_program, read_at=asked.read_at)
        gone = set(fans) - set(asked.list_fans())
        if gone:  # who took it back while this ran
            delete_fans(out, [number_fan(fan) for fan in gone])
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(out), reason=fault.strerror or "it cannot be written") from None
    print_answer(
        {
            "folder": str(out),
            "program": of_program,
            "zone": named,
            "fans": written.fans,
            "purchases": written.purchases,
            "files_written": written.written,
            "files_unchanged": written.unchanged,
            "files_deleted": written.deleted,
            "fans_gone_meanwhile": len(gone),
        },
        as_json=as_json,
    )


class _Node:
    """The node that runs here, asked with the cookie of its folder. Time and zone are those of the first answer."""

    def __init__(self, network: str, folder: Path | None, program: str) -> None:
        self._place = (network, folder)
        self._path = f"/operator/programs/{program}"
        self.read_at = -1
        self.zone = ""

    def list_fans(self) -> list[bytes]:
        """Addresses of all who let their receipts be read now."""
        from api.cli.node_operator import ask_node

        fans: list[bytes] = []
        position: str | None = ""
        while position is not None:
            query = f"?after={position}" if position else ""
            page = ask_node(*self._place, "GET", f"{self._path}/buyers{query}")
            if self.read_at < 0:
                self.read_at, self.zone = page["read_at"], page["zone"] or _name_offset(page["offset_minutes"])
            fans += map(bytes.fromhex, page["fans"])
            position = page["next"]
        return fans

    def read_purchases(self, fans: Sequence[bytes]) -> "dict[bytes, list[Bought]]":
        """What these fans bought and grant now; empty for one that does not any more."""
        from api.cli.node_operator import ask_node

        body = {"fans": [fan.hex() for fan in fans], "received_before": self.read_at}
        found = ask_node(*self._place, "POST", f"{self._path}/purchases", body)["fans"]
        return {bytes.fromhex(one["fan"]): list(_read_bought(one["purchases"])) for one in found}


class _Purchases:
    """Purchases of fans that are asked for in a known order: some are fetched ahead, and forgotten when they were given."""

    def __init__(self, node: _Node, ordered: Sequence[bytes]) -> None:
        self._node = node
        self._waiting = list(reversed(ordered))
        self._fetched: dict[bytes, list[Bought]] = {}

    def of(self, fan: bytes) -> "list[Bought]":
        """Of the next fan in the order."""
        if fan not in self._fetched:
            batch = [self._waiting.pop() for _ in range(min(FANS_AT_ONCE, len(self._waiting)))]
            assert batch and batch[0] == fan, "fans are asked for in the order that was told"
            self._fetched = {one: [] for one in batch} | self._node.read_purchases(batch)
        return self._fetched.pop(fan)


def _read_bought(purchases: Sequence[Any]) -> "Iterator[Bought]":
    from api.personalization.export import Bought, BoughtItem

    for receipt, moment, lines in purchases:
        items = tuple(BoughtItem(item, category, *figures) for item, category, *figures in lines)
        yield Bought(bytes.fromhex(receipt), moment, items)


def _name_offset(minutes: int) -> str:
    """A program's fixed offset as a zone with a name; empty where it is not of whole hours, and must be named by hand."""
    if minutes % 60:
        return ""
    return f"Etc/GMT{-minutes // 60:+d}" if minutes else "Etc/UTC"
