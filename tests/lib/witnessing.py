# SPDX-License-Identifier: Apache-2.0
"""A deployment's log before witnesses of the test's own: real ones, asked without a network."""

from collections.abc import Callable
from pathlib import Path

from zhanqiao.ledger.cosigning import Witness
from zhanqiao.ledger.note import NoteVerifier
from zhanqiao.ledger.witnesses import Patience, Reply, Seat, Witnesses

# What a test does with a request before, or instead of, the witness.
Network = Callable[[str, bytes], Reply]


def log_of(home: Path) -> NoteVerifier:
    """Return the key that a deployment publishes."""
    return NoteVerifier.from_vkey((home / "public" / "log.vkey").read_text().strip())


def found_witnesses(folder: Path, home: Path, clock: object, *names: str) -> dict[str, Witness]:
    """Make witnesses that watch a deployment's log."""
    return {name: Witness.found(folder / name, f"{name}.example/w", [log_of(home)], clock) for name in names}


def network(witnesses: dict[str, Witness]) -> Network:
    """Return the way to these witnesses."""

    def send(url: str, body: bytes) -> Reply:
        answer = witnesses[url.removeprefix("http://").removesuffix("/add-checkpoint")].add_checkpoint(body)
        return Reply(int(answer.status), answer.content_type, answer.content)

    return send


def seat(
    house: object,
    witnesses: dict[str, Witness],
    clock: object,
    send: Network | None = None,
    patience: Patience | None = None,
) -> None:
    """Let these witnesses cosign the log of an open deployment."""
    seats = tuple(Seat(name, f"http://{name}", witness.verifier) for name, witness in witnesses.items())
    house.book.witnesses = Witnesses(
        house.home / "ledger", log_of(house.home), seats, clock, send or network(witnesses), patience or Patience()
    )


def trust_of(house: object, quorum: int) -> bytes:
    """Return the deployment's trust file with a quorum of its witnesses."""
    seats = house.book.witnesses.seats
    lines = [f"witness {one.name} {one.verifier.vkey} {one.url}" for one in seats]
    lines += [f"group all-of-them {quorum} {' '.join(one.name for one in seats)}", "quorum all-of-them", ""]
    return (house.home / "public" / "trust.txt").read_bytes() + "\n".join(lines).encode()
