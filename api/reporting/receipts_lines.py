"""What an audit of receipts found, as JSON and in plain lines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from api.reporting.mapping import map_findings
from api.reporting.receipts_audit import NEVER_SHOWN, UNKNOWN_TEXTS, CheckedContest, CheckedEntry, ReceiptsReport
from api.words import counted, show_time
from ledger.address import encode_address
from ledger.domains.loyalty.state import OUTCOME_NAMES
from node.audit_settlements import ProgramSettlements


def map_receipts(
    report: ReceiptsReport, facts: ProgramSettlements, *, source: str, folder: str, prefix: str
) -> dict[str, Any]:
    """An audit of receipts as JSON."""
    return {
        "good": report.is_good,
        "folder": folder,
        "covers": "all" if report.is_whole else "part",
        "source": source,
        "chain_id": facts.chain_id.hex(),
        "height": facts.height,
        "time": facts.clock,
        "time_shown": show_time(facts.clock),
        "program": facts.program_id.hex(),
        "name": facts.program.name,
        "unit": facts.program.unit,
        "findings": map_findings(report.findings),
        "unknown": [
            {"what": name, "count": count, "text": UNKNOWN_TEXTS[name]}
            for name, count in sorted(report.unknown.items())
            if count
        ],
        "never_shown": NEVER_SHOWN,
        "receipts": {
            "count": report.receipts,
            "points": report.receipt_points,
            "members": report.members,
            "settled": report.settled_receipts,
            "not_yet_due": report.waiting_receipts,
        },
        "openings": report.openings,
        "entries": {
            "credited": report.entries,
            "credited_points": report.credited_points,
            "opened": len(report.checked),
            "opened_points": report.opened_points,
            "good": sum(1 for checked in report.checked if checked.is_good),
            "in_clear": report.open_entries,
            "skipped": report.skipped_entries,
        },
        "contests": [_map_contest(checked, prefix) for checked in report.contests],
        "issued": {
            "entries": report.earned_points,
            "contests": report.contest_points,
            "otherwise": report.other_points,
        },
        "carried_points": report.carried_points,
        "issued_points": report.issued_points,
        "tills": [{"till": encode_address(prefix, till), **asdict(figures)} for till, figures in report.tills.items()],
        "checked": [_map_entry(checked, prefix) for checked in report.checked],
    }


def _map_entry(checked: CheckedEntry, prefix: str) -> dict[str, Any]:
    settled = checked.entry
    return {
        "height": settled.height,
        "txid": settled.txid.hex(),
        "index": settled.index,
        "member": encode_address(prefix, settled.entry.member),
        "period": settled.entry.period,
        "receipts": checked.receipts,
        "sum": checked.sum,
        "remainder_before": checked.before,
        "remainder_after": checked.after,
        "points": checked.points,
        "good": checked.is_good,
    }


def _map_contest(checked: CheckedContest, prefix: str) -> dict[str, Any]:
    contest = checked.contest
    return {
        "contest": contest.contest.hex(),
        "height": contest.height,
        "txid": contest.txid.hex(),
        "member": encode_address(prefix, contest.member),
        "till": encode_address(prefix, contest.till),
        "sequence": contest.sequence,
        "receipt": contest.receipt.hex(),
        "points": contest.points,
        "outcome": OUTCOME_NAMES[contest.outcome],
        "credited": contest.credited,
        "decided_at": contest.decided_at,
        "receipt_is_here": checked.is_here,
        "good": checked.is_good,
    }


def receipts_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    """`map_receipts` in lines."""
    receipts, entries = shown["receipts"], shown["entries"]
    yield f"program {shown['program']} {shown['name']!r} on the chain {shown['chain_id']} from {shown['source']}"
    claim = "claims to hold everything" if shown["covers"] == "all" else "is a part; what it leaves open is unknown"
    yield f"{shown['folder']} {claim}"
    yield (
        f"receipts {receipts['count']} of {counted(receipts['members'], 'member')} over {receipts['points']} {shown['unit']}:"
        f" {receipts['settled']} settled, {receipts['not_yet_due']} not yet due"
    )
    for till in shown["tills"]:
        numbers = "no number missing" if not till["missing"] else f"{counted(till['missing'], 'number')} missing"
        yield f"  till {till['till']} {counted(till['receipts'], 'receipt')}, numbers {till['first']} to {till['last']}, {numbers}"
    yield (
        f"entries {entries['credited']} credited over {counted(entries['credited_points'], 'point')}; {entries['opened']} opened"
        f" over {counted(entries['opened_points'], 'point')}, {entries['good']} of them good; {entries['in_clear']} in clear,"
        f" {entries['skipped']} skipped"
    )
    yield from _contest_lines(shown["contests"])
    parts = shown["issued"]
    yield (
        f"issued {shown['issued_points']} in all = entries {parts['entries']} + contests {parts['contests']}"
        f" + otherwise {parts['otherwise']};"
        f" carried on {counted(shown['carried_points'], 'point')}"
    )
    for unknown in shown["unknown"]:
        yield f"UNKNOWN {unknown['count']} {unknown['text']}"
    yield f"UNKNOWN {shown['never_shown'][0].lower()}{shown['never_shown'][1:]}"
    for finding in shown["findings"]:
        yield f"WRONG {finding['text']}"
    yield "nothing is wrong" if shown["good"] else counted(len(shown["findings"]), "finding")


def _contest_lines(contests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not contests:
        return
    credited = [contest for contest in contests if contest["credited"]]
    points = sum(contest["credited"] for contest in credited)
    yield f"{counted(len(contests), 'contest')}, {len(credited)} of them credited over {counted(points, 'point')}"
    for contest in contests:
        outcome = str(contest["outcome"]).replace("_", " ")
        line = f"  receipt number {contest['sequence']} of till {contest['till']} over {contest['points']}: {outcome}"
        if contest["credited"]:
            line += f", {counted(contest['credited'], 'point')} credited in block {contest['decided_at']}"
        yield line
