# SPDX-License-Identifier: Apache-2.0
"""What has to last is written whole or not at all, and never over what is somebody else's.

Each step that touches the disk is broken once before and once after; a crash is an exception that no code catches.
"""

import itertools
import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from zhanqiao.desk.answers import write_release
from zhanqiao.doors.release import Release
from zhanqiao.ledger import durable
from zhanqiao.ledger.certificate import answer_path
from zhanqiao.terms.refusals import Refusal
from zhanqiao.terms.requests import RequestId

OLD, NEW = b"old " * 1_000, b"new " * 2_000
REQUEST = RequestId("ab" * 16)
LEFT = Release(REQUEST, b'{"answer":{},"salt":""}', b"certificate")


class Crash(BaseException):
    """The power went."""


class Steps:
    """Counts the durable steps inside of `broken`, and breaks the n-th of them, before or after it happens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        self._nth, self._after, self._counting = 0, False, False
        for name in ("fsync", "replace", "link", "mkdir"):
            monkeypatch.setattr(os, name, self._step(name, getattr(os, name)))

    @contextmanager
    def broken(self, nth: int = 0, *, after: bool = False) -> Iterator[None]:
        self.seen, self._nth, self._after, self._counting = [], nth, after, True
        try:
            yield
        finally:
            self._counting = False

    def _step(self, name, call):
        def step(*given, **named):
            if not self._counting:
                return call(*given, **named)
            self.seen.append(name)
            here = len(self.seen) == self._nth
            if here and not self._after:
                raise Crash
            done = call(*given, **named)
            if here:
                raise Crash
            return done

        return step


@pytest.fixture
def steps(monkeypatch):
    return Steps(monkeypatch)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("standing", [False, True], ids=["nothing", "something"])
@pytest.mark.parametrize("write", [durable.write_whole, durable.write_new])
def test_a_crash_leaves_all_of_a_file_or_none(tmp_path, steps, write, standing, after):
    keeps = write is durable.write_new
    for nth in itertools.count(1):
        path = tmp_path / f"case-{nth}" / "deep" / "file"
        if standing:
            path.parent.mkdir(parents=True)
            path.write_bytes(OLD)
        ended = False
        with steps.broken(nth, after=after):
            try:
                write(path, NEW)
                ended = True
            except FileExistsError:
                ended = standing and keeps
            except Crash:
                pass
        held = path.read_bytes() if path.exists() else None
        assert held in ({None, NEW} if not standing else {OLD} if keeps else {OLD, NEW})
        # Repeating it is what recovery does.
        if held is None or not keeps:
            write(path, NEW)
            assert path.read_bytes() == NEW
        assert all(durable.PART in other.name for other in path.parent.iterdir() if other != path)
        if ended:
            break
    assert nth >= 2, "steps were broken"


def test_the_order_of_the_steps_is_the_promise(tmp_path, steps):
    (tmp_path / "deep").mkdir()
    for write, name, order in (
        (durable.write_whole, "deep/one", ["fsync", "replace", "fsync"]),
        (durable.write_new, "deep/two", ["fsync", "link", "fsync"]),
        (durable.write_whole, "a/b/one", ["mkdir", "fsync", "mkdir", "fsync", "fsync", "replace", "fsync"]),
    ):
        with steps.broken():
            write(tmp_path / name, NEW)
        assert steps.seen == order


def test_files_and_folders_are_their_owners_alone(tmp_path):
    path = tmp_path / "deep" / "file"
    durable.write_whole(path, b"one")
    durable.write_new(path.with_name("new"), b"one")
    durable.write_whole(path.with_name("public"), b"one", mode=durable.PUBLIC)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (*path.parent.iterdir(), path.parent)}
    assert modes == {"file": 0o600, "new": 0o600, "public": 0o644, "deep": 0o700}


def test_what_a_crash_left_is_taken_over_with_its_rights(tmp_path):
    part = tmp_path / f"file{durable.PART}"
    part.write_bytes(OLD)
    part.chmod(0o666)
    durable.write_whole(tmp_path / "file", NEW)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_link_laid_in_the_way_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    (tmp_path / f"file{durable.PART}").symlink_to(victim)
    durable.write_whole(tmp_path / "file", NEW)
    (tmp_path / "new").symlink_to(victim)
    with pytest.raises(FileExistsError):
        durable.write_new(tmp_path / "new", NEW)
    assert victim.read_bytes() == OLD


def test_of_many_new_writers_one_wins_and_the_others_are_told(tmp_path):
    path, start = tmp_path / "file", threading.Barrier(8)

    def one(number: int) -> bool:
        start.wait()
        try:
            durable.write_new(path, bytes([number]) * 10_000)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(one, range(8)))
    assert sum(won) == 1
    assert path.read_bytes() == bytes([won.index(True)]) * 10_000
    assert [other.name for other in tmp_path.iterdir()] == ["file"]


def test_a_second_writer_waits(tmp_path: Path):
    order = []

    def second():
        with durable.only_writer(tmp_path / ".lock"):
            order.append("second")

    with durable.only_writer(tmp_path / ".lock"):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.05)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]


# --- answers on the receiver's disk -----------------------------------------------------------------


def test_answer_and_certificate_are_their_receivers_alone(tmp_path):
    certificate = write_release(LEFT, tmp_path / "answers")
    assert isinstance(certificate, Path)
    assert (certificate.read_bytes(), answer_path(certificate).read_bytes()) == (LEFT.certificate, LEFT.answer_file)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (certificate.parent, certificate, answer_path(certificate))]
    assert modes == [0o700, 0o600, 0o600]
    assert write_release(LEFT, tmp_path / "answers") == certificate, "the same again is the same answer"


@pytest.mark.parametrize("name", [f"{REQUEST}.cert", f"{REQUEST}.answer.json"])
def test_another_file_in_the_way_is_never_replaced(tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    told = write_release(LEFT, tmp_path)
    assert isinstance(told, Refusal)
    assert [reason.code for reason in told.reasons] == ["answer-file-differs"]
    assert f"--request {REQUEST}" in told.reasons[0].remedy("en")
    assert (tmp_path / name).read_bytes() == b"mine"


def test_a_folder_that_takes_no_file_is_told_with_the_request(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    told = write_release(LEFT, tmp_path / "file" / "answers")
    assert isinstance(told, Refusal)
    assert [reason.code for reason in told.reasons] == ["answer-not-written"]
    assert told.exit_status == 1
    assert f"--request {REQUEST}" in told.reasons[0].remedy("zh")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_between_answer_and_certificate_is_repaired_by_the_same_request(tmp_path, steps, after):
    for nth in itertools.count(1):
        folder, ended = tmp_path / str(nth), False
        certificate = folder / f"{REQUEST}.cert"
        with steps.broken(nth, after=after):
            with suppress(Crash):
                ended = write_release(LEFT, folder) == certificate
        assert not certificate.exists() or answer_path(certificate).exists(), "no certificate without its answer"
        assert write_release(LEFT, folder) == certificate
        assert (certificate.read_bytes(), answer_path(certificate).read_bytes()) == (LEFT.certificate, LEFT.answer_file)
        if ended:
            break
    assert nth > 8, "steps were broken"
