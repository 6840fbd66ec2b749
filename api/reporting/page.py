"""The auditor's report as one page: no script, no network, nothing outside of the file.

Every figure stands twice, as a plot with a text that says what it shows and as a table, and says what it rests on: *proved* by the
replay, or *said* by somebody whom the replay can't check.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from api.reporting.mapping import TOTALS, describe_shares
from api.reporting.plots import draw_bars, draw_series, draw_stack
from node.audit_programs import LIVE

PAYEES_SHOWN: Final = 10
ROWS_SHOWN: Final = 1_000
"""Rows of one table; what is beyond is in the JSON."""

PROVED: Final = "Proved: every block was replayed from the first one by the published rules."
SAID_TIMES: Final = (
    "The times are said by the miners of the blocks. The rules prove only that they rise, and that a node that took"
    " a block when it was new did not find it too far ahead of its own clock."
)
SAID_NAMES: Final = "Names and titles are said by those who published them."

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; color: #1a1a1a; background: #fff; }
h1, h2, h3 { line-height: 1.2; } h2 { border-top: 1px solid #999; padding-top: 1rem; margin-top: 2.5rem; }
table { border-collapse: collapse; margin: .5rem 0; } th, td { padding: .15rem .6rem; border-bottom: 1px solid #ccc; }
th, td { text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } caption { text-align: left; font-weight: 600; }
code { font-size: .85rem; overflow-wrap: anywhere; } figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; }
.basis { color: #444; font-size: .9rem; } .good { border-left: .5rem solid #00664a; } .wrong { border-left: .5rem solid #a33c00; }
.verdict { padding: .5rem 1rem; font-size: 1.2rem; } .table { overflow-x: auto; }
""".strip()

Cell = int | str | None


def render_page(shown: Mapping[str, Any]) -> str:
    """The whole page for an audit (`map_report`). Raises `report.no_plots`."""
    title = f"Audit of the chain {shown['chain_name']}"
    parts = [
        *_verdict(shown),
        *_supply(shown),
        *_programs(shown),
        *_campaigns(shown),
        *_blocks(shown),
        *_mining(shown),
        *_work_done(shown),
        *_concentration(shown),
    ]
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:;'
            " style-src 'unsafe-inline'\">",
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{escape(title)}</h1>",
            *parts,
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )


# --- parts ---------------------------------------------------------------------------------------------------------------


def _verdict(shown: Mapping[str, Any]) -> Iterator[str]:
    count = len(shown["findings"])
    if shown["good"]:
        yield '<p class="verdict good"><strong>Everything verified.</strong></p>'
    else:
        yield f'<p class="verdict wrong"><strong>Findings: {count}.</strong> The figures below are of the blocks that verified.</p>'
        yield _table("What is wrong", ("code", "finding"), [(f["code"], f["text"]) for f in shown["findings"]])
    yield _table(
        "What was audited",
        ("fact", "value"),
        [
            ("source", shown["source"]),
            ("chain id", shown["chain_id"]),
            ("last block", f"{shown['height']}, {shown['tip']}"),
            ("its time", shown["time_shown"]),
            ("state root after it", shown["state_root"]),
            ("blocks replayed", shown["blocks"]),
            ("transactions", shown["transactions"]),
            ("entries (a batch has many)", shown["entries"]),
            ("seconds that it took", f"{shown['seconds']:.1f}"),
        ],
    )
    yield _basis(f"Taken for granted: {shown['taken_for_granted']}.")


def _supply(shown: Mapping[str, Any]) -> Iterator[str]:
    coin = shown["chain"]
    if coin is None:
        return
    yield "<h2>Coin</h2>"
    places = ("accounts", "pools", "locked", "escrow", "maturing", "burned")
    values = [coin[name] for name in places]
    yield _figure(
        "Where the coin is",
        f"Of {coin['emitted']:,} coin emitted, "
        + ", ".join(f"{value:,} {name}" for name, value in zip(places, values, strict=True))
        + ".",
        draw_bars("Where the coin is", places, values, "coin"),
        f"{PROVED} What was emitted is what the params' schedule gives at this height.",
    )
    rows = [*zip(places, values, strict=True), ("together, as emitted", coin["emitted"])]
    yield _table("Coin by place", ("place", "coin"), rows)
    rewards = shown["rewards"]
    yield _table(
        "What blocks paid", ("part", "coin"), [(name, rewards[name]) for name in ("subsidies", "fees", "total")]
    )


def _programs(shown: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>What programs owe</h2>"
    if not shown["programs"]:
        yield "<p>There is no program.</p>"
    for program, found in shown["programs"].items():
        day = found["day"]["date"] if found["day"] else ""
        yield f"<h3>{escape(found['name'])}</h3>"
        yield f"<p>Program <code>{program}</code>, at the end of its day {day}, but for what that day still brings.</p>"
        issued, restored, *parts = TOTALS
        totals = found["totals"]
        yield (
            f"<p>{totals[issued]:,} issued + {totals[restored]:,} restored = "
            + " + ".join(f"{totals[name]:,} {name}" for name in parts)
            + f". It owes <strong>{found['liability']:,} {escape(found['unit'])}</strong> to {found['members']:,} members.</p>"
        )
        lines = found["by_expiry"]
        if not lines:
            continue
        labels = [line["expires_on"] or "never" for line in lines]
        layers = [(name, [line[name] for line in lines]) for name in LIVE]
        used = [layer for layer in layers if any(layer[1])]
        title = f"What {found['name']} owes, by the day on which it expires"
        first = f"{lines[0]['total']:,} {'never expire' if labels[0] == 'never' else 'on ' + labels[0]}"
        yield _figure(
            title,
            f"{len(lines)} expiry days, the first with {first}; {found['liability']:,} in all.",
            draw_stack(title, labels, used, found["unit"], "expires on (the program's day)"),
            f"{PROVED} Counted twice: from every member's lots, holds and pledges, and from the program's books. {SAID_NAMES}",
        )
        rows = [
            (label, *(line[name] for name in LIVE), line["total"]) for label, line in zip(labels, lines, strict=True)
        ]
        yield _table("By expiry day", ("expires on", *LIVE, "total"), rows)


def _campaigns(shown: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Escrow of campaigns</h2>"
    if not shown["campaigns"]:
        yield "<p>There is no campaign.</p>"
        return
    names = (
        "title",
        "status",
        "unit",
        "goal",
        "pledged",
        "escrowed",
        "pledges",
        "released",
        "returned",
        "deadline",
        "campaign",
    )
    rows = [tuple(campaign[name] for name in names) for campaign in shown["campaigns"]]
    open_ones = [campaign for campaign in shown["campaigns"] if campaign["escrowed"]]
    if open_ones:
        most = sorted(open_ones, key=lambda campaign: -campaign["escrowed"])[:PAYEES_SHOWN]
        yield _figure(
            "Largest escrows",
            f"{len(open_ones)} campaigns hold something; the largest holds {most[0]['escrowed']:,} {most[0]['unit']}.",
            draw_bars(
                "Largest escrows",
                [f"{campaign['title']} ({campaign['unit']})" for campaign in most],
                [campaign["escrowed"] for campaign in most],
                "coin or points",
            ),
            f"{PROVED} {SAID_NAMES}",
        )
    yield _table("Every campaign", names, rows)
    yield _basis(f"{PROVED} Escrow protects what was pledged, not the quality of what was promised.")


def _blocks(shown: Mapping[str, Any]) -> Iterator[str]:
    times = shown["block_times"]
    if not times["blocks"]:
        return
    yield "<h2>Blocks</h2>"
    classes = [(_class_name(found["up_to_s"]), found["blocks"]) for found in times["classes"]]
    last = max(place for place, (_, count) in enumerate(classes) if count)
    classes = classes[: last + 1]
    yield _figure(
        "Seconds between blocks",
        f"Mean {times['mean_s']} s, median {times['median_s']} s, nine in ten within {times['ninetieth_s']} s,"
        f" the greatest {times['greatest_s']} s.",
        draw_bars("Seconds between blocks", [name for name, _ in classes], [count for _, count in classes], "blocks"),
        SAID_TIMES,
    )
    yield _table("Blocks by the seconds since the one before", ("seconds", "blocks"), classes)
    series = shown["difficulty"]
    work = [sample["work"] for sample in series]
    yield _figure(
        "Difficulty over time",
        f"Hashes expected for a block: {work[0]:,} at first, between {min(work):,} and {max(work):,}, {work[-1]:,} at last.",
        draw_series("Difficulty over time", [sample["time"] for sample in series], work, "hashes expected for a block"),
        f"{PROVED} The work of each header was checked. {SAID_TIMES}",
    )
    rows = [(sample["height"], sample["time"], sample["work"]) for sample in series]
    yield _details("Difficulty as a table", _table("Difficulty", ("height", "time (s since 1970)", "hashes"), rows))


def _mining(shown: Mapping[str, Any]) -> Iterator[str]:
    if not shown["mined"]:
        return
    yield "<h2>Who mined</h2>"
    most = shown["mined"][:PAYEES_SHOWN]
    yield _figure(
        "Rewards by payee",
        f"{describe_shares(shown['concentration']['mining'])}.",
        draw_bars("Rewards by payee", [p["address"] for p in most], [p["amount"] for p in most], "coin"),
        f"{PROVED} An address is not a person: one miner may use many, and a pool shares one block among many.",
    )
    names = ("address", "blocks", "amount", "permille")
    yield _table("Payees", names, [tuple(payee[name] for name in names) for payee in shown["mined"]])


def _work_done(shown: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>What was done</h2>"
    kinds = shown["kinds"]
    if kinds:
        yield _figure(
            "Transactions by kind",
            ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()) + ".",
            draw_bars("Transactions by kind", list(kinds), list(kinds.values()), "transactions"),
            PROVED,
        )
        yield _table("Transactions by kind", ("kind", "transactions"), list(kinds.items()))
    skipped = shown["skipped_by_kind"]
    if skipped:
        rows = [(found["kind"], found["code"], found["entries"]) for found in skipped]
        yield _table("Entries that were not applied, by result code", ("kind", "code", "entries"), rows)
    else:
        yield "<p>No entry was skipped.</p>"
    yield _basis(f"{PROVED} Result codes are part of what a block's work stands for.")


def _concentration(shown: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Concentration</h2>"
    held = [("coin by account", shown["concentration"]["coin"]), ("rewards by payee", shown["concentration"]["mining"])]
    held += [(f"points of {found['name']}", found["concentration"]) for found in shown["programs"].values()]
    rows = [
        (name, *(shares[field] for field in ("holders", "total", "largest", "ten_largest", "majority")))
        for name, shares in held
        if shares is not None
    ]
    names = ("what", "holders", "total", "the largest", "the ten largest", "how many have more than half")
    yield _table("How unevenly it is held", names, rows)
    yield _basis(
        f"{PROVED} An account is not a person: one person may have many, and a brand can invent members of its own."
    )


# --- pieces --------------------------------------------------------------------------------------------------------------


def _class_name(edge: int | None) -> str:
    return "longer" if edge is None else f"up to {edge:,}"


def _figure(title: str, text: str, svg: bytes, basis: str) -> str:
    """A plot with a text for those who can't see it, and what it rests on."""
    source = b64encode(svg).decode("ascii")
    return (
        f'<figure><img alt="{escape(f"{title}: {text}")}" src="data:image/svg+xml;base64,{source}">'
        f'<figcaption><strong>{escape(title)}.</strong> {escape(text)} <span class="basis">{escape(basis)}</span>'
        "</figcaption></figure>"
    )


def _basis(text: str) -> str:
    return f'<p class="basis">{escape(text)}</p>'


def _details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    found = list(rows)
    more = f" (the first {ROWS_SHOWN:,} of {len(found):,})" if len(found) > ROWS_SHOWN else ""
    numeric = [all(isinstance(row[place], int) for row in found) for place in range(len(names))]
    head = "".join(f'<th scope="col"{_number(numeric[place])}>{escape(name)}</th>' for place, name in enumerate(names))
    body = "".join(
        "<tr>" + "".join(_cell(value, is_number=numeric[place]) for place, value in enumerate(row)) + "</tr>"
        for row in found[:ROWS_SHOWN]
    )
    return (
        f'<div class="table"><table><caption>{escape(caption)}{more}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _number(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _cell(value: Cell, *, is_number: bool) -> str:
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else value
    long = isinstance(value, str) and len(value) >= 48 and " " not in value
    inner = f"<code>{escape(text)}</code>" if long else escape(text)
    return f"<td{_number(is_number)}>{inner}</td>"
