"""`fansumer wallet messages`, `recommendations`, `feedback`, `preferences`, `profile`: what a program says to a fan, and why."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.fan_words import in_words
from api.cli.options import DEFAULT_URL, AsJson, Program, Url, WalletFile

profile_app = typer.Typer(no_args_is_help=True, help="What a program's personalization knows of you, by your consent.")

MessageId = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id: 64 hexadecimal digits.")]


VALUE_PARTS = ("trust", "relevance", "timeliness", "benefit_minutes", "effort_minutes", "data_minutes")


class Channel(StrEnum):
    """Where messages may come."""

    INBOX = "inbox"
    STREAM = "stream"
    WEBHOOK = "webhook"


class Deed(StrEnum):
    """What was done with a message."""

    OPENED = "opened"
    CLICKED = "clicked"
    CONVERTED = "converted"
    DISMISSED = "dismissed"
    OPT_OUT = "opt_out"
    IMPRESSION = "impression"


class Language(StrEnum):
    """In which messages are shown."""

    EN = "en"
    KO = "ko"


def messages(
    program: Program,
    why: Annotated[
        bool, typer.Option("--why", help="Show the reasons, the rule, the value and the consent, too.")
    ] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what a program has to say to you now, what helps first.

    \b
    Example:
      fansumer wallet messages 5f5f...5f --why
    """
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        sign = opened.owner(of_program)
        found = opened.client.personal.messages(sign, of_program)["items"]
        needs_words = not as_json and (why or not found)
        language = opened.client.personal.preferences(sign, of_program)["language"] if needs_words else "en"
    if as_json:
        print_json(found)
    elif not found:
        say(in_words("nothing_now", language))
    elif not why:
        print_rows(found, ("id", "topic", "text"))
    else:
        for message in found:
            _explain(message, language)


def _explain(message: Mapping[str, Any], language: str) -> None:
    typer.echo(f"{message['text']}\n  {message['id']}")
    for fact in message["why"]:
        typer.echo(f"  {in_words(fact['rests_on'], language)}: {fact['texts'].get(language) or fact['texts']['en']}")
    about = "".join(f", {name} {text}" for name, text in message["action"].items() if name not in ("kind", "text"))
    typer.echo(f"  {in_words('can_do', language)}: {message['action']['kind']}{about}")
    value, rule, maker = message["value"], message["rule"], message["made_by"]
    typer.echo(
        f"  {in_words('rule', language)}: {rule['name']} {rule['version']}; "
        f"{in_words('made_by', language)}: {maker['stage']} ({maker['version']})"
    )
    typer.echo(f"  {in_words('worth', language, minutes=value['value_minutes'])} = {value['formula']}")
    typer.echo(f"    {', '.join(f'{part} {value[part]}' for part in VALUE_PARTS)}")
    used = message["consent"]
    scopes = ", ".join((*used["scopes"], *used.get("linked_programs", ())))
    typer.echo(f"  {in_words('consent', language)}: {used['purpose']} ({scopes})")
    typer.echo(
        f"  {in_words('to_stop', language)}: fansumer wallet preferences {message['program']} --off {message['switch']['off']}\n"
    )


def recommendations(
    program: Program,
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="At most so many of each.")] = 10,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what you may not know yet, and what you may need again; each with its reasons.

    \b
    Example:
      fansumer wallet recommendations 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        found = opened.client.personal.recommendations(opened.owner(of_program), of_program, limit=limit)
    if as_json:
        print_json(found)
        return
    for name in ("discoveries", "next_basket"):
        typer.echo(name)
        print_rows([{**item, "why": " ".join(fact["text"] for fact in item["why"])} for item in found[name]])


def feedback(
    program: Program,
    message: MessageId,
    deed: Annotated[Deed, typer.Argument(help="What you did with it.")],
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Say what you did with a message; `opt_out` stops its kind at once.

    \b
    Example:
      fansumer wallet feedback 5f5f...5f 7c7c...7c dismissed
    """
    import time

    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    event = {"message": read_id(message, "MESSAGE").hex(), "kind": deed.value, "at": int(time.time())}
    with open_wallet(url, wallet) as opened:
        answer = opened.client.personal.give_feedback(opened.owner(of_program), of_program, [event])
    result = answer["items"][0]
    print_answer(result, as_json=as_json)
    if result["result"] not in ("taken", "repeated"):
        raise typer.Exit(1)


def preferences(
    program: Program,
    language: Annotated[Language | None, typer.Option("--language", help="In which language.")] = None,
    channel: Annotated[
        Channel | None, typer.Option("--channel", help="Where: `webhook` needs your consent to contact, too.")
    ] = None,
    quiet: Annotated[
        str | None,
        typer.Option("--quiet", help="Quiet hours by the shop's clock, such as 21:00-08:00; `none` for none."),
    ] = None,
    day_max: Annotated[
        int | None, typer.Option("--day-max", min=0, max=20, help="Messages that sell, of a day.")
    ] = None,
    week_max: Annotated[
        int | None, typer.Option("--week-max", min=0, max=100, help="Messages that sell, of a week.")
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option(
            "--off", help="A topic that shall never come again; one that is not known is refused with a list."
        ),
    ] = None,
    on: Annotated[list[str] | None, typer.Option("--on", help="A topic that may come again.")] = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show how and when a program may speak to you, or change what you name; the rest stays as it is.

    \b
    Example:
      fansumer wallet preferences 5f5f...5f --language ko --quiet 21:00-08:00 --day-max 1 --off winning_back
    """
    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    changes: dict[str, Any] = {
        "language": language and language.value,
        "channel": channel and channel.value,
        "day_max": day_max,
        "week_max": week_max,
    }
    if quiet is not None:
        changes["quiet_from"], changes["quiet_until"] = _read_quiet(quiet)
    changes = {name: value for name, value in changes.items() if value is not None}
    with open_wallet(url, wallet) as opened:
        sign, calls = opened.owner(of_program), opened.client.personal
        found = dict(calls.preferences(sign, of_program))
        if off or on:
            changes["off"] = sorted({*found["off"], *(off or ())} - set(on or ()))
        if changes:
            said = {name: found[name] for name in found["said"]}
            found = dict(calls.put_preferences(sign, of_program, {**said, **changes}))
    found.pop("program")
    found.pop("said")
    if not as_json:
        begin, end = found.pop("quiet_from"), found.pop("quiet_until")
        found["quiet"] = "none" if begin == end else f"{_show_minute(begin)}-{_show_minute(end)}"
        if found["channel"] == Channel.WEBHOOK:
            say("The webhook also needs: fansumer wallet consent grant PROGRAM --purpose contact --scope webhook")
        found["off"] = ", ".join(found["off"]) or "-"
        found["answers"] = ", ".join(f"{name} = {answer}" for name, answer in found["answers"].items()) or "-"
    print_answer(found, as_json=as_json)


def _show_minute(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _read_quiet(text: str) -> tuple[int, int]:
    """Minutes of the day from HH:MM-HH:MM."""
    if text == "none":
        return 0, 0
    begin, _, end = text.partition("-")
    return _read_minute(begin), _read_minute(end)


def _read_minute(text: str) -> int:
    hour, _, minute = text.strip().partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise typer.BadParameter(f"{text[:20]!r} is no time of the day; write 21:00-08:00", param_hint="--quiet")
    return int(hour) * 60 + int(minute)


@profile_app.command()
def show(
    program: Program,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to a file, to keep or to take along.")] = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what a program's personalization knows of you: taste, rhythm, stage, and who guessed what.

    \b
    Example:
      fansumer wallet profile show 5f5f...5f --out profile.json
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id, write_file
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        found = opened.client.personal.profile(opened.owner(of_program), of_program)
    if out is not None:
        write_file(out, json.dumps(found, indent=2, ensure_ascii=False).encode())
        print_answer({"file": str(out), "stage": found["stage"], "items": len(found["items"])}, as_json=as_json)
    else:
        print_answer(found, as_json=as_json)


@profile_app.command()
def correct(
    program: Program,
    like: Annotated[list[str] | None, typer.Option("--like", help="A category or product that you like.")] = None,
    dislike: Annotated[list[str] | None, typer.Option("--dislike", help="One that shall never be recommended.")] = None,
    wish: Annotated[list[str] | None, typer.Option("--wish", help="One that you wish for.")] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", help="Take these from a profile that `show --out` wrote, also of another program."),
    ] = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Correct the profile. All that you name takes the place of all that you said before: what you leave out is forgotten.

    \b
    Example:
      fansumer wallet profile correct 5f5f...5f --like COFFEE --dislike "PET FOOD"
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    if from_file is None and not (like or dislike or wish):
        raise typer.BadParameter("name what you like, dislike or wish for; `profile reset` forgets it")
    of_program = ProgramId(read_id(program, "PROGRAM"))
    said = {"likes": like or [], "dislikes": dislike or [], "wishes": wish or []}
    if from_file is not None:
        taken = _read_profile(from_file)
        said = {name: [*taken[name], *found] for name, found in said.items()}
    with open_wallet(url, wallet) as opened:
        found = dict(opened.client.personal.correct(opened.owner(of_program), of_program, said))
    shown = (
        found
        if as_json
        else {name: ", ".join(value) if isinstance(value, list) else value for name, value in found.items()}
    )
    print_answer(shown, as_json=as_json)


def _read_profile(path: Path) -> dict[str, list[str]]:
    """Likes, dislikes and wishes of a profile's file. Raises UsageFault cli.bad_file."""
    from api.cli.output import UsageFault
    from api.cli.session import BAD_FILE, read_text

    try:
        found = json.loads(read_text(path))
        return {name: [str(item) for item in found[name]] for name in ("likes", "dislikes", "wishes")}
    except (ValueError, KeyError, TypeError):
        raise UsageFault(
            BAD_FILE, path=str(path), what="profile", reason="it is not what `profile show --out` writes"
        ) from None


@profile_app.command()
def reset(
    program: Program,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Let a program's personalization begin anew: nothing before now counts any more. Receipts and points stay.

    \b
    Example:
      fansumer wallet profile reset 5f5f...5f
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        if not yes:
            typer.confirm(
                "Forget behaviour, messages, feedback, answers and corrections? What you switched off stays off.",
                abort=True,
                err=True,
            )
        found = opened.client.personal.reset(opened.owner(of_program), of_program)
    print_answer(found, as_json=as_json)
