"""`fansumer wallet questions` and `answer`: the one question whose answer would change what a program says to a fan."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api.cli.fan_words import in_words
from api.cli.options import DEFAULT_URL, AsJson, Program, Url, WalletFile

QuestionName = Annotated[
    str, typer.Argument(metavar="QUESTION", help="Its name, as `questions` shows it: language, lasts:ITEM, ...")
]


def questions(program: Program, wallet: WalletFile = None, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the question that a program asks you, what it is for, and what your answer would change. There is one at most.

    \b
    Example:
      fansumer wallet questions 5f5f...5f
    """
    from api.cli.output import print_json, say
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        sign = opened.owner(of_program)
        found = opened.client.personal.questions(sign, of_program)["items"]
        language = "en" if as_json else opened.client.personal.preferences(sign, of_program)["language"]
    if as_json:
        print_json(found)
    elif not found:
        say(in_words("no_question", language))
    else:
        _explain(found[0], language)


def _explain(question: Mapping[str, Any], language: str) -> None:
    typer.echo(f"{question['text']}\n  {question['what_for']}")
    for one in question["answers"]:
        typer.echo(f"  {one['answer']}: {one['texts'][language]}")
    typer.echo(f"  {in_words('would_change', language)}: {question['changes']['count']}")
    for change in question["changes"]["first"]:
        for answer, what in change["with"].items():
            shown = in_words("nothing_of_it", language) if what is None else what["text"]
            typer.echo(f"    {answer}: {change['topic']}, {shown}")
    scopes = ", ".join(question["consent"]["scopes"]) or in_words("nothing_of_you", language)
    typer.echo(f"  {in_words('rests_on', language)}: {scopes}; {in_words('ask_nothing', language)}: --off question")
    skip = f"{in_words('or_skip', language)} --skip"
    typer.echo(f"  fansumer wallet answer {question['program']} {question['question']!r} ANSWER   # {skip}")


def answer(
    program: Program,
    question: QuestionName,
    chosen: Annotated[str | None, typer.Argument(metavar="ANSWER", help="One of those that it takes.")] = None,
    skip: Annotated[bool, typer.Option("--skip", help="Do not answer; after three there is no fourth.")] = False,
    take_back: Annotated[bool, typer.Option("--take-back", help="Forget your answer.")] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Answer a question, skip it, or take an answer back. Answers stand among your preferences.

    \b
    Examples:
      fansumer wallet answer 5f5f...5f language ko
      fansumer wallet answer 5f5f...5f lasts:mug --take-back
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    if (chosen is not None) + skip + take_back != 1:
        raise typer.BadParameter("give an answer, or --skip, or --take-back", param_hint="ANSWER")
    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        sign, calls = opened.owner(of_program), opened.client.personal
        if skip:
            found = [one for one in calls.questions(sign, of_program)["items"] if one["question"] == question]
            if not found:
                raise typer.BadParameter("this question is not open", param_hint="QUESTION")
            event = {"message": found[0]["id"], "kind": "dismissed", "at": int(time.time())}
            calls.give_feedback(sign, of_program, [event])
            print_answer({"question": question, "result": "skipped"}, as_json=as_json)
            return
        known = calls.preferences(sign, of_program)
        answers = {name: value for name, value in known["answers"].items() if name != question}
        if take_back and question not in known["answers"]:
            raise typer.BadParameter("you gave no answer to it", param_hint="QUESTION")
        if chosen is not None:
            answers[question] = chosen
        said = {name: known[name] for name in known["said"]}
        calls.put_preferences(sign, of_program, {**said, "answers": answers})
    print_answer({"question": question, "result": "taken back" if take_back else chosen}, as_json=as_json)
