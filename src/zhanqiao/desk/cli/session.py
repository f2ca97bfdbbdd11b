# SPDX-License-Identifier: Apache-2.0
"""Opening a deployment for one command, and knowing who speaks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import DatabaseError, connections

from zhanqiao.catalogue.shelf import ShelfDamaged
from zhanqiao.desk.cli.output import refused
from zhanqiao.desk.deployment import open_house
from zhanqiao.desk.personas import key_file
from zhanqiao.identity.keys import read_key_file
from zhanqiao.ledger.entries import LedgerDamaged
from zhanqiao.terms.refusals import Lang, Refusal, refuse
from zhanqiao.vault.faults import KeyFault, VaultFault
from zhanqiao.vault.house import House

T = TypeVar("T")


@contextmanager
def opened(home: Path, lang: Lang, *, as_json: bool) -> Iterator[House]:
    """Open the deployment, and give what is damaged its own sentence. Nothing is repaired, and the command ends."""
    house = open_house(home)
    if isinstance(house, Refusal):
        refused(house, lang, as_json=as_json)
    try:
        yield house
    except LedgerDamaged as damage:
        refused(refuse("ledger-damaged", cause=str(damage)), lang, as_json=as_json)
    except (VaultFault, KeyFault) as damage:
        refused(refuse("vault-damaged", cause=str(damage)), lang, as_json=as_json)
    except (ShelfDamaged, DatabaseError) as damage:
        refused(refuse("state-damaged", cause=str(damage)), lang, as_json=as_json)
    finally:
        connections.close_all()


def unwrap(outcome: T | Refusal, lang: Lang, *, as_json: bool) -> T:
    """Return what was done, or print the refusal and end."""
    if isinstance(outcome, Refusal):
        refused(outcome, lang, as_json=as_json)
    return outcome


def speaker(house: House, who: str, lang: Lang, *, as_json: bool) -> str:
    """Return the person in whose name a command acts. `--as` is for the demo profile; elsewhere people sign in."""
    if not who:
        refused(refuse("who-missing"), lang, as_json=as_json)
    if house.profile != "demo":
        refused(refuse("as-outside-demo", profile=house.profile), lang, as_json=as_json)
    return who


def key_of(house: House, who: str, lang: Lang, *, as_json: bool) -> Ed25519PrivateKey:
    """Return the private key of a persona of the demo profile."""
    key = read_key_file(key_file(house.home, who), passphrase=None, profile=house.profile)
    return unwrap(key, lang, as_json=as_json)
