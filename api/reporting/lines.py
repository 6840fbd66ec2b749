"""What audits print: one line for each thing that was checked or counted, as fsck does."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.reporting.mapping import TOTALS, describe_shares
from api.words import counted

HIDDEN_PLACES: Final = 5
"""How many of a list are printed; the rest is counted."""


def report_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    """An audit (`map_report`) in plain lines."""
    yield f"chain {shown['chain_id']} ({shown['chain_name']}) from {shown['source']}"
    yield f"taken for granted: {shown['taken_for_granted']}"
    yield f"blocks {shown['blocks']} replayed, tip {shown['tip']} at height {shown['height']}, {shown['time_shown']}"
    yield f"transactions {shown['transactions']}, entries {shown['entries']}"
    for kind, count in shown["kinds"].items():
        yield f"  {count} {kind}"
    for code, count in shown["skipped"].items():
        yield f"  skipped {count} with {code}"
    yield f"state root {shown['state_root']}"
    yield from _coin_lines(shown)
    yield from _block_lines(shown)
    for program, found in shown["programs"].items():
        yield from program_lines(program, found)
    for campaign in shown["campaigns"]:
        yield (
            f"campaign {campaign['campaign'][:16]} {campaign['title']!r}: {campaign['status']}, pledged {campaign['pledged']}"
            f" of {campaign['goal']} {campaign['unit']}, in escrow {campaign['escrowed']}"
        )
    if shown["database"]["checked"]:
        yield f"database {shown['database']['checked']}"
    for unchecked in shown["database"]["unchecked"]:
        yield f"UNKNOWN {unchecked}"
    for finding in shown["findings"]:
        yield f"WRONG {finding['text']}"
    count = len(shown["findings"])
    verdict = "everything verified" if shown["good"] else f"{count} thing{'s are' if count > 1 else ' is'} wrong"
    yield f"{verdict} in {shown['seconds']:.1f} s"


def _coin_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    coin, rewards = shown["chain"], shown["rewards"]
    if coin is not None:
        yield (
            f"coin emitted {coin['emitted']} = accounts {coin['accounts']} + pools {coin['pools']} + locked {coin['locked']}"
            f" + escrow {coin['escrow']} + maturing {coin['maturing']} + burned {coin['burned']}"
        )
    yield f"rewards {rewards['total']} = subsidies {rewards['subsidies']} + fees {rewards['fees']}"
    if shown["concentration"]["coin"] is not None:
        yield f"coin by account: {describe_shares(shown['concentration']['coin'])}"


def _block_lines(shown: Mapping[str, Any]) -> Iterator[str]:
    times = shown["block_times"]
    if not times["blocks"]:
        return
    yield (
        f"block times: mean {times['mean_s']} s, median {times['median_s']} s,"
        f" nine in ten within {times['ninetieth_s']} s, greatest {times['greatest_s']} s"
    )
    work = [sample["work"] for sample in shown["difficulty"]]
    yield f"difficulty: {work[0]} hashes expected at first, {min(work)} at least, {max(work)} at most, {work[-1]} now"
    yield f"rewards by payee: {describe_shares(shown['concentration']['mining'])}"
    for payee in shown["mined"][:HIDDEN_PLACES]:
        yield f"  {payee['address']} {counted(payee['blocks'], 'block')}, {payee['amount']} coin ({payee['permille'] / 10:.1f} %)"
    if len(shown["mined"]) > HIDDEN_PLACES:
        yield f"  and {len(shown['mined']) - HIDDEN_PLACES} more"


def program_lines(program: str, found: Mapping[str, Any]) -> Iterator[str]:
    """A program's position (`map_position`)."""
    issued, restored, *parts = TOTALS
    totals = found["totals"]
    yield (
        f"program {program[:16]} {found['name']!r}: issued {totals[issued]} + restored {totals[restored]} = "
        + " + ".join(f"{name} {totals[name]}" for name in parts)
    )
    date = found["day"]["date"] if found["day"] else None
    yield f"  owes {found['liability']} {found['unit']} at the end of its day {date}"
    lines = found["by_expiry"]
    for line in lines[:HIDDEN_PLACES]:
        yield f"    {line['total']} that {'expire on ' + line['expires_on'] if line['expires_on'] else 'never expire'}"
    if len(lines) > HIDDEN_PLACES:
        rest = sum(line["total"] for line in lines[HIDDEN_PLACES:])
        yield f"    {rest} on {counted(len(lines) - HIDDEN_PLACES, 'later day')} or never"
