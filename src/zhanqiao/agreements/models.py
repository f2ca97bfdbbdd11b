# SPDX-License-Identifier: Apache-2.0
# Rows stay home, nobody prints them (DJ008); Meta is Django's (D106, RUF012).
"""The agreements' tables. Only this floor reads or writes them. Ids of other floors are plain columns."""

from django.db import models


class AgreementRow(models.Model):
    """One digital contract. `contract` holds the exact bytes that both seals sign.

    kept            what people did (states.py); begin and end of the term are judged at the moment of use
    begins, ends    copied from the contract for the one UPDATE that charges, as issuer and resident are to look up by;
                    find_grant compares them
    spent           answers charged; limit NULL = no count was agreed
    """

    id = models.CharField(max_length=47, primary_key=True)
    kept = models.CharField(max_length=16)
    filed = models.BooleanField(default=False)
    contract = models.BinaryField()
    digest = models.CharField(max_length=80)
    issuer = models.CharField(max_length=64)
    resident = models.CharField(max_length=64, db_index=True)
    begins = models.DateTimeField()
    ends = models.DateTimeField()
    limit = models.BigIntegerField(null=True)
    spent = models.BigIntegerField(default=0)

    class Meta:
        db_table = "agreements_agreement"


class SealRow(models.Model):
    """One seal. One organisation seals once, and one person seals once."""

    agreement = models.ForeignKey(AgreementRow, on_delete=models.PROTECT, related_name="seals")
    organisation = models.CharField(max_length=64)
    person = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    signature = models.BinaryField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        db_table = "agreements_seal"
        constraints = [
            models.UniqueConstraint(fields=["agreement", "organisation"], name="agreements_one_seal_each"),
            models.UniqueConstraint(fields=["agreement", "person"], name="agreements_two_people"),
        ]


class HoldRow(models.Model):
    """One organisation's suspension: of the whole agreement, or of the datasets of one source department."""

    agreement = models.ForeignKey(AgreementRow, on_delete=models.PROTECT, related_name="holds")
    organisation = models.CharField(max_length=64)
    whole = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        db_table = "agreements_hold"
        constraints = [models.UniqueConstraint(fields=["agreement", "organisation"], name="agreements_one_hold_each")]


class ConsentRow(models.Model):
    """What became of one consent: how often it was used, and whether it was withdrawn. Not whose it is."""

    issuer = models.CharField(max_length=64)
    nonce = models.CharField(max_length=64)
    used = models.BigIntegerField(default=0)
    withdrawn = models.DateTimeField(null=True)

    class Meta:
        db_table = "agreements_consent"
        constraints = [models.UniqueConstraint(fields=["issuer", "nonce"], name="agreements_one_consent")]
