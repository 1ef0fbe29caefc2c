"""Django 5.2: parts without a documented API."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib.sitemaps import Sitemap
from django.db.models.fields.files import FieldFile
from django.http.response import HttpResponseBase

if TYPE_CHECKING:  # settings may import this module, before there are models
    from django.contrib.auth.models import Group

Response = TypeVar("Response", bound=HttpResponseBase)


def is_stored(file: FieldFile) -> bool:
    """Return whether a model's file is in its storage already; False for a new upload."""
    return file._committed  # type: ignore[attr-defined]  # django-stubs lacks it


def shallow_copy(response: Response) -> Response:
    """Return a copy of a response that can be sent while others are. It shares headers and content with the original."""
    response = copy.copy(response)
    response._resource_closers = []  # type: ignore[attr-defined]  # django-stubs lacks it
    return response


def clean_char_fields(clean: Callable[[str], str]) -> None:
    """Patch CharField so that all forms, including Wagtail's editor, pass what was typed through `clean` first."""
    to_python = forms.CharField.to_python

    def cleaned(self: forms.CharField, value: object) -> str | None:
        return to_python(self, clean(value) if isinstance(value, str) else value)

    forms.CharField.to_python = cleaned  # type: ignore[method-assign]  # mypy allows no patches


def label_groups(label: "Callable[[Group], str]") -> None:
    """Patch Group so that lists, forms and filters, which show `str(group)`, show `label(group)`."""
    from django.contrib.auth.models import Group

    Group.__str__ = label  # type: ignore[assignment,method-assign]  # mypy allows no patches


class SiteSitemap(Sitemap):
    """A sitemap whose URLs subclasses complete, without Django's query for the domain of the sites framework."""

    def complete(self, url: dict[str, Any]) -> None:
        """Change one URL of the sitemap, the values that its template reads."""
        raise NotImplementedError

    def get_urls(self, page: int | str = 1, site: object = None, protocol: str | None = None) -> list[dict[str, Any]]:
        urls = self._urls(page, "https", "localhost")  # type: ignore[attr-defined]  # django-stubs lacks it
        for url in urls:
            self.complete(url)
        return urls
