# SPDX-License-Identifier: Apache-2.0
"""Who writes a history of their own into state, tiles or both, or takes the public history away, gets it neither signed
nor called whole: not by `ledger audit`, not by the next act, not by the next certificate.

The editor writes everything that lies in the deployment's folder, consistently, and holds no key.
"""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections
from typer.testing import CliRunner

from lib.ledger_cases import work
from zhanqiao.desk.cli import app
from zhanqiao.desk.deployment import open_house
from zhanqiao.ledger import head as ledger_head
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.ledger.note import NoteSigner
from zhanqiao.ledger.tiles import TileStore
from zhanqiao.ledger.tree import Frontier, leaf_hash
from zhanqiao.terms.canonical import canonical
from zhanqiao.terms.events import Event
from zhanqiao.vault.house import House

# 300 entries are shown, and two more are committed.
SHOWN, SIZE = 300, 302
EARLY, LATE = 5, 301
ORIGIN = "zhanqiao.test/qingdao"


@pytest.fixture(scope="module")
def told_home(empty_home, tmp_path_factory):
    from conftest import Clock

    folder = tmp_path_factory.mktemp("told")
    home = folder / "home"
    shutil.copytree(empty_home, home)
    shutil.copytree(home / "ledger", folder / "at-founding")
    book = open_house(home, Clock()).book
    _tell(book, 200)
    book.publish()
    shutil.copytree(home / "ledger", folder / "older")
    _tell(book, 97)
    work(book, 1)
    for _ in range(SIZE - SHOWN):
        _tell(book, 1)
    assert (book.checkpoint().size, book.audit()) == (SHOWN, SIZE)
    connections.close_all()
    return home


def _tell(book, times: int) -> None:
    for number in range(times):
        with book.recording(Event("test.done", "tester", facts={"number": number})):
            pass


@pytest.fixture
def told(told_home, tmp_path, clock):
    home = tmp_path / "told"
    shutil.copytree(told_home, home)
    yield open_house(home, clock)
    connections.close_all()


# --- what an editor can do --------------------------------------------------------------------------


def rewrite_state(house: House, index: int, *, signature: Callable[[Frontier], bytes] | None = None) -> list[bytes]:
    """Let entry `index` say somebody else, in leaf, columns and head; returns all leaves."""
    connections.close_all()
    with sqlite3.connect(house.home / "state.sqlite3") as state:
        (leaf,) = state.execute('SELECT leaf FROM ledger_entry WHERE "index" = ?', [index]).fetchone()
        said = canonical({**json.loads(leaf), "by": "somebody"})
        state.execute('UPDATE ledger_entry SET by = ?, leaf = ? WHERE "index" = ?', ["somebody", said, index])
        leaves = [row[0] for row in state.execute('SELECT leaf FROM ledger_entry ORDER BY "index"')]
        tree = Frontier()
        for one in leaves:
            tree.append(leaf_hash(one))
        state.execute("UPDATE ledger_head SET size = ?, frontier = ?", [tree.size, tree.to_bytes()])
        if signature is not None:
            state.execute("UPDATE ledger_head SET signature = ?", [signature(tree)])
    state.close()
    return leaves


def rewrite_tiles(house: House, leaves: list[bytes]) -> None:
    shutil.rmtree(house.home / "ledger" / "tile")
    TileStore(house.home / "ledger").append(0, leaves)


def put_back(house: House, told_home: Path, what: str) -> None:
    shutil.rmtree(house.home / "ledger")
    shutil.copytree(told_home.parent / what, house.home / "ledger")


def take_away(house: House) -> None:
    shutil.rmtree(house.home / "ledger")


def other_signature(tree: Frontier) -> bytes:
    """Sign with a key of one's own, under the log's name."""
    return ledger_head._signature(NoteSigner(ORIGIN, Ed25519PrivateKey.generate()), tree, 0)


def public_signature(house: House) -> Callable[[Frontier], bytes]:
    """Take what the log has signed in public: its checkpoint."""
    return lambda _: (house.home / "ledger" / "checkpoint").read_bytes()


# what is done -> what is said of it
ATTACKS: dict[str, tuple[Callable[[House, Path], object], str]] = {
    "ledger taken away": (lambda house, _: take_away(house), "the checkpoint: it is missing"),
    "checkpoint taken away": (lambda house, _: (house.home / "ledger" / "checkpoint").unlink(), "it is missing"),
    "ledger taken away, state rewritten": (
        lambda house, _: (rewrite_state(house, EARLY), take_away(house)),
        "the checkpoint: it is missing",
    ),
    "ledger put back to the founding": (lambda house, home: put_back(house, home, "at-founding"), "it has shown 300"),
    "ledger put back to an older day": (lambda house, home: put_back(house, home, "older"), "it has shown 300"),
    "ledger put back to the founding, state rewritten": (
        lambda house, home: (rewrite_state(house, EARLY), put_back(house, home, "at-founding")),
        "signed over another tree",
    ),
    "ledger put back, state rewritten and signed with another key": (
        lambda house, home: (rewrite_state(house, 250, signature=other_signature), put_back(house, home, "older")),
        "its signature is broken",
    ),
    "state rewritten under a signature that is a checkpoint": (
        lambda house, _: rewrite_state(house, LATE, signature=public_signature(house)),
        "signed over another tree",
    ),
    "state rewritten": (lambda house, _: rewrite_state(house, EARLY), "entry 5 differs between state and tiles"),
    "state rewritten behind the checkpoint": (lambda house, _: rewrite_state(house, LATE), "signed over another tree"),
    "state and tiles rewritten": (
        lambda house, _: rewrite_tiles(house, rewrite_state(house, EARLY)[:SHOWN]),
        "the first 300 entries are not those of the signed checkpoint",
    ),
    "tiles rewritten": (
        lambda house, _: rewrite_tiles(house, [b"{}", *(event.leaf for event in house.book.events(1))][:SHOWN]),
        "entry 0 differs between state and tiles",
    ),
}


@pytest.fixture(params=ATTACKS)
def attacked(request, told, told_home):
    act, says = ATTACKS[request.param]
    act(told, told_home)
    connections.close_all()
    return told, says


def lying_there(house: House) -> dict[str, str]:
    """Return digests of the files of the ledger. A lock that comes is no history."""
    files = (path for path in (house.home / "ledger").rglob("*") if path.is_file() and path.name != "lock")
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_audit_finds_it_and_signs_nothing(attacked):
    house, says = attacked
    before = lying_there(house)
    ran = CliRunner().invoke(app, ["ledger", "audit", "--home", str(house.home), "--lang", "en"])
    assert (ran.exit_code, "ledger-damaged" in ran.output) == (1, True), ran.output
    assert " ".join(says.split()) in " ".join(ran.output.split())
    assert lying_there(house) == before


def test_nothing_is_shown_or_certified_over_it(attacked):
    house, _ = attacked
    shutil.rmtree(house.home / "ledger" / "certificates", ignore_errors=True)
    before = lying_there(house)
    for act in (house.book.publish, lambda: house.book.certificate(SHOWN - 2)):
        with pytest.raises(LedgerDamaged):
            act()
    assert lying_there(house) == before


def test_no_act_is_committed_beside_it(attacked):
    """It is named before anything is charged or changed, not after."""
    house, _ = attacked

    def rows() -> int:
        with sqlite3.connect(house.home / "state.sqlite3") as state:
            return state.execute("SELECT count(*) FROM ledger_entry").fetchone()[0]

    with pytest.raises(LedgerDamaged), house.book.recording(Event("test.done", "tester")):
        pytest.fail("nothing is done inside")
    connections.close_all()
    assert rows() == SIZE


def test_a_signed_head_is_no_checkpoint(told):
    """What is signed over a head cannot be shown as the history."""
    connections.close_all()
    with sqlite3.connect(told.home / "state.sqlite3") as state:
        (signature,) = state.execute("SELECT signature FROM ledger_head").fetchone()
    state.close()
    (told.home / "ledger" / "checkpoint").write_bytes(signature)
    with pytest.raises(LedgerDamaged, match="couldn't read the checkpoint"):
        told.book.audit()


def test_an_untouched_ledger_goes_on(told):
    with told.book.recording(Event("test.done", "tester")):
        pass
    assert told.book.publish().size == told.book.audit() == SIZE + 1
