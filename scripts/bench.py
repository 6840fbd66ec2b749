"""Measures how fast the ledger, the node and the API are, beside what the project wants and the machine's facts.

    .venv/bin/python scripts/bench.py                     everything; about ten minutes, most of them to prepare the stores
    .venv/bin/python scripts/bench.py --only transfers --only earn
    .venv/bin/python scripts/bench.py --work-dir /var/tmp/bench --json figures.json
    .venv/bin/python scripts/bench.py --growth --postgres postgresql://me@localhost/bench
    .venv/bin/python scripts/bench.py --growth --only personal
    .venv/bin/python scripts/bench.py --quick             small sizes: shows that it works, its figures mean nothing

Runs inside the project's environment; `python3 scripts/test.py` or `scripts/run.py` makes it. What is measured is prepared once
(with --work-dir also for the next time) from real signed transactions on a chain of 10**5 accounts; each measurement then runs in
a process of its own. This is no test: nothing fails because a machine is slow.

`kinds` says what each kind's rule takes, besides signatures, root and SQL: half of the kinds are to take at most 60 us an entry.
Those that are batches are filled and divided by their entries, and the row says how many. `blocks` builds one and the same block
where the program had 10**3, 10**4 and 10**5 members before, and where each member holds 1, 32 and 128 lots, and says by how much
it costs more: past members must cost nothing (1.2 leaves room for the clock), lots at most twice as much, since a member's record
holds up to 128 of them and is read and written whole. Both count this process's own time alone and take the least of many rounds,
but a busy machine is slower all the same: beside them stands what a fixed loop and a hash took in the same run, by the least and
by the median round.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from environment import PYTHON

POSTGRES_VARIABLE = "FANSUMER_BENCH_POSTGRES_URL"
MEASURE = Path(__file__).with_name("bench_measure.py")
NEEDED = ("ledger", "node", "api", "sqlalchemy", "cryptography", "uvicorn")
LOTS_RATIO_MAX = 2.0
"""A member's lots are in its record, which is read and written whole: up to 128 of them, and never more."""
BREAKDOWNS = ("transfers", "earn")
DATA_PARTS = {
    "transfers": ("transfers",),
    "earn": ("earn",),
    "headers": ("headers",),
    "http": ("settled",),
    "sync": ("transfers",),
}
"""What a bench needs prepared."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `target` None: only for information. `is_limit`: the target is what must not be passed."""

    name: str
    measured: float
    unit: str
    target: float | None = None
    is_limit: bool = False

    @property
    def ratio(self) -> float | None:
        """How well the target is met: 1 just so, more is better."""
        if self.target is None:
            return None
        return self.target / self.measured if self.is_limit else self.measured / self.target


# --- from answers to figures -------------------------------------------------------------------------------------------------


def show_transfers(answer: Any) -> list[Figure]:
    """Single-signature transfers, fully validated from stored blocks."""
    return [Figure("transfers from stored blocks", answer["units"] / answer["seconds"], "tx/s", 4_000)]


def show_earn(answer: Any) -> list[Figure]:
    """Sealed entries, fully validated from stored blocks. The next goal is 20,000."""
    return [Figure("sealed earn entries", answer["units"] / answer["seconds"], "entries/s", 10_000)]


def show_root(answer: Any) -> list[Figure]:
    """Microseconds a record."""
    return [
        Figure(f"state root, changes of {answer['leaves']:,}", answer["change_us"], "us/record", 15, is_limit=True),
        Figure("state root, appends", answer["append_us"], "us/record", 3, is_limit=True),
    ]


def show_headers(answer: Any) -> list[Figure]:
    """Headers checked in a row."""
    return [Figure("headers", answer["headers"] / answer["seconds"], "headers/s", 100_000)]


def show_http(answer: Any) -> list[Figure]:
    """Reads of accounts, with each number of connections."""
    figures: list[Figure] = []
    for connections, found in answer.items():
        if connections.isdigit():
            name = f"account reads, {connections} connections"
            figures.append(Figure(name, found["requests_per_second"], "requests/s", 2_000))
            figures.append(Figure(f"{name}, median", found["p50_ms"], "ms"))
            figures.append(Figure(f"{name}, 99 %", found["p99_ms"], "ms", 20, is_limit=True))
    return figures


def show_signatures(answer: Any) -> list[Figure]:
    """What transfers stand on."""
    return [
        Figure("signatures, 1 thread", answer["one_thread"], "checks/s"),
        Figure("signatures, 2 threads", answer["two_threads"], "checks/s"),
    ]


def show_ballots(answer: Any) -> list[Figure]:
    """A proposal costs a voter, not the chain: a ballot in ledger time, and going back to a snapshot."""
    of = f"of {answer['members']:,} members"
    return [
        Figure(f"a ballot {of}", answer["single_us"], "us", 60, is_limit=True),
        Figure(f"a ballot that ranks 12 options {of}", answer["ranked_us"], "us"),
        Figure("snapshot: copying the tree", answer["copy_ms"], "ms"),
        Figure(f"snapshot: taking {answer['changed']:,} slots back", answer["back_ms"], "ms"),
    ]


def show_finality(answer: Any) -> list[Figure]:
    """A certificate of the links that make a block final: what it weighs on the wire and on one core."""
    of = f"certificate of {answer['attestors']} attestors"
    return [
        Figure(f"{of}, checked", answer["check_ms"], "ms"),
        Figure(f"{of}, {answer['signatures']} signatures", answer["bytes"], "bytes"),
    ]


def show_hashing(answer: Any) -> list[Figure]:
    """What the embedded miner does on one core. 30 MH/s are asked for with AVX-512, 15 times hashlib anywhere with AVX2."""
    plain, kernel = answer["hashlib"], answer["kernel"]
    figures = [Figure("mining with hashlib, 1 core", plain / 1e6, "MH/s")]
    if kernel is None:
        print(f"no kernel: {answer['reason']}", file=sys.stderr)
        return figures
    return [
        *figures,
        Figure("mining with the kernel, 1 core", kernel / 1e6, "MH/s", 30),
        Figure("mining, kernel : hashlib", kernel / plain, "ratio", 15),
        Figure("the kernel: compiled or loaded", answer["ready_s"], "s"),
    ]


def show_stratum(answer: Any) -> list[Figure]:
    """From a new tip to the last miner's job, and what one thread checks."""
    name = f"new tip to {answer['miners']:,} miners, last"
    return [
        Figure(name, answer["median_ms"], "ms", 100, is_limit=True),
        Figure(f"{name}, worst", answer["worst_ms"], "ms"),
        Figure("shares checked, 1 core", answer["shares"] / answer["seconds"], "shares/s"),
    ]


def show_refunds(answer: Any) -> list[Figure]:
    """A block that gives every backer of a failed campaign its pledge back: the ledger's part of it."""
    names = ("coin", "points")
    return [
        Figure(f"{answer['count']:,} refunds of {name}", answer[f"{name}_ms"], "ms", 100, is_limit=True)
        for name in names
    ]


def show_personal(answer: Any) -> list[Figure]:
    """The grocer's year into features and models, on as many cores as they use: one. Nothing where the extras are not installed."""
    if "missing" in answer:
        return []
    figures = [Figure(f"a year into features, {answer['pairs']:,} pairs", answer["features_s"], "s", 30, is_limit=True)]
    if "models_s" in answer:
        figures.append(Figure("all models of a year", answer["models_s"], "s", 300, is_limit=True))
    return [*figures, Figure("memory for them", answer["memory_mb"], "MB", 4_096, is_limit=True)]


def show_groups(answer: Any) -> list[Figure]:
    """Figures of all fans of a program: the first walk of a node, and the ones after it, by the fan that agreed."""
    fans = answer["fans"]
    of = f"of {answer['members']:,} members, {fans:,} agreed"
    names = {"cold": "first walk", "segments": "segments", "plan": "reach", "report": "report"}
    figures = [Figure(f"{shown} {of}", answer[f"{name}_s"] / fans * 1e3, "ms/fan") for name, shown in names.items()]
    figures += [
        Figure("review of a model's fans, first", answer["review_s"] / fans * 1e3, "ms/fan"),
        Figure("the same with nothing new", answer["review_again_s"] / fans * 1e3, "ms/fan"),
    ]
    return [*figures, Figure("memory for them", answer["memory_mb"], "MB")]


def show_messages(answer: Any) -> list[Figure]:
    """A fan's messages over HTTP from a warm server, and from the answer to a change to the first one that shows it."""
    of, found = f"of {answer['receipts']} receipts", answer["messages"]
    figures = [
        Figure(f"messages {of}, median", found["p50_ms"], "ms"),
        Figure(f"messages {of}, 99 %", found["p99_ms"], "ms", 10, is_limit=True),
        Figure("messages shown to a fan", answer["shown"], "messages"),
    ]
    for change in ("purchase", "revocation"):
        figures += [
            Figure(f"{change} counts: in which answer", answer[f"{change}_answers"], "answer", 1, is_limit=True),
            Figure(f"{change} to that answer, median", answer[change]["p50_ms"], "ms"),
            Figure(f"{change} to that answer, 99 %", answer[change]["p99_ms"], "ms"),
        ]
    return figures


def show_sync(answer: Any) -> list[Figure]:
    """A new node beside one that reads the same blocks from its disk."""
    rate = answer["transactions"] / answer["sync_s"]
    share = 100 * answer["disk_s"] / answer["sync_s"]
    return [
        Figure("sync over loopback", rate, "tx/s"),
        Figure("sync, of the speed from disk", share, "%", 60),
    ]


def show_relay(answer: Any) -> list[Figure]:
    """A new block over ten lines of 50 ms each."""
    share = 100 * answer["hop_bytes"] / answer["block_bytes"]
    return [
        Figure(f"block of {answer['transactions']:,} over 10 lines of 50 ms", answer["lines_s"], "s"),
        Figure("the same: work of one node", answer["work_ms"], "ms"),
        Figure("the same: bytes of one line", share, "% of the block"),
    ]


def show_kinds(answer: Any) -> list[Figure]:
    """What each kind's rule takes, besides signatures, root and SQL; half of them must be below the limit."""
    figures = [
        Figure("the median kind", answer["median_us"], "us/entry", 60, is_limit=True),
        Figure("the median kind, by median rounds", answer["median_of_rounds_us"], "us/entry", 60, is_limit=True),
        *show_reference(answer),
    ]
    for kind, us in sorted(answer["us"].items(), key=lambda item: -item[1]):
        entries = answer["entries"].get(kind)
        figures.append(Figure(f"rule of {kind}" + (f", {entries} entries" if entries else ""), us, "us/entry"))
    return figures


def show_reference(answer: Any) -> list[Figure]:
    """How fast the machine was in the same run."""
    found = answer["reference"]
    return [
        Figure(f"reference: {what}{round_}", ms, "ms")
        for name, what in (("loop_ms", "loop of 10**5"), ("hash_ms", "hash of 1 MB"))
        for ms, round_ in zip(found[name], ("", ", median"), strict=True)
    ]


def show_blocks(answer: Any) -> list[Figure]:
    """One block beside the same block where there is more of the past. A limit of 1 could not be met by a clock that trembles."""
    figures: list[Figure] = []
    for what, name, limit in (("members_ms", "past members", 1.2), ("lots_ms", "lots a member", LOTS_RATIO_MAX)):
        (least, first), *others = [(int(count), ms) for count, ms in answer[what].items()]
        figures.append(Figure(f"block, {least:,} {name}", first, "ms"))
        figures += [
            Figure(f"block, {count:,} : {least:,} {name}", ms / first, "ratio", limit, is_limit=True)
            for count, ms in others
        ]
    return [*figures, *show_reference(answer)]


SHOWN: dict[str, Callable[[Any], list[Figure]]] = {
    "signatures": show_signatures,
    "hashing": show_hashing,
    "root": show_root,
    "headers": show_headers,
    "ballots": show_ballots,
    "finality": show_finality,
    "kinds": show_kinds,
    "blocks": show_blocks,
    "transfers": show_transfers,
    "earn": show_earn,
    "http": show_http,
    "stratum": show_stratum,
    "personal": show_personal,
    "groups": show_groups,
    "messages": show_messages,
    "refunds": show_refunds,
    "sync": show_sync,
    "relay": show_relay,
}


# --- running -----------------------------------------------------------------------------------------------------------------


def measure(name: str, folder: Path, size: str) -> Any:
    """A measurement's answer, from a fresh process. Raises SystemExit where it fails; what it said is on the terminal."""
    command = [sys.executable, str(MEASURE), name, str(folder), size]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        sys.exit(f"the bench {name} failed, see above; what it worked on is in {folder}")
    return json.loads(finished.stdout)


def run(names: Sequence[str], folder: Path, size: str) -> dict[str, Any]:
    """Prepare, measure and print; returns everything for --json."""
    from bench_machine import describe_machine
    from bench_world import FULL, QUICK, World, fingerprint

    sizes = FULL if size == FULL.name else QUICK
    folder = folder / f"{size}-{fingerprint()}"
    folder.mkdir(parents=True, exist_ok=True)
    world = World(folder, sizes, lambda text: print(text, file=sys.stderr, flush=True))
    for name in names:
        for part in DATA_PARTS.get(name, ()):
            getattr(world, part)
    machine = describe_machine(folder)
    print_facts(machine, size)
    answers: dict[str, Any] = {}
    figures: list[Figure] = []
    for name in names:
        answers[name] = measure(name, folder, size)
        shown = SHOWN[name](answers[name])
        print_figures(shown, with_head=not figures)
        figures.extend(shown)
    for name in BREAKDOWNS:
        if name in names:
            answers[f"{name}-breakdown"] = measure(f"{name}-breakdown", folder, size)
            print_breakdown(name, answers[f"{name}-breakdown"])
    table = [asdict(figure) | {"ratio": figure.ratio} for figure in figures]
    return {"machine": machine, "sizes": asdict(sizes), "figures": table, "answers": answers}


def run_growth(folder: Path, *, quick: bool, postgres: str | None) -> dict[str, Any]:
    """The same blocks on stores of ever more accounts; on both kinds of store where a server is named."""
    from bench_machine import describe_machine
    from bench_world import GROWTH, GROWTH_QUICK, World, fingerprint

    mark, answers = fingerprint(), list[Any]()
    machine = describe_machine(folder)
    print_facts(machine, "quick" if quick else "full")
    if postgres is not None:
        os.environ[POSTGRES_VARIABLE] = postgres
    for sizes in GROWTH_QUICK if quick else GROWTH:
        place = folder / f"{sizes.name}-{mark}"
        place.mkdir(parents=True, exist_ok=True)
        _ = World(place, sizes, lambda text: print(text, file=sys.stderr, flush=True)).transfers
        if not answers:
            print(f"\n{''.join(f'{title:>16}' for title, _ in GROWTH_COLUMNS)}")
        for name in ("growth", *(["growth-postgres"] if postgres else [])):
            answers.append(measure(name, place, sizes.name))
            print("".join(f"{show(answers[-1]):>16}" for _, show in GROWTH_COLUMNS), flush=True)
    if postgres is None:
        print("\nPostgreSQL was not measured: name a server whose user may create schemas with --postgres URL")
    return {"machine": machine, "answers": answers}


def run_fan_growth(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Features, models and answers for ever more made-up fans; training, serving and judging each in a process of its own."""
    from bench_personal import make_fans

    answers: list[dict[str, Any]] = []
    print(f"\n{''.join(f'{title:>14}' for title, _ in FAN_COLUMNS)}")
    for fans in FANS_QUICK if quick else FANS:
        place = folder / f"fans-{fans}"
        make_fans(place, fans)
        found = [measure(f"fans-{what}", place, "full") for what in ("training", "serving", "judging")]
        answers.append(found[0] | found[1] | found[2])
        print("".join(f"{show(answers[-1]):>14}" for _, show in FAN_COLUMNS), flush=True)
    return answers


FANS = (10_000, 100_000, 1_000_000)
FANS_QUICK = (300,)
FAN_COLUMNS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("fans", lambda a: f"{a['fans']:,}"),
    ("features s", lambda a: f"{a['features_s']:,.0f}"),
    ("models s", lambda a: f"{a['models_s']:,.0f}"),
    ("MiB trained", lambda a: f"{a['models_mib']:,.0f}"),
    ("file MB", lambda a: f"{a['file_bytes'] / 1e6:,.1f}"),
    ("load s", lambda a: f"{a['loading_s']:.2f}"),
    ("MiB loaded", lambda a: f"{a['loaded_mib']:,.0f}"),
    ("MiB masked", lambda a: f"{a['masked_mib']:,.0f}"),
    ("answer us", lambda a: f"{a['answer_median_us']:,.0f}"),
    ("99 % us", lambda a: f"{a['answer_p99_us']:,.0f}"),
    ("NDCG@10", lambda a: f"{a['ndcg']:.3f}"),
    ("popular", lambda a: f"{a['ndcg_popular']:.3f}"),
)
"""`MiB masked`: after ten fans were taken out of the models; `answer`: four lists, two of moments and a probability of one fan."""

GROWTH_COLUMNS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("store", lambda a: a["store"]),
    ("accounts", lambda a: f"{a['accounts']:,}"),
    ("tx/s", lambda a: f"{a['transactions_per_second']:,.0f}"),
    ("block ms", lambda a: f"{a['block_connect_s'] * 1e3:,.0f}"),
    ("empty block ms", lambda a: f"{a['empty_block_s'] * 1e3:.1f}"),
    ("root us/record", lambda a: f"{a['root_us_per_record']:.1f}"),
    ("restart s", lambda a: f"{a['opening_s']:.2f}"),
    ("bytes/tx", lambda a: f"{a['bytes_per_transaction']:,.0f}"),
    ("MiB opened", lambda a: f"{a['memory_opened_mib']:,.0f}"),
    ("MiB worked", lambda a: f"{a['memory_worked_mib']:,.0f}"),
    ("MiB 2nd half", lambda a: f"{a['memory_second_half_mib']:+.1f}"),
)
"""`block ms`: to connect one of 4,000 transfers; `MiB 2nd half`: what reading the second half of the whole chain adds."""


def print_facts(machine: dict[str, Any], size: str) -> None:
    """The machine, a line for each fact."""
    for name, value in machine.items():
        print(f"{name.replace('_', ' '):14}{value}")
    if size != "full":
        print("\nsmall sizes: these figures only show that the benches work")


def print_figures(figures: Sequence[Figure], *, with_head: bool) -> None:
    """Lines of the table, as soon as they are known. A ratio of 1 or more means that the target is met."""
    if with_head:
        print(f"\n{'bench':38}{'measured':>12}  {'unit':12}{'target':>12}{'ratio':>8}")
    for figure in figures:
        target, ratio = figure.target, figure.ratio
        wanted = "" if target is None else f"{'<= ' if figure.is_limit else ''}{target:,.{0 if target >= 10 else 1}f}"
        met = "" if ratio is None else f"{ratio:.2f}"
        digits = 0 if figure.measured >= 100 else 2
        print(f"{figure.name:38}{figure.measured:>12,.{digits}f}  {figure.unit:12}{wanted:>12}{met:>8}", flush=True)


def print_breakdown(name: str, answer: Any) -> None:
    """Where the time of one unit goes, from a run of its own whose stopwatches cost a little themselves."""
    spent: dict[str, float] = answer["us_per_unit"]
    total = sum(spent.values())
    print(f"\n{name}: {total:.1f} us each, of which")
    for place in answer["not_found"]:
        print(f"  (counted with others, since there is no {place} any more)")
    for phase, us in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {phase:28}{us:8.2f} us{us / total:7.1%}")


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure the ledger, the node and the API.")
    parser.add_argument(
        "--only", action="extend", nargs="+", choices=tuple(SHOWN), metavar="NAME", help=f"of {', '.join(SHOWN)}"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    parser.add_argument(
        "--growth",
        action="store_true",
        help="instead: 10**4, 10**5 and 10**6 accounts, then as many fans; hours. With --only personal: fans alone",
    )
    parser.add_argument(
        "--postgres", metavar="URL", help="with --growth: measure there too, in a schema that is deleted"
    )
    parser.add_argument(
        "--work-dir", type=Path, metavar="FOLDER", help="keep what is prepared there, for the next time"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benches that were asked for."""
    options = parse_options(arguments)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{', '.join(missing)} cannot be imported: this runs inside the project's environment.", file=sys.stderr)
        print(f"Run it as: {PYTHON} {Path(__file__)}", file=sys.stderr)
        print("`python3 scripts/test.py --fast` makes the environment if it is not there.", file=sys.stderr)
        return 2
    names = [name for name in SHOWN if options.only is None or name in options.only]
    size = "quick" if options.quick else "full"
    with tempfile.TemporaryDirectory(prefix="fansumer-bench-") as temporary:
        folder = Path(temporary) if options.work_dir is None else options.work_dir.resolve()
        if options.growth:
            found: dict[str, Any] = {}
            if options.only != ["personal"]:
                found |= run_growth(folder, quick=options.quick, postgres=options.postgres)
            if options.only is None or "personal" in options.only:
                found["fans"] = run_fan_growth(folder, quick=options.quick)
        else:
            found = run(names, folder, size)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
