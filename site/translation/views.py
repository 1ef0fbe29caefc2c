"""Guards and help around wagtail-localize's own views, at the same addresses.

wagtail-localize asks whether somebody may translate, but not whether the original is theirs to see, nor whether the
translation may stand where it goes. It makes aliases of missing parents without a word and publishes what is half translated.
"""

import logging

import requests
from core.page_permissions import languages_of
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.auth import permission_required
from wagtail.admin.views.pages.utils import get_valid_next_url_from_request
from wagtail.models import Locale, Page
from wagtail.permission_policies.pages import PagePermissionPolicy
from wagtail_localize.models import StringSegment, StringTranslation, Translation
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
from translation.permissions import TRANSLATE
from translation.status import texts_left, translation_of

logger = logging.getLogger(__name__)
for_translators = permission_required(TRANSLATE)


def missing_parents(page, locale):
    """The ancestors of `page`, from the top, that are not translated into `locale`."""
    return [
        parent
        for parent in page.get_ancestors().filter(depth__gt=1).specific()
        if not parent.has_translation(locale) and parent.locale_id != locale.pk
    ]


def seen_by(user):
    """The pages that somebody may see: those they work on, and for whoever translates also those that readers see."""
    own = Q(pk__in=PagePermissionPolicy().explorable_instances(user).values("pk"))
    return Page.objects.filter(own | Q(live=True) if user.has_perm(TRANSLATE) else own)


def may_translate(user, locale):
    """Whether a language is among those that somebody may change."""
    return languages_of(user).filter(pk=locale.pk).exists()


class SubmitForm(submit_translations.SubmitTranslationForm):
    """Offers the languages in which somebody may write, and to translate parents that are missing there."""

    include_parents = forms.BooleanField(required=False, initial=True, label=gettext_lazy("Translate these pages too"))
    field_order = ["select_all", "locales", "include_parents", "include_subtree"]

    def __init__(self, instance, *args, user, **kwargs):
        super().__init__(instance, *args, **kwargs)
        self.instance = instance
        own = languages_of(user)
        locales = self.fields["locales"].queryset = self.fields["locales"].queryset.filter(pk__in=own)
        self.missing = (
            {locale: missing_parents(instance, locale) for locale in locales} if isinstance(instance, Page) else {}
        )
        lines = [
            f"{locale}: {', '.join(parent.get_admin_display_title() for parent in parents)}"
            for locale, parents in self.missing.items()
            if parents
        ]
        if lines:
            about = _("The page stands below pages that do not exist yet in")
            self.fields["include_parents"].help_text = f"{about} {'; '.join(lines)}."
        else:
            del self.fields["include_parents"]

    def clean(self):
        """Refuse a translation that would hang in the air."""
        chosen = self.cleaned_data.get("locales") or []
        if not self.cleaned_data.get("include_parents") and any(self.missing.get(locale) for locale in chosen):
            self.add_error("include_parents", _("Without the pages above it, the page has no place. Tick this box."))
        return self.cleaned_data


class _GuardedSubmit:
    def get_form(self):
        found = Locale.objects.filter(language_code=self.request.GET.get("select_locale", ""))
        data = self.request.POST if self.request.method == "POST" else None
        return SubmitForm(
            self.object, data, user=self.request.user, initial={"locales": list(found)} if found else None
        )


class SubmitPage(_GuardedSubmit, submit_translations.SubmitPageTranslationView):
    """Submit a page for translation: one that you may see, into languages in which you may add pages."""

    def get_object(self):
        page = super().get_object()
        if not seen_by(self.request.user).filter(pk=page.pk).exists():
            raise PermissionDenied
        return page

    @transaction.atomic
    def form_valid(self, form):
        """Translate the missing parents first."""
        for locale in form.cleaned_data["locales"]:
            for parent in form.missing[locale]:
                translate_object(parent, [locale], None, self.request.user)
            parent = self.object.get_parent().get_translation_or_none(locale)
            if parent and not parent.permissions_for_user(self.request.user).can_add_subpage():
                raise PermissionDenied
        return super().form_valid(form)


class SubmitSnippet(_GuardedSubmit, submit_translations.SubmitSnippetTranslationView):
    """Submit a snippet for translation: of a kind that you may change."""

    def get_object(self):
        snippet = super().get_object()
        if not edit_translation.user_can_edit_snippet_type(self.request.user, type(snippet)):
            raise PermissionDenied
        return snippet


class Update(update_translations.UpdateTranslationsView):
    """Read an original again: one that you may change. Translations are published one by one, when they are complete."""

    def get_form(self):
        form = super().get_form()
        form.fields["publish_translations"].widget = forms.HiddenInput()
        return form

    def get_object(self):
        source = super().get_object()
        if not edit_translation.user_can_edit_instance(self.request.user, source.get_source_instance()):
            raise PermissionDenied
        return source

    def form_valid(self, form):
        """Never publish half a translation."""
        form.cleaned_data["publish_translations"] = False
        return super().form_valid(form)


def in_own_language(view):
    """Guard a view of wagtail-localize that takes a Translation: the language has to be one's own."""

    def guarded(request, translation_id, **kwargs):
        translation = get_object_or_404(Translation, pk=translation_id)
        if not may_translate(request.user, translation.target_locale):
            raise PermissionDenied
        before = texts_left(translation)
        response = view(request, translation_id, **kwargs)
        if before and request.method in {"POST", "PUT"} and not texts_left(translation):
            notifications.translation_ready.enqueue(translation.pk, request.user.pk)
        return response

    guarded.csrf_exempt = getattr(view, "csrf_exempt", False)
    return guarded


def to_alias(request, page_id):
    """Give up a translation for a copy of the original, which is live at once: for publishers."""
    if not get_object_or_404(Page, pk=page_id).permissions_for_user(request.user).can_publish():
        raise PermissionDenied
    return convert.convert_to_alias(request, page_id)


def translate_by_machine(request, translation_id):
    """Have a service translate what is left, as a draft; say so if it cannot."""
    try:
        return edit_translation.machine_translate(request, translation_id)
    except (requests.RequestException, KeyError, ValueError) as error:
        logger.warning("Machine translation failed: %s", error)
        messages.error(
            request, _("The translation service cannot be reached now. Nothing was changed; try again later.")
        )
        return redirect(get_valid_next_url_from_request(request) or "translation_board")


def _strings(name):
    return in_own_language(getattr(edit_translation, name))


@hooks.register("register_admin_urls", order=-1)
def guarded_urls():
    """The guarded views at wagtail-localize's addresses, before its own."""
    one = "translate/<int:translation_id>"
    snippet = "<slug:app_label>/<slug:model_name>"
    patterns = [
        ("submit/page/<int:page_id>/", SubmitPage.as_view()),
        (f"submit/snippet/{snippet}/<str:pk>/", SubmitSnippet.as_view()),
        ("update/<int:translation_source_id>/", Update.as_view()),
        (f"{one}/strings/<int:string_segment_id>/edit/", _strings("edit_string_translation")),
        (f"{one}/overrides/<int:overridable_segment_id>/edit/", _strings("edit_override")),
        (f"{one}/pofile/download/", _strings("download_pofile")),
        (f"{one}/machine_translate/", in_own_language(translate_by_machine)),
        (f"{one}/disable/", _strings("stop_translation")),
        ("page/<int:page_id>/convert_to_alias/", to_alias),
        ("reports/translations/", for_translators(report.TranslationsReportView.as_view())),
        ("reports/translations/results/", for_translators(report.TranslationsReportView.as_view(results_only=True))),
        (f"api/snippets/{snippet}/", for_translators(snippets_api.SnippetViewSet.as_view({"get": "list"}))),
        (
            f"api/snippets/{snippet}/<str:pk>/",
            for_translators(snippets_api.SnippetViewSet.as_view({"get": "retrieve"})),
        ),
    ]
    return [path(f"localize/{address}", view) for address, view in patterns]


@hooks.register("before_edit_snippet", order=-1)
@hooks.register("before_delete_snippet")
def snippets_in_own_language(request, instances):
    """Texts of the site may be changed in one's own languages only."""
    instances = instances if isinstance(instances, list) else [instances]
    if any(hasattr(one, "locale") and not may_translate(request.user, one.locale) for one in instances):
        raise PermissionDenied
    if len(instances) == 1:
        return _refuse_half(request, instances[0])


@hooks.register("before_edit_page", order=-1)
def whole_translations(request, page):
    """A page is never published half translated."""
    return _refuse_half(request, page)


def _refuse_half(request, instance):
    if request.method != "POST" or request.POST.get("action") != "publish" or not hasattr(instance, "translation_key"):
        return None
    translation = translation_of(instance)
    left = texts_left(translation) if translation else 0
    if not left:
        return None
    messages.error(request, _("Not published: %(left)s texts still have to be translated.") % {"left": left})
    return redirect(request.path)


@receiver(pre_save, sender=StringTranslation)
def slug_follows_title(instance, **kwargs):
    """The address of a translation comes from its translated title, until somebody gives another one or it is published."""
    if instance.context.path != "title" or not instance.data:
        return
    before = StringTranslation.objects.filter(pk=instance.pk).values_list("data", flat=True).first()
    live = Page.objects.filter(translation_key=instance.context.object_id, locale=instance.locale, live=True)
    segments = StringSegment.objects.filter(source__object=instance.context.object, context__path="slug")
    for segment in segments.select_related("context"):
        slug, is_new = StringTranslation.objects.get_or_create(
            translation_of_id=segment.string_id,
            locale=instance.locale,
            context=segment.context,
            defaults={"data": _slug(instance.data), "last_translated_by": instance.last_translated_by},
        )
        if not is_new and before and slug.data == _slug(before) and not live.exists():
            slug.data = _slug(instance.data)
            slug.save(update_fields=["data"])


def _slug(title):
    return slugify(title)[:255]
