"""`fansumer brand products`, `segments`, `plan`, `message-report`, `webhook`: a brand's products, and figures of its fans."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.brand_desk import BrandDesk, Category, Language, Stage, for_brand, name_segment

FEED_BYTES_MAX = 100 * 2**20
"""All products that a program may name (100,000), with long names in both languages."""

webhook_app = typer.Typer(
    no_args_is_help=True, help="Where messages go that fans let out, signed after Standard Webhooks."
)


@webhook_app.command("add")
@for_brand
def add_webhook(
    desk: BrandDesk,
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS",
            help="An https address on the public internet, or what the node runs with as --webhook-host.",
        ),
    ],
) -> Any:
    """Name a webhook; the secret that is printed is shown this once.

    \b
    Example:
      fansumer brand webhook add 5f5f...5f https://shop.example/fansumer
    """
    if not address.startswith(("https://", "http://")):
        raise typer.BadParameter("it begins with https://", param_hint="ADDRESS")
    return desk.calls.make_webhook(desk.sign, desk.program, address)


@webhook_app.command("list")
@for_brand
def list_webhooks(desk: BrandDesk) -> Any:
    """Show webhooks, and how many messages wait, arrived, or were lost.

    \b
    Example:
      fansumer brand webhook list 5f5f...5f
    """
    return desk.calls.webhooks(desk.sign, desk.program)["items"]


@webhook_app.command("drop")
@for_brand
def drop_webhook(
    desk: BrandDesk,
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id: 32 hexadecimal digits.")],
) -> Any:
    """Delete a webhook; what waits for it is deleted, too.

    \b
    Example:
      fansumer brand webhook drop 5f5f...5f 3e3e...3e
    """
    try:
        wanted = bytes.fromhex(webhook)
    except ValueError:
        raise typer.BadParameter("it is 32 hexadecimal digits", param_hint="WEBHOOK") from None
    return desk.calls.drop_webhook(desk.sign, desk.program, wanted)


@for_brand
def products(
    desk: BrandDesk,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help='JSON: {"zone": "Europe/Berlin", "products": [{"item": "...", ...}]}.'),
    ],
    add: Annotated[bool, typer.Option("--add", help="Keep products that the file does not name.")] = False,
) -> Any:
    """Publish what your products are: names in English and Korean, categories, prices, stock, recalls. /docs has an example.

    \b
    Example:
      fansumer brand products 5f5f...5f products.json
    """
    from api.cli.output import UsageFault
    from api.cli.session import BAD_FILE, read_text

    try:
        found = json.loads(read_text(file, FEED_BYTES_MAX))
        listed, zone = list(found["products"]), str(found.get("zone", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageFault(
            BAD_FILE, path=str(file), what="product feed", reason="it is no JSON object with `products`"
        ) from None
    return desk.calls.put_products(desk.sign, desk.program, listed, zone=zone, whole=not add)


@for_brand
def drop_products(
    desk: BrandDesk, yes: Annotated[bool, typer.Option("--yes", help="Do not ask before taking it down.")] = False
) -> Any:
    """Take your product feed down, with the shop's zone. Messages speak of no product then, until you publish them again.

    \b
    Example:
      fansumer brand drop-products 5f5f...5f
    """
    if not yes:
        typer.confirm("Take all products of this program down?", abort=True, err=True)
    return desk.calls.drop_products(desk.sign, desk.program)


@for_brand
def segments(desk: BrandDesk) -> Any:
    """Show groups of at least ten fans who let your program personalise; each fan sees that it was counted.

    \b
    Example:
      fansumer brand segments 5f5f...5f
    """
    return desk.calls.segments(desk.sign, desk.program)


@for_brand
def plan(
    desk: BrandDesk,
    topic: Annotated[str, typer.Argument(help="Of the messages: discovery, winning_back, offer_waiting, ...")],
    points: Annotated[int, typer.Option("--points", min=0, help="For each fan.")] = 0,
    budget: Annotated[int, typer.Option("--budget", min=0, help="In points, altogether.")] = 0,
    stage: Stage = None,
    category: Category = None,
    language: Language = None,
) -> Any:
    """Show whom messages of a topic would reach and what they would cost. Nothing is sent. For offers: `brand offers plan`.

    \b
    Example:
      fansumer brand plan 5f5f...5f winning_back --stage cooling --points 20 --budget 2000
    """
    said = {"topic": topic, "points_each": points, "budget_points": budget, **name_segment(stage, category, language)}
    return desk.calls.plan(desk.sign, desk.program, said)


@for_brand
def message_report(desk: BrandDesk) -> Any:
    """Show what messages brought by topic, against fans who were held out, and what opt-outs cost.

    \b
    Example:
      fansumer brand message-report 5f5f...5f
    """
    return desk.calls.report(desk.sign, desk.program)
