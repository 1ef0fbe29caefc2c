"""The translation board in the admin, and restrictions on translating, publishing, moving and deleting."""

from collections.abc import Iterator

from core.page_permissions import HOME_DEPTH
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.actions.delete_page import DeletePageAction
from wagtail.actions.move_page import MovePageAction
from wagtail.actions.unpublish_page import UnpublishPageAction
from wagtail.admin import messages as admin_messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.components import Component
from wagtail.admin.views.bulk_action import BulkAction
from wagtail.admin.widgets import Button
from wagtail.log_actions import LogActionRegistry
from wagtail.models import Page, TranslatableMixin
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSet

from translation import dashboard, glossary, localize_views, schedule, tree_actions, views
from translation.models import GlossaryTerm, KnownOriginal
from translation.permissions import may_translate_into
from translation.status import texts_left, translation_of


@hooks.register("register_admin_urls")
def admin_urls() -> list[URLPattern]:
    return [
        path("translations/", views.board, name="translation_board"),
        path("translations/publish/<int:page_id>/", views.publish, name="translation_publish"),
        path("translations/dates/<int:page_id>/", views.schedule_translations, name="translation_schedule"),
        path("translations/language/<int:page_id>/", views.change_language, name="translation_change_language"),
        path("translations/hand-over/<int:translation_id>/", views.hand_over, name="translation_hand_over"),
        path("translations/changes/<int:translation_id>/", views.show_changes, name="translation_changes"),
        path("translations/changes/<int:translation_id>/keep/", views.keep_translation, name="translation_keep"),
        path("translations/export/", views.export_archive, name="translation_export"),
        path("translations/import/", views.import_archive, name="translation_import"),
    ]


@hooks.register("register_admin_menu_item")
def board_menu_item() -> MenuItem:
    return MenuItem(
        _("Translations"), reverse_lazy("translation_board"), icon_name="wagtail-localize-language", order=240
    )


@hooks.register("construct_reports_menu")
def name_report_in_readers_language(request: HttpRequest, items: list[MenuItem]) -> None:
    """Name wagtail-localize's report, which it names only once: in the language of whoever opens the admin first."""
    for item in items:
        if item.url == reverse("wagtail_localize:translations_report"):
            item.label = _("Translations")


@hooks.register("construct_homepage_panels")
def add_panel(request: HttpRequest, panels: list[Component]) -> None:
    panels.append(dashboard.BoardPanel())


@hooks.register("register_dashboard_buttons")
def translate_button(request: HttpRequest) -> Iterator[Button]:
    number, query = views.due_for(request.user)
    if number:
        url = f"{reverse('translation_board')}?{query}"
        label = gettext("Translate what is due (%(n)s)") % {"n": number}
        yield Button(label, url, icon_name="wagtail-localize-language", priority=30)


@hooks.register("register_admin_urls", order=-1)
def localize_urls() -> list[URLPattern]:
    return localize_views.url_patterns()


class GlossaryViewSet(SnippetViewSet):
    model = GlossaryTerm
    icon = "openquote"
    menu_label = _("Glossary")
    menu_order = 245
    add_to_admin_menu = True
    list_display = ["__str__", "note"]


register_snippet(GlossaryViewSet)


# Translating and publishing


@hooks.register("before_edit_snippet", order=-1)
@hooks.register("before_delete_snippet")
def restrict_snippets(request: HttpRequest, instances: Model | list[Model]) -> HttpResponse | None:
    """Restrict editing and deleting snippets to the user's languages; refuse to publish incomplete translations."""
    instances = instances if isinstance(instances, list) else [instances]
    if any(hasattr(one, "locale") and not may_translate_into(request.user, one.locale) for one in instances):
        raise PermissionDenied
    if len(instances) == 1:
        return _refuse_incomplete(request, instances[0])
    return None


@hooks.register("find_page_problems")
def check_glossary(page: Page) -> list[tuple[str, dict[str, str]]]:
    """Return the terms of the glossary that a translation lacks, as the content checks want them."""
    translation = translation_of(page)
    terms = glossary.missing_terms(translation) if translation else []
    return [("term", {"term": term, "translation": wanted}) for term, wanted in terms]


@hooks.register("before_edit_page", order=-1)
def restrict_page_publishing(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Refuse to publish an incomplete translation of a page; tell translators of changes in its original."""
    _tell_changes(request, page)
    return _refuse_incomplete(request, page)


def _tell_changes(request: HttpRequest, page: Page) -> None:
    """Add a message with a link to what has changed in the original of a translation that was complete once."""
    translation = translation_of(page) if request.method == "GET" else None
    if translation is None:
        return
    known = KnownOriginal.objects.filter(translation=translation).first()
    if known and (known.blocks_changed or known.needs_decision or texts_left(translation)):
        button = admin_messages.button(
            reverse("translation_changes", args=[translation.pk]), gettext("See what changed")
        )
        admin_messages.warning(request, gettext("The original has changed."), buttons=[button])


def _texts_left_of(instance: TranslatableMixin) -> int:
    """Return the number of untranslated strings of a page or snippet that is a translation, else 0."""
    translation = translation_of(instance)
    return texts_left(translation) if translation else 0


def _refuse_incomplete(request: HttpRequest, instance: Model) -> HttpResponse | None:
    """Return a redirect with an error message if the request publishes an incomplete translation, else None."""
    if request.method != "POST" or request.POST.get("action") != "publish" or not hasattr(instance, "translation_key"):
        return None
    translation = translation_of(instance)
    left = texts_left(translation) if translation else 0
    if not left:
        for term, wanted in glossary.missing_terms(translation) if translation else []:
            text = gettext(
                "The original says “%(term)s”, so the translation should say “%(translation)s”, as the glossary does."
            )
            messages.warning(request, text % {"term": term, "translation": wanted})
        return None
    messages.error(request, gettext("Not published: %(left)s texts still have to be translated.") % {"left": left})
    return redirect(request.path)


@hooks.register("before_bulk_action")
def refuse_incomplete_in_bulk(
    request: HttpRequest, action_type: str, objects: list[Model], action: BulkAction
) -> HttpResponse | None:
    """Refuse to publish several pages at once, with their descendants if chosen, if one is an incomplete translation."""
    pages = [one for one in objects if isinstance(one, Page)] if action_type == "publish" else []
    if pages and action.cleaned_form.cleaned_data.get("include_descendants"):
        pages += [below for page in pages for below in page.get_descendants().not_live()]
    for page in pages:
        if _texts_left_of(page):
            text = gettext("“%(title)s” is not translated completely yet.") % {"title": page.get_admin_display_title()}
            messages.error(request, f"{text} {gettext('No page was published.')}")
            return redirect("wagtailadmin_explore", page.get_parent().pk)
    return None


@hooks.register("after_publish_page", order=100)
def ask_for_dates(request: HttpRequest, page: Page) -> HttpResponse | None:
    """Ask whether the translations go live and expire with the page, if it has dates that they lack."""
    if schedule.others_to_schedule(request.user, page):
        return redirect("translation_schedule", page.pk)
    return None


# Changing the language, moving, unpublishing and deleting


@hooks.register("register_page_header_buttons")
def change_language_button(page: Page, user: User, view_name: str, next_url: str | None = None) -> Iterator[Button]:
    """Add “Change the language…” to the menu of a page."""
    if page.depth > HOME_DEPTH and page.permissions_for_user(user).can_publish():
        url = reverse("translation_change_language", args=[page.pk])
        yield Button(_("Change the language…"), url, icon_name="wagtail-localize-language", priority=72)


@hooks.register("register_log_actions")
def log_actions(actions: LogActionRegistry) -> None:
    """Register the change of a page's language for its history."""
    actions.register_action("clac.language_changed", _("Change the language"), _("Changed the page's language"))


def _with_translations(request: HttpRequest) -> bool:
    return request.POST.get("with_translations") == "on"


@hooks.register("before_move_page")
def check_move_permission(request: HttpRequest, page: Page, destination: Page) -> None:
    """Check the permission before the confirmation, which shows both pages; Wagtail checks it only afterwards."""
    if not page.permissions_for_user(request.user).can_move_to(destination):
        raise PermissionDenied


@hooks.register("after_delete_page")
def delete_translations(request: HttpRequest, page: Page) -> None:
    """Delete the translations of a deleted page as well, if requested."""
    if _with_translations(request):
        for other in tree_actions.permitted_translations(request.user, page, "delete"):
            DeletePageAction(other, user=request.user).execute()


@hooks.register("after_unpublish_page")
def unpublish_translations(request: HttpRequest, page: Page) -> None:
    """Unpublish the translations of an unpublished page as well, if requested."""
    if _with_translations(request):
        for other in tree_actions.permitted_translations(request.user, page, "unpublish"):
            include_descendants = bool(request.POST.get("include_descendants"))
            UnpublishPageAction(other, user=request.user, include_descendants=include_descendants).execute()


@hooks.register("after_move_page")
def move_translations(request: HttpRequest, page: Page) -> None:
    """Move the translations of a moved page below those of its new parent, if requested."""
    if _with_translations(request):
        destination = page.get_parent()
        for other in tree_actions.permitted_translations(request.user, page, "move", destination):
            MovePageAction(
                other, tree_actions.translated_destination(other, destination), pos="last-child", user=request.user
            ).execute()
