# SPDX-License-Identifier: Apache-2.0
"""Small mistakes at the command line are answered with what was meant, and what is not known is not called sound."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lib.pier import Pier, released
from lib.town import codes
from lib.witnessing import log_of
from zhanqiao.agreements import lifecycle
from zhanqiao.agreements.contract import Granted
from zhanqiao.catalogue import shelf
from zhanqiao.desk.cli import agreement as agreement_command
from zhanqiao.desk.cli import app
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.doctor import examine
from zhanqiao.desk.operation.restore import Restored, restore
from zhanqiao.desk.seats import add_witness
from zhanqiao.ledger.cosigning import Witness
from zhanqiao.ledger.witnesses import Seat
from zhanqiao.terms.refusals import Refusal

BY_DISTRICT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_a_language_that_is_not_spoken_is_no_language(pier: Pier) -> None:
    ran = typed("ledger", "show", "--lang", "zn", "--home", str(pier.home))
    assert ran.exit_code == 2
    assert "zh or en" in ran.output


def test_the_version_is_told() -> None:
    ran = typed("--version")
    assert ran.exit_code == 0
    assert ran.output.startswith("zhanqiao ")


def test_a_misspelt_verb_of_sql_is_recognised(pier: Pier) -> None:
    outcome = pier.ask("SELCT count(*) FROM pension_enrolment")
    assert codes(outcome) == ["form-not-select"]
    assert "Did you mean select?" in outcome.reasons[0].remedy("en")  # type: ignore[union-attr]


def test_a_misspelt_kind_of_event_is_not_taken_for_nothing_happened(pier: Pier) -> None:
    pier.ask("SELCT")
    ran = typed("ledger", "show", "--kind", "statistic.refused", "--home", str(pier.home), "--lang", "en")
    assert ran.output == "Nothing in the log says statistic.refused. Did you mean statistics.refused?\n"
    ran = typed("ledger", "show", "--by", "bank-analist", "--home", str(pier.home), "--lang", "en")
    assert ran.output == "Nothing in the log says bank-analist. Did you mean bank-analyst?\n"


def test_a_log_is_named_by_who_founds_it_and_lies_in_no_other(pier: Pier, tmp_path: Path) -> None:
    """Its name is for ever; two cities that left it out would have the same."""
    unnamed = typed("init", "--home", str(tmp_path / "new"), "--profile", "production")
    assert (unnamed.exit_code, (tmp_path / "new").exists()) == (2, False)
    assert "--origin" in unnamed.output
    inside = typed("init", "--home", str(pier.home / "landing" / "new"), "--origin", "a/log", "--json")
    assert json.loads(inside.output)["reasons"][0]["code"] == "home-inside"
    assert not (pier.home / "landing" / "new").exists()
    (tmp_path / "way").symlink_to(pier.home / "landing")
    by_way = typed("init", "--home", str(tmp_path / "way" / "new"), "--origin", "a/log", "--json")
    assert json.loads(by_way.output)["reasons"][0]["code"] == "home-inside"
    assert not (pier.home / "landing" / "new").exists()


@pytest.mark.parametrize(
    "words", ["doctor", "ledger audit", "serve", "keys unseal", "upgrade", "init --origin a/log", "demo"]
)
@pytest.mark.parametrize(
    ("name", "code"),
    [("a" * 300, "path-too-long"), ("/".join("a" * 2050), "path-too-long"), ("a\udcff", "path-not-text")],
)
def test_a_folder_that_no_deployment_can_have_is_named(tmp_path: Path, words: str, name: str, code: str) -> None:
    ran = typed(*words.split(), "--home", str(tmp_path / name), "--lang", "en")
    assert (ran.exit_code, code in ran.output) == (2, True), ran.output
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_name_is_too_long_is_named(pier: Pier, tmp_path: Path) -> None:
    ran = typed("backup", str(tmp_path / ("a" * 260)), "--home", str(pier.home), "--lang", "en")
    assert (ran.exit_code, "path-too-long" in ran.output) == (2, True), ran.output
    assert codes(back_up(pier.reopened().house, tmp_path / ("a" * 250))) == ["backup-not-written"], (
        "with what is added to it"
    )


def test_an_agreement_tells_what_of_it_is_never_answered(pier: Pier) -> None:
    dataset = next(one for one in shelf.all() if one.in_no_cube)
    items = tuple(item.name for item in dataset.items)
    named = agreement_command._in_no_cube(Granted(dataset.name, dataset.department, items))
    assert named == [item.name for item in dataset.in_no_cube]
    assert agreement_command._in_no_cube(Granted("gone", "nobody", items)) == []


def test_a_list_that_was_cut_says_where_it_goes_on(pier: Pier) -> None:
    ran = typed("ledger", "show", "--most", "3", "--home", str(pier.home), "--lang", "en")
    *_, last, more = ran.output.splitlines()
    assert more.startswith("There are more: --from ")
    again = typed("ledger", "show", "--from", more.split()[-1], "--most", "1", "--home", str(pier.home), "--json")
    assert json.loads(again.output)[0]["index"] == int(more.split()[-1]) > int(last.split()[0])
    whole = typed("ledger", "show", "--most", "100000", "--home", str(pier.home), "--lang", "en")
    assert "There are more" not in whole.output
    newest = typed("ledger", "show", "--newest", "--most", "3", "--home", str(pier.home), "--lang", "en")
    last_three = [line.split() for line in whole.output.splitlines()[-3:]]
    assert [line.split() for line in newest.output.splitlines()[1:]] == last_three


def test_an_event_says_what_it_is_about(pier: Pier) -> None:
    shown = typed("ledger", "show", "--kind", "intake.published", "--home", str(pier.home), "--lang", "en")
    about = {line.split()[-1] for line in shown.output.splitlines()[1:]}
    assert about == {dataset.name for dataset in shelf.all()}
    released(pier.ask(BY_DISTRICT))
    shown = typed("ledger", "show", "--kind", "statistics.released", "--home", str(pier.home), "--lang", "en")
    assert shown.output.split()[-1] == pier.agreements["statistics"]
    every = typed("ledger", "show", "--newest", "--home", str(pier.home), "--lang", "en")
    assert "the numbers left out are their envelopes" in every.output


def test_a_log_is_read_by_who_did_it_what_it_is_about_and_when(pier: Pier) -> None:
    released(pier.ask(BY_DISTRICT))

    def shown(*words: str) -> list[dict[str, str]]:
        ran = typed("ledger", "show", "--most", "100000", "--home", str(pier.home), "--json", *words)
        return json.loads(ran.output)  # type: ignore[no-any-return]

    whole = shown()
    asked = shown("--by", "bank-analyst")
    assert asked == [one for one in whole if one["by"] == "bank-analyst"] != []
    under = shown("--about", pier.agreements["statistics"])
    assert {"statistics.released", "agreement.sealed"} <= {one["kind"] for one in under}
    assert all(pier.agreements["statistics"] in json.dumps(one) for one in under if "released" not in one["kind"])
    of_one = {one["kind"] for one in shown("--about", "pension_enrolment")}
    assert {"catalogue.described", "intake.published", "statistics.released"} <= of_one
    assert "statistics.released" not in {one["kind"] for one in shown("--about", "firm_turnover")}
    days = sorted({one["time"][:10] for one in whole})
    assert shown("--since", days[0], "--until", days[-1]) == whole
    assert shown("--since", days[-1]) == [one for one in whole if one["time"][:10] == days[-1]]
    assert shown("--until", "2001-01-01") == []
    ran = typed("ledger", "show", "--about", "nothing", "--home", str(pier.home), "--lang", "en")
    assert "No entry is of that kind" in ran.output
    assert typed("ledger", "show", "--since", "yesterday", "--home", str(pier.home)).exit_code == 2


def test_items_in_no_cube_are_named_when_a_contract_is_shown(pier: Pier) -> None:
    dataset = next(one for one in shelf.all() if one.in_no_cube)
    named = ", ".join(item.name for item in dataset.in_no_cube)
    shown = typed("catalogue", "show", dataset.name, "--home", str(pier.home), "--lang", "en").output
    assert f"no statement is answered from them): {named}" in " ".join(shown.split())


def test_a_backup_does_not_lie_in_the_deployment(pier: Pier, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(pier.home)
    for file in (pier.home / "b.tar", tmp_path / "link" / "vault" / "b.tar"):
        assert codes(back_up(pier.house, file)) == ["file-inside"]
        assert not file.exists()
    assert not pier.events("platform.backup-begun")


def test_a_table_without_rows_says_why(pier: Pier) -> None:
    statement = BY_DISTRICT.replace(" GROUP", " WHERE birth_year = 1900 GROUP")
    asked = ("--agreement", pier.agreements["few"], "--as", "bank-analyst", "--home", str(pier.home), "--lang", "en")
    assert "No published group meets the condition." in typed("ask", statement, *asked).output


def test_a_founding_says_what_stands_and_what_comes_next(tmp_path: Path) -> None:
    ran = typed("init", "--home", str(tmp_path / "new"), "--city", "青岛", "--origin", "zhanqiao/log", "--lang", "en")
    stands, then = ran.output.splitlines()
    assert stands == (
        f"A deployment stands in {tmp_path / 'new'}: city 青岛, profile laptop, log zhanqiao/log (its name can never change)"
    )
    assert then.startswith("Next: zhanqiao people found FILE")


@pytest.mark.parametrize("origin", ["a b", "a+b"])
def test_a_log_of_an_impossible_name_leaves_nothing(tmp_path: Path, origin: str) -> None:
    ran = typed("init", "--home", str(tmp_path / "new"), "--origin", origin, "--json")
    assert [one["code"] for one in json.loads(ran.output)["reasons"]] == ["origin-malformed"]
    assert not (tmp_path / "new").exists()


def test_a_certificate_serves_as_the_checkpoint_that_it_holds(pier: Pier, tmp_path: Path) -> None:
    release = released(pier.ask(BY_DISTRICT))
    back_up(pier.house, tmp_path / "later.tar")
    keys = shutil.copytree(pier.home / "keys", tmp_path / "keys")
    newer = released(pier.reopened().ask(BY_DISTRICT))
    behind = restore(tmp_path / "later.tar", tmp_path / "again", keys, newer.certificate)
    assert codes(behind) == ["backup-behind"]
    assert isinstance(restore(tmp_path / "later.tar", tmp_path / "again", keys, release.certificate), Restored)


def test_no_certificate_at_all_is_told_in_words(tmp_path: Path, pier: Pier) -> None:
    (tmp_path / "page.md").write_text("# 栈桥\n\nwords\n", encoding="utf-8")
    trust = str(pier.home / "public" / "trust.txt")
    ran = typed("verify", str(tmp_path / "page.md"), "--trust", trust, "--lang", "en")
    assert "it is not ASCII text" in ran.output
    assert "codec" not in ran.output
    ran = typed("verify", str(tmp_path / "page.md"), "--trust", str(tmp_path / "page.md"), "--lang", "en")
    assert ran.output.count("cannot be used") == 1


def test_a_witness_command_that_cannot_be_done_does_not_condemn_the_witness(tmp_path: Path) -> None:
    ran = typed("witness", "init", str(tmp_path / "w"), "--name", "w.example", "--log", "garbage", "--lang", "en")
    assert "witness-not-run" in ran.output
    ran = typed("witness", "show", str(tmp_path / "nothing"), "--lang", "en")
    assert ran.exit_code == 4
    assert "witness-not-there" in ran.output


def test_who_did_not_cosign_is_named_by_audit_and_examination(pier: Pier, tmp_path: Path) -> None:
    """Only witnesses can tell that a whole disk was rolled back: an audit without them has not looked at that."""
    assert {one.check: one.reason for one in examine(pier.home)}["witnesses"] is None
    house = pier.reopened().house
    witness = Witness.found(tmp_path / "w", "court.example", [log_of(pier.home)], house.clock)
    nobody = Seat("court", "http://127.0.0.1:1", witness.verifier)
    assert add_witness(house, nobody, "sysadmin") is None
    ran = typed("ledger", "audit", "--home", str(pier.home), "--lang", "en")
    assert ran.exit_code == 0
    assert "Not checked against court" in ran.output
    ran = typed("ledger", "audit", "--home", str(pier.home), "--json")
    assert json.loads(ran.output)["witnesses_unheard"] == ["court"]
    reason = {one.check: one.reason for one in examine(pier.home)}["witnesses"]
    assert reason is not None
    assert reason.code == "wall-witnesses-unheard"


def test_an_agreement_of_who_left_does_not_look_alive(pier):
    assert pier.command("resident", "leave", "rival", "--as", "first-assessor").returncode == 0
    listed = pier.command("agreement", "show", "--lang", "en").stdout.splitlines()
    states = {tuple(line.split()[:1]): line for line in listed if line.startswith("rival ")}
    assert states
    assert all("resident-left" in line and "performing" not in line for line in states.values())
    shown = pier.command("agreement", "show", pier.agreements["rival"], "--lang", "en").stdout
    assert "has left" in shown


def test_who_holds_what_back_of_an_agreement_is_seen_in_words(pier: Pier) -> None:
    """The state alone says that it is performing: only the department's own data is held back."""
    held = pier.agreements["statistics"]
    assert not isinstance(lifecycle.suspend(pier.house.book, held, "hrss-officer"), Refusal)
    said = typed("agreement", "show", held, "--home", str(pier.home), "--lang", "en").output
    assert "hrss holds its own data back" in said
    assert "held back: pension_enrolment (" in said
    assert "statements may use: pension_enrolment" not in said
    assert "statements may use: firm_turnover" in said
    assert "held back from services" not in said
    pension = pier.agreements["pension"]
    assert not isinstance(lifecycle.suspend(pier.house.book, pension, "hrss-officer"), Refusal)
    said = typed("agreement", "show", pension, "--home", str(pier.home), "--lang", "en").output
    assert "held back from services: " in said
    refused = pier.ask(BY_DISTRICT)
    assert codes(refused) == ["dataset-held-back"]
    assert refused.reasons[0].message("en").startswith("hrss holds the dataset pension_enrolment back")  # type: ignore[union-attr]


@pytest.mark.parametrize(("part", "words"), [("ledger/lock", "ledger audit"), (".settings.lock", "ledger audit")])
def test_a_folder_where_a_file_belongs_is_named(pier: Pier, part: str, words: str) -> None:
    (pier.home / part).unlink(missing_ok=True)
    (pier.home / part).mkdir()
    ran = pier.command(*words.split(), "--json")
    [reason] = json.loads(ran.stdout)["reasons"]
    assert (ran.returncode, reason["code"]) == (1, "path-unusable")
    assert str(pier.home / part) in reason["message"]
