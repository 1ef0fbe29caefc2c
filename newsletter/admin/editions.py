"""Admin views of new editions: the ways to begin one, templates, and the edition that repeats."""

from core.requests import AuthenticatedHttpRequest
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from wagtail.admin.auth import permission_required
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.permission_policies.base import BasePermissionPolicy

from newsletter.editions import digest, drafts
from newsletter.forms import DigestForm, IssueTemplateForm
from newsletter.models import Digest, IssuePage, IssueTemplate, NewsletterPage


def _parent(request: AuthenticatedHttpRequest) -> NewsletterPage:
    parent = drafts.parent_for(request.user)
    if parent is None:
        raise PermissionDenied
    return parent


def _open(request: AuthenticatedHttpRequest, issue: IssuePage, text: str) -> HttpResponse:
    """Open a draft in the editor."""
    messages.success(request, text)
    return redirect("wagtailadmin_pages:edit", issue.pk)


@require_safe
def new(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Show the ways to begin an edition."""
    parent = _parent(request)
    context = {
        "empty_url": reverse("wagtailadmin_pages:add", args=["newsletter", "issuepage", parent.pk]),
        "articles": drafts.unsent_articles(parent.locale),
        "last": drafts.last_issue(parent),
        "templates": IssueTemplate.objects.all(),
    }
    return render(request, "newsletter/admin/issue_new.html", context)


@require_POST
def new_from_news(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Draft an edition from the news that no edition has brought yet."""
    issue = drafts.draft_news(_parent(request), request.user)
    if issue is None:
        messages.warning(request, _("There is no unsent news. Nothing was made."))
        return redirect("newsletter_issue_new")
    languages = issue.get_translations().count()
    text = ngettext(
        "The edition was drafted, and its translation into %(n)s other language.",
        "The edition was drafted, and its translations into %(n)s other languages.",
        languages,
    )
    done = text % {"n": languages} if languages else _("The edition was drafted.")
    return _open(request, issue, done)


@require_POST
def new_from_last(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Draft a copy of the last edition."""
    parent = _parent(request)
    last = drafts.last_issue(parent)
    if last is None:
        messages.warning(request, _("There is no edition to start from yet."))
        return redirect("newsletter_issue_new")
    text = _("This is a copy of “%(title)s”. Give it a title and a subject of its own.") % {"title": last.title}
    return _open(request, drafts.draft_copy(parent, last, request.user), text)


# Templates


class WritersPolicy(BasePermissionPolicy):
    """For whoever may add editions. Templates are saved from an edition, so there is nothing to add by hand."""

    def user_has_permission(self, user: User, action: str) -> bool:
        return action != "add" and drafts.parent_for(user) is not None


class IssueTemplateViewSet(ModelViewSet):
    """Edition templates: list, renaming, deletion."""

    model = IssueTemplate
    name = "edition-templates"
    icon = "copy"
    menu_label = gettext_lazy("Edition templates")
    permission_policy = WritersPolicy(IssueTemplate)
    index_template_name = "core/list.html"
    list_display = ["name", "created_at"]
    form_fields = ["name"]
    copy_view_enabled = False


@require_POST
def new_from_template(request: AuthenticatedHttpRequest, template_id: int) -> HttpResponse:
    """Draft an edition from a template."""
    parent, template = _parent(request), get_object_or_404(IssueTemplate, pk=template_id)
    text = _("The edition was begun from the template. Give it a title of its own.")
    return _open(request, drafts.draft_from_template(parent, template, request.user), text)


@require_http_methods(["GET", "HEAD", "POST"])
def save_template(request: AuthenticatedHttpRequest, page_id: int) -> HttpResponse:
    """Ask for a name, and save an edition's latest draft as a template."""
    _parent(request)
    issue = get_object_or_404(IssuePage, pk=page_id)
    form = IssueTemplateForm(request.POST or None, initial={"name": issue.title[:100]})
    if form.is_valid():
        template = drafts.save_template(issue, form.cleaned_data["name"])
        messages.success(
            request, _("The template “%(name)s” was saved. Begin with it under “New edition”.") % {"name": template}
        )
        return redirect("wagtailadmin_pages:edit", issue.pk)
    name = _("Save as template")
    context = {"title": name, "subtitle": issue.title, "icon": "copy", "issue": issue, "form": form, "button": name}
    return render(request, "newsletter/admin/issue_template.html", context)


# The edition that repeats


@permission_required("newsletter.add_campaign")
@require_http_methods(["GET", "HEAD", "POST"])
def edit_digest(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Show and change how often the site drafts an edition by itself."""
    today = digest.today()
    with transaction.atomic():
        row = Digest.objects.select_for_update().first() or Digest()
        frequency = row.frequency
        form = DigestForm(request.POST or None, instance=row)
        if form.is_valid():
            if row.frequency != frequency:
                row.drafted_for = row.period_of(today) if row.frequency else None
            form.save()
            messages.success(request, _("Saved."))
            return redirect("newsletter_digest")
    context = {
        "title": _("Repeating edition"),
        "icon": "rotate",
        "form": form,
        "button": _("Save"),
        "day": row.next_period(today) if frequency else None,
    }
    return render(request, "newsletter/admin/digest.html", context)
