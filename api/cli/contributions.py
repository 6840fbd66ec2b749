"""Missions and contributions: a brand asks its fans to help, both sign what was done, the brand says what came of it."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Force, PayOwn, Program, Url, Wait, WalletFile

app = typer.Typer(no_args_is_help=True, help="What you ask your fans to help with, and what came of it.")

MISSION_COLUMNS = ("title", "open", "taken", "places", "until", "id")
COLUMNS = ("role", "mission", "fan", "product", "recorded_at", "id")
ROLES = ("testing", "translating", "idea", "supporting")

PlacesOption = Annotated[int, typer.Option("--places", min=0, max=2**31 - 1, help="How many may help; 0: no limit.")]


@app.command("create")
def create(
    program: Program,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is, in a few words.")],
    text: Annotated[Path, typer.Option("--text", help="A file that says what is to be done, in UTF-8. It is public.")],
    until: Annotated[
        datetime,
        typer.Option("--until", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"], help="The last time of work, in UTC."),
    ],
    places: PlacesOption = 0,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Ask your fans to help.

    \b
    Example:
      fansumer brand mission create 5f5f...5f "Test the lamp" --text test.txt --until 2027-01-31 --places 20
    """
    from api.cli.session import open_wallet, payment_choice, read_id
    from api.cli.texts import finish_with_text, keep_document, read_document
    from api.wallet.contributions import Missions
    from ledger.types import ProgramId, Timestamp

    of_program = ProgramId(read_id(program, "PROGRAM"))
    document = read_document(text)
    with open_wallet(url, wallet, account) as opened:
        missions = Missions(opened, payment=payment_choice(pay_own=pay_own))
        kept = keep_document(document)
        ends = Timestamp(int(until.replace(tzinfo=UTC).timestamp()))
        sent = missions.create(of_program, title, text=kept.hash, until=ends, places=places)
        finish_with_text(opened, sent, kept, wait=True, as_json=as_json, noun="mission")


@app.command("list")
def list_missions(program: Program, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List a program's missions.

    \b
    Example:
      fansumer brand mission list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with connect(url) as client:
        rows = list(client.every(client.reviews.missions, of_program))
    if as_json:
        print_json(rows)
        return
    print_rows(rows, MISSION_COLUMNS)


@app.command("slip")
def slip(
    program: Program,
    fan: Annotated[str, typer.Argument(metavar="FAN", help="The fan's address for this program.")],
    role: Annotated[str, typer.Option("--role", help=f"One of: {', '.join(ROLES)}.")],
    work: Annotated[Path, typer.Option("--work", help="A file with what was done. Only its hash is signed.")],
    out: Annotated[Path, typer.Option("--out", help="Where the slip goes; give it to the fan.")],
    mission: Annotated[str | None, typer.Option("--mission", help="For which mission: its id.")] = None,
    force: Force = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Sign that a fan did something for you. The fan puts it on record with `wallet contribute`; without the fan's signature
    nothing stands there. Your key needs a grant with the scope `record`.

    \b
    Example:
      fansumer brand mission slip 5f5f...5f dfan1p... --role testing --work report.pdf --out slip.bin
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_account, read_bytes, read_id, warn_without_scope, write_file
    from api.wallet.contributions import NO_MISSION, Missions
    from ledger.domains.voice.contributions import encode_slip
    from ledger.types import Hash, MissionId, ProgramId, Timestamp

    of_program = ProgramId(read_id(program, "PROGRAM"))
    if role not in ROLES:
        raise typer.BadParameter(f"{role[:40]!r} is none; there are {', '.join(ROLES)}", param_hint="--role")
    of_mission = NO_MISSION if mission is None else MissionId(read_id(mission, "--mission"))
    hashed = Hash(sha256(read_bytes(work, 2**30)).digest())
    with open_wallet(url, wallet, account) as opened:
        warn_without_scope(opened, of_program, "record", "the chain will not take this slip")
        signed = Missions(opened).sign_slip(
            of_program,
            read_account(opened, fan),
            role=ROLES.index(role),
            work=hashed,
            time=Timestamp(int(opened.client.chain()["time"])),
            mission=of_mission,
        )
        write_file(out, encode_slip(signed), force=force)
        print_answer({"file": str(out), "work": hashed.hex()}, as_json=as_json)


@app.command("credit")
def credit(
    contribution: Annotated[str, typer.Argument(metavar="CONTRIBUTION", help="Its id: 64 hexadecimal digits.")],
    campaign: Annotated[str | None, typer.Option("--campaign", help="The campaign that came of it.")] = None,
    reward: Annotated[str | None, typer.Option("--reward", help="The reward that came of it.")] = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Say what came of a fan's work: once, and for good.

    \b
    Example:
      fansumer brand mission credit c7c7...c7 --campaign aaaa...aa
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_id
    from api.wallet.contributions import Missions
    from ledger.types import CampaignId, ContributionId, ProgramId, RewardId

    if (campaign is None) == (reward is None):
        raise typer.BadParameter("name one of --campaign and --reward")
    wanted = ContributionId(read_id(contribution, "CONTRIBUTION"))
    product = (
        RewardId(read_id(reward or "", "--reward")) if campaign is None else CampaignId(read_id(campaign, "--campaign"))
    )
    with open_wallet(url, wallet, account) as opened:
        program = ProgramId(bytes.fromhex(opened.client.reviews.contribution(wanted)["program"]))
        missions = Missions(opened, payment=payment_choice(pay_own=pay_own))
        sent = missions.credit(program, wanted, product, is_campaign=campaign is not None)
        finish(opened, sent, wait=wait, as_json=as_json)


def contribute(
    file: Annotated[Path, typer.Argument(metavar="SLIP", help="The slip that the brand signed for you.")],
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Put on record what you did for a brand, by the slip that it signed. It is public, under your account's address, for good.

    \b
    Example:
      fansumer wallet contribute slip.bin
    """
    from api.cli.output import say
    from api.cli.session import finish, naming_file, open_wallet, read_bytes
    from api.wallet.contributions import record_contribution
    from ledger.domains.voice.contributions import SLIP_BYTES_MAX, contribution_id_of, decode_slip

    data = read_bytes(file, SLIP_BYTES_MAX)
    with naming_file(file, "slip"):
        signed = decode_slip(data)
    with open_wallet(url, wallet, account) as opened:
        sent = record_contribution(opened, signed, pay_own=pay_own)
        say(f"contribution {contribution_id_of(signed.slip).hex()}")
        finish(opened, sent, wait=wait, as_json=as_json)


def list_contributions(program: Program, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List who helped a brand with what, and what came of it.

    \b
    Example:
      fansumer chain contributions 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with connect(url) as client:
        rows = list(client.every(client.reviews.contributions, of_program))
    if as_json:
        print_json(rows)
        return
    print_rows(rows, COLUMNS)
