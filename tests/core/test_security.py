"""The site's promises to those who look for holes; docs/security.md has the table of OWASP's ASVS that they belong to."""

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
import time_machine
from config.settings import base
from core import links, pagecache, passwords, roles, search, signin, uploads, views
from core.clients import ClientAddressMiddleware
from core.forms import make_stamp
from core.models import SiteTexts
from django.conf import settings as live
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core import mail, signing
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from pwned_passwords_django import api
from wagtail.models import Page
from wagtail.search import index
from wagtail.test.utils.form_data import nested_form_data, streamfield

from home.models import ContactMessage
from newsletter import campaigns, sending
from newsletter.models import Subscriber, Suppression
from newsletter.subscriptions import manage_url
from tests.people import person

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
OURS = [path for folder in ("site", "home", "news", "newsletter") for path in (ROOT / folder).rglob("*.py")]
EVIL = '"><script>alert(1)</script>'


def sources():
    return {path: path.read_text() for path in OURS if "/migrations/" not in str(path)}


def stamp():
    """A stamp made a few seconds ago, as on a page that somebody has read."""
    with time_machine.travel(timezone.now() - timedelta(seconds=5)):
        return make_stamp()


def contact(client, **fields):
    """Send the contact form as a person does."""
    data = {"name": "Rosa", "email": "rosa@example.org", "message": "Hola", "stamp": stamp(), **fields}
    return client.post("/es/contact/send/", data)


def join(client, **fields):
    """Sign up for the newsletter as a person does."""
    return client.post("/es/subscription/join/", {"email": "rosa@example.org", "stamp": stamp(), **fields})


def save(client, page, *blocks):
    """Publish a content page with a body of (block, value) pairs, by the editor's form."""
    names = ("title", "slug", "seo_title", "search_description", "introduction")
    data = {name: getattr(page, name) or "" for name in names} | {
        "pattern": page.pattern,
        "share_image": "",
        "body": streamfield(list(blocks)),
        "comments": {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"},
        "go_live_at": "",
        "expire_at": "",
        "action-publish": "1",
    }
    answer = client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), nested_form_data(data), follow=True)
    pagecache.purge()  # happens on commit, which a test never comes to
    return answer


@pytest.fixture
def indexed(page_of):
    """The Spanish pages can be searched for, as after the worker's turn."""
    for page in Page.objects.filter(locale__language_code="es", depth__gt=2).specific():
        index.insert_or_update_object(page)


# Encoding


def test_what_readers_type_comes_back_escaped(client):
    for query in (EVIL, "</title>" + EVIL):
        html = client.get("/es/buscar/", {"q": query}).content.decode()
        assert escape(query) in html
        assert query not in html
    html = client.post("/es/contact/send/", {"name": EVIL, "email": "x", "message": EVIL}).content.decode()
    assert html.count(escape(EVIL)) == 2
    assert EVIL not in html


def test_input_is_decoded_once_before_it_is_checked(client, subscribe, run_tasks, settings, tmp_path):
    html = client.get("/es/buscar/?q=%2526lt%3Bb%253E").content.decode()
    assert 'value="%26lt;b%3E"' in html.replace("&amp;", "&") or 'value="%26amp;lt;b%3E"' in html
    assert 'value="&amp;lt;b&amp;gt;"' in client.get("/es/buscar/", {"q": "&lt;b&gt;"}).content.decode()
    settings.MEDIA_ROOT = tmp_path / "media"
    (settings.MEDIA_ROOT / "images").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    for path in ("/media/images/%252e%252e/%252e%252e/secret.txt", "/media/images/..%252f..%252fsecret.txt"):
        assert client.get(path).status_code == 404, path
    # In the form that counts: what is known is looked for after normalising, not before.
    Suppression.add("rosa@example.org", "erased")
    join(client, email="Rosa@\uff45xample.ORG.")
    run_tasks()
    assert not Subscriber.objects.exists()
    assert not mail.outbox


def test_what_is_kept_is_what_was_typed_and_each_reader_of_it_escapes_anew(staff_client, run_tasks):
    SiteTexts.objects.update(contact_email="info@example.org")
    written = contact(staff_client, name="Rosa <b>&amp;", message=f"{EVIL} {{{{ 7*7 }}}}")
    assert written.status_code == 302
    message = ContactMessage.objects.get()
    assert (message.name, message.message) == ("Rosa <b>&amp;", f"{EVIL} {{{{ 7*7 }}}}")
    html = staff_client.get(f"/admin/messages/inspect/{message.pk}/").content.decode()
    assert escape(EVIL) in html
    assert EVIL not in html
    run_tasks()
    assert f"{EVIL} {{{{ 7*7 }}}}" in mail.outbox[0].body  # plain text


def test_what_editors_type_is_escaped_in_pages_data_and_feeds(staff_client, page_of, run_tasks):
    page = page_of("article-2004")
    page.title = "</script><script>alert(1)</script>"
    page.search_description = EVIL
    page.save_revision().publish()
    run_tasks()  # puts it into the index of the search
    client = Client()
    for path in (page.url, page.get_parent().url, "/es/news/feed.xml", "/es/buscar/?q=alert"):
        text = client.get(path).content.decode()
        assert "&lt;script&gt;alert(1)" in text, path
        assert "<script>alert" not in text, path
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', client.get(page.url).text, re.S)
    assert page.title in str(json.loads(data))
    for path in (f"/admin/pages/{page.pk}/edit/", f"/admin/pages/{page.get_parent().pk}/"):
        text = staff_client.get(path).content.decode()
        assert "alert(1)" in text
        assert "<script>alert" not in text, path


def test_rich_text_keeps_no_scripts_and_no_links_that_run(staff_client, page_of):
    page = page_of("mission")
    state = {
        "blocks": [{"key": "a", "text": "<script>alert(1)</script> link", "type": "unstyled", "depth": 0,
                    "inlineStyleRanges": [], "entityRanges": [{"key": 0, "offset": 26, "length": 4}]}],
        "entityMap": {"0": {"type": "LINK", "mutability": "MUTABLE", "data": {"url": "javascript:alert(1)"}}},
    }  # fmt: skip
    save(staff_client, page, ("text", json.dumps(state)))
    page = page_of("mission").get_latest_revision_as_object()  # a link that leads nowhere stops the page from going out
    page.save_revision().publish()
    pagecache.purge()
    html = Client().get(page.url).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert "javascript:" not in html


def test_links_lead_only_to_the_web(staff_client, page_of):
    page = page_of("mission")
    for address in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x"):
        answer = save(staff_client, page, ("button", {"page": "", "text": "Visitar", "address": address}))
        assert "Enter a valid URL" in answer.text
        assert address not in Client().get(page.url).text
    save(staff_client, page, ("button", {"page": "", "text": "Visitar", "address": "https://example.org/?a=1&b=%22"}))
    assert 'href="https://example.org/?a=1&amp;b=%22"' in Client().get(page.url).text


def test_what_is_put_into_an_address_is_encoded_for_it(client, indexed, monkeypatch):
    monkeypatch.setattr(views, "RESULTS_PER_PAGE", 1)
    html = client.get("/es/buscar/", {"q": 'comercio justo &#"<='}).content.decode()
    assert "q=comercio+justo+%26%23%22%3C%3D&amp;page=2" in html or "q=comercio+justo+%26%23%22%3C%3D&page=2" in html


@pytest.mark.parametrize("query", ["' OR 1=1 --", "'; DROP TABLE wagtailcore_page; --", "% _ \\", "{0} %s %(x)s"])
def test_searches_are_words_and_nothing_else(staff_client, indexed, subscribe, query):
    subscribe("rosa@example.org", name="Rosa")
    number = Page.objects.count()
    answer = Client().get("/es/buscar/", {"q": query})
    assert answer.status_code == 200
    assert not answer.context["results"].object_list
    assert "rosa@example.org" in staff_client.get("/admin/subscribers/", {"q": "rosa"}).text
    for name in ("state", "ordering"):
        text = staff_client.get("/admin/subscribers/", {name: query, "q": query}).text
        assert "rosa@example.org" not in text, name
    assert Page.objects.count() == number


@pytest.mark.parametrize("query", [".*", "ca.é", "caf[ée]", "^comercio", "(?:comercio)", "(a+)+$" * 10])
def test_no_search_is_a_pattern(client, indexed, query):
    """What is found for a pattern is what its words would find."""
    words = " ".join(re.findall(r"\w+", query))
    asked, meant = (client.get("/es/buscar/", {"q": text}) for text in (query, words))
    assert asked.status_code == 200
    assert [page.pk for page in asked.context["results"]] == [page.pk for page in meant.context["results"]]
    for page in asked.context["results"]:
        for mark in re.findall(r"<mark>(.*?)</mark>", page.excerpt):
            assert search.stems(mark, "es") in search.stems(words, "es").split()


def test_templates_and_formats_in_what_people_type_stay_text(client, subscribe):
    name = "{{ 7*7 }} %(email)s {0.__class__} ${7*7} %s %n"
    person = subscribe("a@example.org", name="")
    path = urlsplit(manage_url(person, "preferences")).path
    client.post(path, {"name": name, "language": "es"})
    person.refresh_from_db()
    assert person.name == name
    assert f'value="{escape(name)}"' in client.get(path).content.decode()


def test_templates_and_formats_in_an_edition_stay_text(issue, subscribe, run_tasks):
    words = "{{ 7*7 }} {% now 'Y' %} %(email)s {0.__class__} {subject}"
    issue.subject = issue.preheader = words
    issue.save_revision().publish()
    subscribe("a@example.org", name=words)
    campaign = campaigns.campaign_for(issue, None)
    campaigns.start(campaign)
    sending.work_on(campaign, 20)
    (sent,) = mail.outbox
    assert sent.subject == words
    assert words in sent.body
    assert escape(words) in sent.alternatives[0][0]


def test_no_header_comes_in_by_a_form(client, run_tasks):
    SiteTexts.objects.update(contact_email="info@example.org")
    evil = ("Rosa\r\nBcc: victim@example.org", "Rosa\nSubject: x", "rosa@example.org\r\nBcc: victim@example.org")
    for words in evil:
        contact(client, name=words)
        assert contact(client, email=f"{words}@example.org").status_code == 422
        assert join(client, email=words).status_code == 422
        assert join(client, name=words).status_code == 422
    run_tasks()
    assert len(mail.outbox) == ContactMessage.objects.count() == 3
    for message in mail.outbox:
        assert message.recipients() == ["info@example.org"]
        head = message.message().as_bytes().partition(b"\n\n")[0].lower()
        assert b"victim" not in head
        assert head.count(b"subject:") == 1


@pytest.fixture
def watched():
    """What the interpreter runs while a test watches: a list of its audit events (PEP 578)."""
    events, kinds = [], ("compile", "exec", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pickle.find_class")

    def hook(event, arguments):
        if events is WATCHING["list"] and event in kinds:
            events.append((event, str(arguments)))

    sys.addaudithook(hook)  # it cannot be taken away again, only told to look away
    WATCHING["list"] = events
    yield events
    WATCHING["list"] = None


WATCHING = {"list": None}
PROGRAMS = ["__import__('os').system('touch zq7')", "zq7; touch zq7 $(touch zq7) `touch zq7` |touch zq7 && touch zq7"]


def test_nothing_is_run_that_came_as_text(watched, staff_client, page_of, subscribe, run_tasks):
    """No process starts in a request, and nothing that somebody sent is compiled, run or unpickled."""
    SiteTexts.objects.update(contact_email="info@example.org")
    path = urlsplit(manage_url(subscribe("a@example.org"), "preferences")).path
    for words in PROGRAMS:
        client = Client()
        for query in ("q", "page", "c", "next"):
            client.get("/es/buscar/", {query: words})
        client.get("/es/", headers={"accept-language": words, "cookie": f"sessionid={quote(words)}", "referer": quote(words)})
        contact(client, name=words, message=words)
        join(client, name=words)
        client.post(path, {"name": words, "language": words, "country": words})
        client.post("/admin/login/", {"username": words, "password": words})
        staff_client.get("/admin/subscribers/", {"q": words, "ordering": words})
        staff_client.get("/admin/images/", {"q": words})
        upload = {"file": SimpleUploadedFile(f"{words}.csv".replace("/", ""), f"email,name\nb@example.org,=cmd|{words}\n".encode()), "language": "es", "provenance": words}  # fmt: skip
        staff_client.post("/admin/newsletter/imports/add/", upload)
        page = page_of("mission")
        page.title = words
        save(staff_client, page, ("heading", words))
        Client().get(page.url)
    run_tasks()
    assert "zq7" in Page.objects.get(pk=page.pk).title
    assert [event for event in watched if "zq7" in event[1]] == []
    assert {event[0] for event in watched} <= {"compile", "exec", "pickle.find_class"}  # no process is started


def test_a_session_is_data_and_runs_nothing(client, watched):
    """Not even one that was signed with our own key: JSON says no classes."""
    forged = signing.dumps({"_auth_user_id": "1"}, salt="django.contrib.sessions.SessionStore", serializer=Pickled)
    Session.objects.create(session_key="a" * 32, session_data=forged, expire_date=timezone.now() + timedelta(days=1))
    client.cookies["sessionid"] = "a" * 32
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/admin/login/")
    assert not watched or not [event for event in watched if event[0] == "pickle.find_class"]


class Pickled:
    """What Django's sessions were long ago."""

    def dumps(self, data):
        return pickle.dumps(Exploit())


class Exploit:
    def __reduce__(self):
        return os.getcwd, ()


def test_the_kept_pages_which_are_unpickled_are_ours_alone_to_write(client):
    """core/pagecache.py reads pickles: only from a folder that nobody else may enter."""
    client.get("/es/")
    folder = live.VAR_DIR / "pagecache"
    assert any(folder.rglob("*"))
    assert oct(folder.stat().st_mode)[-3:] == "700"


@pytest.mark.parametrize("number", ["0", "-1", str(2**31), str(2**63), "9" * 40, "1e309", "١٢٣"])
def test_numbers_out_of_range_are_answered(client, subscribe, number):
    leave = urlsplit(manage_url(subscribe("a@example.org"))).path
    for path in (f"/es/noticias/?page={number}", f"/es/buscar/?q=cafe&page={number}", f"/share/{number}.png",
                 f"/documents/{number}/x.pdf", f"/es/noticias/{number}/", f"{leave}?c={number}", f"/t/abc/{number}/"):  # fmt: skip
        assert client.get(path).status_code in {200, 301, 302, 404, 410}, path
    assert client.post(f"{leave}?c={number}").status_code == 200
    assert Subscriber.objects.get().state == "unsubscribed"
    for topic in (number, f"-{number}"):
        assert join(client, topics=[topic]).status_code == 422


# What goes out


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[::1]",
        "[fd00::1]",
        "0.0.0.0",
        "2130706433",
    ],
)
def test_links_into_our_own_network_are_never_asked(host, monkeypatch):
    monkeypatch.setattr(links, "ask", lambda *arguments: pytest.fail("asked"))
    assert links.problem_of_other(f"http://{host}/")


def test_a_name_that_changes_its_mind_leads_nowhere_else(monkeypatch):
    asked = []
    monkeypatch.setattr(links, "public_place", lambda host: "203.0.113.7")
    monkeypatch.setattr(links.urllib3.connection.HTTPConnection, "connect", lambda self: asked.append(self.host) or (_ for _ in ()).throw(OSError))  # fmt: skip
    assert links.problem_of_other("http://rebinding.example/")
    assert asked == ["203.0.113.7"]


def test_redirects_of_other_sites_are_not_followed():
    assert "redirect=False" in (ROOT / "site/core/links.py").read_text()


def test_every_client_of_ours_checks_certificates():
    for path, text in sources().items():
        assert not re.search(r"verify=False|CERT_NONE|_create_unverified_context|check_hostname = False", text), path
        for call in re.findall(r"IMAP4_SSL\(.*?\)", text):
            assert "ssl_context" in call, path


# Headers, cookies, methods


@pytest.mark.parametrize(
    "path",
    [
        "/es/",
        "/es/nothing/",
        "/admin/login/",
        "/robots.txt",
        "/sitemap.xml",
        "/healthz",
        "/sw.js",
        "/es/news/feed.xml",
        "/media/x",
        "/documents/9/x.pdf",
        "/metrics",
    ],
)
def test_every_answer_has_its_headers_and_says_what_it_is(client, path):
    answer = client.get(path)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "object-src 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-inline" not in re.search(r"script-src[^;]*", policy)[0]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer
    assert (
        not re.match(r"(text/|.*xml)", answer["Content-Type"])
        or "charset=utf-8" in answer["Content-Type"]
        or path == "/healthz"
    )


def test_over_https_the_site_says_so_for_two_years(tmp_path):
    code = "from django.conf import settings as s; print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.TWO_FACTOR_REQUIRED, s.DEBUG)"
    answer = subprocess.run(
        [ROOT / ".venv/bin/python", ROOT / "manage.py", "shell", "--no-imports", "-c", code],
        env={"SITE_URL": "https://clac.example", "SECRET_KEY": "Zk9" * 20 + "abcdef", "DJANGO_SETTINGS_MODULE": "config.settings.production", "VAR_DIR": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.split() == ["63072000", "True", "__Host-sessionid", "__Host-csrftoken", *["True"] * 3, "False"]


def test_readers_get_no_cookie(client, page_of):
    for path in ("/", "/es/", "/es/buscar/?q=miel", "/en/nothing/", page_of("contact").url, "/es/subscription/join/"):
        assert not client.get(path).cookies, path


def test_the_admin_takes_no_form_from_elsewhere(page_of):
    client = Client(enforce_csrf_checks=True)
    assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 403
    for site in ("cross-site", "same-site"):
        answer = client.post("/es/subscription/join/", {"email": "a@example.org"}, headers={"sec-fetch-site": site})
        assert answer.status_code == 403


def test_a_get_changes_nothing(staff_client, page_of):
    page = page_of("partners")
    for path in (
        f"/admin/pages/{page.pk}/delete/",
        f"/admin/pages/{page.pk}/unpublish/",
        reverse("signin_change", args=["remove"]),
    ):
        staff_client.get(path)
    assert Page.objects.get(pk=page.pk).live


@pytest.mark.parametrize("method", ["put", "delete", "patch", "trace"])
def test_other_methods_are_refused_or_change_nothing(client, method):
    number = Subscriber.objects.count(), ContactMessage.objects.count()
    for path in ("/es/subscription/join/", "/es/contact/send/", "/"):
        assert getattr(client, method)(path).status_code in {400, 403, 404, 405}, path
    assert number == (Subscriber.objects.count(), ContactMessage.objects.count())


def test_parameters_that_come_twice_confuse_nobody(client):
    assert client.get("/es/buscar/?q=miel&q=cacao&page=1&page=x").status_code == 200
    assert client.post("/es/subscription/join/?email=a@example.org", {"email": ["b@example.org", "c"]}).status_code in {
        200,
        422,
    }


def test_the_visitors_address_comes_from_our_proxy_or_from_the_connection(settings, rf):
    seen = ClientAddressMiddleware(lambda request: request.META["REMOTE_ADDR"])
    forged = rf.get("/", REMOTE_ADDR="203.0.113.1", headers={"x-forwarded-for": "198.51.100.9"})
    assert seen(forged) == "203.0.113.1"
    settings.BEHIND_PROXY = True
    assert seen(rf.get("/", headers={"x-forwarded-for": "198.51.100.9, 203.0.113.1"})) == "203.0.113.1"


def test_webhooks_are_taken_over_https_only(client, settings):
    settings.HTTPS, settings.EMAIL_PROVIDER, settings.WEBHOOK_SECRET = True, "postmark", "user:password"
    answer = client.post("/webhooks/postmark/", b"{}", content_type="application/json")
    assert answer.status_code == 403
    assert client.post("/webhooks/postmark/", b"{}", content_type="application/json", secure=True).status_code == 401


def test_there_is_one_way_to_sign_in(client):
    answer = client.get("/es/_util/login/")
    assert answer.status_code == 302
    assert answer.url == reverse("wagtailadmin_login")
    assert client.get("/django-admin/").status_code in {302, 404}


# Passwords and people


@pytest.mark.parametrize("password", ["clac-comercio-justo", "Fairtrade CLAC 1", "wagtail-password", "boletín-senha"])
def test_names_that_everybody_knows_here_are_no_passwords(password):
    with pytest.raises(ValidationError):
        validate_password(password)


def test_a_password_from_a_breach_is_refused_and_never_told_to_anybody(monkeypatch):
    password = "correct horse battery staple"
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    asked = []

    def answer(request):
        asked.append(str(request.url))
        return httpx.Response(200, text=f"{digest[5:]}:23\r\n{'0' * 35}:1")

    client = api.PwnedPasswords(client=httpx.Client(transport=httpx.MockTransport(answer)))
    validator = passwords.BreachedPasswordValidator()
    monkeypatch.setattr(validator, "api_client", client)
    with pytest.raises(ValidationError, match=r"breach|filtró|vazou"):
        validator.validate(password)
    validator.validate("ñandú y maíz en flor")
    assert asked[0].endswith(digest[:5])
    assert all(digest not in url for url in asked)


def test_new_people_choose_their_own_password(staff_client, client):
    data = {
        "username": "rosa",
        "email": "rosa@example.org",
        "first_name": "Rosa",
        "last_name": "Díaz",
        "is_superuser": "",
        "groups": [],
    }
    html = staff_client.get(reverse("wagtailusers_users:add")).content.decode()
    assert 'type="password"' not in html
    staff_client.post(reverse("wagtailusers_users:add"), data)
    (sent,) = mail.outbox
    assert sent.to == ["rosa@example.org"]
    path = re.search(r"http://testserver(/admin/password_reset/\S+)", sent.body)[1]
    form = client.get(path, follow=True)
    new = "una frase bien larga"
    client.post(form.request["PATH_INFO"], {"new_password1": new, "new_password2": new})
    assert client.post("/admin/login/", {"username": "rosa", "password": new}).status_code in {200, 302}
    assert not mail.outbox[1:]


def test_changing_the_password_takes_the_old_one(staff_client):
    data = {
        "password-old_password": "wrong",
        "password-new_password1": "una frase bien larga",
        "password-new_password2": "una frase bien larga",
    }
    html = staff_client.post(reverse("wagtailadmin_account"), data).content.decode()
    assert "incorrect" in html.lower() or "error" in html.lower()
    staff_client.user.refresh_from_db()
    assert staff_client.user.check_password("a long password")


def test_nobody_makes_themselves_an_administrator(client, django_user_model):
    editor = person(roles.EDITOR)
    client.force_login(editor)
    client.post(reverse("wagtailadmin_account"), {"name_email-email": "e@example.org", "name_email-first_name": "E", "name_email-last_name": "E", "is_superuser": "on", "name_email-is_superuser": "on", "groups": "1"})  # fmt: skip
    editor.refresh_from_db()
    assert not editor.is_superuser


def test_a_reader_changes_only_what_the_form_offers(client, subscribe):
    person = subscribe("a@example.org", state="pending")
    path = urlsplit(manage_url(person, "preferences")).path
    client.post(
        path,
        {
            "name": "A",
            "language": "es",
            "state": "active",
            "email": "b@example.org",
            "is_disposable": "",
            "source": "staff",
        },
    )
    person.refresh_from_db()
    assert (person.state, person.email) == ("pending", "a@example.org")


def test_passwords_are_hashed_slowly():
    assert not hasattr(base, "PASSWORD_HASHERS")  # Django's own list, which grows with each release
    assert PBKDF2PasswordHasher.iterations >= 600_000


def test_only_good_hashes_are_used():
    for path, text in sources().items():
        assert not re.search(r"hashlib\.(md5|sha1)|random\.(choice|random|randint|shuffle)\(", text), path


def test_comparisons_of_secrets_take_the_same_time():
    for path, text in sources().items():
        if "hmac.new" in text and path.name in {"tokens.py", "metrics.py", "webhooks.py"}:
            assert "compare_digest" in text, path


# Logs and errors


def test_an_unexpected_error_is_logged_and_told_without_details(client, monkeypatch, caplog, capsys):
    monkeypatch.setattr(search, "find", lambda *arguments: 1 / 0)
    client.raise_request_exception = False
    answer = client.get("/en/search/", {"q": "secret words"})
    html = answer.content.decode()
    assert answer.status_code == 500
    assert "Something went wrong on our side" in html
    assert "ZeroDivisionError" not in html
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in capsys.readouterr().err
    assert answer["Cache-Control"] == "no-store"


def test_who_may_not_is_written_down(client, caplog):
    editor = person(roles.EDITOR)
    client.force_login(editor)
    client.get(reverse("operations"))
    assert f"Denied to user {editor.pk}: GET /admin/operations/" in caplog.text


def test_attempts_to_get_around_limits_are_written_down(client, caplog, settings):
    for _number in range(11):
        client.post("/admin/login/", {"username": "a", "password": "b"})
    assert "Sign-in throttled" in caplog.text


def test_signing_out_clears_what_the_browser_kept(staff_client):
    answer = staff_client.post(reverse("wagtailadmin_logout"))
    assert answer["Clear-Site-Data"] == '"cache", "storage"'


def test_pages_behind_a_key_are_kept_nowhere_and_give_no_address_away(client, subscribe):
    for view in ("preferences", "leave"):
        answer = client.get(urlsplit(manage_url(subscribe(f"{view}@example.org"), view)).path)
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "no-referrer"


# What it is made of


def test_every_package_is_pinned_with_its_hash_and_has_its_reason():
    pins = (ROOT / "requirements.txt").read_text()
    names = re.findall(r"^([a-z0-9._-]+)==", pins, re.M)
    assert len(names) > 50
    assert pins.count("--hash=sha256:") >= len(names)
    for line in (ROOT / "requirements.in").read_text().splitlines():
        assert not line or "#" in line, line


def test_no_secret_is_in_the_code():
    for path, text in sources().items():
        assert not re.search(r"AGE-SECRET-KEY-1[A-Z0-9]{20}|sk_live|-----BEGIN .*PRIVATE", text), path


def test_nothing_of_development_is_in_production():
    assert "debug_toolbar" not in live.INSTALLED_APPS
    assert "wagtail.contrib.styleguide" not in live.INSTALLED_APPS
    assert not live.DEBUG


def test_the_document_names_the_limits_that_hold():
    text = (ROOT / "docs/security.md").read_text()
    hours = int(signin.SESSION_AT_MOST.total_seconds() // 3600), int(signin.SESSION_IDLE.total_seconds() // 3600)
    for words in (
        f"{signin.TRIES_BY_NAME_AND_ORIGIN[0]} in a quarter of an hour",
        f"{signin.TRIES_BY_ORIGIN[0]} in an hour",
        f"{hours[0]} hours in all, {hours[1]} without a sign",
        f"{uploads.MAX_BYTES // 1024**2} MB",
        f"{uploads.MAX_UNPACKED_BYTES // 1024**2} MB unpacked",
        f"{live.WAGTAILIMAGES_MAX_UPLOAD_SIZE // 1024**2} MB for a picture",
        f"{live.JOIN_LIMIT_PER_ORIGIN} sign-ups an hour",
        *passwords.WORDS,
    ):
        assert words in text, words


def test_who_finds_a_hole_learns_where_to_report_it(client):
    """RFC 9116."""
    SiteTexts.objects.update(contact_email="info@example.org")
    text = client.get("/.well-known/security.txt").content.decode()
    assert "Contact: mailto:info@example.org" in text
    assert re.search(r"^Expires: \d{4}-\d\d-\d\dT", text, re.M)


def test_a_server_begins_without_accounts(django_user_model):
    """`prepare`, which a server runs, makes none; `start`, for one's own machine, makes one with a random password."""
    assert not django_user_model.objects.exists()
    assert "create_superuser" not in (ROOT / "site/core/management/commands/prepare.py").read_text()


def test_every_page_of_the_admin_offers_to_sign_out(staff_client):
    for path in (reverse("wagtailadmin_home"), reverse("signin_manage"), reverse("operations"), "/admin/images/"):
        assert reverse("wagtailadmin_logout") in staff_client.get(path).content.decode(), path


def test_the_document_names_keys_data_logs_and_connections():
    text = (ROOT / "docs/security.md").read_text()
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    for name, words in {
        "Keys and algorithms": ["SECRET_KEY", "BACKUP_KEY", "HMAC-SHA256", "PBKDF2", "once a year"],
        "Data and how it is protected": ["secret", "personal", "internal", "public"],
        "Logs": ["journald", "nginx", "site history", "30 days", "14 days"],
        "What goes out": ["Redis", "S3", "Have I Been Pwned", "Time-outs", "Long work"],
        "Packages": ["two days", "two weeks", "once a month"],
    }.items():
        assert all(word in sections[name] for word in words), name
