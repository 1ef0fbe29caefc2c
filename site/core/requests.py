"""Requests: those of people who are signed in, for annotations, and the page of a list that is asked for."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import InvalidPage, Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest


class AuthenticatedHttpRequest(HttpRequest):
    """A request of somebody who is signed in; for annotations only."""

    user: User


def page_of_list(request: HttpRequest, items: Sequence[Any] | QuerySet[Any], per_page: int) -> Page:
    """Return the page of a list that `?page=` asks for, the first one without it. Raises Http404 if there is no such page."""
    try:
        return Paginator(items, per_page).page(request.GET.get("page", "1"))
    except InvalidPage as error:
        raise Http404 from error
