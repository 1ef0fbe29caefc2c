"""The baseline: a Django view without middleware that returns BASELINE_BYTES bytes."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

BODY = os.urandom(int(os.environ["BASELINE_BYTES"]))
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[], SECRET_KEY="bench")  # noqa: S106


def view(request: HttpRequest) -> HttpResponse:
    """Nothing but bytes."""
    return HttpResponse(BODY)


urlpatterns = [path("", view)]
application = get_wsgi_application()
