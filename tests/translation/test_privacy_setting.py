"""The privacy setting of a page holds for its translations at once."""

import pytest
from django.contrib.auth.models import Group
from wagtail.models import PageViewRestriction

pytestmark = pytest.mark.django_db


def restrictions(page):
    return [(one.restriction_type, list(one.groups.all())) for one in page.get_view_restrictions()]


def test_it_is_carried_over_and_taken_back(staff_client, page_of, django_capture_on_commit_callbacks):
    page, group = page_of("mission"), Group.objects.first()
    url = f"/admin/pages/{page.pk}/privacy/"
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(url, {"restriction_type": PageViewRestriction.GROUPS, "groups": [group.pk]})
    for language in ("en", "pt-br"):
        assert restrictions(page_of("mission", language)) == [("groups", [group])]
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(url, {"restriction_type": PageViewRestriction.NONE})
    assert restrictions(page_of("mission", "en")) == []
