# SPDX-License-Identifier: Apache-2.0
"""The synthetic city: people, enterprises, and what twelve departments know of them, as deliveries with data contracts.

It brings data, no services. Departments agree with one another, send dirt, and keep the truth to nobody: it is written
apart, so that services can be judged.
"""

from zhanqiao.scenarios.city.delivery import CONTRACTS, Manifest, write_city
from zhanqiao.terms.scenarios import Scenario

scenario = Scenario(name="city", contracts=CONTRACTS, write=write_city)

__all__ = ["Manifest", "scenario", "write_city"]
