from django.contrib.auth.models import User
from django.http import HttpRequest


class EditorRequest(HttpRequest):
    """A request to the admin: Wagtail's permission checks let nobody in who is not signed in."""

    user: User
