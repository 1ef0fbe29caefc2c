"""Restricted versions of wagtail-localize's views, at the same URLs.

wagtail-localize checks whether a user may translate, but not whether they may see the source or edit the target language. It
creates aliases of missing parents without asking, and publishes incomplete translations.
"""

import logging
from collections.abc import Callable
from typing import Any

import requests
from core.requests import AuthenticatedHttpRequest
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from wagtail.admin.views.pages.utils import get_valid_next_url_from_request
from wagtail.models import Locale, Page, TranslatableMixin
from wagtail_localize.models import Translation, TranslationSource
from wagtail_localize.operations import translate_object
from wagtail_localize.views import (
    convert,
    edit_translation,
    report,
    snippets_api,
    submit_translations,
    update_translations,
)

from translation import notifications
from translation.forms import SubmitForm
from translation.permissions import own_translation, translators_only, visible_pages
from translation.status import texts_left
from translation.views import import_po_file

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


class _SubmitMixin:
    """Uses our SubmitForm."""

    request: HttpRequest
    object: TranslatableMixin

    def get_form(self) -> SubmitForm:
        found = Locale.objects.filter(language_code=self.request.GET.get("select_locale", ""))
        data = self.request.POST if self.request.method == "POST" else None
        return SubmitForm(
            self.object, data, user=self.request.user, initial={"locales": list(found)} if found else None
        )


class SubmitPageView(_SubmitMixin, submit_translations.SubmitPageTranslationView):
    """Submits a page for translation. Requires that the user may see it and add pages in the chosen languages."""

    def get_object(self) -> Page:
        page = super().get_object()
        if not visible_pages(self.request.user).filter(pk=page.pk).exists():
            raise PermissionDenied
        return page

    @transaction.atomic
    def form_valid(self, form: SubmitForm) -> HttpResponse:
        """Translate missing parents first."""
        for locale in form.cleaned_data["locales"]:
            parents = form.missing[locale]
            place = (parents or [self.object])[0].get_parent().get_translation_or_none(locale)
            if place and not place.permissions_for_user(self.request.user).can_add_subpage():
                raise PermissionDenied
            for parent in parents:
                translate_object(parent, [locale], None, self.request.user)
        return super().form_valid(form)


class SubmitSnippetView(_SubmitMixin, submit_translations.SubmitSnippetTranslationView):
    """Submits a snippet for translation. Requires permission to edit its type."""

    def get_object(self) -> TranslatableMixin:
        snippet = super().get_object()
        if not edit_translation.user_can_edit_snippet_type(self.request.user, type(snippet)):
            raise PermissionDenied
        return snippet


class UpdateView(update_translations.UpdateTranslationsView):
    """Updates translations from their source. Requires permission to edit the source; never publishes the translations."""

    def get_form(self) -> BaseForm:
        form = super().get_form()
        form.fields["publish_translations"].widget = forms.HiddenInput()
        return form

    def get_object(self) -> TranslationSource:
        source = super().get_object()
        if not edit_translation.user_can_edit_instance(self.request.user, source.get_source_instance()):
            raise PermissionDenied
        return source

    def form_valid(self, form: BaseForm) -> HttpResponse:
        """Do not publish: translations may be incomplete."""
        form.cleaned_data["publish_translations"] = False
        return super().form_valid(form)


def own_languages_only(view: View) -> View:
    """Decorator for wagtail-localize's views of a Translation: requires that the user may edit its target language.

    Notifies publishers when the view completes the translation.
    """

    def wrapper(request: AuthenticatedHttpRequest, translation_id: int, **kwargs: Any) -> HttpResponse:
        translation = own_translation(request.user, translation_id)
        before = texts_left(translation)
        response = view(request, translation_id, **kwargs)
        if before and request.method in {"POST", "PUT"} and not texts_left(translation):
            notifications.notify_publishers.enqueue(translation.pk, request.user.pk)
        return response

    return csrf_exempt(wrapper) if getattr(view, "csrf_exempt", False) else wrapper


def convert_to_alias(request: HttpRequest, page_id: int) -> HttpResponse:
    """Convert a translation to an alias. Requires permission to publish, because an alias is live at once."""
    if not get_object_or_404(Page, pk=page_id).permissions_for_user(request.user).can_publish():
        raise PermissionDenied
    return convert.convert_to_alias(request, page_id)


def machine_translate(request: HttpRequest, translation_id: int) -> HttpResponse:
    """Translate the remaining texts of a draft with the configured service; show an error if it fails."""
    try:
        return edit_translation.machine_translate(request, translation_id)
    except (requests.RequestException, KeyError, ValueError) as error:
        logger.warning("Machine translation failed: %s", error)
        messages.error(
            request, _("The translation service cannot be reached now. Nothing was changed; try again later.")
        )
        return redirect(get_valid_next_url_from_request(request) or "translation_board")


def stop_translation(request: HttpRequest, translation_id: int) -> HttpResponse:
    """Ask before a translation is edited without its original."""
    if request.method == "POST":
        return edit_translation.stop_translation(request, translation_id)
    target = get_object_or_404(Translation, pk=translation_id).get_target_instance()
    back = get_valid_next_url_from_request(request) or reverse("translation_board")
    return render(request, "translation/confirm_stop.html", {"target": target, "next": back})


def _edit_view(name: str) -> View:
    """Return a view function of `wagtail_localize.views.edit_translation`, restricted to own languages."""
    return own_languages_only(getattr(edit_translation, name))


def url_patterns() -> list[URLPattern]:
    """Return the URL patterns, to be registered before wagtail-localize's own."""
    one = "translate/<int:translation_id>"
    snippet = "<slug:app_label>/<slug:model_name>"
    patterns = [
        ("submit/page/<int:page_id>/", SubmitPageView.as_view()),
        (f"submit/snippet/{snippet}/<str:pk>/", SubmitSnippetView.as_view()),
        ("update/<int:translation_source_id>/", UpdateView.as_view()),
        (f"{one}/strings/<int:string_segment_id>/edit/", _edit_view("edit_string_translation")),
        (f"{one}/overrides/<int:overridable_segment_id>/edit/", _edit_view("edit_override")),
        (f"{one}/pofile/download/", _edit_view("download_pofile")),
        (f"{one}/machine_translate/", own_languages_only(machine_translate)),
        (f"{one}/disable/", own_languages_only(stop_translation)),
        ("page/<int:page_id>/convert_to_alias/", convert_to_alias),
        ("reports/translations/", translators_only(report.TranslationsReportView.as_view())),
        ("reports/translations/results/", translators_only(report.TranslationsReportView.as_view(results_only=True))),
        (f"api/snippets/{snippet}/", translators_only(snippets_api.SnippetViewSet.as_view({"get": "list"}))),
        (
            f"api/snippets/{snippet}/<str:pk>/",
            translators_only(snippets_api.SnippetViewSet.as_view({"get": "retrieve"})),
        ),
    ]
    patterns.append((f"{one}/pofile/upload/", own_languages_only(require_POST(import_po_file))))
    return [path(f"localize/{address}", view) for address, view in patterns]
