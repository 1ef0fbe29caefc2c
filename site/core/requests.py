"""Requests as the views of the admin get them, for annotations."""

from django.contrib.auth.models import User
from django.http import HttpRequest


class AuthenticatedHttpRequest(HttpRequest):
    """A request of somebody who is signed in; for annotations only."""

    user: User
