"""The news on the dashboard of the admin."""

from collections.abc import Iterator

from core.page_permissions import url_to_add
from django.http import HttpRequest
from django.utils.translation import gettext as _
from wagtail import hooks
from wagtail.admin.widgets import Button

from .models import ArticlePage, NewsIndexPage


@hooks.register("register_dashboard_buttons")
def write_article_button(request: HttpRequest) -> Iterator[Button]:
    url = url_to_add(request.user, ArticlePage, NewsIndexPage)
    if url:
        yield Button(_("Write an article"), url, icon_name="edit", priority=10)
