"""The commands of `fansumer wallet` about redemptions: how safe one is, what the shop accepted, which code it gave."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, ChainIdOffline, Program, Url, WalletFile
from api.cli.rewards import name_fulfilments, summarise

if TYPE_CHECKING:
    from api.wallet.wallet import Sent, Wallet

COLUMNS = ("id", "reward", "quantity", "points", "held", "fulfilled", "refunded", "standing", "height", "fulfilments")
"""What a table of one's own redemptions shows; --json shows all."""
SETTLE_SECONDS_MAX = 86_400.0

Redemption = Annotated[
    str, typer.Argument(metavar="HOLD|TXID", help="The redemption's id, or its transaction's, as `redeem` showed them.")
]


def finish_redeem(wallet: "Wallet", sent: "Sent", *, wait: bool, until_settled: bool, as_json: bool) -> None:
    """Wait as long as is wanted, and print how safe the redemption is."""
    from api.cli.output import print_answer, say

    hold = sent.object_id("hold")
    if wait or until_settled:
        say(f"sent {sent.txid.hex()}; waiting for its block")
        wallet.wait_for(sent)
    shown = wallet.client.redemptions.one(hold)
    if until_settled:
        say(f"{shown['standing']}: {shown['says']}")
        shown = wallet.client.redemptions.wait_settled(hold, seconds_max=SETTLE_SECONDS_MAX)
    status = "confirmed" if shown["confirmations"] else "unconfirmed"
    print_answer(
        {"txid": sent.txid.hex(), "hold": hold.hex(), "status": status, **summarise(shown), "height": shown["height"]},
        as_json=as_json,
    )


def list_own(program: Program, wallet: WalletFile = None, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show what you redeemed in a program: what the shop still owes you, and how safe each redemption is.

    \b
    Example:
      fansumer wallet redemptions 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        address = opened.address_text(opened.program_signer(of_program).address)
        found = list(opened.client.every(opened.client.redemptions.of_account, address))
    if as_json:
        print_json(found)
    else:
        print_rows(map(name_fulfilments, found), COLUMNS)


def show(
    redemption: Redemption,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the shop's acceptance to this file, to be checked offline.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show a redemption: what was handed out, whether it waits, was accepted by the shop, or is settled, and what the shop waits
    for. An acceptance is checked here, not believed.

    \b
    Example:
      fansumer wallet redemption b2b2...b2 --out acceptance.bin
    """
    from base64 import b64decode

    from api.cli.output import UsageFault, print_answer, say
    from api.cli.session import FILE_FAILED, connect, read_id, write_file
    from api.wallet.acceptances import check_acceptance
    from ledger.domains.rewards.acceptance import decode_acceptance
    from ledger.types import ChainId

    wanted = read_id(redemption, "HOLD|TXID")
    with connect(url) as client:
        found = client.redemptions.one(wanted)
        chain_id = ChainId(bytes.fromhex(str(client.chain()["chain_id"])))
    raw = b"" if found["accepted"] is None else b64decode(found["accepted"]["acceptance"])
    if raw:
        check_acceptance(decode_acceptance(raw), chain_id)
    if out is not None:
        if not raw:
            raise UsageFault(FILE_FAILED, path=str(out), reason="the shop has not accepted this redemption")
        write_file(out, raw)
        say(f"The acceptance is in {out}.")
    print_answer(found, as_json=as_json)


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The acceptance, as the shop gave it.")],
    chain_id: ChainIdOffline = None,
    till: Annotated[
        str | None, typer.Option("--till", help="The till's address, as you know it: no other may have signed.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="With --chain-id: the network's prefix, such as dfan.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Check a shop's acceptance: which till signed that it hands out which redemption at its own risk. With --chain-id and --till
    nothing but the till's key is trusted, and no network is needed.

    \b
    Examples:
      fansumer wallet check-acceptance acceptance.bin
      fansumer wallet check-acceptance acceptance.bin --chain-id 0f0f...0f --prefix dfan --till dfan1p...
    """
    from api.cli.output import print_answer, say
    from api.cli.session import connect, naming_file, parse_address, read_bytes, read_id
    from api.named_accounts import name_addresses
    from api.wallet.acceptances import check_acceptance, describe_acceptance
    from api.wallet.errors import WalletError
    from ledger.address import encode_address
    from ledger.domains.rewards.acceptance import decode_acceptance
    from ledger.types import ChainId

    with naming_file(file, "acceptance"):
        signed = decode_acceptance(read_bytes(file))
    if chain_id is None:
        with connect(url) as client:
            chain = client.chain()
        chain_id, prefix = str(chain["chain_id"]), str(chain["address_prefix"])
    if till is not None and prefix is None:
        raise typer.BadParameter("--till needs --prefix where no node is asked")
    expected = None if till is None or prefix is None else parse_address(prefix, till)
    try:
        check_acceptance(signed, ChainId(read_id(chain_id, "--chain-id")), till=expected)
    except WalletError as fault:
        raise name_addresses(fault, lambda address: encode_address(prefix or "", address)) from None
    if till is None:
        say("Signed by the till that it names. That the program lets this till hand out, a node says: chain issuers.")
    print_answer(describe_acceptance(signed, prefix), as_json=as_json)


def prove_code(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The vouchers, as the shop gave them (`brand fulfil --vouchers`)."),
    ] = None,
    redemption: Annotated[
        str | None, typer.Option("--redemption", help="The redemption's id: the node says what the shop committed to.")
    ] = None,
    commitments: Annotated[
        list[str] | None,
        typer.Option("--commitment", help="What the shop committed to, if you have it: no node is asked."),
    ] = None,
    code: Annotated[str | None, typer.Option("--code", help="Instead of FILE: the voucher code.")] = None,
    salt: Annotated[str | None, typer.Option("--salt", help="With --code: its salt, 64 hexadecimal digits.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Prove a voucher code against its commitment: that this code, and no other, is what the shop handed out.

    \b
    Examples:
      fansumer wallet prove-code vouchers.json --redemption b2b2...b2
      fansumer wallet prove-code --code SPRING-7Q2 --salt 0a0a...0a --commitment c0c0...c0
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id, read_text
    from api.wallet.vouchers import Voucher, commitments_of, prove_vouchers, read_vouchers

    if (file is None) == (code is None) or (code is None) != (salt is None):
        raise typer.BadParameter("name either FILE, or --code with --salt")
    if (redemption is None) == (not commitments):
        raise typer.BadParameter("name what the shop committed to: either --redemption or --commitment")
    vouchers = (
        read_vouchers(read_text(file)) if file is not None else [Voucher(str(code), read_id(str(salt), "--salt"))]
    )
    if redemption is None:
        known = {read_id(text, "--commitment").hex() for text in commitments or ()}
    else:
        wanted = read_id(redemption, "--redemption")
        with connect(url) as client:
            known = commitments_of(client.redemptions.one(wanted))
    rows = prove_vouchers(vouchers, known)
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)
