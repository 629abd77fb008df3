# SPDX-License-Identifier: MIT
"""The notes in the admin."""

from django.contrib import admin

from django_site.models import Author, Note

admin.site.register(Author)


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    list_display = ("title", "author")
    search_fields = ("title",)
