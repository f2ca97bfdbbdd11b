# SPDX-License-Identifier: Apache-2.0
"""Scenarios are found by entry point, so that the desk imports none of them by name and a city can add its own."""

from functools import cache
from importlib.metadata import entry_points

from zhanqiao.terms.refusals import Refusal, refuse
from zhanqiao.terms.scenarios import Scenario
from zhanqiao.terms.services import Service


@cache
def all_scenarios() -> dict[str, Scenario]:
    """Return every installed scenario by name."""
    found = {point.name: point.load() for point in entry_points(group="zhanqiao.scenarios")}
    return dict(sorted(found.items()))


def all_services() -> tuple[Service, ...]:
    """Return every published decision service."""
    return tuple(service for scenario in all_scenarios().values() for service in scenario.services)


def find_service(name: str) -> Service | None:
    """Return the decision service of that name, or None."""
    return next((service for service in all_services() if service.name == name), None)


def service_named(name: str) -> Service | Refusal:
    """Return the decision service of that name, or the refusal that names those there are."""
    known = ", ".join(service.name for service in all_services())
    return find_service(name) or refuse("unknown-service", service=name, known=known)
