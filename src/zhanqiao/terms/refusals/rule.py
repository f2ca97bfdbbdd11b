# SPDX-License-Identifier: Apache-2.0
"""The shape of one row of the refusal table, and the exit statuses of the command line."""

from dataclasses import dataclass

DONE, FAULT, USAGE, REFUSED, NOT_FOUND = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Rule:
    """One row: a sentence and a remedy in both languages; braces hold the names of the facts that fill them."""

    en: str
    zh: str
    remedy_en: str
    remedy_zh: str
    exit_status: int = REFUSED
    http_status: int = 403
