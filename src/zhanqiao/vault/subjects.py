# SPDX-License-Identifier: Apache-2.0
"""The subject book: token -> subject number, dense and signed 32-bit, per kind. Never reused, never outside the vault.

New subjects are numbered in the order of their tokens. A token is keyed and pseudo-random, so this is a shuffle that
nobody without the key can undo: a number does not tell who arrived when.

On disk: `<kind>/<start>-<end>.book`, the tokens of these numbers in order, sealed. An allocation writes one such file,
whole or not at all, and takes the smaller ones before it in, so that their number stays logarithmic. A crash before the
rename loses numbers that nobody was given; after it, numbers that no row carries. Both are harmless. A reader follows,
from each start, the file that reaches furthest; what a crash left covered is removed by the next writer.

A book that is lost, or older than what was published, must not be gone on with: its next numbers would be other
people's. So nobody gets a number, or is looked for, in a book that is shorter than the platform state recorded.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import RLock

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhanqiao.ledger import durable
from zhanqiao.terms.subjects import Subject, SubjectKind
from zhanqiao.vault import crypt, files, tokens
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.held import Recorded
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.tokens import Flags, Tokens

Numbers = npt.NDArray[np.int32]

UNKNOWN = -1
_LIMIT = 2**31 - 1
_SUFFIX = ".book"
# One seal holds less than 2**31 bytes; a file that is this long is left as it is.
_LONGEST = 2**26


class SubjectBook:
    """Numbers of subjects. `_known` mirrors what is on disk and may lag behind it, never run ahead."""

    def __init__(self, folder: Path, keyring: Keyring, recorded: Recorded) -> None:
        self._folder = folder
        self._keyring = keyring
        self._recorded = recorded
        self._known: dict[SubjectKind, _Index] = {}
        self._turn = RLock()  # one thread at a time looks at or extends `_known`; processes meet at the file lock

    def numbers(
        self,
        kind: SubjectKind,
        ids: pa.Array | pa.ChunkedArray | Sequence[str | None],
        *,
        allocate: bool = False,
    ) -> Numbers:
        """Return the number of each identifier, UNKNOWN where there is none.

        With `allocate`, identifiers that are not known yet get numbers, durable before this returns.
        """
        column = tokens.identifiers(ids)
        made = tokens.tokens_of(self._keyring.key("tokens"), kind, column)
        recorded = self._recorded_of(kind)
        with self._turn:
            index = self._current(kind, recorded)
            numbers, looked_at = index.find(made), len(index)
        numbers[~column.good] = UNKNOWN
        missing = np.flatnonzero(column.good & (numbers == UNKNOWN))
        if allocate and len(missing):
            with self._turn:
                index = self._allocate(kind, recorded, made[_distinct(made, missing)], looked_at)
                numbers[missing] = index.find(made[missing])
        return numbers

    def number_of(self, subject: Subject) -> int | None:
        """Return one subject's number, or None."""
        number = int(self.numbers(subject.kind, [subject.identifier])[0])
        return None if number == UNKNOWN else number

    def count(self, kind: SubjectKind) -> int:
        """Return how many subjects of a kind have a number; numbers run from 0."""
        recorded = self._recorded_of(kind)
        with self._turn:
            return len(self._current(kind, recorded))

    def _recorded_of(self, kind: SubjectKind) -> int:
        """Return how long the book was at the latest publication.

        Asked before the disk is: numbers are on disk before the publication that records them. And asked outside of
        anybody's turn: the platform state may keep one waiting.
        """
        return self._recorded(held_of(kind))

    def _current(self, kind: SubjectKind, recorded: int) -> "_Index":
        """Return the index with everything that is on disk now, also what other processes wrote."""
        index = self._known.setdefault(kind, _Index())
        chain = _chain(self._folder / kind.value)
        while chain and chain[-1][1] > len(index):
            try:
                index.extend(self._read(kind, chain, len(index)))
            except FileNotFoundError as cause:
                # A writer joined files into a longer one after we listed them; what is listed and gone is a fault.
                chain, listed = _chain(self._folder / kind.value), chain
                if chain == listed:
                    raise VaultFault(f"couldn't read the subject book of {kind.value}: a file is missing") from cause
        if (chain[-1][1] if chain else 0) < max(len(index), recorded):
            raise VaultFault(
                f"couldn't use the subject book of {kind.value}: numbers that were given are gone; "
                f"put the newest copy of vault/{held_of(kind)} back"
            )
        return index

    def _allocate(self, kind: SubjectKind, recorded: int, new: Tokens, looked_at: int) -> "_Index":
        """Number those tokens, in their order, that are still new under the lock: somebody else may have been first.

        looked_at  how many subjects there were when these were found to be new
        """
        folder = self._folder / kind.value
        with durable.only_writer(folder / ".lock"):
            index = self._current(kind, recorded)
            if len(index) > looked_at:
                new = new[index.find(new) == UNKNOWN]
            if len(new):
                _check_room(len(index), len(new))
                self._append(kind, index, new)
                index.extend(new)
            return index

    def _append(self, kind: SubjectKind, index: "_Index", new: Tokens) -> None:
        folder, start, end = self._folder / kind.value, len(index), len(index) + len(new)
        chain = _chain(folder)
        while chain and chain[-1][1] - chain[-1][0] <= end - start and end - chain[-1][0] <= _LONGEST:
            start = chain.pop()[0]
        block = np.concatenate([index.tokens(start), new]).astype("<u8")
        sealed = crypt.seal(self._keyring.key("subjects"), block.tobytes(), _aad(kind, start, end))
        durable.write_whole(folder / f"{start}-{end}{_SUFFIX}", sealed)
        kept = {*chain, (start, end)}
        for span in _spans(folder):
            if span not in kept:
                (folder / f"{span[0]}-{span[1]}{_SUFFIX}").unlink()

    def _read(self, kind: SubjectKind, chain: list[tuple[int, int]], known: int) -> Tokens:
        """Read the tokens from number `known` on."""
        parts = []
        for start, end in chain:
            if end > known:
                path = self._folder / kind.value / f"{start}-{end}{_SUFFIX}"
                what = f"{kind.value}/{path.name}"
                sealed = files.read(path, what)
                plain = crypt.open_sealed(self._keyring.key("subjects"), sealed, _aad(kind, start, end), what)
                parts.append(np.frombuffer(plain, "<u8").reshape(-1, 2)[max(known - start, 0) :])
        return np.concatenate(parts)


class _Index:
    """Tokens in number order, and a hash table from token to number.

    Tokens are uniformly random, so their top bits are the hash. Open addressing with linear probing; the table is at
    most half full, so that a look-up takes one or two steps. Exact: both halves of a token are compared.
    """

    # One decision asks for one number: a plain scan is quicker than building the table.
    _FEW = 16
    _SMALLEST_BITS = 10

    def __init__(self) -> None:
        self._count = 0
        self._tokens: Tokens = np.empty((0, 2), np.uint64)
        self._slots: Numbers | None = None  # number, or UNKNOWN for an empty slot; None until it is needed
        self._shift = np.uint64(0)

    def __len__(self) -> int:
        return self._count

    def tokens(self, start: int) -> Tokens:
        """Return the tokens from number `start` on."""
        return self._tokens[start : self._count]

    def extend(self, new: Tokens) -> None:
        """Add distinct tokens with the next numbers."""
        start, self._count = self._count, self._count + len(new)
        if self._count > len(self._tokens):
            grown = np.empty((max(self._count, 2 * start), 2), np.uint64)
            grown[:start] = self._tokens[:start]
            self._tokens = grown
        self._tokens[start : self._count] = new
        if self._slots is not None:
            self._build() if 2 * self._count > len(self._slots) else self._insert(start)

    def find(self, wanted: Tokens) -> Numbers:
        """Return the number of each token, UNKNOWN where there is none."""
        if self._slots is None and len(wanted) <= self._FEW:
            return np.array([self._scan(low, high) for low, high in wanted], np.int32)
        if self._slots is None:
            self._build()
        return self._look_up(wanted)

    def _scan(self, low: np.uint64, high: np.uint64) -> int:
        known = self.tokens(0)
        hits = np.flatnonzero(known[:, 0] == low)
        same = hits[known[hits, 1] == high]
        return int(same[0]) if len(same) else UNKNOWN

    def _build(self) -> None:
        bits = max((2 * self._count).bit_length(), self._SMALLEST_BITS)
        self._shift = np.uint64(64 - bits)
        self._slots = np.full(1 << bits, UNKNOWN, np.int32)
        self._insert(0)

    def _insert(self, start: int) -> None:
        """Enter the numbers from `start` on. Of several that want one slot the last wins, the others move on."""
        assert self._slots is not None, "built before"
        numbers = np.arange(start, self._count, dtype=np.int32)
        slots = self._first_slots(self.tokens(start))
        while len(numbers):
            free = self._slots[slots] == UNKNOWN
            self._slots[slots[free]] = numbers[free]
            lost = self._slots[slots] != numbers
            numbers, slots = numbers[lost], (slots[lost] + 1) & (len(self._slots) - 1)

    def _look_up(self, wanted: Tokens) -> Numbers:
        assert self._slots is not None, "built before"
        numbers = self._slots[self._first_slots(wanted)]
        rows = np.flatnonzero((numbers != UNKNOWN) & ~self._same(numbers, wanted))
        slots = self._first_slots(wanted[rows])
        while len(rows):
            slots = (slots + 1) & (len(self._slots) - 1)
            numbers[rows] = self._slots[slots]
            further = (numbers[rows] != UNKNOWN) & ~self._same(numbers[rows], wanted[rows])
            rows, slots = rows[further], slots[further]
        return numbers

    def _first_slots(self, some: Tokens) -> npt.NDArray[np.int64]:
        slots: npt.NDArray[np.int64] = (some[:, 0] >> self._shift).astype(np.int64)
        return slots

    def _same(self, numbers: Numbers, wanted: Tokens) -> Flags:
        """Compare both halves; the answer for an empty slot means nothing."""
        if not self._count:
            return np.zeros(len(wanted), np.bool_)
        known = np.take(self._tokens, numbers, axis=0, mode="wrap")
        same: Flags = (known[:, 0] == wanted[:, 0]) & (known[:, 1] == wanted[:, 1])
        return same


def held_of(kind: SubjectKind) -> str:
    """Return the name of a kind's book in the vault, under which its length is recorded."""
    return f"subjects/{kind.value}"


def _distinct(made: Tokens, missing: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return one row of each new identifier, in the order of their tokens."""
    rows = _by_token(made, missing)
    low, high = made[rows, 0], made[rows, 1]
    first: npt.NDArray[np.intp] = rows[np.concatenate([[True], (low[1:] != low[:-1]) | (high[1:] != high[:-1])])]
    return first


def _by_token(made: Tokens, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return rows in the order of their tokens. By one half, which is much faster; by both in the rare case of a tie."""
    half = made[rows, 1]
    order = np.argsort(half)
    tied = half[order[1:]] == half[order[:-1]]
    same = made[rows[order[1:]], 0] == made[rows[order[:-1]], 0]
    if (tied & ~same).any():
        order = np.lexsort((made[rows, 0], half))
    ordered: npt.NDArray[np.intp] = rows[order]
    return ordered


def _check_room(count: int, new: int) -> None:
    if count + new > _LIMIT:
        raise VaultFault("couldn't number subjects: this kind has no numbers left")


def _aad(kind: SubjectKind, start: int, end: int) -> bytes:
    return f"subjects {kind.value} {start} {end}".encode()


def _spans(folder: Path) -> list[tuple[int, int]]:
    spans = []
    for path in folder.glob(f"*{_SUFFIX}"):
        start, _, end = path.name.removesuffix(_SUFFIX).partition("-")
        spans.append((int(start), int(end)))
    return spans


def _chain(folder: Path) -> list[tuple[int, int]]:
    """Return the files that hold the book, in order: from each start the one that reaches furthest."""
    # A folder is not listed at one moment: while a writer joins files, old and new name can both be missed.
    listed: list[tuple[int, int]] = []
    while (again := sorted(_spans(folder))) != listed:
        listed = again
    furthest: dict[int, int] = {}
    for start, end in listed:
        furthest[start] = max(end, furthest.get(start, 0))
    chain: list[tuple[int, int]] = []
    at = 0
    while at in furthest:
        chain.append((at, furthest[at]))
        at = furthest[at]
    if furthest and at != max(furthest.values()):
        raise VaultFault(f"couldn't read the subject book in {folder.name}: a file of it is missing")
    return chain
