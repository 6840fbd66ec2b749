"""`fansumer wallet guardians` and `fansumer wallet recover`: people who can give an account back to whoever lost its keys."""

from typing import Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, ForProgram, Url, Wait, WalletFile

app = typer.Typer(no_args_is_help=True, help="Who may recover your account, if you lose its keys.")
recover_app = typer.Typer(
    no_args_is_help=True, help="Give an account back to whoever lost its keys; or say no to that."
)

DELAY_DAYS = 7

Whose = Annotated[
    str | None, typer.Argument(metavar="[ADDRESS]", help="Whose; by default your own account's.", show_default=False)
]
LostAccount = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The address whose keys were lost.")]


def _print_keys(answer: Any, *, as_json: bool) -> None:
    """Who may recover an account, and what has become of that."""
    from api.cli.output import print_answer, print_json, say

    shown = {name: answer[name] for name in ("address", "policy_hash", "guardians", "recovery")}
    if as_json:
        print_json(shown)
        return
    print_answer({name: value for name, value in shown.items() if value is not None}, as_json=False)
    if answer["guardians"] is None:
        say("It has no guardians: without its keys or words nobody can bring it back.")
    recovery = answer["recovery"]
    if recovery is not None and recovery["phase"] == "waiting":
        say(
            f"From the later of {recovery['effective_date']} and block {recovery['effective_height']} on the keys of "
            f"{recovery['new_address']} govern it. Its present keys can stop that: fansumer wallet recover cancel"
        )
    elif recovery is not None and recovery["phase"] == "in_force":
        say(
            f"The keys of {recovery['new_address']} govern it now, and must sign before {recovery['expires_date']}: "
            f"fansumer wallet recover finish {answer['address']}"
        )


def _show(whose: str | None, program: str | None, wallet: Any, account: int, url: str, *, as_json: bool) -> None:
    from api.cli.session import connect, open_wallet, read_id
    from api.wallet.custody import Custody
    from ledger.types import ProgramId

    if whose is not None:
        with connect(url) as client:
            _print_keys(client.account(whose), as_json=as_json)
        return
    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        address = Custody(opened, program=of_program).signer.address
        _print_keys(opened.client.account(opened.address_text(address)), as_json=as_json)


@app.command("set")
def set_guardians(
    guardians: Annotated[
        list[str], typer.Argument(metavar="ADDRESS...", help="Accounts of people whom you trust, 1 to 16.")
    ],
    threshold: Annotated[
        int | None, typer.Option("--threshold", min=1, max=16, help="How many must agree; by default more than half.")
    ] = None,
    delay_days: Annotated[
        int, typer.Option("--delay-days", min=1, max=365, help="Days in which you can still say no.")
    ] = DELAY_DAYS,
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Name the people who can give your account back to you, if you lose its keys.

    They stand on the chain: whoever sees accounts with the same guardians may guess that they belong to one person.

    \b
    Examples:
      fansumer wallet guardians set dfan1p... dfan1p... dfan1p... --threshold 2 --delay-days 7
      fansumer wallet guardians set dfan1p... --program 5f5f...5f
    """
    from api.cli.session import finish, open_wallet, read_account, read_id
    from api.wallet.custody import Custody
    from ledger.types import ProgramId

    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        named = [read_account(opened, text) for text in guardians]
        needed = len(set(named)) // 2 + 1 if threshold is None else threshold
        custody = Custody(opened, program=of_program)
        sent = custody.set_guardians(named, threshold=needed, delay_days=delay_days)
        finish(opened, sent, wait=wait, as_json=as_json)


@app.command("show")
def show_guardians(
    whose: Whose = None,
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show who may recover an account, and what they have said so far.

    \b
    Example:
      fansumer wallet guardians show
    """
    _show(whose, program, wallet, account, url, as_json=as_json)


@app.command("remove")
def remove_guardians(
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Let nobody recover your account any more. Their deposit comes back.

    \b
    Example:
      fansumer wallet guardians remove
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.custody import Custody
    from ledger.types import ProgramId

    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        finish(opened, Custody(opened, program=of_program).remove_guardians(), wait=wait, as_json=as_json)


@recover_app.command("start")
def start(
    lost: LostAccount,
    new_address: Annotated[
        str, typer.Argument(metavar="NEW_ADDRESS", help="An address of the new wallet, whose keys shall govern it.")
    ],
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """As a guardian, say that an account shall be governed by the keys of a new wallet. Enough of you start the recovery.

    Ask in person before you do it: a message that asks for this may be from a thief. Your word counts for 30 days.

    \b
    Example:
      fansumer wallet recover start dfan1plost... dfan1pnew...
    """
    from api.cli.session import finish, open_wallet, read_account, read_id
    from api.wallet.custody import Custody
    from ledger.types import Hash, ProgramId

    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        found, new = read_account(opened, lost), read_account(opened, new_address)
        sent = Custody(opened, program=of_program).approve(found, Hash(new))
        finish(opened, sent, wait=wait, as_json=as_json)
        if wait and not as_json:
            _print_keys(opened.client.account(lost), as_json=False)


@recover_app.command("status")
def status(
    whose: Whose = None,
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show whether a recovery is under way, to whose keys, and from when on they govern the account.

    \b
    Example:
      fansumer wallet recover status dfan1plost...
    """
    _show(whose, program, wallet, account, url, as_json=as_json)


@recover_app.command("cancel")
def cancel(
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Say no to a recovery of your own account, without a fee. Its guardians can't start another one for 30 days.

    \b
    Example:
      fansumer wallet recover cancel
    """
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.custody import Custody
    from ledger.types import ProgramId

    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        finish(opened, Custody(opened, program=of_program).cancel(), wait=wait, as_json=as_json)


@recover_app.command("finish")
def finish_recovery(
    lost: LostAccount,
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """With the new wallet, after the delay: sign once for the recovered account, and act as it from now on.

    Name the place whose address the guardians were given: --account, or --program for the account of a program, whose pool
    then pays. The recovered account pays otherwise; if it holds no coin, let somebody send it some first.

    \b
    Examples:
      fansumer wallet recover finish dfan1plost...
      fansumer wallet recover finish dfan1plost... --program 5f5f...5f
    """
    from api.cli.output import say, warn
    from api.cli.session import Keystore, finish, open_keystore, read_account, read_id
    from api.wallet.custody import Custody
    from ledger.types import ProgramId

    keystore = Keystore.open(wallet)
    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_keystore(url, keystore, account) as opened:
        custody = Custody(opened, program=of_program)
        found = custody.adopt(read_account(opened, lost))
        finish(opened, custody.confirm(), wait=wait, as_json=as_json)
        keystore.remember(found.label)
        own = opened.address_text(opened.keys.key_at(found.place, 0).address)
        left = opened.client.account(own)
        if own != lost and (left["coin"] or left["programs"]):
            warn(
                f"{own}, in whose place it stands, is not empty. Another file from the same words acts as that one: "
                "fansumer wallet restore --wallet FILE"
            )
        say(f"This wallet acts as {lost} from now on, in place of the {found.place.name.replace('/', ' ')} of its own.")
