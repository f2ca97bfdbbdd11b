# SPDX-License-Identifier: Apache-2.0
"""The guard (语句守卫): reads a caller's text and refuses whatever it does not know.

read(text, tree_b, dataset_of, grant) -> Statement | Refusal
Memory().read(...)                    -> the same, faster for a text that was read before
digest(statement)                     -> the key of a question: equal meaning, equal digest
"""

from zhanqiao.policy.guard.digest import digest
from zhanqiao.policy.guard.memory import Memory
from zhanqiao.policy.guard.read import read

__all__ = ["Memory", "digest", "read"]
