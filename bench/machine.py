# SPDX-License-Identifier: Apache-2.0
"""Facts about the machine that figures depend on; nothing that names it."""

import os
import platform
import sqlite3
from pathlib import Path

import cryptography
import django
import duckdb
import numpy as np
import pyarrow as pa


def facts() -> dict[str, object]:
    """Return processor, cores, memory, versions, and how busy the machine is."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": round(os.getloadavg()[0], 2),
        "versions": {
            "python": platform.python_version(),
            "duckdb": duckdb.__version__,
            "numpy": np.__version__,
            "pyarrow": pa.__version__,
            "django": django.get_version(),
            "cryptography": cryptography.__version__,
            "sqlite": sqlite3.sqlite_version,
        },
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
