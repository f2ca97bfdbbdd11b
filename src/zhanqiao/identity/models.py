# SPDX-License-Identifier: Apache-2.0
# Rows stay home, nobody prints them (DJ008); NULL is not the empty text where a column is unique or has a meaning of
# its own for "none" (DJ001); Meta is Django's (D106, RUF012).
"""Identity's tables. Only this floor reads or writes them; everybody else gets frozen values."""

from django.db import models


class OrganisationRow(models.Model):
    """A registered organisation. `code` is unique: one legal entity is never operator and regulator."""

    id = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=200)
    code = models.CharField(max_length=18, null=True, unique=True)
    admission = models.CharField(max_length=16, null=True)
    assessed_by = models.CharField(max_length=64, null=True)

    class Meta:
        db_table = "identity_organisation"


class EvidenceRow(models.Model):
    """What an applicant handed in for one criterion: a reference, never the document."""

    organisation = models.ForeignKey(OrganisationRow, on_delete=models.PROTECT, related_name="+")
    criterion = models.CharField(max_length=8)
    reference = models.CharField(max_length=200)

    class Meta:
        db_table = "identity_evidence"
        constraints = [models.UniqueConstraint(fields=["organisation", "criterion"], name="identity_one_evidence")]


class PersonRow(models.Model):
    """One account of one natural person. `natural` is a slow digest of what names the natural person.

    `salt` is in no event: what the log says of name and natural person is digested under it.
    """

    id = models.CharField(max_length=64, primary_key=True)
    organisation = models.ForeignKey(OrganisationRow, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    natural = models.CharField(max_length=64, unique=True)
    salt = models.CharField(max_length=32)
    active = models.BooleanField(default=True)

    class Meta:
        db_table = "identity_person"


class RoleRow(models.Model):
    person = models.ForeignKey(PersonRow, on_delete=models.PROTECT, related_name="roles")
    role = models.CharField(max_length=24)

    class Meta:
        db_table = "identity_role"
        constraints = [models.UniqueConstraint(fields=["person", "role"], name="identity_one_role")]


class KeyRow(models.Model):
    """Every public key a person ever had. A seal names its key, so a replaced key still checks what it sealed."""

    id = models.CharField(max_length=64, primary_key=True)
    person = models.ForeignKey(PersonRow, on_delete=models.PROTECT, related_name="keys")
    public = models.BinaryField(max_length=32)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        db_table = "identity_key"


class ConsentKeyRow(models.Model):
    """A key that signs consents: a subject's own, or a consent authority's.

    For a subject, `salt` and `digest` say whose key it is. A thief of the state can try identifiers against them, as
    against any digest of 18 known-shaped characters; what he learns is that this subject uses consents.
    """

    issuer = models.CharField(max_length=64, primary_key=True)
    public = models.BinaryField(max_length=32, unique=True)
    organisation = models.ForeignKey(OrganisationRow, on_delete=models.PROTECT, null=True, related_name="+")
    subject_kind = models.CharField(max_length=16, null=True)
    salt = models.CharField(max_length=64, null=True)
    digest = models.CharField(max_length=80, null=True)
    revoked = models.DateTimeField(null=True)

    class Meta:
        db_table = "identity_consent_key"
