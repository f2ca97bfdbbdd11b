# SPDX-License-Identifier: Apache-2.0
"""Key proof: whatever is logged of somebody while his key vouches for him names that key.

    with acting(proof):
        ...   # each recording asks whether the key still stands, and each event of that person carries its name

Rows can be edited and put back; a leaf cannot. So the leaf says which key was really checked, and the audit asks the log
whether it was that person's there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class KeyProof:
    """Who acts, and by which key it was proven.

    key     names the key by the very bytes that were checked, never by what a row says of them
    stands  whether it is that person's still: asked inside of each transaction
    """

    by: str
    key: str
    stands: Callable[[], bool]


class ProofFallen(Exception):  # noqa: N818
    """The key was replaced or revoked after it had proven who acts: nothing more is done in that name."""


_at_work: ContextVar[KeyProof | None] = ContextVar("proof at work", default=None)


@contextmanager
def acting(proof: KeyProof | None) -> Iterator[None]:
    """Act under a proof for the length of the block, in this thread; None: nothing was proven."""
    former = _at_work.set(proof)
    try:
        yield
    finally:
        _at_work.reset(former)


def standing_proof() -> KeyProof | None:
    """Return the proof under which this thread acts; raises ProofFallen when it stands no more."""
    proof = _at_work.get()
    if proof is not None and not proof.stands():
        raise ProofFallen(proof.by)
    return proof
