# SPDX-License-Identifier: Apache-2.0
"""A salt for each person: under it the log's binding says which natural person a row means, to nobody else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="personrow",
            name="salt",
            field=models.CharField(max_length=32, default=""),
            preserve_default=False,
        ),
    ]
