"""Request paths without personal data, for logs."""

import re

from django.http import HttpRequest

NUMBER = re.compile(r"<int:(\w+)>")


def loggable_path(request: HttpRequest) -> str:
    """Return the path of a page, or the URL pattern of a view with its integer arguments.

    Other parts of a URL may be tokens, e-mail addresses or search terms, which must not be logged.
    """
    page = getattr(request, "_wagtail_route_for_request", None)
    if page and not page.args and not page.kwargs:
        return request.path_info
    if not (found := request.resolver_match):
        return "(no route)"
    return "/" + NUMBER.sub(lambda number: str(found.kwargs[number[1]]), found.route)
