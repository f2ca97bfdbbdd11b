# SPDX-License-Identifier: Apache-2.0
"""A thousand identifiers go through everything that the platform does; afterwards no file holds one of them.

People, names, telephone numbers and enterprises are delivered (good rows, bad rows, rows that break off), asked about
in tables, decided upon singly and as a list. Every byte under the deployment's folder is then read: state and its
write-ahead log, tiles, vault, quarantine, landing, spill, answers. While loads run, a watcher reads what exists for a
moment only, files without a name among it; memory is made so small that all of it overflows to disk.

What may hold identifiers is told apart: the answer to a list names the ids that its receiver named, and nothing else.
"""

import os
import re
import sys
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from lib import pier as piers
from lib.pier import CITIZEN_CREDIT, CONTRACTS, FIRM_HEADER, WAGE_HEADER, Pier, released, write_csv
from lib.planted import CODES, EACH, FORMS, IDS, NAMES, PHONES, PLANTED, found_in, identifiers_in
from lib.town import codes, done
from zhanqiao.desk.answers import write_release
from zhanqiao.desk.demo_truth import roster_ids
from zhanqiao.desk.scenarios import find_service
from zhanqiao.desk.stewardship import deliver, describe
from zhanqiao.intake.landing import Workspace
from zhanqiao.intake.report import LoadReport
from zhanqiao.intake.spool import Spool
from zhanqiao.vault.connection import Limits
from zhanqiao.vault.vault import Vault

FILLERS = 400_000
ROSTER_HEADER = [
    "公民身份号码",
    "姓名",
    "出生日期",
    "性别",
    "所属区市",
    "待遇类别",
    "领取状态",
    "首次领取日期",
    "上次认证日期",
    "月养老金",
]
CONTACT_HEADER = ["公民身份号码", "姓名", "联系电话", "所属区市", "月租金", "备注"]


# --- the scan itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_the_scan_finds_each_identifier_in_each_form(form: str) -> None:
    """A test that cannot fail proves nothing: hidden among other bytes, every one of them is found."""
    noise = bytes(np.random.default_rng(7).integers(0, 256, 4_096, np.uint8))
    for text in PLANTED[:: EACH // 5]:
        assert (form, text) in found_in(noise + FORMS[form](text) + noise)
    assert found_in(noise) == set()


def test_the_scan_finds_whole_base64_and_plain_digests() -> None:
    import base64
    import hashlib

    for offset in range(3):
        hidden = base64.b64encode(b"x" * offset + IDS[7].encode() + b"yz")
        assert IDS[7] in identifiers_in(found_in(hidden))
    assert found_in(b"sha256:" + hashlib.sha256(IDS[7].encode()).hexdigest().encode()) == {("sha-256", IDS[7])}


# --- deliveries -------------------------------------------------------------------------------------


def _deliveries(folder: Path) -> dict[str, tuple[Path, str]]:
    """Write what the departments send: dataset -> file and who delivers it. One row in ten is bad, in many ways."""
    return {
        "contact_book": (_contacts(folder / "contacts.csv"), "bureau-officer"),
        "pension_enrolment": (_wages(folder / "wages.csv"), "hrss-officer"),
        "firm_turnover": (_firms(folder / "firms.csv"), "bureau-officer"),
        "pension_roster": (_roster(folder / "roster.csv"), "bureau-officer"),
    }


def _is_bad(place: int) -> bool:
    return place % 10 == 0


def _contacts(path: Path) -> Path:
    rows: list[list[object]] = [
        [identifier, name, phone, "青岛市" if _is_bad(n) else "市南区", 100 + n, f"另一电话 {phone}"]
        for n, (identifier, name, phone) in enumerate(zip(IDS, NAMES, PHONES, strict=True))
    ]
    rows += [[identifier, "路人", "", "市北区", 50 + n % 97, ""] for n, identifier in enumerate(_fillers())]
    write_csv(path, CONTACT_HEADER, rows, encoding="gb18030")
    with path.open("a", encoding="gb18030") as file:
        file.write(f"{IDS[3]},{NAMES[3]},{PHONES[3]}\r\n")  # breaks off
        file.write(f'"{IDS[4]}",{NAMES[4]},{PHONES[4]},市南区,1,备注,{IDS[5]},{NAMES[5]}\r\n')  # too long
        file.write(f"{IDS[6][:-1]}?,{NAMES[6]},{PHONES[6]},市南区,1,\r\n")  # a wrong check character
    return path


def _fillers() -> list[str]:
    """Return valid ids of people who only fill memory."""
    numbers = np.arange(FILLERS)
    stems = 37020219400101000 + (numbers // 1_000 % 28) * 1_000 + numbers % 1_000 + (numbers // 28_000) * 10_000_000
    digits = np.frombuffer("".join(map(str, stems.tolist())).encode(), np.uint8).reshape(-1, 17) - ord("0")
    weights = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
    checks = np.frombuffer(b"10X98765432", np.uint8)[(digits.astype(np.int64) @ weights) % 11]
    return [f"{stem}{chr(check)}" for stem, check in zip(stems.tolist(), checks.tolist(), strict=True)]


def _wages(path: Path) -> Path:
    rows = [
        [identifier, name, "1912-02-30" if _is_bad(n) else "1912-02-29", "市南区", 5_000, 12, "2026-10-31", PHONES[n]]
        for n, (identifier, name) in enumerate(zip(IDS, NAMES, strict=True))
    ]
    return write_csv(path, WAGE_HEADER, rows)


def _firms(path: Path) -> Path:
    rows = [[code, NAMES[n], "不知" if _is_bad(n) else "批发", 1, 1_000 + n] for n, code in enumerate(CODES)]
    return write_csv(path, FIRM_HEADER, rows, encoding="gb18030")


def _roster(path: Path) -> Path:
    drawn = ["市南区", "城镇职工基本养老保险", "正常发放", "1972-03-01", "2026-07-12", "2500.00"]
    rows = [
        [identifier, name, "1912-02-29", "不详" if _is_bad(n) else "女", *drawn]
        for n, (identifier, name) in enumerate(zip(IDS, NAMES, strict=True))
    ]
    return write_csv(path, ROSTER_HEADER, rows)


# --- watching ---------------------------------------------------------------------------------------


class Watcher:
    """Reads the files of some folders again and again, also those that a process holds open without a name.

    What lives for milliseconds only (spill) needs a watcher of its own: to scan a large file takes a second.
    """

    def __init__(self, home: Path, folders: Iterable[str], pause_seconds: float) -> None:
        self._folders = [home / folder for folder in folders]
        self._under = tuple(str(folder) for folder in self._folders)
        self._pause = pause_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.found: set[tuple[str, str]] = set()
        self.seen: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        read: dict[str, tuple[int, int]] = {}
        while not self._done.wait(self._pause):
            for path, name in (*self._named(), *self._held_open()):
                try:
                    state = path.stat()
                    if not state.st_size or read.get(name) == (state.st_size, state.st_mtime_ns):
                        continue
                    content = path.read_bytes()
                except OSError:
                    continue  # gone in between
                read[name] = (state.st_size, state.st_mtime_ns)
                self.seen[name] = max(len(content), self.seen.get(name, 0))
                self.found |= found_in(content)

    def _named(self) -> list[tuple[Path, str]]:
        # What was there before this test is read at its end.
        # A walk goes on where a folder goes while it is read.
        found = [Path(at, name) for folder in self._folders for at, _, names in os.walk(folder) for name in names]
        return [(path, str(path)) for path in found if "vault" not in path.parts or _is_passing(path)]

    def _held_open(self) -> list[tuple[Path, str]]:
        held = []
        for path in Path("/proc/self/fd").iterdir():
            try:
                target = str(path.readlink())
            except OSError:
                continue
            if target.startswith(self._under) and target.endswith("(deleted)"):
                held.append((path, target))
        return held


def _is_passing(path: Path) -> bool:
    """Whether a file of the vault is gone when its work is done."""
    return "scratch" in path.parts or path.suffix == ".part"


@pytest.fixture
def cramped(settled_pier, tmp_path, clock, monkeypatch):
    """A pier with so little memory that landing copies, waiting rows and the engine's work overflow to disk."""
    monkeypatch.setattr(sys.modules["zhanqiao.intake.load"], "Workspace", partial(Workspace, memory_bytes=0))
    monkeypatch.setattr(sys.modules["zhanqiao.intake.examination"], "Spool", partial(Spool, in_memory_bytes=0))
    for opened in piers.opened(settled_pier, tmp_path, clock):
        house = opened.house
        small = Vault(house.home / "vault", house.vault._keyring, clock, limits=Limits(memory_mb=20, threads=1))
        yield piers.Pier(piers.replace(house, vault=small), opened.settled)


# --- the run ----------------------------------------------------------------------------------------


def test_a_thousand_identifiers_go_through_everything_and_no_file_holds_one(cramped: Pier, tmp_path) -> None:
    pier, sent = cramped, tmp_path / "sent"
    sent.mkdir()
    done(describe(pier.house, (CONTRACTS / "contact_book.odcs.yaml").read_bytes(), "bureau-officer"))
    deliveries = _deliveries(sent)
    # The control: the same scan finds all of them in what was delivered.
    assert identifiers_in(found_in(b"".join(path.read_bytes() for path, _ in deliveries.values()))) == set(PLANTED)

    spilled = Watcher(pier.home, ["vault/scratch"], 0.001)
    with spilled, Watcher(pier.home, ["landing", "quarantine", "vault"], 0.01) as watcher:
        reports = {name: _delivered(pier, name, *delivery) for name, delivery in deliveries.items()}
    assert watcher.found | spilled.found == set()
    assert any("spill-" in name for name in spilled.seen), "nothing was spilled: the test shows less than it says"
    assert any("landing" in name and size > 1_000_000 for name, size in watcher.seen.items())
    assert {name: report.quarantined for name, report in reports.items()} == {
        "contact_book": 28,
        "pension_enrolment": 25,
        "firm_turnover": 25,
        "pension_roster": 25,
    }

    named = _ask_all_doors(pier)
    hits = {path: found for path in _files(pier.home) if (found := found_in(path.read_bytes()))}
    assert set(hits) == {named}, "only the answer to the list holds ids: those that its receiver named"
    assert identifiers_in(hits[named]) <= set(IDS[:20])
    scanned = _files(pier.home)
    for part in ("state.sqlite3", "state.sqlite3-wal", "checkpoint", ".sealed", ".duckdb", ".book", ".cert", ".json"):
        assert any(path.name.endswith(part) for path in scanned), f"{part} was looked into"
    size = sum(path.stat().st_size for path in scanned)
    print(f"{len(PLANTED)} identifiers in {len(FORMS) + 1} forms, {len(scanned)} files, {size:,} bytes: 0 hits")


# What ids and hand-made names look like, in UTF-8 (and GB 18030, where they are ASCII) and in UTF-16.
SHAPES = {
    "utf-8": rb"[0-9A-Z]{18}|\xe5\x8f\x82\xe4\xbf\x9d\xe4\xba\xba\d{3}",
    "gb18030": "参保人".encode("gb18030") + rb"\d{3}",
    "utf-16-le": rb"(?:[0-9A-Z]\0){18}",
}


def test_what_the_earlier_deliveries_named_is_on_no_disk_either(pier: Pier, tmp_path) -> None:
    """Everybody of the settled deployment: hand-made rows and the generated city's pensioners."""
    everybody = [*(row.id for row in piers.WAGES), *(row.id for row in piers.FIRMS)]
    everybody += [*(row.name for row in piers.WAGES), *roster_ids(pier.settled.city)]
    wanted = {text.encode(form) for text in everybody for form in SHAPES}

    def hits(content: bytes) -> set[bytes]:
        return {hit for shape in SHAPES.values() for hit in re.findall(rb"(?=(" + shape + rb"))", content)} & wanted

    sent = b"".join(piers.write_wages(tmp_path / form, encoding=form).read_bytes() for form in SHAPES)
    assert len(hits(sent)) >= 2 * len(piers.WAGES), "the control: what was delivered is found"
    for path in _files(pier.home):
        assert hits(path.read_bytes()) == set(), path


def _delivered(pier: Pier, dataset: str, file: Path, by: str) -> LoadReport:
    return done(deliver(pier.house, dataset, [file], by))


def _ask_all_doors(pier: Pier) -> Path:
    """Ask, decide and work off a list as the command line does, answers on disk; return the list's answer file."""
    answers = pier.home / "answers"
    tables = (
        "SELECT district, count(*) AS people FROM pension_enrolment GROUP BY district",
        "SELECT sector, count(*) AS firms, sum(turnover) AS total FROM firm_turnover GROUP BY sector",
    )
    for statement in tables:
        write_release(released(pier.ask(statement)), answers)
    assert codes(pier.ask(f"SELECT count(*) AS n FROM pension_enrolment WHERE full_name = '{NAMES[14]}'"))
    person = IDS[11]
    write_release(released(pier.decide(CITIZEN_CREDIT, person, consent=pier.consent(CITIZEN_CREDIT, person))), answers)
    assert codes(pier.decide(CITIZEN_CREDIT, IDS[12])) == ["not-answered"]
    token = pier.consent(CITIZEN_CREDIT, IDS[13])
    pier.withdraw(token)
    assert codes(pier.decide(CITIZEN_CREDIT, IDS[13], consent=token)) == ["not-answered"]
    credit, silent = find_service("enterprise-credit"), find_service("silent-certification")
    assert credit is not None
    assert silent is not None
    pier.decide(credit, CODES[1], consent=pier.consent(credit, CODES[1]))
    listed = released(pier.batch(silent, [*IDS[:20]]))
    results = listed.answer["results"]
    assert isinstance(results, list)
    assert {result["status"] for result in results} == {"answered", "not-answered"}
    write_release(listed, answers)
    assert pier.verify(listed).valid
    return answers / f"{listed.request}.answer.json"


def _files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]
