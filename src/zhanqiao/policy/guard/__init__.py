# SPDX-License-Identifier: Apache-2.0
"""The guard (语句守卫): reads a caller's text and refuses whatever it does not know.

read(text, tree_b, dataset_of, grant) -> Statement | Refusal
digest(statement)                     -> the key of a question: equal meaning, equal digest
"""

from zhanqiao.policy.guard.digest import digest
from zhanqiao.policy.guard.read import read

__all__ = ["digest", "read"]
