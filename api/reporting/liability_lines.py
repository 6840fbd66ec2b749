"""What programs owed at the end of a day, in plain lines."""

from collections.abc import Iterator, Mapping
from typing import Any

from api.reporting.mapping import TOTALS
from api.words import counted, show_time
from node.audit_programs import LIVE


def liability_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    """`map_liability` in lines: one program after the other, its totals, then one line for each expiry day."""
    yield f"chain {shown['chain_id']} from {shown['source']}"
    yield f"taken for granted: {shown['taken_for_granted']}"
    yield f"{counted(shown['blocks'], 'block')} replayed"
    if shown["good"] and not shown["programs"]:
        yield f"no program existed at the end of {shown['date']}"
    for program, found in shown["programs"].items():
        yield ""
        yield from _program_lines(program, found, shown["date"])
    for finding in shown["findings"]:
        yield f"WRONG {finding['text']}"
    yield ""
    verdict = "everything verified" if shown["good"] else counted(len(shown["findings"]), "finding")
    yield f"{verdict} in {shown['seconds']:.1f} s"


def _program_lines(program: str, found: Mapping[str, Any], date: str) -> Iterator[str]:
    yield f"program {program} {found['name']!r}"
    hours = f" (UTC{found['offset_minutes'] / 60:+g} h)" if found["offset_minutes"] else ""
    until = "at the end of" if found["day_is_over"] else "SO FAR on"
    yield (
        f"{until} its day {date}{hours}, after block {found['height']} {found['block']},"
        f" whose rules saw {show_time(found['block_clock'])}; the next sees {show_time(found['next_block_clock'])}"
    )
    totals = found["totals"]
    width = max(len(f"{value:,}") for value in totals.values())
    issued, restored, *parts = TOTALS
    yield f"  {issued:<10} {totals[issued]:>{width},}"
    yield f"+ {restored:<10} {totals[restored]:>{width},}"
    for place, name in enumerate(parts):
        yield f"{'+' if place else '='} {name:<10} {totals[name]:>{width},}"
    yield f"owed       {found['liability']:,} {found['unit']}: pending, available, held and escrowed"
    coin = found["coin_behind_points"]
    if any(coin.values()):
        yield (
            f"coin       {coin['put_aside']:,} put aside, of it {coin['behind_points']:,} behind points;"
            f" {coin['burned']:,} burned; {coin['paid_to_members']:,} paid to members"
        )
    for moved in found["moved_by_days"]:
        yield (
            f"  moved here as {moved['day']['date']} began, which the chain had not done yet:"
            f" {moved['activating']} activating, {moved['expiring']} expiring"
        )
    for line in found["by_expiry"]:
        parts_shown = ", ".join(f"{line[name]:,} {name}" for name in LIVE if line[name])
        yield f"  {'expires ' + line['expires_on'] if line['expires_on'] else 'never expires     '}  {parts_shown}"
    for what, file in found["proofs"].items():
        yield f"  proof of {what}: {file}"
