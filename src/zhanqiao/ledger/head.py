# SPDX-License-Identifier: Apache-2.0
"""The head: how far the log goes, signed with the log's key at every append.

Who can write the state can make up rows and a tree over them, but not the signature over that tree. It also says how
far the checkpoint had come, so that nobody goes on beside a public history that is older. It is a note over

    <origin> head
    <size>
    <base64 root>
    <size that the checkpoint showed>

and no checkpoint: the first line of a checkpoint is an origin alone.
"""

from dataclasses import dataclass

from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.ledger.exact import in_base64
from zhanqiao.ledger.models import Head
from zhanqiao.ledger.note import NoteSigner, NoteVerifier, open_note, sign
from zhanqiao.ledger.tree import Frontier

# The one row of the head. Another number would be another log's.
_HEAD = 1


@dataclass(frozen=True)
class LogHead:
    """The head as it was signed: the tree of all entries, and how many of them a checkpoint had shown by then."""

    tree: Frontier
    shown: int

    @property
    def size(self) -> int:
        return self.tree.size


def found_head(log: NoteSigner) -> None:
    """Write the head of an empty log."""
    tree = Frontier()
    Head.objects.create(pk=_HEAD, size=0, frontier=tree.to_bytes(), signature=_signature(log, tree, 0))


def move_head(log: NoteSigner, before: int, tree: Frontier, shown: int) -> bool:
    """Let the head go on from `before`: a compare-and-swap. False when somebody else has moved it."""
    moved = Head.objects.filter(pk=_HEAD, size=before)
    return moved.update(size=tree.size, frontier=tree.to_bytes(), signature=_signature(log, tree, shown)) == 1


def read_head(log: NoteVerifier) -> LogHead:
    """Return how far the log goes; raises LedgerDamaged unless it is what was signed."""
    rows = list(Head.objects.values_list("pk", "size", "frontier", "signature")[:2])
    match rows:
        case [(pk, int(size), bytes(stored), bytes(signature))] if pk == _HEAD:
            pass
        case _:
            raise LedgerDamaged("couldn't read the head of the log: it is not the one row that it should be")
    try:
        tree = Frontier.from_bytes(stored)
    except ValueError as cause:
        raise LedgerDamaged(f"couldn't read the head of the log: {cause}") from cause
    if tree.size != size:
        raise LedgerDamaged(f"couldn't read the head of the log: its size is {size}, that of its tree {tree.size}")
    return LogHead(tree, _shown(signature, log, tree))


def _signature(log: NoteSigner, tree: Frontier, shown: int) -> bytes:
    return sign(_text(log.name, tree, shown), [log])


def _shown(signature: bytes, log: NoteVerifier, tree: Frontier) -> int:
    try:
        text, _ = open_note(signature, [log])
    except ValueError as cause:
        raise LedgerDamaged(f"couldn't read the head of the log: its signature is broken: {cause}") from cause
    shown = text.split("\n")[-2]
    if not shown.isdecimal() or text != _text(log.name, tree, int(shown)):
        raise LedgerDamaged("couldn't read the head of the log: it was signed over another tree")
    return int(shown)


def _text(origin: str, tree: Frontier, shown: int) -> str:
    return f"{origin} head\n{tree.size}\n{in_base64(tree.root())}\n{shown}\n"
