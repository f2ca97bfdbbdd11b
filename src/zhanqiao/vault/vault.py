# SPDX-License-Identifier: Apache-2.0
"""The vault: where the data is. It runs permits and nothing else.

Every call that reads or writes rows takes a permit, checks that it is one, that it has not expired and that it fits
what it is asked for, and runs it. What cannot be checked here (grants, consents, levels) was decided by `policy`, which
alone makes permits.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from zhanqiao.policy.permits import LoadPermit, Permit
from zhanqiao.terms.datasets import Dataset
from zhanqiao.vault import crypt
from zhanqiao.vault.connection import DEFAULT_LIMITS, Limits
from zhanqiao.vault.faults import VaultFault
from zhanqiao.vault.identities import IdentityStore
from zhanqiao.vault.keys import Keyring
from zhanqiao.vault.segments import SegmentStore
from zhanqiao.vault.subjects import SubjectBook


class Vault:
    """An open vault."""

    def __init__(
        self, folder: Path, keyring: Keyring, clock: Callable[[], datetime], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._clock = clock
        self._keyring = keyring
        self._scratch = folder / "scratch"
        self._segments = SegmentStore(folder / "segments", self._scratch, keyring, limits)
        self.subjects = SubjectBook(folder / "subjects", keyring)
        self.identities = IdentityStore(folder / "identities", keyring)

    def load(self, permit: LoadPermit, dataset: Dataset, batches: Iterable[pa.RecordBatch]) -> str:
        """Write one segment and return its name. It is nobody's until the catalogue publishes a snapshot with it."""
        self._check(permit, LoadPermit)
        if (permit.dataset, permit.contract_digest) != (dataset.name, dataset.digest):
            raise VaultFault("couldn't load: the permit is for another dataset or contract version")
        return self._segments.write(dataset, permit.snapshot, batches)

    def seal(self, purpose: str, plaintext: bytes, aad: bytes) -> bytes:
        """Seal bytes (a memo, a quarantined row) with the data key of a purpose."""
        return crypt.seal(self._keyring.key(purpose), plaintext, aad)

    def open(self, purpose: str, sealed: bytes, aad: bytes) -> bytes:
        """Open what `seal` sealed for the same purpose and place."""
        return crypt.open_sealed(self._keyring.key(purpose), sealed, aad, f"sealed {purpose}")

    def commitment(self, message: bytes) -> str:
        """Return a keyed digest that commits to an exact result without telling it (certificate, CONTRACTS 5)."""
        return "hmac-sha256:" + self._keyring.hmac("commitments", message).hex()

    def _check(self, permit: Permit, wanted: type[Permit]) -> None:
        if type(permit) is not wanted:
            raise VaultFault("couldn't run: only permits that policy made are run here")
        if permit.expires <= self._clock():
            raise VaultFault("couldn't run: the permit has expired")
