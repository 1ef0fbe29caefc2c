"""What a request asked for, as it may be written down."""

import re

NUMBER = re.compile(r"<int:(\w+)>")


def shown_path(request) -> str:
    """What a request asked for, as it may be logged: its URL pattern with the numbers in it, or the path of a page.

    Never what else was typed: that may be a token, an address or a search.
    """
    page = getattr(request, "_wagtail_route_for_request", None)
    if page and not page.args and not page.kwargs:
        return request.path_info
    if not (found := request.resolver_match):
        return "(no route)"
    return "/" + NUMBER.sub(lambda number: str(found.kwargs[number[1]]), found.route)
