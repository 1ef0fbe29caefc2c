"""A page with a form, and below it the list of what was done with it before."""

from typing import Any

from core.admin_lists import IntroducedList
from core.requests import AuthenticatedHttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.views.generic.edit import FormMixin
from wagtail.admin.views.generic import IndexView


class FormAndListView(FormMixin, IntroducedList, IndexView):
    """A view of one model's rows, newest first, with a form above them."""

    template_name = "newsletter/admin/form_and_list.html"
    button: Promise
    list_title: Promise
    any_permission_required = ["add"]
    paginate_by = 30

    def post(self, request: AuthenticatedHttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        form = self.get_form()
        return self.act(form) if form.is_valid() else self.get(request, *args, **kwargs)

    def act(self, form: Any) -> HttpResponseBase:
        """Do what the form is for. Not `form_valid`, whose answer may be no download."""
        raise NotImplementedError
