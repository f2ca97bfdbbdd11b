# SPDX-License-Identifier: Apache-2.0
"""Scenarios: what a package adds to the platform. Found by entry point, declared in one frozen value, run by nobody else.

A scenario brings services (declarations with a pure rule), data contracts, a writer of deliveries, or any of the three.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zhanqiao.terms.services import Service


@dataclass(frozen=True)
class Scenario:
    """One scenario package, exported as `scenario` in its `__init__.py`.

    services    decision services it publishes
    contracts   importable package whose `*.odcs.yaml` resources are data contracts, or None
    write       writes the scenario's deliveries into a folder, or None when it brings no data
    """

    name: str
    services: tuple[Service, ...] = ()
    contracts: str | None = None
    write: Callable[..., object] | None = None
