# SPDX-License-Identifier: Apache-2.0
"""Digital contracts, seals, holds, consents."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AgreementRow",
            fields=[
                ("id", models.CharField(max_length=47, primary_key=True, serialize=False)),
                ("kept", models.CharField(max_length=16)),
                ("filed", models.BooleanField(default=False)),
                ("contract", models.BinaryField()),
                ("digest", models.CharField(max_length=80)),
                ("issuer", models.CharField(max_length=64)),
                ("resident", models.CharField(db_index=True, max_length=64)),
                ("begins", models.DateTimeField()),
                ("ends", models.DateTimeField()),
                ("limit", models.BigIntegerField(null=True)),
                ("spent", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "agreements_agreement",
            },
        ),
        migrations.CreateModel(
            name="ConsentRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("issuer", models.CharField(max_length=64)),
                ("nonce", models.CharField(max_length=64)),
                ("used", models.BigIntegerField(default=0)),
                ("withdrawn", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "agreements_consent",
                "constraints": [models.UniqueConstraint(fields=("issuer", "nonce"), name="agreements_one_consent")],
            },
        ),
        migrations.CreateModel(
            name="HoldRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=64)),
                ("whole", models.BooleanField()),
                ("at", models.DateTimeField()),
                (
                    "agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="agreements.agreementrow"
                    ),
                ),
            ],
            options={
                "db_table": "agreements_hold",
                "constraints": [
                    models.UniqueConstraint(fields=("agreement", "organisation"), name="agreements_one_hold_each")
                ],
            },
        ),
        migrations.CreateModel(
            name="SealRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organisation", models.CharField(max_length=64)),
                ("person", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=64)),
                ("signature", models.BinaryField(max_length=64)),
                ("at", models.DateTimeField()),
                (
                    "agreement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="seals", to="agreements.agreementrow"
                    ),
                ),
            ],
            options={
                "db_table": "agreements_seal",
                "constraints": [
                    models.UniqueConstraint(fields=("agreement", "organisation"), name="agreements_one_seal_each"),
                    models.UniqueConstraint(fields=("agreement", "person"), name="agreements_two_people"),
                ],
            },
        ),
    ]
