# SPDX-License-Identifier: Apache-2.0
"""Many loads number new subjects at the same time: every identifier gets one number, and nobody trips over a writer
that joins files while another reads them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lib.vault_cases import nothing_recorded
from zhanqiao.terms.subjects import SubjectKind
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.subjects import UNKNOWN, SubjectBook

THREADS, ROUNDS, EACH = 8, 25, 7


def _ids(thread: int, turn: int) -> list[str]:
    # Half of every list is everybody's, half this thread's own.
    shared = [f"{37020000000000000 + turn * EACH + n:018d}" for n in range(EACH)]
    own = [f"{900000000000000000 + thread * 10_000 + turn * EACH + n:018d}" for n in range(EACH)]
    return shared + own


def test_racing_loads_give_each_identifier_one_number(tmp_path):
    keyring = Keyring.create(tmp_path / "keys")

    def work(thread: int) -> dict[str, int]:
        book = SubjectBook(tmp_path / "subjects", keyring, nothing_recorded)
        given: dict[str, int] = {}
        for turn in range(ROUNDS):
            ids = _ids(thread, turn)
            numbers = book.numbers(SubjectKind.PERSON, ids, allocate=True)
            assert not np.any(numbers == UNKNOWN)
            given |= dict(zip(ids, numbers.tolist(), strict=True))
        return given

    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(work, range(THREADS)))
    together: dict[str, int] = {}
    for given in found:
        for identifier, number in given.items():
            assert together.setdefault(identifier, number) == number
    assert sorted(together.values()) == list(range(len(together)))
    assert SubjectBook(tmp_path / "subjects", keyring, nothing_recorded).count(SubjectKind.PERSON) == len(together)


def test_a_reader_is_not_tripped_by_a_writer_that_joins_files(tmp_path):
    keyring = Keyring.create(tmp_path / "keys")
    writer = SubjectBook(tmp_path / "subjects", keyring, nothing_recorded)
    finished = False

    def read() -> int:
        reads = 0
        while not finished:
            SubjectBook(tmp_path / "subjects", keyring, nothing_recorded).count(SubjectKind.PERSON)
            reads += 1
        return reads

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(read) for _ in range(3)]
        for number in range(400):
            writer.numbers(SubjectKind.PERSON, [f"{370200000000000000 + number:018d}"], allocate=True)
        finished = True
        assert all(reader.result() > 0 for reader in readers)
    assert SubjectBook(tmp_path / "subjects", keyring, nothing_recorded).count(SubjectKind.PERSON) == 400
