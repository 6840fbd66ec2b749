"""What an audit prints: a progress bar, then one line for each thing that was checked, as fsck does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from node.audit import AuditReport, Progress


@contextmanager
def show_progress(*, is_shown: bool) -> Iterator[Progress | None]:
    """A bar on standard error while blocks are replayed."""
    if not is_shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=None)
        yield lambda height, total: bar.update(task, completed=height, total=total)


def report_lines(report: AuditReport) -> Iterator[str]:
    """What was found, in plain lines."""
    yield f"chain {report.chain_id.hex()}"
    yield f"blocks {report.blocks} replayed, tip {report.tip[::-1].hex()} at height {report.height}"
    yield f"transactions {report.transactions}, entries {report.entries}"
    for code, count in sorted(report.skipped.items()):
        yield f"  skipped {count} with {code}"
    yield f"state root {report.state_root.hex()}"
    if report.chain is not None:
        coin = report.chain
        yield (
            f"coin emitted {coin.emitted} = accounts {coin.accounts} + pools {coin.pools} + locked {coin.locked}"
            f" + escrow {coin.escrow} + maturing {coin.maturing}"
        )
    for program, books in sorted(report.programs.items()):
        yield (
            f"program {program.hex()[:16]}: issued {books.issued} + restored {books.restored} = pending {books.pending}"
            f" + available {books.available} + held {books.held} + escrowed {books.escrowed}"
            f" + redeemed {books.redeemed} + expired {books.expired} + reversed {books.reversed}"
        )
    for finding in report.findings:
        yield f"WRONG {finding.text}"
    verdict = "everything verified" if report.is_good else f"{len(report.findings)} things are wrong"
    yield f"{verdict} in {report.seconds:.1f} s"


def report_mapping(report: AuditReport) -> dict[str, Any]:
    """An audit as JSON."""
    return {
        "good": report.is_good,
        "chain_id": report.chain_id.hex(),
        "height": report.height,
        "tip": report.tip[::-1].hex(),
        "state_root": report.state_root.hex(),
        "blocks": report.blocks,
        "transactions": report.transactions,
        "entries": report.entries,
        "skipped": dict(sorted(report.skipped.items())),
        "seconds": round(report.seconds, 3),
        "chain": None if report.chain is None else asdict(report.chain),
        "programs": {program.hex(): asdict(books) for program, books in sorted(report.programs.items())},
        "findings": [asdict(finding) for finding in report.findings],
    }
