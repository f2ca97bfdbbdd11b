# SPDX-License-Identifier: Apache-2.0
"""Django's settings for platform state. The data itself never goes through Django.

`ZHANQIAO_HOME` names the deployment's folder. Every connection starts read-only; `ledger.book` alone unlocks it.
"""

import os
from pathlib import Path

HOME = Path(os.environ.get("ZHANQIAO_HOME", "zhanqiao-home"))

INSTALLED_APPS = ["zhanqiao.ledger", "zhanqiao.catalogue", "zhanqiao.identity", "zhanqiao.agreements"]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(HOME / "state.sqlite3"),
        "OPTIONS": {
            "timeout": 30,
            # FULL: an acknowledged record survives a power cut; WAL with NORMAL may lose it.
            "init_command": (
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA query_only = ON"
            ),
        },
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = ""  # nothing here signs with it
