"""scripts/mutate.py: what it tells mutmut, how it reads its answers, and when it is content. mutmut itself is not needed here."""

from pathlib import Path

import pytest

import mutate

KILLED = "    ledger.domains.consent.state.x_has_consent__mutmut_{}: killed\n"
SURVIVOR = "ledger.domains.consent.consent_grant.x_apply__mutmut_4"
SHOWN = """# ledger.domains.consent.consent_grant.x_apply__mutmut_4: survived
--- ledger/domains/consent/consent_grant.py
+++ ledger/domains/consent/consent_grant.py
@@ -8,7 +8,7 @@
     if payload.expires_at:
-        raise RuleViolation(EXPIRY_PASSED, time=context.time)
+        raise RuleViolation(EXPIRY_PASSED, time=None)
     key = 1
"""
EXPLAINED = """# Why they survive

## consent/consent_grant.py

Nobody sees it.

```diff
-raise RuleViolation(EXPIRY_PASSED, time=context.time)
+raise RuleViolation(EXPIRY_PASSED, time=None)

-earlier = 1
```
"""
TAKEN = ("raise RuleViolation(EXPIRY_PASSED, time=context.time)",)
CHANGE = mutate.Change("consent/consent_grant.py", TAKEN, ("raise RuleViolation(EXPIRY_PASSED, time=None)",))


class Run:
    """Runs the script on answers that mutmut would give; its package is an empty folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "mutmut").mkdir()
        self.folder, self.page = folder, folder / "MUTANTS.md"
        self.results = ""
        self.commands: list[tuple[str, ...]] = []
        monkeypatch.setattr(mutate, "call_mutmut", self.answer)
        monkeypatch.setattr(mutate, "EXPLAINED", self.page)

    def answer(self, folder: Path, packages: Path, command: str, *rest: str) -> str:
        """What mutmut would print; and what it was given must be right."""
        assert (folder / "ledger" / "domains" / "consent" / "state.py").is_file()
        settings = (folder / "setup.cfg").read_text()
        assert "only_mutate=ledger/domains/consent/*" in settings
        assert "test_selection=tests/ledger/domains/consent\n" in settings
        assert packages == self.folder
        self.commands.append((command, *rest))
        return {"run": "", "results": self.results, "show": SHOWN}[command]

    def __call__(self, *arguments: str, killed: int = 9, others: str = "", explained: str = "") -> int:
        self.page.write_text(explained)
        self.results = "".join(KILLED.format(number) for number in range(killed)) + others
        return mutate.main([*arguments, "--mutmut", str(self.folder)])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(tmp_path, monkeypatch)


def test_a_domain_whose_mutants_are_all_noticed_is_good(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("consent", others="    ledger.domains.consent.state.x_a__mutmut_1: timeout\n") == 0
    assert "consent               10       9       1        0         0   100.0%" in capsys.readouterr().out


def test_a_survivor_is_shown_as_the_page_would_explain_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("consent", others=f"    {SURVIVOR}: survived\n") == 1
    shown = capsys.readouterr().out
    assert f"## consent/consent_grant.py\n\n```diff\n{CHANGE}\n```\n" in shown
    assert mutate.read_explained(shown) == {CHANGE: 1}
    assert "consent               10       9       0        1         0    90.0%" in shown


def test_a_survivor_that_is_explained_is_good_once(run: Run) -> None:
    survivor = f"    {SURVIVOR}: survived\n"
    assert run("consent", others=survivor, explained=EXPLAINED) == 0
    assert run("consent", others=survivor * 2, explained=EXPLAINED, killed=98) == 1


@pytest.mark.parametrize(("killed", "status"), [(5, 1), (6, 0)])
def test_enough_must_be_noticed_even_if_all_is_explained(run: Run, killed: int, status: int) -> None:
    assert run("consent", others=f"    {SURVIVOR}: survived\n", explained=EXPLAINED, killed=killed) == status


def test_what_no_test_reaches_survives(run: Run) -> None:
    assert run("consent", others=f"    {SURVIVOR}: no tests\n") == 1


@pytest.mark.parametrize(
    ("only", "asked"),
    [
        ("consent_grant", "ledger.domains.consent.consent_grant.*"),
        ("consent_grant.x_apply*", "ledger.domains.consent.consent_grant.x_apply*"),
    ],
)
def test_some_mutants_are_tried_alone(run: Run, only: str, asked: str) -> None:
    assert run("consent", "--only", only, others="    ledger.domains.consent.state.x_a__mutmut_1: not checked\n") == 0
    assert run.commands[0] == ("run", "--max-children", "1", asked)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "no such domain: nowhere; there are accounts, challenges"),
        (("--only", "transfer"), "--only needs one domain"),
        (("consent", "--processes", "0"), "--processes must be at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Run, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


def test_a_module_without_mutants_is_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("consent", "--only", "grant", killed=0) == 2
    assert "there are no mutants of consent in grant" in capsys.readouterr().err


def test_where_mutmut_is_missing_it_says_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mutate.main(["--mutmut", str(tmp_path)]) == 2
    assert f"pip install --target {tmp_path} mutmut" in capsys.readouterr().err


def test_what_mutmut_says_when_it_fails_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "mutmut").mkdir()
    (tmp_path / "mutmut" / "__main__.py").write_text("raise SystemExit('no forks here')\n")
    with pytest.raises(mutate.CannotRunError, match="run failed"):
        mutate.call_mutmut(tmp_path, tmp_path, "run")


def test_the_page_explains_changes_of_files_that_there_are() -> None:
    explained = mutate.read_explained(mutate.EXPLAINED.read_text(encoding="utf-8"))
    assert explained
    for change in explained:
        lines = {line.strip() for line in (mutate.DOMAINS / change.file).read_text(encoding="utf-8").splitlines()}
        assert set(change.taken) <= lines, f"{change.file} has no more the lines\n{change}"
