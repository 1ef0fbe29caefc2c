"""The news on the dashboard of the admin."""

from collections.abc import Iterator

from core.page_permissions import place_for_new
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.admin.widgets import Button

from .models import ArticlePage, NewsIndexPage


@hooks.register("register_dashboard_buttons")
def write_article_button(request: HttpRequest) -> Iterator[Button]:
    index = place_for_new(request.user, NewsIndexPage)
    if index:
        options = ArticlePage._meta
        url = reverse("wagtailadmin_pages:add", args=[options.app_label, options.model_name, index.pk])
        yield Button(_("Write an article"), url, icon_name="edit", priority=10)
