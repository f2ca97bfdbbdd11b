# SPDX-License-Identifier: Apache-2.0
"""The ledger's tables. Only `ledger.book` reads or writes them."""

from django.db import models


class Entry(models.Model):
    """One leaf of the log. `leaf` holds the exact bytes that are hashed: a canonical event, or a signed envelope."""

    index = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=64, db_index=True)
    by = models.CharField(max_length=128)
    request = models.CharField(max_length=64, blank=True, db_index=True)
    time = models.DateTimeField()
    leaf = models.BinaryField()


class Head(models.Model):
    """The one row that says how far the log goes: its size and the compact range of its tree, signed (`ledger.head`)."""

    size = models.BigIntegerField()
    frontier = models.BinaryField()
    signature = models.BinaryField()


class Request(models.Model):
    """A request that was charged. The same id gets the same answer and no second charge.

    digest  what was asked, so that one id cannot be used for two questions
    memo    the sealed answer, present from the release on
    index   the log entry that carries the signed statement
    """

    id = models.CharField(max_length=64, primary_key=True)
    digest = models.CharField(max_length=80)
    memo = models.BinaryField(null=True)
    index = models.BigIntegerField(null=True)
