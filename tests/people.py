"""People of the admin, by their role."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
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
