"""Lists of subscribers that come in as files, and lists that went out."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.i18n import language_choices
from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from jobs.leases import LeasedModel
from redaction.fields import RedactedCharField, RedactedTextField

from newsletter.imports import cells, exporters

IMPORTS = "imports"  # the folder of the private storage


def private_storage() -> Storage:
    """Where files with addresses lie: never under MEDIA_ROOT, which the public can read."""
    return storages["private"]


def name_for_upload(job: "SubscriberImport", name: str) -> str:
    """A name that says nothing: files are sometimes called after a person."""
    return f"{IMPORTS}/{uuid.uuid4().hex}{Path(name).suffix.lower()}"


class SubscriberImport(LeasedModel):
    """A file of addresses on its way in. A task works through it in batches; each batch and its progress are one transaction."""

    class State(models.TextChoices):
        LOOKING = "looking", _("being looked into")
        UPLOADED = "uploaded", _("columns to be assigned")
        CHECKING = "checking", _("being checked")
        CHECKED = "checked", _("checked, nothing imported yet")
        IMPORTING = "importing", _("being imported")
        DONE = "done", pgettext_lazy("import", "imported")
        FAILED = "failed", _("stopped by an error")
        CANCELLED = "cancelled", pgettext_lazy("import", "cancelled")

    WORKING = [State.LOOKING, State.CHECKING, State.IMPORTING]

    file = models.FileField(_("file"), storage=private_storage, upload_to=name_for_upload)
    file_name = models.CharField(_("file"), max_length=200)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.UPLOADED)
    encoding = models.CharField(max_length=20, blank=True, editable=False)
    delimiter = models.CharField(max_length=1, blank=True, editable=False)
    origin = models.CharField(_("exported by"), max_length=20, blank=True)
    headings = models.JSONField(default=list)
    sample = models.JSONField(default=list, editable=False)  # the cells of the first people
    first_line = models.PositiveSmallIntegerField(default=1, editable=False)  # lines before the first person's
    mapping = models.JSONField(default=dict)  # {what it is: number of its column; of states: numbers}
    values = models.JSONField(default=dict, editable=False)  # {status column: {value: number of lines}}
    meanings = models.JSONField(default=dict, editable=False)  # {status column: {value: what the editor says it means}}
    language = models.CharField(
        _("language, where the file names none"),
        max_length=10,
        choices=language_choices,
        default=settings.LANGUAGE_CODE,
    )
    provenance = RedactedTextField(
        _("How did these people agree?"),
        help_text=_(
            "Where and when they asked for the newsletter, and the words they agreed to. It is kept with each subscription as proof."
        ),
    )
    dates = models.JSONField(default=dict, editable=False)  # {order of the numbers: how many dates tell it}
    date_order = models.CharField(max_length=3, blank=True)  # as an editor chose it, or as all dates tell it
    total_bytes = models.BigIntegerField(default=0, editable=False)
    done_bytes = models.BigIntegerField(default=0, editable=False)
    lines = models.PositiveIntegerField(_("lines"), default=0, editable=False)
    counts = models.JSONField(default=dict, editable=False)  # {outcome: number}
    problem = RedactedTextField(_("error"), blank=True)
    editor_language = models.CharField(max_length=10, default=settings.LANGUAGE_CODE, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=pgettext_lazy("person", "by"),
    )
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.file_name

    def file_meaning(self, mapping: Mapping[str, Any]) -> exporters.Meaning | None:
        """What the whole file says of its people, if its columns are what `mapping` says; None if an editor has to say it."""
        states = [exporters.words_of(self.headings[number]) for number in mapping.get("status", [])]
        names = [self.file_name]
        if "email" in mapping:
            names.append(self.headings[mapping["email"]])
        return exporters.meaning_of_file(names, self.origin, exporters.tells_all(states))

    def meaning_of(self, column: str, value: str) -> exporters.Meaning | None:
        """What a value of a status column is taken to mean, unless an editor says something else; None if only they can know."""
        if column == exporters.FILE:
            return self.file_meaning(self.mapping)
        if column.startswith(exporters.DATES):
            return exporters.Meaning.ACTIVE if value == exporters.DATE else None
        return exporters.meaning_of(exporters.words_of(self.headings[int(column)]), value)

    @property
    def order(self) -> str | None:
        """The order of the numbers in its dates, or None."""
        return self.date_order or cells.order_of(self.dates)

    @property
    def is_order_unclear(self) -> bool:
        """Whether a person has to say the order of the numbers in its dates."""
        return bool(self.dates.get(cells.EITHER)) and not self.order

    @property
    def percent(self) -> int:
        """How far the work in hand has come."""
        return min(100, 100 * self.done_bytes // self.total_bytes) if self.total_bytes else 0


class ImportLine(models.Model):
    """A line of an import that was not taken as it stands, and why; it can be downloaded as a file."""

    job = models.ForeignKey(SubscriberImport, on_delete=models.CASCADE, related_name="bad_lines")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=10)
    reason = RedactedCharField(max_length=250)
    cells = models.JSONField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.number}: {self.reason}"


class SubscriberExport(models.Model):
    """That somebody took a list of addresses away: who, when, which and how many."""

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=pgettext_lazy("person", "by"),
    )
    created_at = models.DateTimeField(_("when"), auto_now_add=True)
    choice = models.CharField(_("which"), max_length=250)  # the segment's name, empty for all active subscribers
    number = models.PositiveIntegerField(_("how many"))

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.which}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def which(self) -> str:
        """Return whom it held, in the reader's language."""
        return self.choice or gettext("all active subscribers")
