"""Who may use which address: every one stands in access.txt, and each role tries them all.

After a change of addresses or rights, `UPDATE_ACCESS=1 pytest tests/core/test_access.py -n0` writes the table anew; read what
changed before you commit it. Pages are tried on one page in English, so that translators of Portuguese are strangers to it.
Somebody "may" if the answer is not a refusal: the login page, the dashboard with a refusal, 403 or 404. Each try is undone.
"""

import os
import re
from pathlib import Path

import pytest
from core.models import Menu, SiteSettings, Topic
from django.contrib.messages import get_messages
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from django.urls.resolvers import URLPattern
from editorial import roles
from translation.models import GlossaryTerm
from wagtail.contrib.redirects.models import Redirect
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.models import Collection, GroupApprovalTask, Locale, Page, PageViewRestriction, Site, Workflow
from wagtail_localize.models import Translation

from home.models import ContactMessage
from newsletter.models import Campaign, IncomingReport, IssueTemplate, ProviderEvent, Segment, SubscriberImport
from tests.factories import person
from tests.services import in_services

pytestmark = pytest.mark.django_db
in_full = pytest.mark.skipif("TEST_REDIS_URL" not in os.environ, reason="2,500 requests: make test-services")
TABLE = Path(__file__).with_name("access.txt")
PEOPLE = {
    "visitor": None,
    "editor": roles.EDITOR,
    "english": roles.TRANSLATORS["en"],
    "portuguese": roles.TRANSLATORS["pt-br"],
    "publisher": roles.PUBLISHER,
    "newsletter": roles.NEWSLETTER_MANAGER,
    "administrator": roles.ADMINISTRATOR,
}
# Made by tools of development, or the same address again for pages of the site.
LEFT_OUT = {"admin/test404/", "admin/failwhale/", "admin/^.*/$", r"es/^((?:[\w\-]+/)*)$"}

FAULTS_OF_WAGTAIL = {"admin/redirects/import/process/"}  # without a file that was uploaded before


def routes(resolver=None, prefix=""):
    """Every address of the project, as patterns."""
    for part in (resolver or get_resolver()).url_patterns:
        if isinstance(part, URLPattern):
            yield prefix + str(part.pattern) or "/"
        else:
            yield from routes(part, prefix + str(part.pattern))


def every_route():
    return sorted(set(routes()) - LEFT_OUT)


def nameless(routes):
    """Addresses without the names of their groups, which Wagtail gives in one release and not in another."""
    return {re.sub(r"\(\?P<\w+>", "(", route) for route in routes}


def read_table():
    """{address: names of those who may use it}"""
    lines = [line.partition("  ") for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return {route: set(who.split()) - {"nobody"} for route, _gap, who in lines}


@pytest.fixture
def things(db, page_of, subscribe, issue):
    """One of each, by the beginning of the address that is about it."""
    page, edition = page_of("mission", "en"), page_of("issue-welcome", "en")
    image = get_image_model().objects.first()
    document = get_document_model().objects.create(title="D", file="documents/d.txt", file_size=1)
    revision = page.save_revision()
    workflow = Workflow.objects.get()
    state = workflow.start(page, None)
    restriction = PageViewRestriction.objects.create(page=page, restriction_type="password", password="x")
    translation = Translation.objects.get(source__object=page.translation_key, target_locale=page.locale)
    user = person(roles.EDITOR)
    english = Locale.objects.get(language_code="en")
    texts = {m._meta.model_name: m.objects.filter(locale=english).first() for m in (Menu, SiteSettings, Topic)}
    values = {
        "page_id": page.pk, "parent_page_id": page.pk, "page_to_move_id": page.pk, "page_pk": page.pk,
        "destination_id": page_of("home", "en").pk, "revision_id": revision.pk, "image_id": image.pk,
        "document_id": document.pk, "doc_id": document.pk, "content_type_app_name": "home",
        "content_type_model_name": "contentpage", "app_label": "core", "model_name": "topic", "app_name": "core",
        "task_state_id": state.current_task_state.pk, "workflow_state_id": state.pk, "workflow_pk": workflow.pk,
        "task_id": GroupApprovalTask.objects.get().pk, "action_name": "approve", "filter_spec": "max-10x10",
        "campaign_id": Campaign.objects.create(issue=edition).pk, "translation_id": translation.pk,
        "string_segment_id": translation.source.stringsegment_set.first().pk, "overridable_segment_id": 1,
        "translation_source_id": translation.source_id, "mode": "", "session_id": 1, "object_id": page.pk,
        "uploaded_file_id": 1, "redirect_id": Redirect.objects.create(old_path="/x", redirect_link="/y").pk, "restriction_id": restriction.pk, "provider": "resend", "number": 1,
        "page_view_restriction_id": restriction.pk, "collection_id": 1, "token": "x", "uidb64": "x", "key": "x",
        "slug": Topic.objects.get(translation_key=texts["topic"].translation_key, locale__language_code="es").slug, "path": "x", "action": "delete", "language": "es",
        "name": "dashboard", "what": "sessions", "user_id": user.pk, "key_id": 1,
        "block_id": next(block.id for block in edition.body if block.block_type == "news"),
    }  # fmt: skip
    template = IssueTemplate.objects.create(name="T")
    values["template_id"] = template.pk
    numbers = {
        "admin/edition-templates/": template,
        "admin/messages/": ContactMessage.objects.create(name="A", email="a@example.org", message="M", language="es"),
        "admin/subscribers/": (subscriber := subscribe("a@example.org")),
        "admin/newsletter/subscribers/": subscriber,
        "admin/newsletter/imports/": SubscriberImport.objects.create(
            file=ContentFile(b"email\na@example.org\n", "x.csv"), file_name="x.csv"
        ),
        "admin/newsletter/issues/": edition,
        "admin/segments/": Segment.objects.create(name="S"),
        "admin/provider-events/": ProviderEvent.objects.create(provider="x", fingerprint="x", kind="bounced"),
        "admin/unreadable-reports/": IncomingReport.objects.create(source="x", fingerprint="x", state="unreadable"),
        "admin/locales/": english,
        "admin/sites/": Site.objects.get(),
        "admin/users/": user,
        "admin/groups/": user.groups.get(),
        "admin/collections/": Collection.get_first_root_node().add_child(name="C"),
        "admin/workflows/tasks/": GroupApprovalTask.objects.get(),
        "admin/workflows/": workflow,
        **{f"admin/snippets/{kind}core/{name}/": texts[name] for kind in ("", "choose/") for name in texts},
        "admin/snippets/translation/glossaryterm/": (term := GlossaryTerm.objects.first()),
        "admin/snippets/choose/translation/glossaryterm/": term,
        "admin/localize/": texts["topic"],
        "admin/images/": image,
        "admin/documents/": document,
        "admin/api/main/^pages/": page,
        "admin/api/main/^images/": image,
        "admin/api/main/^documents/": document,
        "": page,
    }  # fmt: skip
    return values, {start: thing.pk for start, thing in numbers.items()}


def address_of(route, things):
    """An address that a pattern leads to."""
    values, numbers = things
    number = next(number for start, number in numbers.items() if route.startswith(start))
    values = values | {"pk": number} | ({"page_id": number} if route.startswith("admin/newsletter/issues/") else {})
    if route.startswith(("admin/bulk/", "admin/editing-sessions/")):
        values |= {"app_label": "wagtailcore", "model_name": "page"}
    if route.startswith("admin/workflows/tasks/add/"):
        values |= {"app_label": "wagtailcore", "model_name": "groupapprovaltask"}
    route = re.sub(r"\(\?P<pk>[^)]*\)", str(values["pk"]), route)
    route = re.sub(r"\(\?P<revision_id_a>[^)]*\)|\(live\|earliest\|\\d\+\)", "earliest", route)
    route = re.sub(r"\(\?P<revision_id_b>[^)]*\)|\(live\|latest\|\\d\+\)", "latest", route)
    route = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(values[match[1]]), route)
    route = route.replace(r"(\d+)/(.*)$", f"{values['document_id']}/d.txt").replace(r"(\d+)", str(values["page_id"]))
    route = route.replace("\\.", ".").replace("^", "").removesuffix("$")
    route = route.removeprefix("/")
    return f"/{route}" + (f"?id={values['page_id']}" if "/bulk/" in route else "")


def is_let_in(response):
    """Whether an answer is none of the refusals."""
    if response.status_code in {403, 404}:
        return False
    target = response.headers.get("Location", "")
    if "/login/?next=" in target:
        return False
    refusals = [message for message in get_messages(response.wsgi_request) if message.level_tag == "error"]
    return not (target.rstrip("/") == "/admin" and refusals)


def allowed(client, who, things):
    """The addresses that somebody may use."""
    found, faults = set(), set()
    for route in every_route():
        address = address_of(route, things)
        with transaction.atomic():
            client.logout()
            if PEOPLE[who]:
                client.force_login(person(PEOPLE[who]))
            response = client.get(address)
            if response.status_code == 405:
                response = client.post(address)
            if response.status_code >= 500:
                faults.add(route)
            if is_let_in(response):
                found.add(route)
            transaction.set_rollback(True)
    assert faults <= FAULTS_OF_WAGTAIL
    return found


@pytest.mark.parametrize("which", ["the root of the page tree", "nothing"])
@in_services
def test_no_address_fails_whatever_its_number(staff_client, things, page_of, which):
    staff_client.raise_request_exception = False
    number = Page.get_first_root_node().pk if which == "the root of the page tree" else 999_999
    values, numbers = things
    others = (
        {name: number if isinstance(value, int) else value for name, value in values.items()},
        dict.fromkeys(numbers, number),
    )
    failed = set()
    for route in every_route():
        address = address_of(route, others)
        if not route.startswith("admin/") or "logout" in route:
            continue
        if which == "nothing" and address == address_of(route, things):
            continue  # no number in it: the other run asks for it
        # Forms without their fields are Wagtail's to refuse; what acts on a page at once is asked for with POST, too.
        acts = [staff_client.post] if route.startswith("admin/pages/") else []
        for method in (staff_client.get, *acts):
            with transaction.atomic():
                if method(address).status_code >= 500:
                    failed.add(route)
                transaction.set_rollback(True)
    assert failed <= FAULTS_OF_WAGTAIL


@in_full
@pytest.mark.parametrize("who", PEOPLE)
def test_a_role_may_use_what_the_table_says_and_nothing_else(client, things, who):
    client.raise_request_exception = False
    assert allowed(client, who, things) == {route for route, names in read_table().items() if who in names}


# What looking makes: pictures in the sizes that the admin shows, the key that one's app is about to be connected with,
# and Wagtail's note of who has an editor open.
MADE_BY_LOOKING = {"core_customrendition", "otp_totp_totpdevice", "wagtailadmin_editingsession"}


@pytest.mark.parametrize("which", ["our own addresses", pytest.param("every address", marks=in_full)])
def test_looking_changes_nothing(staff_client, things, which):
    """A GET of each address, as somebody who may do everything, writes no row."""
    staff_client.raise_request_exception = False
    ours = (
        "admin/newsletter/",
        "admin/sign-in/",
        "admin/operations",
        "es/subscription",
        "es/contact",
        "t/",
        "webhooks/",
    )
    for route in every_route():
        if which == "every address" or route.startswith(ours):
            staff_client.force_login(staff_client.user)
            connection.queries_log.clear()  # it holds the last 9,000 only
            with transaction.atomic(), CaptureQueriesContext(connection) as captured:
                staff_client.get(address_of(route, things))
                staff_client.head(address_of(route, things))
                transaction.set_rollback(True)
            written = [re.match(r'(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"', query["sql"]) for query in captured]
            assert {found[1] for found in written if found} <= MADE_BY_LOOKING, route


@pytest.mark.skipif("UPDATE_ACCESS" in os.environ, reason="the table is being written")
def test_every_address_stands_in_the_table():
    assert nameless(read_table()) == nameless(every_route())


@pytest.mark.skipif("UPDATE_ACCESS" not in os.environ, reason="writes the table")
def test_write_the_table(client, things):
    client.raise_request_exception = False
    by_role = {who: allowed(client, who, things) for who in PEOPLE}
    lines = [
        f"{route}  {' '.join(who for who in PEOPLE if route in by_role[who]) or 'nobody'}" for route in every_route()
    ]
    TABLE.write_text("# Who may use which address: see test_access.py\n" + "\n".join(lines) + "\n")
