# SPDX-License-Identifier: Apache-2.0
"""The register: organisations, people, roles, keys."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="OrganisationRow",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=16)),
                ("name", models.CharField(max_length=200)),
                ("code", models.CharField(max_length=18, null=True, unique=True)),
                ("admission", models.CharField(max_length=16, null=True)),
                ("assessed_by", models.CharField(max_length=64, null=True)),
            ],
            options={
                "db_table": "identity_organisation",
            },
        ),
        migrations.CreateModel(
            name="ConsentKeyRow",
            fields=[
                ("issuer", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("public", models.BinaryField(max_length=32, unique=True)),
                ("subject_kind", models.CharField(max_length=16, null=True)),
                ("salt", models.CharField(max_length=64, null=True)),
                ("digest", models.CharField(max_length=80, null=True)),
                ("revoked", models.DateTimeField(null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="identity.organisationrow",
                    ),
                ),
            ],
            options={
                "db_table": "identity_consent_key",
            },
        ),
        migrations.CreateModel(
            name="PersonRow",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("natural", models.CharField(max_length=64, unique=True)),
                ("active", models.BooleanField(default=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.organisationrow"
                    ),
                ),
            ],
            options={
                "db_table": "identity_person",
            },
        ),
        migrations.CreateModel(
            name="KeyRow",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("public", models.BinaryField(max_length=32)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="keys", to="identity.personrow"
                    ),
                ),
            ],
            options={
                "db_table": "identity_key",
            },
        ),
        migrations.CreateModel(
            name="EvidenceRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("criterion", models.CharField(max_length=8)),
                ("reference", models.CharField(max_length=200)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.organisationrow"
                    ),
                ),
            ],
            options={
                "db_table": "identity_evidence",
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "criterion"), name="identity_one_evidence")
                ],
            },
        ),
        migrations.CreateModel(
            name="RoleRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(max_length=24)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="roles", to="identity.personrow"
                    ),
                ),
            ],
            options={
                "db_table": "identity_role",
                "constraints": [models.UniqueConstraint(fields=("person", "role"), name="identity_one_role")],
            },
        ),
    ]
