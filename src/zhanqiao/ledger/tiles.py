# SPDX-License-Identifier: Apache-2.0
"""The log on disk as C2SP tlog-tiles: plain files that any web server can serve and any tlog client can check.

    tile/<level>/<n>[.p/<width>]     up to 256 hashes of complete subtrees of 256**level leaves
    tile/entries/<n>[.p/<width>]     the leaves themselves, each after its length as a big-endian uint16

Every file is written beside its place, synced, renamed and its folders synced. So a crash during `append` leaves, for
each file, the whole of it or none of it, and possibly a stale `.part`; the next `append` from the same start writes the
rest. A full tile is never changed: finding other content in its place is a fault, for it means that the log was
rewritten. Content that merely stops too early is what a broken disk left of our own write, and is written again. What a
partial bundle holds is hashed before it is copied on: damage would become part of the next one.

`append` trusts its caller for the order and for being alone (the book holds a lock). Nothing here is trusted by a
reader: every tile hangs under a signed root.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from zhanqiao.ledger import durable
from zhanqiao.ledger.regular_file import NotRegular, read_whole
from zhanqiao.ledger.tree import (
    HASH_BYTES,
    Frontier,
    HashAt,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    root_of,
)

TILE_WIDTH = 256
_TILE_HEIGHT = 8
# The length before each entry is a uint16.
MAX_ENTRY_BYTES = 65_535
# Eight levels hold 2**64 entries, seven groups of digits name their tiles.
_PLACE = re.compile(
    r"(?P<level>entries|[0-7])/(?P<groups>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class TilesDamaged(Exception):  # noqa: N818  the name says what is so
    """A tile is missing, short, or holds something else than what was logged. Nothing is repaired silently."""


class TileStore:
    """The tiles of one log under `folder`, which is also the URL prefix when it is served."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- writing ----------------------------------------------------------------------------------

    def append(self, start: int, leaves: Sequence[bytes]) -> None:
        """Write what a log of `start` entries gains by `leaves`. Repeating it, or a part of it, is harmless."""
        if too_long := [len(leaf) for leaf in leaves if len(leaf) > MAX_ENTRY_BYTES]:
            raise ValueError(f"couldn't append: an entry has {max(too_long)} bytes, {MAX_ENTRY_BYTES} fit")
        if not leaves:
            return
        # All of it is read and checked before any of it is written: nothing is copied on that is damaged.
        grown = list(self._grown(start, leaves))
        touched: set[Path] = set()
        for level, number, records in grown:
            path = self._path(level, number, len(records))
            _write_once(path, b"".join(records))
            touched.add(path)
        self._sync(touched)
        # A crash here leaves partial tiles beside their full one: harmless, and later readers take the full one.
        self._drop_partials(start, start + len(leaves))

    def check_newest(self, size: int) -> None:
        """Raise TilesDamaged unless the entries of the last partial bundle, to be copied on, are those that are hashed."""
        self._kept_entries(size)

    def _grown(self, start: int, leaves: Sequence[bytes]) -> Iterator[tuple[str, int, list[bytes]]]:
        """Yield each tile that a log of `start` entries changes or gains by `leaves`: level, number, all its records."""
        gained = [len(leaf).to_bytes(2, "big") + leaf for leaf in leaves]
        yield from _filled("entries", start, self._kept_entries(start), gained)
        # A level gains one hash for each tile that became full on the level below.
        level, first, hashes = 0, start, [leaf_hash(leaf) for leaf in leaves]
        while hashes:
            tiles = list(_filled(str(level), first, self._kept(str(level), first), hashes))
            yield from tiles
            level, first = level + 1, first // TILE_WIDTH
            hashes = [root_of(records) for _, _, records in tiles if len(records) == TILE_WIDTH]

    def _kept_entries(self, size: int) -> list[bytes]:
        """Return the records of the last partial bundle, which hash to what the signed tree was made of."""
        kept = self._kept("entries", size)
        if [leaf_hash(record[2:]) for record in kept] != self._kept("0", size):
            path = self._shown(self._path("entries", size // TILE_WIDTH, size % TILE_WIDTH))
            raise TilesDamaged(f"couldn't go on from {path}: its entries are not those that were hashed")
        return kept

    def _kept(self, level: str, size: int) -> list[bytes]:
        """Return the records of the last partial tile of a level that has `size` of them."""
        number, width = divmod(size, TILE_WIDTH)
        return self._records(level, number, width) if width else []

    def _sync(self, touched: set[Path]) -> None:
        """Make the renames durable: each file's folder and all above it, for some of them are new."""
        folders = {folder for path in touched for folder in path.parents if folder.is_relative_to(self.folder)}
        for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
            durable.sync_folder(folder)

    def _drop_partials(self, start: int, size: int) -> None:
        """Remove the partial forms of tiles that became full (tlog-tiles allows it), or they would outweigh the log."""
        level = 0
        while start < size:
            for number in range(start // TILE_WIDTH, size // TILE_WIDTH):
                for kind in (str(level), "entries") if level == 0 else (str(level),):
                    _remove_folder(self._path(kind, number, 1).parent)
            level, start, size = level + 1, start // TILE_WIDTH, size // TILE_WIDTH

    # --- reading ----------------------------------------------------------------------------------

    def hash_at(self, level: int, index: int, size: int) -> bytes:
        """Return the hash of the complete subtree of 2**level leaves that starts at leaf index * 2**level."""
        return self._reader(size)(level, index)

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` entries."""
        return root_at(size, self._reader(size))

    def frontier(self, size: int) -> Frontier:
        """Return the right edge of the tree over the first `size` entries, to append to."""
        return frontier_at(size, self._reader(size))

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the audit path of entry `index` in the tree of `size`."""
        return inclusion_proof(index, size, self._reader(size))

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Return the proof that the log of `size` only appended to the log of `old`."""
        return consistency_proof(old, size, self._reader(size))

    def entry(self, index: int, size: int) -> bytes:
        """Return the bytes of one entry."""
        if not 0 <= index < size:
            raise ValueError(f"couldn't read entry {index}: the log has {size}")
        number, offset = divmod(index, TILE_WIDTH)
        return self._records("entries", number, _width(number, size))[offset][2:]

    def entries(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` entries in order, each bundle read once."""
        for number in range(-(-size // TILE_WIDTH)):
            for record in self._records("entries", number, _width(number, size)):
                yield record[2:]

    def check(self, size: int) -> None:
        """Raise TilesDamaged unless each hash tile holds what the entries, or the tiles below it, hash to."""
        level = 0
        hashes: Iterator[bytes] = map(leaf_hash, self.entries(size))
        while size:
            full = []
            for number in range(-(-size // TILE_WIDTH)):
                width = _width(number, size)
                records = list(islice(hashes, width))
                if self._records(str(level), number, width) != records:
                    path = self._shown(self._path(str(level), number, width))
                    raise TilesDamaged(f"couldn't confirm {path}: it holds other hashes than what lies below it")
                if width == TILE_WIDTH:
                    full.append(root_of(records))
            level, size, hashes = level + 1, size // TILE_WIDTH, iter(full)

    def check_files(self, size: int, unshown: Sequence[bytes]) -> None:
        """Raise TilesDamaged unless each file is a tile of this log: of `size` entries, or on the way to `unshown` more.

        Full tiles within `size` are `check`'s; here are the partial ones of sizes before, which others may still fetch,
        and what an append that crashed has left. The caller is alone.
        """
        grown = {(level, number): records for level, number, records in self._grown(size, unshown)} if unshown else {}
        for path in sorted((self.folder / "tile").rglob("*")):
            place = self._place(path)
            if path.suffix == durable.PART or (place is None and path.is_dir() and not path.is_symlink()):
                continue
            if place is None:
                raise TilesDamaged(f"couldn't confirm {self._shown(path)}: no such tile belongs to this log")
            level, number, width = place
            shown = _width(number, _records_at(level, size))
            if shown == width == TILE_WIDTH:
                continue
            records = grown.get((level, number)) or (self._records(level, number, shown) if shown > 0 else [])
            if width > len(records):
                raise TilesDamaged(f"couldn't confirm {self._shown(path)}: no such tile belongs to this log")
            if _read(path) != b"".join(records[:width]):
                raise TilesDamaged(f"couldn't confirm {self._shown(path)}: it holds something else than was logged")

    def _place(self, path: Path) -> tuple[str, int, int] | None:
        """Return level, number and width of the tile that lies at `path`, None where none can lie."""
        place = _place_of(str(path.relative_to(self.folder / "tile")))
        return place if place is not None and self._path(*place) == path else None

    def _reader(self, size: int) -> HashAt:
        """Return `hash_at` for one tree size; each tile is read once in the reader's life."""
        tiles: dict[tuple[int, int], list[bytes]] = {}

        def hash_at(level: int, index: int) -> bytes:
            tile_level, height = divmod(level, _TILE_HEIGHT)
            number, offset = divmod(index << height, TILE_WIDTH)
            if index + 1 > size >> level:
                raise ValueError(f"couldn't hash subtree {index} of level {level}: not complete at size {size}")
            key = (tile_level, number)
            if key not in tiles:
                tiles[key] = self._records(str(tile_level), number, _width(number, size >> (_TILE_HEIGHT * tile_level)))
            return _complete_root(tiles[key][offset : offset + (1 << height)])

        return hash_at

    def _records(self, level: str, number: int, width: int) -> list[bytes]:
        """Read the first `width` records of a tile: from the full one if it is there, else from that partial."""
        full, partial = self._path(level, number, TILE_WIDTH), self._path(level, number, width)
        # The full one is tried again last: it may have taken the partial one's place between the two looks.
        for candidate in (full, partial, full):
            try:
                content = _read(candidate)
            except FileNotFoundError:
                continue
            records = list(_split_entries(content) if level == "entries" else _split_hashes(content))
            if len(records) < width:
                raise TilesDamaged(f"couldn't read {self._shown(candidate)}: {len(records)} records, {width} expected")
            whole = TILE_WIDTH if candidate == full else width
            if len(records) >= whole and sum(map(len, records[:whole])) < len(content):
                raise TilesDamaged(f"couldn't read {self._shown(candidate)}: something stands behind its last record")
            return records[:width]
        raise TilesDamaged(f"couldn't read {self._shown(partial)}: no such tile")

    def _path(self, level: str, number: int, width: int) -> Path:
        """Return where a tile lies: 1234067 is x001/x234/067, a partial of it x001/x234/067.p/<width>."""
        groups = [f"{number % 1000:03d}"]
        while number >= 1000:
            number //= 1000
            groups.insert(0, f"x{number % 1000:03d}")
        path = self.folder.joinpath("tile", level, *groups)
        return path if width == TILE_WIDTH else path.with_name(path.name + ".p") / str(width)

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.folder))


def is_tile(name: str, size: int) -> bool:
    """Whether a log of `size` entries has, or had when it was shorter, a tile of that name; what it holds is not looked at."""
    place = _place_of(name)
    return place is not None and place[2] <= _width(place[1], _records_at(place[0], size))


def _place_of(name: str) -> tuple[str, int, int] | None:
    """Read level, number and width of a tile from its name under `tile/`."""
    found = _PLACE.fullmatch(name)
    if found is None:
        return None
    digits = found["groups"].replace("x", "").replace("/", "")
    return found["level"], int(digits), int(found["width"] or TILE_WIDTH)


def _records_at(level: str, size: int) -> int:
    """Return how many records a log of `size` entries has on a level."""
    return size if level == "entries" else size >> (_TILE_HEIGHT * int(level))


def _filled(level: str, first: int, kept: list[bytes], gained: list[bytes]) -> Iterator[tuple[str, int, list[bytes]]]:
    """Yield the tiles that hold records [first, first + len(gained)); `kept` is what the first of them holds already."""
    number, records = first // TILE_WIDTH, kept + gained
    for at in range(0, len(records), TILE_WIDTH):
        yield level, number + at // TILE_WIDTH, records[at : at + TILE_WIDTH]


def _width(number: int, records: int) -> int:
    """Return how many of `records` records lie in tile `number`."""
    return min(TILE_WIDTH, records - number * TILE_WIDTH)


def _complete_root(records: Sequence[bytes]) -> bytes:
    nodes = list(records)
    while len(nodes) > 1:
        nodes = [node_hash(nodes[at], nodes[at + 1]) for at in range(0, len(nodes), 2)]
    return nodes[0]


def _split_hashes(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content) - HASH_BYTES + 1, HASH_BYTES):
        yield content[at : at + HASH_BYTES]


def _split_entries(content: bytes) -> Iterator[bytes]:
    """Yield each whole entry with its length before it; a cut-off last one is not an entry."""
    at = 0
    while at + 2 <= len(content):
        end = at + 2 + int.from_bytes(content[at : at + 2], "big")
        if end > len(content):
            return
        yield content[at:end]
        at = end


def _read(path: Path) -> bytes:
    try:
        return read_whole(path)
    except NotRegular as cause:
        raise TilesDamaged(f"couldn't read the tile {path.name}: {cause.strerror}") from cause


def _write_once(path: Path, content: bytes) -> None:
    """Put `content` at `path`, durably but for the folder's own sync. What stands there already must be the same."""
    try:
        found = _read(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)  # `_sync` makes the folders last
    else:
        if found == content:
            return
        if not content.startswith(found):
            raise TilesDamaged(f"couldn't write tile {path.name}: other content stands in its place ({path})")
    durable.place(path, content, mode=durable.PUBLIC)


def _remove_folder(folder: Path) -> None:
    if folder.is_dir():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
