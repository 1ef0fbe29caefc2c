"""The site's promises to those who look for holes; docs/security.md has the table of OWASP's ASVS that they belong to."""

import base64
import hashlib
import hmac
import importlib.metadata
import io
import json
import logging
import os
import pickle
import re
import socket
import socketserver
import ssl
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import time_machine
from accounts import passwords, services
from caching import cdn, page_cache
from core import uploads, views
from core.forms import make_stamp
from core.models import SiteSettings
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings as live
from django.contrib.sessions.models import Session
from django.core import mail, signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from editorial import link_checker, reports, roles
from editorial.models import PageProblem
from operations import logs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wagtail.models import Page
from wagtail.search import index
from wagtail.test.utils.form_data import nested_form_data, streamfield

from home.models import ContactMessage
from newsletter.campaigns import lifecycle
from newsletter.delivery import worker
from newsletter.feedback import bounce_mailbox
from newsletter.models import ConsentEvent, SignUpRequest, Subscriber, SubscriberImport, Suppression
from newsletter.subscribers import tokens
from newsletter.subscribers.subscriptions import manage_url
from tests import starts
from tests.factories import person

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
    page_cache.purge()  # happens on commit, which a test never comes to
    return answer


@pytest.fixture
def indexed(page_of):
    """The Spanish pages can be searched for, as after the worker's turn."""
    for page in Page.objects.filter(locale__language_code="es", depth__gt=2)[:8].specific():
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
    SiteSettings.objects.update(contact_email="info@example.org")
    written = contact(staff_client, name="Rosa <b>&amp;", message=f"{EVIL} {{{{ 7*7 }}}}")
    assert written.status_code == 302
    message = ContactMessage.objects.get()
    assert (message.name, message.message) == ("Rosa <b>&amp;", f"{EVIL} {{{{ 7*7 }}}}")
    html = staff_client.get(f"/admin/messages/inspect/{message.pk}/").content.decode()
    assert escape(EVIL) in html
    assert EVIL not in html
    run_tasks()
    assert f"{EVIL} {{{{ 7*7 }}}}" in mail.outbox[0].body  # plain text


def test_what_editors_type_is_escaped_in_pages_data_and_feeds(client, page_of, run_tasks):
    page = page_of("article-2004")
    page.title = "</script><script>alert(1)</script>"
    page.search_description = f"{EVIL} Cosecha {EVIL}"
    page.save_revision().publish()
    run_tasks()  # puts it into the index of the search
    for path in (page.url, page.get_parent().url, "/es/news/feed.xml", "/es/buscar/?q=alert", "/es/buscar/?q=cosecha"):
        text = client.get(path).content.decode()
        assert "&lt;script&gt;alert(1)" in text, path
        assert "<script>alert" not in text, path
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', client.get(page.url).text, re.S)
    assert page.title in str(json.loads(data))


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
    page_cache.purge()
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


def found(client, query):
    """What a search shows: (number of the page, excerpt with the words marked)."""
    answer = client.get("/es/buscar/", {"q": query})
    assert answer.status_code == 200
    return [(page.pk, page.excerpt) for page in answer.context["results"]]


def test_no_search_is_a_pattern(client, indexed):
    """What is shown for a pattern is what its words would show."""
    for query in (".*", "ca.é", "caf[ée]", "^comercio", "(?:comercio)", "comercio|justo", "(a+)+$" * 10):
        assert found(client, query) == found(client, " ".join(re.findall(r"\w+", query))), query
    assert any("<mark>" in excerpt for _number, excerpt in found(client, "^comercio"))


@pytest.mark.parametrize(
    "name", ["{{ 7*7 }}", "{% now 'Y' %}", "%(email)s", "%s %n", "{0.__class__}", "{email}", "${7*7}"]
)
def test_templates_and_formats_in_what_people_type_stay_text(client, subscribe, name):
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
    campaign = lifecycle.start_or_schedule(issue, None, lifecycle.start_key(issue))
    worker.run(campaign, 20)
    (sent,) = mail.outbox
    assert sent.subject == words
    assert words in sent.body
    assert escape(words) in sent.alternatives[0][0]


def test_no_header_comes_in_by_a_form(client, run_tasks):
    SiteSettings.objects.update(contact_email="info@example.org")
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
    events, kinds = (
        [],
        ("compile", "exec", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pickle.find_class"),
    )

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
    SiteSettings.objects.update(contact_email="info@example.org")
    path = urlsplit(manage_url(subscribe("a@example.org"), "preferences")).path
    for words in PROGRAMS:
        client = Client()
        for query in ("q", "page", "c", "next"):
            client.get("/es/buscar/", {query: words})
        client.get(
            "/es/", headers={"accept-language": words, "cookie": f"sessionid={quote(words)}", "referer": quote(words)}
        )
        contact(client, name=words, message=words)
        join(client, name=words)
        client.post(path, {"name": words, "language": words, "country": words})
        client.post("/admin/login/", {"username": words, "password": words})
        staff_client.get("/admin/subscribers/", {"q": words, "ordering": words})
        staff_client.get("/admin/images/", {"q": words})
        upload = {"file": SimpleUploadedFile(f"{words}.csv".replace("/", ""), f"email,name\nb@example.org,=cmd|{words}\n".encode()), "language": "es", "provenance": words}  # fmt: skip
        assert staff_client.post(reverse("newsletter_imports"), upload).status_code == 302
        page = page_of("mission")
        page.title = words
        save(staff_client, page, ("heading", words))
        Client().get(page.url)
    run_tasks()
    assert [job.state for job in SubscriberImport.objects.all()] == ["uploaded", "uploaded"]  # looked into
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
    """caching/page_cache.py reads pickles: only from a folder that nobody else may enter."""
    client.get("/es/")
    folder = live.VAR_DIR / "pagecache"
    assert any(folder.rglob("*"))
    assert oct(folder.stat().st_mode)[-3:] == "700"


@pytest.mark.parametrize("number", ["0", "-1", str(2**31), str(2**63), "9" * 40, "1e309", "١٢٣"])
def test_numbers_out_of_range_are_answered(client, subscribe, number):
    leave = urlsplit(manage_url(subscribe("a@example.org"))).path
    for path in (f"/es/noticias/?page={number}", f"/es/buscar/?q=cafe&page={number}", f"/share/{number}.png",
                 f"/documents/{number}/x.pdf", f"/es/noticias/{number}/", f"{leave}?c={number}", f"/t/{tokens.make_tracking(1)}/{number}/"):  # fmt: skip
        assert client.get(path).status_code in {200, 301, 302, 404, 410}, path
    assert client.post(f"{leave}?c={number}").status_code == 200
    assert Subscriber.objects.get().state == "unsubscribed"
    for topic in (number, f"-{number}"):
        assert join(client, topics=[topic]).status_code == 422


# What goes out


class Door(socketserver.ThreadingTCPServer):
    """A server that remembers the first line of what it is asked, and answers with a redirect to /second. With TLS, its certificate is nobody's."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), _Caller)
        self.port, self.tls, self.asked = self.server_address[1], tls, []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


class _Caller(socketserver.StreamRequestHandler):
    def setup(self):
        self.connection = self.request
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
        super().setup()

    def handle(self):
        try:
            self.server.asked.append(self.rfile.readline().decode())
            self.wfile.write(
                b"HTTP/1.1 302 Found\r\nLocation: /second\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        except OSError:  # the caller went away over the certificate
            return


@pytest.fixture
def door():
    with Door() as server:
        yield server


@pytest.fixture
def untrusted(tmp_path):
    """A server with TLS whose certificate for localhost was signed by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1))  # fmt: skip
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, SHA256())
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "pair.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + plain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with Door(context) as server:
        server.certificate = path
        yield server


def test_links_into_our_own_network_are_never_asked(page_of, door, monkeypatch):
    """The nightly look at an edition's links, with a server that waits behind each of them."""
    hosts = ["127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[fd00::1]", "0.0.0.0",
             "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "user@127.0.0.1", "[::127.0.0.1]", "[64:ff9b::10.0.0.1]",
             "[2002:a00:1::]", "[fec0::1]", "[ff02::1]", "224.0.0.1"]  # fmt: skip
    body = "".join(f'<p><a href="http://{host}:{door.port}/">El informe</a></p>' for host in hosts)
    page = page_of("mission")
    page.body = [("text", body)]
    page.save_revision().publish()
    monkeypatch.setattr(link_checker, "is_online", lambda: True)
    monkeypatch.setattr(link_checker, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(reports.time, "sleep", lambda seconds: None)
    tried, connect = [], link_checker.urllib3.util.connection.create_connection
    monkeypatch.setattr(link_checker.urllib3.util.connection, "create_connection", lambda place, *more, **options: tried.append(place) or connect(place, *more, **options))  # fmt: skip
    reports.check_all_pages()
    assert PageProblem.objects.filter(kind="other_link").count() == len(hosts)
    assert tried == []
    monkeypatch.setattr(link_checker, "resolve_public_ip", lambda host: "127.0.0.1")
    link_checker.check_external_link(f"http://localhost:{door.port}/")
    assert tried == [("127.0.0.1", door.port)]  # what is counted is what knocks
    assert door.asked


def test_an_address_is_as_public_as_the_one_within_it():
    """Behind a DNS64 server, sites without IPv6 have such addresses."""
    for place in ("64:ff9b::192.0.2.1", "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1"):
        assert not link_checker.is_public_ip(place), place
    for place in ("64:ff9b::8.8.8.8", "2001:4860:4860::8888", "8.8.8.8"):
        assert link_checker.is_public_ip(place), place


def test_a_name_that_changes_its_mind_leads_nowhere_else(monkeypatch):
    asked = []
    monkeypatch.setattr(link_checker, "resolve_public_ip", lambda host: "203.0.113.7")
    monkeypatch.setattr(link_checker.urllib3.connection.HTTPConnection, "connect", lambda self: asked.append(self.host) or (_ for _ in ()).throw(OSError))  # fmt: skip
    assert link_checker.check_external_link("http://rebinding.example/")
    assert asked == ["203.0.113.7"]


def test_redirects_of_other_sites_are_not_followed(door, monkeypatch):
    monkeypatch.setattr(link_checker, "resolve_public_ip", lambda host: "127.0.0.1")
    assert link_checker.check_external_link(f"http://localhost:{door.port}/first") == ""
    assert door.asked == ["GET /first HTTP/1.1\r\n"]


def test_every_client_of_ours_checks_certificates(untrusted, settings, monkeypatch):
    """Link checker, provider's API, mail server, bounce mailbox, purging: none says a word to who cannot prove who they are."""
    address = f"https://localhost:{untrusted.port}"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_SSL = "localhost", untrusted.port, True
    settings.BOUNCE_IMAP_HOST, settings.BOUNCE_IMAP_PORT, settings.BOUNCE_IMAP_TLS = "localhost", untrusted.port, True
    settings.ANYMAIL = {"BREVO_API_KEY": "key", "BREVO_API_URL": address}
    monkeypatch.setattr(link_checker, "resolve_public_ip", lambda host: "127.0.0.1")
    assert link_checker.check_external_link(address)
    message = mail.EmailMessage("Hola", "Hola", to=["rosa@example.org"])
    for name in ("anymail.backends.brevo.EmailBackend", "django.core.mail.backends.smtp.EmailBackend"):
        with pytest.raises(Exception, match="certificate verify failed"):
            mail.get_connection(name, timeout=5).send_messages([message])
    with pytest.raises(ssl.SSLCertVerificationError):
        bounce_mailbox.poll()
    with pytest.raises(OSError, match="certificate verify failed"):
        cdn.urlopen(address, timeout=5)
    assert [line for line in untrusted.asked if line] == []
    context = ssl.create_default_context(cafile=untrusted.certificate)
    with context.wrap_socket(
        socket.create_connection(("localhost", untrusted.port)), server_hostname="localhost"
    ) as trusting:
        trusting.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert trusting.recv(10)
    assert untrusted.asked[-1] == "GET / HTTP/1.1\r\n"


# Headers, cookies, methods


def is_strict(policy):
    """Whether a Content-Security-Policy allows no plug-ins, no other base, no frames elsewhere, and scripts of ours only."""
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    fixed = {"default-src": "'none'", "object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'self'"}
    scripts = re.fullmatch(r"'self'( 'nonce-[\w+/=-]{22,}')?", rules["script-src"])
    return fixed.items() <= rules.items() and bool(scripts)


def test_who_is_signed_in_gets_a_strict_policy_too(staff_client):
    """On the site, for Wagtail's bar, as in the admin."""
    for path in ("/es/", "/es/nothing/", "/admin/", "/admin/images/"):
        assert is_strict(staff_client.get(path)["Content-Security-Policy"]), path


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
    answer = client.get(path, headers={"origin": "https://evil.example"})
    assert is_strict(answer["Content-Security-Policy"])
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert set(answer["Permissions-Policy"].split(", ")) == {
        f"{feature}=()" for feature in ("camera", "geolocation", "microphone", "payment", "usb", "browsing-topics")
    }
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer
    assert not re.match(r"(text/|.*xml)", answer["Content-Type"]) or "charset=utf-8" in answer["Content-Type"]
    is_kind = {"html": "text/html", "js": "text/javascript", "xml": "application/", "txt": "text/plain"}
    if answer.status_code == 200:
        assert (
            answer["Content-Type"].startswith(is_kind[re.search(r"\.(\w+)$|$", path)[1] or "html"])
            or path == "/healthz"
        )


ABOUT = """
import json, logging, sys
from django.apps import apps
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import get_resolver
answer = Client().get("/healthz", secure=True, headers={"host": "clac.example"})
known = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
error = logging.LogRecord("django", logging.ERROR, "", 0, "", (), None)
handlers = [(one.name, handler) for one in [logging.getLogger(), *known] for handler in one.handlers if handler.filter(error)]
print(json.dumps({
    "apps": [app.name for app in apps.get_app_configs()],
    "cookies": [settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME],
    "debug": settings.DEBUG,
    "admins": settings.ADMINS,
    "handlers": [[name, type(one).__name__, getattr(getattr(one, "stream", None), "name", ""), type(one.formatter).__name__]
                 for name, one in handlers if not isinstance(one, logging.NullHandler)],
    "headers": dict(answer.headers),
    "password": make_password("a long password"),
    "required": settings.TWO_FACTOR_REQUIRED,
    "routes": [str(route.pattern) for route in get_resolver().url_patterns],
}))
"""


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """What a process with the settings of a server says of itself."""
    env = {"SITE_URL": "https://clac.example", "SECRET_KEY": "Zk9" * 20 + "abcdef", "DJANGO_SETTINGS_MODULE": "config.settings.production"}  # fmt: skip
    env |= {"VAR_DIR": str(tmp_path_factory.mktemp("var")), "LOG_JSON": "yes"}
    answer = starts.manage("shell", "--no-imports", "-c", ABOUT, env=env)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def test_over_https_the_site_says_so_for_two_years(production):
    """Of its own host; of subdomains only where the operators ask for it (test_settings.py)."""
    assert production["headers"]["Strict-Transport-Security"] == "max-age=63072000"
    assert production["cookies"] == ["__Host-sessionid", "__Host-csrftoken"]
    assert production["required"]


def test_readers_get_no_cookie(client, page_of):
    for path in ("/", "/es/", "/es/buscar/?q=miel", "/en/nothing/", page_of("contact").url, "/es/subscription/join/"):
        assert not client.get(path).cookies, path


def test_the_admin_takes_no_form_from_elsewhere(staff_client, page_of):
    page = page_of("partners")
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff_client.user)
    forged = {"origin": "https://evil.example", "referer": "https://evil.example/"}
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', client.get(reverse("signin_manage")).text)[1]
    for path in (f"/admin/pages/{page.pk}/unpublish/", reverse("signin_change", args=["sessions"]), "/admin/login/"):
        assert client.post(path).status_code == 403
        assert client.post(path, headers=forged).status_code == 403
        assert client.post(path, {"csrfmiddlewaretoken": "x" * 64}).status_code == 403
        assert client.post(path, {"csrfmiddlewaretoken": token}, headers=forged).status_code == 403
    assert Page.objects.get(pk=page.pk).live
    assert client.post(f"/admin/pages/{page.pk}/unpublish/", {"csrfmiddlewaretoken": token}).status_code == 302
    assert not Page.objects.get(pk=page.pk).live


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
        {"referer": "https://evil.example/?http://testserver/"},
    ],
    ids=str,
)
def test_a_public_form_is_taken_from_this_site_only(client, headers):
    fields = {"email": "rosa@example.org", "name": "Rosa", "message": "Hola", "stamp": stamp()}
    for path in ("/es/subscription/join/", "/es/contact/send/"):
        assert client.post(path, fields, headers=headers).status_code == 403
    assert not SignUpRequest.objects.exists()
    assert not ContactMessage.objects.exists()
    assert join(client).status_code == contact(client).status_code == 302


@pytest.mark.parametrize("method", ["put", "delete", "patch", "trace"])
def test_other_methods_are_refused_or_change_nothing(client, method):
    number = Subscriber.objects.count(), ContactMessage.objects.count()
    for path in ("/es/subscription/join/", "/es/contact/send/", "/"):
        assert getattr(client, method)(path).status_code in {400, 403, 404, 405}, path
    assert number == (Subscriber.objects.count(), ContactMessage.objects.count())


def test_looking_at_what_a_link_leads_to_changes_nothing(client, subscribe, run_tasks):
    """Programs that look for viruses follow each link of a mail."""
    rosa = subscribe("rosa@example.org", new_email="new@example.org")
    join(client, email="luis@example.org")
    run_tasks()
    links = [urlsplit(manage_url(rosa, view)).path for view in ("leave", "preferences", "data")]
    links += re.findall(r"http://testserver(/es/subscription/confirm/\S+)", mail.outbox[0].body)
    links.append(reverse("newsletter_new_address", args=[tokens.make(tokens.ADDRESS, rosa, rosa.new_email)]))

    def kept():
        return [list(model.objects.order_by("pk").values()) for model in (Subscriber, ConsentEvent, Suppression)]

    before = kept()
    assert len(links) == 5
    for path in links:
        for query in ({}, {"List-Unsubscribe": "One-Click", "what": "erase", "name": "Eva", "language": "en"}):
            assert client.get(path, query).status_code == client.head(path, query).status_code == 200, path
            assert kept() == before, path


def test_parameters_that_come_twice_confuse_nobody(client):
    """The last one counts, and a form is read from the body only."""
    assert client.get("/es/buscar/?q=miel&q=cacao").context["query"] == "cacao"
    fields = {"email": ["a@example.org", "b@example.org"], "stamp": stamp()}
    assert client.post("/es/subscription/join/?email=c@example.org&name=Eva", fields).status_code == 302
    assert list(SignUpRequest.objects.values_list("email", "name")) == [("b@example.org", "")]
    cookies = {"cookie": "email=d@example.org"}
    query = f"/es/subscription/join/?email=d@example.org&stamp={quote(stamp())}"
    assert client.post(query, {}, headers={**cookies, "email": "d@example.org"}).status_code == 422
    assert SignUpRequest.objects.count() == 1


@pytest.mark.parametrize("fields", [{"language": "xx"}, {"language": "es", "country": "XX"}, {"language": "es", "topics": ["999999"]}, {"language": "es", "topics": ["es"]}, {"language": ""}], ids=str)  # fmt: skip
def test_choices_are_among_what_is_offered(client, subscribe, fields):
    person = subscribe("a@example.org", country="PE")
    client.post(urlsplit(manage_url(person, "preferences")).path, {"name": "Rosa", **fields})
    person.refresh_from_db()
    assert (person.name, person.language, person.country) == ("", "es", "PE")


def test_no_page_asks_for_what_browsers_gave_up(client, page_of):
    """Plugins, applets, frames: no kind of page has any, and the policy would stop them."""
    kinds = [page_of(key, "pt-br").url for key in ("mission", "article-2004", "issue-welcome", "contact")]
    for path in [*kinds, "/es/subscription/join/", "/admin/login/"]:
        answer = client.get(path)
        assert not re.search(
            r"<(object|embed|applet|frameset|frame|marquee|bgsound|keygen|param|portal)\b", answer.text
        ), path
        assert not re.search(
            r'<script[^>]*\b(language|type="(?!module|application/(ld\+)?json|text/javascript))', answer.text
        ), path
        assert "object-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "\\\\evil.example/", "https:evil.example", "/\\evil.example", "javascript:alert(1)"])  # fmt: skip
def test_nobody_is_sent_to_another_site(client, django_user_model, address):
    django_user_model.objects.create_superuser("ana", "ana@example.org", "a long password")
    answer = client.post("/admin/login/", {"username": "ana", "password": "a long password", "next": address})
    assert answer.status_code == 302
    assert answer.url == "/admin/"
    answer = client.post(reverse("signin_ask"), {"code": "a long password", "next": address})
    assert answer.url == "/admin/"
    for path in (
        f"/?next={address}",
        f"/es/?next={address}",
        f"/{address}",
        f"/es/{address}",
        f"/admin/login/?next={address}",
    ):
        answer = client.get(path, headers={"accept-language": "en"})
        assert "evil" not in urlsplit(answer.get("Location", "")).netloc, path


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


def test_nobody_makes_themselves_an_administrator(client):
    editor = person(roles.EDITOR)
    client.force_login(editor)
    rights = {
        "is_superuser": "on",
        "name_email-is_superuser": "on",
        "groups": "1",
        "name_email-groups": "1",
        "is_active": "",
    }
    names = {"name_email-email": "e@example.org", "name_email-first_name": "Eva", "name_email-last_name": "E"}
    others = {"locale-preferred_language": "es", "locale-current_time_zone": "America/Lima", "theme-theme": "system", "theme-contrast": "system", "theme-density": "default"}  # fmt: skip
    client.post(reverse("wagtailadmin_account"), {**rights, **names, **others})
    groups = list(editor.groups.all())
    editor.refresh_from_db()
    assert editor.first_name == "Eva"  # what may be changed was
    assert (editor.is_superuser, editor.is_active, list(editor.groups.all())) == (False, True, groups)
    assert client.post(reverse("wagtailusers_users:edit", args=[editor.pk]), rights).status_code == 302
    editor.refresh_from_db()
    assert not editor.is_superuser


def test_a_reader_changes_only_what_the_form_offers(client, subscribe):
    person = subscribe("a@example.org", source="import")
    path = urlsplit(manage_url(person, "preferences")).path
    before = Subscriber.objects.values().get()
    # All the columns that there are, and not only those that somebody thought of.
    fields = {field.name: "1" for field in Subscriber._meta.fields if field.name != "email"} | {"state": "bounced"}
    client.post(path, {**fields, "name": "Ana", "language": "en", "country": "PE", "id": "999", "consent_events": "1"})
    after = Subscriber.objects.values().get()
    assert {name for name in after if after[name] != before[name]} == {"name", "language", "country"}
    assert (after["name"], after["language"], after["country"]) == ("Ana", "en", "PE")


def test_a_reader_gets_what_is_theirs_and_nothing_of_how_it_is_kept(client, subscribe, issue):
    """Neither other people's rows nor keys, hashes and numbers of ours: not in the export, not on public pages."""
    rosa, luis = subscribe("rosa@example.org", name="Rosa"), subscribe("luis@example.org", name="Luis")
    editor = person(roles.EDITOR)
    Page.objects.update(owner=editor)
    pages = [client.get(urlsplit(manage_url(rosa, view)).path).text for view in ("preferences", "leave", "data")]
    export = client.post(urlsplit(manage_url(rosa, "data")).path, {"what": "download"}).text
    told = json.loads(export)
    assert {"email", "name", "language", "topics", "state", "consent"} <= set(told["subscription"][0])
    pages += [client.get(path).text for path in ("/es/", issue.url, "/es/news/feed.xml", "/es/contacto/")]
    for text in (export, *pages):
        for secret in ("luis", "Luis", str(rosa.uuid), rosa.uuid.hex, str(luis.uuid), "digest", "hash", "confirmation_round",
                       "pbkdf2", "md5$", editor.username, editor.email, roles.EDITOR.name):  # fmt: skip
            assert secret not in text, secret


def test_a_link_opens_its_own_subscription_and_only_what_it_is_for(client, subscribe, run_tasks):
    """Each kind of link, tried at the address of each other kind, altered, cut, and made under keys of somebody else."""
    rosa = subscribe("rosa@example.org", name="Rosa")
    join(client, email="luis@example.org")
    run_tasks()
    confirm = re.search(r"http://testserver/es/subscription/confirm/([^/\s]+)/", mail.outbox[0].body)[1]
    manage = urlsplit(manage_url(rosa)).path.split("/")[-2]
    views = {"confirm": confirm, "new-address": None, "leave": manage, "preferences": manage, "data": manage}
    wrong = {confirm, manage, "", "x", manage[:-1], manage + "a", "a" * len(manage)}
    raw = bytearray(base64.b32decode(manage.upper() + "=" * (-len(manage) % 8)))
    payload, signature = bytes(raw[:-16]), bytes(raw[-16:])
    forged = [payload, payload + b"\0" * 16, payload + hashlib.sha256(payload).digest()[:16]]
    forged += [payload + hmac.new(key, payload, kind).digest()[:16] for key in (b"", b"newsletter.subscribers.tokens:", live.SECRET_KEY.encode()) for kind in ("md5", "sha1", "sha256")]  # fmt: skip
    ours = f"newsletter.subscribers.tokens:{live.SECRET_KEY}".encode()
    assert payload + hmac.new(ours, payload, "sha256").digest()[:16] == raw
    forged += [payload + hmac.new(ours, payload, kind).digest()[:16] for kind in ("md5", "sha1", "sha512")]
    forged += [
        payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1 :] + signature
        for place in range(len(payload))
    ]
    forged += [
        payload + signature[:place] + bytes([signature[place] ^ 128]) + signature[place + 1 :] for place in range(16)
    ]
    with override_settings(SECRET_KEY="somebody else's"):
        wrong.add(urlsplit(manage_url(rosa)).path.split("/")[-2])
    wrong |= {base64.b32encode(each).decode().rstrip("=").lower() for each in forged}
    for view, right in views.items():
        for token in wrong - {right}:
            answer = client.post(
                f"/es/subscription/{view}/{token}/", {"name": "Eva", "language": "es", "what": "erase"}
            )
            assert answer.status_code in {404, 410}, (view, token)
            assert "rosa" not in answer.text.lower()
    states = dict(Subscriber.objects.values_list("email", "state"))
    assert states == {"rosa@example.org": "active", "luis@example.org": "pending"}
    assert client.get(f"/es/subscription/preferences/{manage}/").status_code == 200
    assert client.post(f"/es/subscription/confirm/{confirm}/").status_code == 200


def test_passwords_are_hashed_slowly(production):
    algorithm, rounds, salt, _digest = production["password"].split("$")
    assert algorithm == "pbkdf2_sha256"
    assert int(rounds) >= 600_000  # OWASP's password storage cheat sheet
    assert len(salt) >= 22  # 128 bits


def test_only_good_hashes_are_used():
    for path, text in sources().items():
        assert not re.search(r"hashlib\.(md5|sha1)|random\.(choice|random|randint|shuffle)\(", text), path


def test_comparisons_of_secrets_take_the_same_time():
    for path, text in sources().items():
        if "hmac.new" in text and path.name in {"tokens.py", "metrics.py", "webhooks.py"}:
            assert "compare_digest" in text, path


# Logs and errors


def test_an_unexpected_error_is_logged_and_told_without_details(client, monkeypatch, caplog, capsys):
    monkeypatch.setattr(views, "search_pages", lambda *arguments: 1 / 0)
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
    caplog.clear()
    script = {"x-requested-with": "XMLHttpRequest"}  # who asks by a script is told 403, and not sent home
    assert client.get(reverse("operations"), headers=script).status_code == 403
    assert f"Denied to user {editor.pk}: GET /admin/operations/" in caplog.text


FORGED = {"authorization": "Basic " + base64.b64encode(b"user:wrong").decode()}
ATTEMPTS = {
    "Sign-in throttled": lambda client: [client.post("/admin/login/", {"username": "a", "password": "b"}) for _n in range(11)],
    "Limit reached: join": lambda client: [join(client, email=f"a{number}@example.org") for number in range(3)],
    "A form was filled in by a program (honeypot)": lambda client: join(client, website="x"),
    "A form was refused: its stamp is missing": lambda client: contact(client, stamp="form:abc:def"),
    "A form was refused: it came from another site": lambda client: client.post("/es/contact/send/", {}, headers={"origin": "https://evil.example"}),
    "Webhook of brevo: not proven": lambda client: client.post("/webhooks/brevo/", b"{}", content_type="application/json", headers=FORGED),
    "Forbidden (CSRF": lambda client: Client(enforce_csrf_checks=True).post("/admin/login/", {}),
    "Invalid HTTP_HOST header": lambda client: client.get("/es/", headers={"host": "evil.example"}),
}  # fmt: skip


@pytest.mark.parametrize("words", ATTEMPTS)
def test_attempts_to_get_around_limits_are_written_down(client, caplog, settings, words):
    settings.EMAIL_PROVIDER, settings.WEBHOOK_SECRET, settings.SIGNUP_LIMIT_PER_ORIGIN = "brevo", "user:password", 2
    settings.ANYMAIL = {"WEBHOOK_SECRET": "user:password"}
    ATTEMPTS[words](client)
    (line, *_more) = [record for record in caplog.records if record.getMessage().startswith(words)]
    assert line.levelno >= logging.WARNING
    assert "example.org" not in line.getMessage()
    assert not SignUpRequest.objects.filter(email="a2@example.org").exists()


def test_each_line_of_the_log_says_when_where_who_and_what(client, monkeypatch):
    """As a server writes it: JSON, with the time in UTC though its clock is in Lima."""
    monkeypatch.setenv("TZ", "America/Lima")
    time.tzset()
    handler = logging.StreamHandler(io.StringIO())
    line = dict(logs.configure(as_json=True)["formatters"]["line"])
    handler.setFormatter(line.pop("()")(**line))
    logging.getLogger().addHandler(handler)
    try:
        editor = person(roles.EDITOR)
        client.force_login(editor)
        client.get(reverse("operations"))
    finally:
        logging.getLogger().removeHandler(handler)
        monkeypatch.undo()
        time.tzset()
    lines = [json.loads(line) for line in handler.stream.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"].startswith("Denied")]
    assert line["event"] == f"Denied to user {editor.pk}: GET /admin/operations/"
    assert (line["level"], line["logger"]) == ("warning", "accounts.middleware")
    assert re.fullmatch(r"[0-9a-f-]{32,36}", line["request_id"])
    assert line["timestamp"].endswith("Z")
    assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=2)


def test_logs_go_to_standard_error_and_nowhere_else(production):
    """What journald keeps (docs/security.md, Logs). Django's own handler mails to ADMINS, of whom there are none."""
    # `runserver` alone speaks by the first; pyasn1's handler is for lines that only its setLogger() switches on.
    handlers = [one for one in production["handlers"] if one[0] not in {"django.server", "pyasn1"}]
    assert [one for one in handlers if one[1] != "AdminEmailHandler"] == [
        ["root", "StreamHandler", "<stderr>", "ProcessorFormatter"]
    ]
    assert production["admins"] == []


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
    """The inventory is complete: what the installed packages say that they need stands in it, down to the last one."""
    pins = (ROOT / "requirements.txt").read_text()
    assert not re.search(r"^--(extra-)?index-url|^--find-links", pins, re.M)  # the Python package index only
    blocks = re.split(r"^(?=[a-z0-9._-]+(?:\[[^]]*\])?==)", pins, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    pinned = {canonicalize_name(re.match(r"[a-z0-9._-]+", block)[0]) for block in blocks}
    lines = [line for line in (ROOT / "requirements.in").read_text().splitlines() if line]
    assert [line for line in lines if "#" not in line] == []
    waiting = [Requirement(line.partition("#")[0]) for line in lines if not line.startswith("#")]
    seen = set()
    while waiting:
        needed = waiting.pop()
        name = canonicalize_name(needed.name)
        assert name in pinned, name
        for word in importlib.metadata.requires(name) or []:
            inner = Requirement(word)
            key = canonicalize_name(inner.name), tuple(inner.extras)
            extras = needed.extras or {""}
            counts = not inner.marker or any(inner.marker.evaluate({"extra": extra}) for extra in extras)
            if counts and key not in seen:
                seen.add(key)
                waiting.append(inner)
    assert len(seen) > 50


def test_no_secret_is_in_the_code():
    for path, text in sources().items():
        assert not re.search(r"AGE-SECRET-KEY-1[A-Z0-9]{20}|sk_live|-----BEGIN .*PRIVATE", text), path


def test_nothing_of_development_is_in_production(production):
    assert not production["debug"]
    extra = ("debug", "silk", "extensions", "styleguide", "linter", "test", "reload")
    assert [name for name in production["apps"] if any(part in name.split(".")[-1] for part in extra)] == []
    assert [route for route in production["routes"] if re.search("debug|django-admin|silk|test|api", route)] == []


def test_the_document_names_the_limits_that_hold():
    text = (ROOT / "docs/security.md").read_text()
    hours = (
        int(services.SESSION_MAX_AGE.total_seconds() // 3600),
        int(services.SESSION_IDLE_TIMEOUT.total_seconds() // 3600),
    )
    for words in (
        f"{services.SIGN_IN_LIMIT_BY_NAME_AND_ORIGIN[0]} in a quarter of an hour",
        f"{services.SIGN_IN_LIMIT_BY_ORIGIN[0]} in an hour",
        f"{hours[0]} hours in all, {hours[1]} without a sign",
        f"{uploads.MAX_BYTES // 1024**2} MB",
        f"{uploads.MAX_UNPACKED_BYTES // 1024**2} MB unpacked",
        f"{live.WAGTAILIMAGES_MAX_UPLOAD_SIZE // 1024**2} MB for a picture",
        f"{live.SIGNUP_LIMIT_PER_ORIGIN} sign-ups an hour",
        *passwords.CONTEXT_WORDS,
    ):
        assert words in text, words


def test_who_finds_a_hole_learns_where_to_report_it(client):
    """RFC 9116."""
    SiteSettings.objects.update(contact_email="info@example.org")
    text = client.get("/.well-known/security.txt").content.decode()
    assert "Contact: mailto:info@example.org" in text
    assert re.search(r"^Expires: \d{4}-\d\d-\d\dT", text, re.M)


def test_a_server_begins_without_accounts(django_user_model):
    """`prepare`, which a server runs, makes none; `start`, for one's own machine, makes one with a random password."""
    assert not django_user_model.objects.exists()
    assert "create_superuser" not in (ROOT / "site/operations/management/commands/deploy.py").read_text()


def test_every_page_of_the_admin_offers_to_sign_out(staff_client):
    for path in (reverse("wagtailadmin_home"), reverse("signin_manage"), reverse("operations"), "/admin/images/"):
        assert reverse("wagtailadmin_logout") in staff_client.get(path).content.decode(), path


def test_the_document_names_keys_data_logs_and_connections():
    text = (ROOT / "docs/security.md").read_text()
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    for name, words in {
        "Signing in": [
            "one page to sign in",
            "two ways",
            "any number",
            "never expires",
            "NIST SP 800-63B",
            "does not lock its owner out",
        ],
        "Who may do what": ["access.txt", "neither groups nor superuser", "name, language, country and topics"],
        "What comes in": ["combinations", "purpose, round and subscriber", "documents", "pictures", "viruses"],
        "Keys and algorithms": ["SECRET_KEY", "BACKUP_KEY", "HMAC-SHA256", "PBKDF2", "once a year"],
        "Data and how it is protected": ["secret", "personal", "internal", "public"],
        "Logs": ["journald", "nginx", "site history", "30 days", "14 days"],
        "What goes out": ["Redis", "S3", "Have I Been Pwned", "Time-outs", "Long work"],
        "Packages": ["two days", "two weeks", "once a month"],
    }.items():
        assert all(word in sections[name] for word in words), name


def test_programs_are_kept_out_of_public_forms(client):
    """Who fills in what nobody sees, is too fast, too late, or sends a stamp of their own: nothing is kept."""
    with time_machine.travel(timezone.now() - timedelta(days=8)):
        old = make_stamp()
    for send in (join, contact):
        assert send(client, website="http://spam.example").status_code == 302  # and thinks that it was kept
        assert send(client, stamp=make_stamp()).status_code == 422
        for bad in (old, "", "form:abc:def", stamp()[:-1] + "?"):
            assert send(client, stamp=bad).status_code == 422
    assert not SignUpRequest.objects.exists()
    assert not ContactMessage.objects.exists()
    join(client)
    contact(client)
    assert SignUpRequest.objects.count() == ContactMessage.objects.count() == 1
