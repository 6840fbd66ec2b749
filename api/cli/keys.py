"""`fansumer wallet public-key|rotate-key|set-policy|find-keys`: which keys sign for an account."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, ForProgram, Url, Wait, WalletFile

ACCOUNTS_SEARCHED = 4
"""Main accounts that are asked about without --account."""


def public_key(wallet: WalletFile = None, account: Account = 0, as_json: AsJson = False) -> None:
    """Show the public key of a main account, for an account that several people govern. It is no secret.

    \b
    Example:
      fansumer wallet public-key
    """
    from api.cli.output import print_json
    from api.cli.session import Keystore
    from api.wallet.key_book import Place
    from ledger import keys

    key = keys.public_key_of(Keystore.open(wallet).keys.signer(Place(account)).seed)
    if as_json:
        print_json({"public_key": key.hex()})
    else:
        typer.echo(key.hex())


def rotate_key(
    program: ForProgram = None,
    to_key: Annotated[
        str | None,
        typer.Option("--to-key", help="The `public-key` of another wallet, if the words of this one may be known."),
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Let a new key sign for an account from now on: the next one of your words, or that of a new wallet. The address stays.

    The next key of the same words helps where only this file or this phone may have been read. If somebody may know your
    words, make a new wallet and move to its key; then `find-keys` in the new wallet finds the account.

    \b
    Examples:
      fansumer wallet rotate-key --program 5f5f...5f
      fansumer wallet rotate-key --to-key 8a8a...8a
    """
    from api.cli.output import say
    from api.cli.session import Keystore, finish, open_keystore, read_id
    from api.wallet.custody import Custody
    from ledger.policy import single_key_policy
    from ledger.types import ProgramId, PublicKey

    keystore = Keystore.open(wallet)
    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_keystore(url, keystore, account) as opened:
        custody = Custody(opened, program=of_program)
        if to_key is not None:
            policy = single_key_policy(PublicKey(read_id(to_key, "--to-key")))
            finish(opened, custody.set_policy(policy), wait=wait, as_json=as_json)
            say("With the other wallet: fansumer wallet find-keys")
            return
        key = custody.next_key()
        finish(opened, custody.rotate_to(key), wait=wait, as_json=as_json)
        if wait:
            keystore.remember(opened.keys.note(custody.place, key))


def set_policy(
    policy: Annotated[
        Path, typer.Argument(metavar="TREASURY", help="Whose keys shall sign: what `wallet treasury create` wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where to write the treasury file of this account.")],
    program: ForProgram = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Let several people sign for an account from now on, or other ones. The address and all that it owns stay.

    \b
    Examples:
      fansumer wallet set-policy treasury.json --out brand.json
      fansumer wallet set-policy new-board.json --out brand-2.json --wallet brand.json
    """
    from api.cli.output import say
    from api.cli.session import finish, open_wallet, read_id, read_text, write_file
    from api.wallet.custody import Custody
    from api.wallet.treasury import Treasury
    from ledger.types import ProgramId

    found = Treasury.from_json(read_text(policy))
    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        custody = Custody(opened, program=of_program)
        write_file(out, Treasury(found.policy, custody.signer.address).to_json().encode())
        finish(opened, custody.set_policy(found.policy), wait=wait, as_json=as_json)
    say(f"Once this stands in a block, act as the account with --wallet {out}; give everybody a copy.")


def find_keys(
    accounts: Annotated[
        int, typer.Option("--accounts", min=1, max=64, help="How many main accounts to look for, from 0 on.")
    ] = ACCOUNTS_SEARCHED,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Find accounts whose keys were changed to keys of this wallet, or that guardians recovered to it. For after a restore.

    The node is asked about each of your accounts in turn, and so learns that they belong together.

    \b
    Example:
      fansumer wallet find-keys
    """
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import Keystore, open_keystore
    from api.wallet.custody import Custody
    from api.wallet.key_book import Place
    from ledger.types import ProgramId

    keystore = Keystore.open(wallet)
    with open_keystore(url, keystore) as opened:
        programs = [ProgramId(bytes.fromhex(item["id"])) for item in opened.client.every(opened.client.programs)]
        places = [*(Place(index) for index in range(accounts)), *(Place(program=program) for program in programs)]
        found = list(Custody(opened).find_keys(places))
        rows = [
            {
                "place": one.place.name,
                "address": opened.address_text(one.address),
                "key": one.key.rotation,
                "adopted": one.key.adopted is not None,
            }
            for one in found
        ]
    if found:
        keystore.remember(*(one.label for one in found))
    if as_json:
        print_json(rows)
        return
    print_rows(rows)
    say(f"{len(found)} found that this wallet did not know yet; it acts with them from now on.")
