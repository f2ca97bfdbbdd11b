# SPDX-License-Identifier: Apache-2.0
"""Sealed start: the keys lie sealed on the disk, custodians' shares open them into memory, and the log says who and when."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections

from lib.pier import Pier, released
from lib.town import codes, done
from lib.witnessing import log_of
from zhanqiao.desk import sealed_keys
from zhanqiao.desk.audit import audit
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.operation.backup import back_up
from zhanqiao.desk.operation.doctor import examine
from zhanqiao.desk.operation.restore import restore
from zhanqiao.desk.operation.rights import RightsReport, audit_rights
from zhanqiao.desk.operation.sealing import seal, split_keys, unseal
from zhanqiao.desk.operation.upgrade import upgrade
from zhanqiao.desk.seats import add_witness
from zhanqiao.desk.serving import walls
from zhanqiao.desk.shares import Share, read
from zhanqiao.identity import register
from zhanqiao.ledger import durable
from zhanqiao.ledger.book import founding
from zhanqiao.ledger.cosigning import Witness
from zhanqiao.ledger.replay import facts_of
from zhanqiao.ledger.witnesses import Seat
from zhanqiao.terms.refusals import Refusal

CUSTODIANS = ("sysadmin", "secadmin", "auditadmin", "auditor", "bureau-officer")
STATEMENT = "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district"


@pytest.fixture
def split(pier: Pier, tmp_path: Path) -> Iterator[list[str]]:
    """The pier, its keys sealed 3 of 5 and open in memory still; the shares as custodians write them."""
    files = done(split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin"))
    yield [files[one].read_text().strip() for one in CUSTODIANS]
    shutil.rmtree(sealed_keys.memory_of(pier.home), ignore_errors=True)


def plain_keys(home: Path) -> list[Path]:
    return [home / "keys" / name for name in sealed_keys.FILES if (home / "keys" / name).exists()]


def test_sealed_keys_open_nothing_and_three_shares_open_them(pier: Pier, split: list[str]) -> None:
    assert plain_keys(pier.home) == []
    released(pier.reopened().ask(STATEMENT))
    assert seal(pier.home) is None
    refused = open_house(pier.home)
    assert codes(refused) == ["keys-sealed"]
    ran = pier.command("ask", STATEMENT, "--agreement", pier.agreements["statistics"], "--as", "bank-analyst")
    assert ran.returncode == 1
    assert "keys unseal" in ran.stdout

    assert done(unseal(pier.home, [split[4], split[0], split[2]])) == ("bureau-officer", "sysadmin", "auditadmin")
    after = pier.reopened()
    released(after.ask(STATEMENT))
    audit(after.house)
    assert plain_keys(pier.home) == []
    [told] = after.events("keys.split")
    assert (told["by"], told["facts"]["threshold"], told["facts"]["custodians"]) == ("sysadmin", 3, list(CUSTODIANS))
    assert len(after.events("platform.sealed")) == 1
    [opened] = after.events("platform.unsealed")
    assert opened["facts"] == {"custodians": ["bureau-officer", "sysadmin", "auditadmin"]}


def test_whoever_holds_a_share_is_told_what_is_wrong_with_it(pier: Pier, split: list[str], tmp_path: Path) -> None:
    seal(pier.home)
    slip = split[2].replace(split[2][10], "0" if split[2][10] != "0" else "1", 1)
    other = Share(split[0][:4], 9, bytes(16)).written()
    for given, expected in (
        (split[:2], ["shares-too-few"]),
        ([], ["shares-too-few"]),
        ([*split[:2], split[1]], ["share-twice"]),
        ([*split[:2], slip], ["share-malformed"]),
        ([*split[:2], other], ["share-of-another-set"]),
        (["", "x", *split[:2]], ["share-malformed", "share-malformed"]),
        ([*split[:2], Share(split[2][:4], 3, bytes(16)).written()], ["shares-wrong"]),
    ):
        assert codes(unseal(pier.home, given)) == expected
        assert codes(open_house(pier.home)) == ["keys-sealed"]
    # As somebody types it, who has a pen and capitals.
    first, second, third = split[:3]
    typed = [first.upper().replace("-", " - "), second.replace("-", ""), third.replace("-", "\u2013")]
    assert done(unseal(pier.home, typed)) == CUSTODIANS[:3]
    assert codes(unseal(pier.home, split[:3])) == ["keys-open-already"]


def test_new_shares_take_the_place_of_the_old_ones(pier: Pier, split: list[str], tmp_path: Path) -> None:
    again = done(split_keys(pier.house, 2, CUSTODIANS[:2], tmp_path / "again", "sysadmin"))
    released(pier.reopened().ask(STATEMENT))
    seal(pier.home)
    refused = unseal(pier.home, split[:3])
    assert set(codes(refused)) <= {"share-of-another-set", "shares-wrong"}
    assert done(unseal(pier.home, [file.read_text() for file in again.values()])) == CUSTODIANS[:2]
    audit(pier.reopened().house)


@pytest.mark.parametrize("anew", [False, True], ids=["first", "anew"])
def test_a_split_that_fails_leaves_keys_and_their_custodians_as_they_were(
    pier: Pier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    """On a full disk, say: memory too holds what it held, no share is left that opens nothing, and the log says so."""
    former: dict[str, Path] = {}
    if anew:
        former = done(split_keys(pier.house, 2, CUSTODIANS[:2], tmp_path / "former", "sysadmin"))
    whole = durable.write_whole

    def full(path: Path, content: bytes, **more: object) -> None:
        if path.name == sealed_keys.SEALED:
            raise durable.full()
        whole(path, content, **more)

    try:
        with monkeypatch.context() as patched, pytest.raises(durable.DiskFull):
            patched.setattr(durable, "write_whole", full)
            split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin")
        assert list((tmp_path / "shares").iterdir()) == []
        after = pier.reopened()
        assert len(after.events("keys.split-failed")) == 1
        audit(after.house)
        released(after.ask(STATEMENT))
        assert sealed_keys.is_sealed(pier.home / "keys") is anew
        if anew:
            assert seal(pier.home) is None
            assert done(unseal(pier.home, [file.read_text() for file in former.values()])) == CUSTODIANS[:2]
    finally:
        shutil.rmtree(sealed_keys.memory_of(pier.home), ignore_errors=True)


def _after_its_name(real, *_words):
    """The seal has its name, and the disk says that it may not last."""

    def written(path: Path, content: bytes, **more: object) -> None:
        real(path, content, **more)
        if path.name == sealed_keys.SEALED:
            raise OSError(5, "Input/output error")

    return written


def _while_removing(real, left: int):
    """Interrupted, or refused by the disk, when so many plain keys are gone."""
    gone = []

    def unlink(path: Path) -> None:
        if len(gone) == left:
            raise KeyboardInterrupt
        gone.append(path)
        real(path)

    return unlink


@pytest.mark.parametrize("anew", [False, True], ids=["first", "anew"])
@pytest.mark.parametrize("at", ["named", 0, 1, 2])
def test_a_split_that_fails_late_is_in_force_with_its_shares(
    pier: Pier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool, at: str | int
) -> None:
    """Once the new seal has its name nothing else opens the keys: its shares stay, whatever fails after it."""
    if anew:
        done(split_keys(pier.house, 2, CUSTODIANS[:2], tmp_path / "former", "sysadmin"))
        # As if a split before had died while it removed them.
        for name in sealed_keys.FILES:
            (pier.home / "keys" / name).write_bytes((sealed_keys.memory_of(pier.home) / name).read_bytes())
    try:
        with monkeypatch.context() as patched, pytest.raises((OSError, KeyboardInterrupt)):
            if at == "named":
                patched.setattr(durable, "write_whole", _after_its_name(durable.write_whole))
            else:
                late = _while_removing(sealed_keys._unlink_and_overwrite, int(at))
                patched.setattr(sealed_keys, "_unlink_and_overwrite", late)
            split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin")
        assert not pier.events("keys.split-failed")
        # The machine is switched off.
        shutil.rmtree(sealed_keys.memory_of(pier.home))
        if isinstance(open_house(pier.home), Refusal):
            shares = [(tmp_path / "shares" / f"{one}.share").read_text() for one in CUSTODIANS[:3]]
            assert done(unseal(pier.home, shares)) == CUSTODIANS[:3]
        audit(pier.reopened().house)
    finally:
        shutil.rmtree(sealed_keys.memory_of(pier.home), ignore_errors=True)


def test_where_there_is_no_memory_nothing_is_split(pier: Pier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_keys, "file_system_of", lambda _folder: "ext4")
    assert codes(split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin")) == ["memory-missing"]
    assert not (tmp_path / "shares").exists()
    assert (pier.events("keys.split"), len(plain_keys(pier.home))) == ([], 3)


def test_who_opens_a_seal_cannot_be_altered_in_it(pier: Pier, split: list[str]) -> None:
    """The log says whose shares opened the keys, so that nobody may put other names there."""
    seal(pier.home)
    file = pier.home / "keys" / sealed_keys.SEALED
    sound = file.read_text()
    for altered in (sound.replace('"secadmin"', '"bank-analyst"'), sound.replace('"threshold": 3', '"threshold": 2')):
        assert altered != sound
        file.write_text(altered)
        assert codes(unseal(pier.home, split[:3])) == ["shares-wrong"]
    file.write_text(sound)
    done(unseal(pier.home, split[:3]))


def test_keys_of_which_the_log_does_not_say_who_opened_them_are_sealed(pier: Pier, split: list[str]) -> None:
    """Who dies in between has opened nothing, and opens them again."""
    assert seal(pier.home) is None
    done(sealed_keys.unseal(pier.home, split[:3]))
    assert codes(open_house(pier.home)) == ["keys-sealed"]
    assert done(unseal(pier.home, split[1:4])) == CUSTODIANS[1:4]
    assert [one["facts"] for one in pier.reopened().events("platform.unsealed")] == [
        {"custodians": list(CUSTODIANS[1:4])}
    ]


def test_keys_are_taken_out_of_memory_whatever_else_is_wrong(pier: Pier, split: list[str], tmp_path: Path) -> None:
    settings = pier.home / "zhanqiao.toml"
    sound = settings.read_text()
    settings.write_text(f"{sound}\nunknown = 1\n")
    assert codes(seal(pier.home))[0] == "sealed-unlogged"
    assert not sealed_keys.memory_of(pier.home).exists()
    settings.write_text(sound)
    # Those that one who died left there, under whatever name.
    (sealed_keys.MEMORY / f"{sealed_keys.memory_of(pier.home).name}-died").mkdir(mode=0o700)
    assert codes(seal(pier.home))[0] == "sealed-unlogged"
    assert codes(seal(pier.home)) == ["keys-sealed-already"]
    # And those of the folder before it was moved; not those of a copy that is open elsewhere.
    done(unseal(pier.home, split[:3]))
    connections.close_all()
    copy = Path(shutil.copytree(pier.home, tmp_path / "copy", symlinks=True))
    done(unseal(copy, split[:3]))
    connections.close_all()
    there, moved = sealed_keys.memory_of(pier.home), tmp_path / "moved"
    try:
        assert seal(copy) is None
        assert there.exists()
        pier.home.rename(moved)
        assert codes(seal(moved))[0] == "sealed-unlogged"
        assert not there.exists()
    finally:
        moved.rename(pier.home)
        shutil.rmtree(there, ignore_errors=True)


def test_keys_of_a_deployment_that_is_gone_are_taken_out_of_memory(pier: Pier, split: list[str]) -> None:
    """A rehearsal that was removed while it was open."""
    memory = sealed_keys.memory_of(pier.home)
    assert memory.exists()
    shutil.rmtree(pier.home)
    assert seal(pier.home) is None
    assert not memory.exists()
    assert codes(seal(pier.home)) == ["no-deployment"]


def test_open_keys_whose_sealed_form_is_away_are_kept(pier: Pier, split: list[str], tmp_path: Path) -> None:
    """They may be the last copy."""
    memory, keys = sealed_keys.memory_of(pier.home), pier.home / "keys"
    keys.rename(tmp_path / "away")
    assert codes(seal(pier.home)) == ["keys-away"]
    (tmp_path / "away").rename(keys)
    (keys / sealed_keys.SEALED).rename(tmp_path / "seal")
    assert codes(seal(pier.home)) == ["keys-away"]
    assert memory.exists()
    (tmp_path / "seal").rename(keys / sealed_keys.SEALED)
    assert seal(pier.home) is None


def test_a_seal_that_an_editor_has_saved_again_is_the_same(pier: Pier, split: list[str]) -> None:
    assert seal(pier.home) is None
    with (pier.home / "keys" / sealed_keys.SEALED).open("a") as file:
        file.write("\n\n")
    done(unseal(pier.home, split[:3]))
    released(pier.reopened().ask(STATEMENT))


def test_a_former_seal_that_was_put_back_is_found(pier: Pier, split: list[str], tmp_path: Path) -> None:
    file = pier.home / "keys" / sealed_keys.SEALED
    former = file.read_bytes()
    again = done(split_keys(pier.house, 2, CUSTODIANS[:2], tmp_path / "again", "sysadmin"))
    assert differing_keys(pier) == []
    in_force = file.read_bytes()
    assert seal(pier.home) is None
    file.write_bytes(former)
    done(unseal(pier.home, split[:3]))
    assert differing_keys(pier) == ["seal-of-another-set"]
    assert seal(pier.home) is None
    file.write_bytes(in_force)
    done(unseal(pier.home, [one.read_text() for one in again.values()]))
    assert differing_keys(pier) == []


def differing_keys(pier: Pier) -> list[str]:
    report = audit_rights(pier.reopened().house, "auditadmin")
    assert isinstance(report, RightsReport)
    return [one.reason.code for one in report.differences if one.check == "keys"]


def test_a_custodian_who_left_is_a_wall_that_is_missing(pier: Pier, split: list[str]) -> None:
    assert not list(walls.custodians(pier.home))
    done(register.dismiss(pier.house.book, "auditor", "sysadmin"))
    assert [(one.code, one.facts["person"]) for one in walls.custodians(pier.home)] == [
        ("wall-custodian-left", "auditor")
    ]
    found = [
        one.reason.code for one in done(examine(pier.home)) if one.reason is not None and one.check == "custodians"
    ]
    assert found == ["wall-custodian-left"]


def test_who_left_holds_no_share(pier: Pier, tmp_path: Path) -> None:
    done(register.dismiss(pier.house.book, "auditor", "sysadmin"))
    assert codes(split_keys(pier.house, 3, CUSTODIANS, tmp_path / "shares", "sysadmin")) == ["person-inactive"]


def test_a_state_of_an_older_version_is_upgraded_while_the_keys_are_sealed(pier: Pier, split: list[str]) -> None:
    with founding():
        call_command("migrate", "catalogue", "0001", verbosity=0)
    sealed_keys.seal_again(pier.home)
    assert codes(unseal(pier.home, split[:3])) == ["state-older"]
    assert codes(upgrade(pier.home)) == ["keys-sealed"]
    assert codes(upgrade(pier.home, split[:2])) == ["shares-too-few"]
    assert codes(open_house(pier.home)) == ["keys-sealed"]
    assert done(upgrade(pier.home, split[:3])) == ("catalogue.0002_high_water", "catalogue.0003_files_of_a_delivery")
    after = pier.reopened()
    assert after.events("platform.unsealed")[-1]["facts"] == {"custodians": list(CUSTODIANS[:3])}


def test_what_a_split_that_died_has_left_is_a_wall_until_it_is_removed(pier: Pier, split: list[str]) -> None:
    (left := pier.home / "keys" / "vault" / "kek.key").write_bytes(b"left")
    assert [one.code for one in walls.keys(pier.home, "production")] == ["wall-keys-unsealed"]
    assert codes(unseal(pier.home, split[:3])) == ["keys-open-already"]
    assert not left.exists()
    assert not list(walls.keys(pier.home, "production"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder away")
def test_root_does_not_work_in_what_is_anothers(pier: Pier, split: list[str], tmp_path: Path) -> None:
    """What it wrote there the owner could not read: the keys, for one."""
    house = pier.house
    os.chown(pier.home, 65_534, 65_534)
    try:
        assert codes(open_house(pier.home)) == ["home-of-another"]
        assert codes(unseal(pier.home, split[:3])) == ["home-of-another"]
        assert codes(upgrade(pier.home, split[:3])) == ["home-of-another"]
        ran = pier.command(
            "keys", "split", *CUSTODIANS, "--threshold", "3", "--to", str(tmp_path / "s"), "--as", "sysadmin"
        )
        assert (ran.returncode, "home-of-another" in ran.stdout) == (1, True)
        assert not (tmp_path / "s").exists()
    finally:
        os.chown(pier.home, os.geteuid(), os.getegid())
    audit(house)


@pytest.mark.parametrize(
    ("threshold", "custodians", "code"),
    [
        (1, CUSTODIANS, "shares-threshold"),
        (6, CUSTODIANS, "shares-threshold"),
        (2, ("sysadmin", "secadmin", "sysadmin"), "custodian-twice"),
    ],
)
def test_one_person_alone_opens_nothing(pier: Pier, tmp_path: Path, threshold: int, custodians, code: str) -> None:
    refused = split_keys(pier.house, threshold, custodians, tmp_path / "shares", "sysadmin")
    assert codes(refused) == [code]
    assert not (tmp_path / "shares").exists()
    assert len(plain_keys(pier.home)) == 3


def test_who_may_not_split_or_hold_is_refused_and_logged(pier: Pier, tmp_path: Path) -> None:
    for by, custodians, code in (
        ("bank-analyst", CUSTODIANS, "role-missing"),
        ("sysadmin", (*CUSTODIANS, "nobody"), "person-unknown"),
    ):
        assert codes(split_keys(pier.house, 3, custodians, tmp_path / "shares", by)) == [code]
    assert len(pier.events("keys.refused")) == 2
    inside = split_keys(pier.house, 3, CUSTODIANS, pier.home / "shares", "sysadmin")
    assert codes(inside) == ["shares-inside"]
    assert len(plain_keys(pier.home)) == 3
    audit(pier.house)


def test_a_restore_of_sealed_keys_takes_shares(pier: Pier, split: list[str], tmp_path: Path) -> None:
    done(back_up(pier.house, tmp_path / "b.tar"))
    again = tmp_path / "again"
    assert codes(restore(tmp_path / "b.tar", again, pier.home / "keys", None)) == ["shares-too-few"]
    assert not again.exists()
    assert not sealed_keys.memory_of(again).exists()
    restored = done(restore(tmp_path / "b.tar", again, pier.home / "keys", None, shares=split[1:4]))
    try:
        assert plain_keys(again) == []
        audit(restored.house)
        # Once more to where it lay, with its keys still in memory: the folder was removed, for a rehearsal.
        shutil.rmtree(again)
        connections.close_all()
        restored = done(restore(tmp_path / "b.tar", again, pier.home / "keys", None, shares=split[1:4]))
        audit(restored.house)
        [told] = [event for event in restored.house.book.events() if event.kind == "platform.restored"]
        assert facts_of(told)["custodians"] == list(CUSTODIANS[1:4])
    finally:
        shutil.rmtree(sealed_keys.memory_of(again))
        pier.reopened()


def test_witnesses_are_named_while_the_keys_are_sealed_on_the_disk(
    pier: Pier, split: list[str], tmp_path: Path
) -> None:
    house = pier.reopened().house
    witness = Witness.found(tmp_path / "w", "court.example", [log_of(pier.home)], house.clock)
    assert add_witness(house, Seat("court", "http://127.0.0.1:1", witness.verifier), "sysadmin") is None
    assert open_house(pier.home) is not None
    audit(pier.reopened().house)


def test_sealed_keys_are_one_wall_less_to_name(pier: Pier, split: list[str]) -> None:
    walls = {one.reason.code for one in done(examine(pier.home)) if one.reason is not None}
    assert "wall-keys-beside-data" not in walls
    assert differing_keys(pier) == []
    (pier.home / "keys" / "vault" / "kek.key").write_bytes(b"left")
    (pier.home / "keys" / "vault" / "kek.key").chmod(0o600)
    assert differing_keys(pier) == ["key-left-open"]


def test_by_command_line(pier: Pier, tmp_path: Path) -> None:
    def run(*words: str, shares: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        given = () if shares is None else ("--shares-fd", "0")
        return pier.command(*words, *given, "--lang", "en", given="\n".join(shares or []))

    try:
        assert "not sealed" in run("keys", "show").stdout
        assert json.loads(run("keys", "show", "--json").stdout) == {"status": "plain"}
        assert "keys-not-sealed" in run("keys", "unseal").stdout, "before anybody is asked for a share"
        assert codes(unseal(tmp_path / "none", [])) == codes(seal(tmp_path / "none")) == ["no-deployment"]
        made = run("keys", "split", *CUSTODIANS, "--threshold", "3", "--to", str(tmp_path / "s"), "--as", "sysadmin")
        assert made.returncode == 0, made.stdout
        shares = [(tmp_path / "s" / f"{one}.share").read_text() for one in CUSTODIANS]
        assert "open in memory; any 3 of" in run("keys", "show").stdout
        assert run("keys", "seal").returncode == 0
        assert "are sealed; any 3 of sysadmin" in run("keys", "show").stdout
        sealed = run("people", "show")
        assert (sealed.returncode, "keys-sealed" in sealed.stdout) == (1, True)
        assert run("keys", "unseal", shares=shares[:2]).returncode == 3
        opened = run("keys", "unseal", shares=shares[:3])
        assert opened.returncode == 0, opened.stdout
        assert "with the shares of sysadmin, secadmin, auditadmin" in opened.stdout
        assert run("ledger", "audit").returncode == 0
    finally:
        shutil.rmtree(sealed_keys.memory_of(pier.home), ignore_errors=True)


def test_every_slip_of_a_digit_is_found() -> None:
    written = Share("1a2b", 3, bytes(range(16))).written()
    assert read([written], "1a2b", 1, 5) == [Share("1a2b", 3, bytes(range(16)))]
    slips = [
        written[:at] + digit + written[at + 1 :]
        for at, was in enumerate(written)
        if was != "-"
        for digit in "0123456789abcdef"
        if digit != was
    ]
    taken = [slip for slip in slips if not codes(read([slip], "1a2b", 1, 5))]
    # Four digits of check: one slip in 65,536 goes unseen, and then opens nothing.
    assert len(taken) <= 1
    assert len(slips) > 500
