"""People of the admin, by their role, and what they do there."""

import re
from html import unescape

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from wagtail.users.models import UserProfile


def person(role, language="es"):
    """Somebody who has a Role, the same one each time; None is somebody without any."""
    name = role.name if role else "nobody"
    address = f"{Group.objects.get(name=name).pk if role else 0}@example.org"
    user, is_new = get_user_model().objects.get_or_create(username=name, defaults={"email": address})
    if is_new:
        user.groups.set(Group.objects.filter(name=name))
        UserProfile.objects.create(user=user, preferred_language=language)
    return user


def confirmation(client, issue, again="", **chosen):
    """Open the page that confirms the sending of an edition. Returns what its button posts: (URL, {field: value})."""
    page = client.get(
        reverse(f"newsletter_issue_confirm{again}", args=[issue.pk]), {"when": "now"} | chosen, follow=True
    )
    form = re.search(r'<form method="post" action="([^"]*/start[^"]*)">(.*?)</form>', page.text, re.DOTALL)
    if form is None:
        raise AssertionError(f"no button to send on {page.request['PATH_INFO']}")
    fields = (dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<input ([^>]*)>", form[2]))
    return form[1], {field["name"]: unescape(field.get("value", "")) for field in fields}


def send(client, issue, again="", **chosen):
    """Send an edition, or put it down for later, as an editor does. Returns the response that follows."""
    url, fields = confirmation(client, issue, again, **chosen)
    return client.post(url, fields, follow=True)
