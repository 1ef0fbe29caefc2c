"""What all tests share: compiled texts, the site with its starter content, and helpers of the newsletter."""

import os
from collections import defaultdict

import pytest
from caching import page_cache
from core.models import SiteSettings
from core.texts import compile_texts
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.utils import translation
from wagtail.models import Locale

from newsletter.models import IssuePage, Subscriber
from tests import template_database


def pytest_configure(config):
    compile_texts()


def pytest_collection_modifyitems(config, items):
    """With CASES=3, as in `make test`, run at most three cases of each parametrized test, spread over its list."""
    most = int(os.environ.get("CASES", 0))
    if not most:
        return
    cases = defaultdict(list)
    for item in items:
        cases[item.nodeid.partition("[")[0]].append(item)
    gaps = max(1, most - 1)
    kept = {found[round(n * (len(found) - 1) / gaps)] for found in cases.values() for n in range(most)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb, django_db_modify_db_settings):
    """The test database holds the starter content: tests read the site that a newcomer sees."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        return django_db_keepdb
    template_database.copy_to(database["TEST"]["NAME"], settings.MEDIA_ROOT)
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """On PostgreSQL the starter content is loaded for each run."""
    with django_db_blocker.unblock():
        if not IssuePage.objects.exists():
            call_command("load_starter_content", verbosity=0)
            template_database.resize()


@pytest.fixture(autouse=True)
def _empty_caches():
    """What one test rendered is not another one's answer; numbers of pictures come again after a rollback."""
    page_cache.purge()
    cache.clear()


@pytest.fixture(autouse=True)
def _default_language():
    """The language of one test's last request is not another test's."""
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture
def locales(db):
    """The site's locales by language code."""
    return {locale.language_code: locale for locale in Locale.objects.all()}


@pytest.fixture
def page_of(locales):
    """Find a starter page by its key and language: `page_of("about", "en")`."""
    from wagtail.models import Page

    from home.management.commands.load_starter_content import key_of

    def find(key, language="es"):
        return Page.objects.get(translation_key=key_of(key), locale=locales[language]).specific

    return find


@pytest.fixture
def subscribe(db):
    """Make subscribers: `subscribe("a@example.org", language="en")`; active unless told otherwise."""

    def make(email, **fields):
        return Subscriber.objects.create(email=email, **{"state": Subscriber.State.ACTIVE, **fields})

    return make


@pytest.fixture
def issue(page_of):
    """The starter edition in Spanish, published in all three languages, on a site that has all it takes to send it."""
    SiteSettings.objects.update(postal_address="Calle del Cafetal 1, San Salvador")
    return page_of("issue-welcome")


@pytest.fixture
def run_tasks(db):
    """Run what waits in the task queue, as a worker would."""
    from django_tasks_db.models import DBTaskResult

    DBTaskResult.objects.all().delete()  # what loading the starter content left

    def run():
        while (row := DBTaskResult.objects.ready().order_by("-priority", "enqueued_at").first()) is not None:
            row.claim("test")
            row.task.call(*row.args_kwargs["args"], **row.args_kwargs["kwargs"])
            row.set_successful(None)

    return run


@pytest.fixture
def staff_client(client, django_user_model):
    """A browser with an administrator logged in, whose admin is in English."""
    from wagtail.users.models import UserProfile

    user = django_user_model.objects.create_superuser("ana", "ana@example.org", "a long password")
    UserProfile.objects.create(user=user, preferred_language="en")
    client.force_login(user)
    client.user = user
    return client
