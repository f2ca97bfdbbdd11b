# SPDX-License-Identifier: Apache-2.0
"""The report of one load, written for the department: what came, what was published, what to correct. No values."""

import csv
from dataclasses import dataclass, field
from io import StringIO

import numpy as np
from numpy.typing import NDArray

from zhanqiao.intake.checks import CODES, FORMS
from zhanqiao.terms.datasets import Dataset, Item
from zhanqiao.terms.refusals import Lang

FIRST_ROWS = 5
# So many rows are told one by one for each item and code; who broke more of one kind has one thing to correct.
LISTED_ROWS = 100_000
# How the parser counts; a department looks its rows up in the file that it sent.
NUMBERED_EN = "Rows are numbered as a spreadsheet shows the file: the header is row 1."
NUMBERED_ZH = "行号与用电子表格打开该文件时一致：表头为第 1 行。"


@dataclass(frozen=True)
class Count:
    """How many rows break one rule, and where the first of them stand: (file from 1, row)."""

    item: str
    code: str
    rows: int
    first: tuple[tuple[int, int], ...]

    def as_data(self) -> dict[str, object]:
        """Return the form of `--json` output."""
        return {"item": self.item, "code": self.code, "rows": self.rows, "first": [list(at) for at in self.first]}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one row."""

    file: int
    row: int
    item: str
    code: str


@dataclass
class Tally:
    """Findings counted by item and code, in the order in which they were met, and the rows of each."""

    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _rows: dict[tuple[str, str], list[tuple[int, NDArray[np.int32]]]] = field(default_factory=dict)

    def add(self, item: str, code: str, file: int, rows: NDArray[np.int32]) -> None:
        """Count rows of one file."""
        before = self._counts.get((item, code), 0)
        self._counts[item, code] = before + len(rows)
        kept = self._rows.setdefault((item, code), [])
        if len(rows) and before < LISTED_ROWS:
            # Copied: a view would keep all of its batch.
            kept.append((file, rows[: LISTED_ROWS - before].copy()))

    def counts(self) -> tuple[Count, ...]:
        """Return the counts, the most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda entry: -entry[1])
        return tuple(Count(item, code, n, self._first(item, code)) for (item, code), n in ordered)

    def beyond(self) -> dict[tuple[str, str], int]:
        """Return how many rows of an item and code are not told one by one, where there are too many."""
        return {place: count - LISTED_ROWS for place, count in self._counts.items() if count > LISTED_ROWS}

    def faults(self) -> list[Fault]:
        """Return what is wrong, row by row as the files have them; of each item and code the first `LISTED_ROWS`."""
        found = [
            Fault(file, int(row), item, code)
            for (item, code), parts in self._rows.items()
            for file, rows in parts
            for row in rows
        ]
        return sorted(found, key=lambda fault: (fault.file, fault.row))

    def _first(self, item: str, code: str) -> tuple[tuple[int, int], ...]:
        first: list[tuple[int, int]] = []
        for file, rows in self._rows[item, code]:
            first += [(file, int(row)) for row in rows[: FIRST_ROWS - len(first)]]
        return tuple(first)


@dataclass(frozen=True)
class FileRead:
    """One file of the delivery."""

    name: str
    rows: int
    encoding: str


@dataclass(frozen=True)
class LoadReport:
    """What became of a delivery.

    blank       lines without any value, which are no rows
    replaced    how many rows a former delivery had that this one took the place of, or None
    total       how many rows of the dataset are published now, those of deliveries before an appended one among them
    recognised  it was published before, and nothing was loaded again
    appends     deliveries of this dataset are added to those before
    """

    dataset: str
    zh: str
    snapshot: str
    digest: str
    rows: int
    published: int
    quarantined: int
    found: tuple[Count, ...]
    files: tuple[FileRead, ...]
    items: dict[str, Item]
    seconds: float
    replaced: int | None
    total: int
    blank: int = 0
    recognised: bool = False
    appends: bool = False

    @property
    def encoding(self) -> str:
        """The encodings of the files, each once."""
        return ", ".join(dict.fromkeys(file.encoding for file in self.files))

    def as_data(self) -> dict[str, object]:
        """Return the form of `--json` output."""
        return {
            "status": "recognised" if self.recognised else "published",
            "dataset": self.dataset,
            "snapshot": self.snapshot,
            "digest": self.digest,
            "rows": self.rows,
            "published": self.published,
            "quarantined": self.quarantined,
            "blank": self.blank,
            "replaced": self.replaced,
            "total": self.total,
            "found": [count.as_data() for count in self.found],
            "files": [{"name": file.name, "rows": file.rows, "encoding": file.encoding} for file in self.files],
            "seconds": f"{self.seconds:.3f}",
        }

    def as_text(self, lang: Lang) -> str:
        """Return the report as lines for a person."""
        return "\n".join(self._zh() if lang == "zh" else self._en())

    def _zh(self) -> list[str]:
        if self.recognised:
            return [
                f"{self.zh}（{self.dataset}）：该批数据此前已发布（快照 {self.snapshot}），未重复加载。",
                self.digest,
            ]
        lines = [
            f"{self.zh}（{self.dataset}）：已发布快照 {self.snapshot}",
            (
                f"读取 {self.rows:,} 行，发布 {self.published:,} 行，隔离 {self.quarantined:,} 行；"
                f"编码 {self.encoding}；用时 {self.seconds:.1f} 秒"
            ),
            *self._before_zh(),
            *([f"另有 {self.blank:,} 行没有任何值，不计为数据行"] if self.blank else []),
            self.digest,
        ]
        return [*lines, *as_summary(self.found, self.items, "zh", len(self.files)), *self._next_zh()]

    def _en(self) -> list[str]:
        if self.recognised:
            return [
                f"{self.dataset}: this very delivery is published already (snapshot {self.snapshot}); nothing was loaded again",
                self.digest,
            ]
        lines = [
            f"{self.dataset}: snapshot {self.snapshot} is published",
            (
                f"{self.rows:,} rows read, {self.published:,} published, {self.quarantined:,} quarantined; "
                f"encoding {self.encoding}; {self.seconds:.1f} s"
            ),
            *self._before_en(),
            *([f"Lines without any value, which are no rows: {self.blank:,}"] if self.blank else []),
            self.digest,
        ]
        return [*lines, *as_summary(self.found, self.items, "en", len(self.files)), *self._next_en()]

    def _next_zh(self) -> list[str]:
        """Return what to do about rows in quarantine."""
        if not self.quarantined:
            return []
        whole = "单独交付更正后的行：已发布的行仍然有效" if self.appends else "重新交付全部文件：每次交付都替换上一次"
        return [f"逐行清单：zhanqiao intake faults {self.dataset} --faults 文件。更正后请{whole}。"]

    def _next_en(self) -> list[str]:
        if not self.quarantined:
            return []
        whole = (
            "deliver the corrected rows alone: those that are published stay"
            if self.appends
            else "deliver all files again: a delivery replaces the one before"
        )
        return [f"Row by row: zhanqiao intake faults {self.dataset} --faults FILE. Correct them, and {whole}."]

    def _before_zh(self) -> list[str]:
        """Return what became of rows that were published before, if there were any."""
        if self.replaced is not None:
            return [f"替换此前交付的 {self.replaced:,} 行，现发布 {self.total:,} 行"]
        if self.total > self.published:
            return [f"追加于此前的 {self.total - self.published:,} 行之后，现共发布 {self.total:,} 行"]
        return []

    def _before_en(self) -> list[str]:
        if self.replaced is not None:
            return [f"{_rows(self.replaced)} of the former delivery replaced; {_rows(self.total)} published now"]
        if self.total > self.published:
            return [f"added to {_rows(self.total - self.published)}; {_rows(self.total)} published altogether now"]
        return []


def items_of(dataset: Dataset) -> dict[str, Item]:
    """Return the items by name: the department knows them by their headers, and writes them in the form of their type."""
    return {item.name: item for item in dataset.items}


def as_summary(found: tuple[Count, ...], items: dict[str, Item], lang: Lang, files: int = 1) -> list[str]:
    """Return one line per item and code, and how rows are numbered; nothing where nothing was wrong."""
    lines = describe(found, items, lang, files)
    counted = [NUMBERED_ZH if lang == "zh" else NUMBERED_EN] if found else []
    return [f"  {line}" for line in [*lines, *counted]]


def describe(found: tuple[Count, ...], items: dict[str, Item], lang: Lang, files: int = 1) -> list[str]:
    """Return one line per item and code: what, how many rows, where the first ones stand.

    files  of the delivery; of a single one its number is not told
    """
    several = files > 1 or any(file > 1 for count in found for file, _ in count.first)
    return [_describe(count, items.get(count.item), lang, several=several) for count in found]


def as_list(tally: Tally, items: dict[str, Item], lang: Lang) -> str:
    """Return the faults as lines of CSV, for who corrects the files: where each is and what it is, no value."""
    told = StringIO()
    lines = csv.writer(told)
    zh = lang == "zh"
    lines.writerow(["文件", "行", "表头", "代码", "问题"] if zh else ["file", "row", "header", "code", "what is wrong"])
    for fault in tally.faults():
        item = items.get(fault.item)
        lines.writerow([fault.file, fault.row, _header(item, lang), fault.code, _wrong(fault.code, item, lang)])
    for (name, code), more in tally.beyond().items():
        cut = f"另有 {more:,} 行，未逐一列出" if zh else f"and {more:,} rows more, which are not listed"
        lines.writerow(["", "", _header(items.get(name), lang), code, cut])
    return told.getvalue()


def _header(item: Item | None, lang: Lang) -> str:
    return item.header if item else "整行" if lang == "zh" else "row"


def _describe(count: Count, item: Item | None, lang: Lang, *, several: bool) -> str:
    wrong = _wrong(count.code, item, lang)
    if lang == "zh":
        places = "、".join(f"文件{file}:{row}" if several else f"{row}" for file, row in count.first)
        return f"{_header(item, lang)}：{wrong}，{count.rows:,} 行（第 {places} 行{'等' if count.rows > len(count.first) else ''}）"
    places = ", ".join(f"file {file} row {row}" if several else f"row {row}" for file, row in count.first)
    return f"{_header(item, lang)}: {wrong}, {_rows(count.rows)} ({places}{', ...' if count.rows > len(count.first) else ''})"


def _wrong(code: str, item: Item | None, lang: Lang) -> str:
    """Return the sentence of a code; where a value is not of its type, with the forms of that type."""
    en, zh = CODES[code]
    if code != "type" or item is None:
        return zh if lang == "zh" else en
    form_en, form_zh = FORMS[item.type]
    return f"{zh}（{form_zh}）" if lang == "zh" else f"{en} ({form_en})"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
