# SPDX-License-Identifier: MIT
"""Makes the database: `python -m django_site.prepare`. Tables, and `ada` with the password `lovelace`, who may all."""

import os

import django
from django.core.management import call_command

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_site.settings")
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)

    from django.contrib.auth.models import User

    User.objects.create_superuser("ada", "ada@site.example", "lovelace")
