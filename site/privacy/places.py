"""Places of personal data in Django, Wagtail and the task queues, and the declarations for their other columns."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import pre_save
from redaction.text import AddressPattern, addresses_in
from wagtail.models import ModelLogEntry

from privacy.registry import Place, Texts, declare, register

if TYPE_CHECKING:
    from rq.job import Job

LOGGED_BY_ID: set[type[Model]] = set()


def log_by_id(*models: type[Model]) -> None:
    """Make Wagtail's site history label objects of these models by primary key, as their string form is personal data."""
    LOGGED_BY_ID.update(models)


def _label_by_id(instance: ModelLogEntry, **kwargs: object) -> None:
    model = instance.content_type.model_class() if instance.content_type else None
    if model in LOGGED_BY_ID:
        instance.label = f"{model._meta.verbose_name} {instance.object_id}"


pre_save.connect(_label_by_id, sender=ModelLogEntry)


class Tasks(Texts):
    """The task queue in the database. Tasks with the address in their arguments are deleted; in tracebacks and results it is redacted."""

    def forget(self, pattern: AddressPattern) -> int:
        number = 0
        for row, names in list(self._rows(pattern)):
            if "args_kwargs" in names:
                row.delete()
                number += 1
        return number + super().forget(pattern)


def _error_of(job: "Job") -> str | None:
    result = job.latest_result()
    return result.exc_string if result else None


class RedisTasks(Place):
    """The task queue in Redis."""

    name, where, forgets = "tasks_in_redis", "Redis (with `REDIS_URL`)", "the task is deleted"
    is_outside = True

    def _jobs(self, pattern: AddressPattern) -> Iterator["Job"]:
        if not settings.REDIS_URL:
            return
        import django_rq
        from jobs.redis_queue import QUEUES

        for name in QUEUES:
            queue = django_rq.get_queue(name)
            registries = [queue.failed_job_registry, queue.finished_job_registry, queue.deferred_job_registry]
            numbers = [*queue.get_job_ids(), *(number for registry in registries for number in registry.get_job_ids())]
            for number in numbers:
                job = queue.fetch_job(number)
                if job and pattern.mentioned_in(f"{job.args} {job.kwargs} {job.meta} {_error_of(job)}"):
                    yield job

    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return [{"task": job.func_name} for job in self._jobs(pattern)]

    def forget(self, pattern: AddressPattern) -> int:
        jobs = list(self._jobs(pattern))
        for job in jobs:
            job.delete()
        return len(jobs)


class Sessions(Place):
    """Sessions of the admin: stored messages may mention an address."""

    name, where, forgets = "sessions", "`django_session`", "the address is taken out of the session's data"
    columns = {"sessions.Session": ["session_data"]}

    def _rows(self, pattern: AddressPattern) -> Iterator[tuple[Session, dict[str, Any]]]:
        for row in Session.objects.order_by("pk").select_for_update():
            data = row.get_decoded()
            if pattern.mentioned_in(str(data)):
                yield row, data

    @transaction.atomic
    def export(self, pattern: AddressPattern) -> list[dict[str, Any]]:
        return [{"text": pattern.excerpt(data)} for _row, data in self._rows(pattern)]

    def held(self) -> Iterator[str]:
        for row in Session.objects.iterator():
            yield from addresses_in(str(row.get_decoded()))

    def forget(self, pattern: AddressPattern) -> int:
        number = 0
        for row, data in self._rows(pattern):
            Session.objects.filter(pk=row.pk).update(session_data=SessionStore().encode(pattern.removed_from(data)))
            number += 1
        return number


register(
    Texts(
        "site_history",
        "`wagtailcore_modellogentry`, `wagtailcore_pagelogentry`, `django_admin_log` (subscribers and messages are named by number)",
        {
            "wagtailcore.ModelLogEntry": ["label", "data"],
            "wagtailcore.PageLogEntry": ["label", "data"],
            "admin.LogEntry": ["object_repr", "change_message"],
        },
    ),
    Texts(
        "editors_notes",
        "comments, remarks of the workflow, forms that are open in the admin",
        {
            "wagtailcore.Comment": ["text"],
            "wagtailcore.CommentReply": ["text"],
            "wagtailcore.TaskState": ["comment"],
            "wagtailadmin.FormState": ["data"],
        },
    ),
    Tasks(
        "tasks",
        "`django_tasks_database_dbtaskresult`",
        {"django_tasks_database.DBTaskResult": ["args_kwargs", "return_value", "traceback"]},
    ),
    Sessions(),
    RedisTasks(),
)

PUBLISHED = "what editors write for the public: they change or withdraw it themselves"
CODES = "a name, number or code of the program's own"
REDACTED = "no address comes in: the field redacts what is written (redaction/fields.py)"
STAFF = "the password or name that staff give to a thing of the site"
declare(
    PUBLISHED,
    {
        "core.CustomImage": ["title", "file", "description", "file_hash", "credit"],
        "core.CustomRendition": ["filter_spec", "file", "focal_point_key"],
        "core.Menu": ["items"],
        "search.SpellingWord": ["word"],
        "core.SiteSettings": ["organisation", "full_name", "footer_text", "postal_address", "contact_email"],
        "core.Topic": ["name", "slug"],
        "taggit.Tag": ["name", "slug"],
        "wagtail_localize.OverridableSegment": ["data_json"],
        "wagtail_localize.SegmentOverride": ["data_json", "field_error"],
        "wagtail_localize.String": ["data"],
        "wagtail_localize.StringSegment": ["attrs"],
        "wagtail_localize.StringTranslation": ["data", "tool_name", "field_error"],
        "wagtail_localize.Template": ["template", "template_format"],
        "wagtail_localize.TranslationContext": ["path", "field_path"],
        "wagtail_localize.TranslationSource": ["object_repr", "content_json", "schema_version"],
        "wagtailcore.Page": ["path", "title", "draft_title", "slug", "url_path", "seo_title", "search_description"],
        "wagtailcore.Revision": ["object_id", "object_str", "content"],
        "wagtailcore.UploadedFile": ["file"],
        "wagtaildocs.Document": ["title", "file", "file_hash"],
        "wagtailembeds.Embed": ["url", "hash", "html", "title", "author_name", "provider_name", "thumbnail_url"],
        "wagtailimages.Image": ["title", "file", "description", "file_hash"],
        "wagtailimages.Rendition": ["filter_spec", "file", "focal_point_key"],
        "wagtailredirects.Redirect": ["old_path", "redirect_page_route_path", "redirect_link"],
        # Only pages, pictures and documents are indexed: no model of people has search_fields of Wagtail's.
        "wagtailsearch.IndexEntry": ["object_id", "autocomplete", "title", "title_text", "body", "body_text"],
        "wagtailsearch.SQLiteFTSIndexEntry": ["autocomplete", "title", "body"],
    },
)
declare(
    CODES,
    {
        "admin.LogEntry": ["object_id"],
        "auth.Permission": ["name", "codename"],
        "contenttypes.ContentType": ["app_label", "model"],
        "jobs.JobRun": ["name"],
        "jobs.WorkerHeartbeat": ["name"],
        "django_tasks_database.DBTaskResult": [
            "task_path",
            "worker_ids",
            "queue_name",
            "backend_name",
            "exception_class_path",
        ],
        "sessions.Session": ["session_key"],
        "wagtailadmin.EditingSession": ["object_id"],
        "wagtailadmin.FormState": ["object_id", "parent_object_id"],
        "wagtailcore.Comment": ["contentpath", "position"],
        "wagtailcore.Locale": ["language_code"],
        "wagtailcore.ModelLogEntry": ["action", "object_id"],
        "wagtailcore.PageLogEntry": ["action"],
        "wagtailcore.ReferenceIndex": ["object_id", "to_object_id", "model_path", "content_path"],
        "wagtailcore.WorkflowState": ["object_id"],
        "wagtailusers.UserProfile": ["preferred_language"],
    },
)
declare(
    STAFF,
    {
        "auth.Group": ["name"],
        "wagtailcore.Collection": ["path", "name"],
        "wagtailcore.CollectionViewRestriction": ["password"],
        "wagtailcore.PageViewRestriction": ["password"],
        "wagtailcore.Site": ["hostname", "site_name"],
        "wagtailcore.Task": ["name"],
        "wagtailcore.Workflow": ["name"],
    },
)
declare(REDACTED, {"jobs.JobRun": ["outcome"]})
declare("a keyed hash, deleted after a day", {"core.RateLimitHit": ["key"]})
