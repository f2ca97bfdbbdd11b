# SPDX-License-Identifier: Apache-2.0
"""The catalogue's tables. Only this floor reads or writes them; everybody else gets frozen values."""

from django.db import models


class ContractRow(models.Model):
    """A contract as it was in force, kept whole: what was agreed under a version can be read for good."""

    digest = models.CharField(max_length=80, primary_key=True)
    dataset = models.CharField(max_length=63)
    version = models.CharField(max_length=32)
    text = models.TextField()
    by = models.CharField(max_length=128)
    described = models.DateTimeField()

    class Meta:
        db_table = "catalogue_contract"
        constraints = [models.UniqueConstraint(fields=["dataset", "version"], name="one_contract_per_version")]


class SnapshotRow(models.Model):
    """One frozen state of a dataset: the segments that hold it, and the contract they were loaded under."""

    id = models.CharField(max_length=64, primary_key=True)
    dataset = models.CharField(max_length=63)
    contract = models.ForeignKey(ContractRow, on_delete=models.PROTECT, related_name="+")
    rows = models.BigIntegerField()
    segments = models.JSONField()
    batch_digest = models.CharField(max_length=80)
    # Digests of the delivered files, which the log knows by the batch's; empty where an older version published it.
    files = models.JSONField(default=list)
    published = models.DateTimeField()

    class Meta:
        db_table = "catalogue_snapshot"
        indexes = [models.Index(fields=["dataset", "batch_digest"], name="snapshot_by_batch")]


class StandingRow(models.Model):
    """What stands now: one row for each dataset, naming its contract in force and its published snapshot."""

    dataset = models.CharField(max_length=63, primary_key=True)
    code = models.CharField(max_length=64, unique=True)
    contract = models.ForeignKey(ContractRow, on_delete=models.PROTECT, related_name="+")
    snapshot = models.ForeignKey(SnapshotRow, on_delete=models.PROTECT, related_name="+", null=True)

    class Meta:
        db_table = "catalogue_standing"


class HighWaterRow(models.Model):
    """How much of one thing the vault held at the latest publication, by the thing's name in the vault."""

    name = models.CharField(max_length=200, primary_key=True)
    count = models.BigIntegerField()

    class Meta:
        db_table = "catalogue_high_water"
