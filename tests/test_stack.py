"""The site as it stands on a server: through nginx, with its cache, on PostgreSQL and Redis (`make test-stack`)."""

import os
import re
import socket
import ssl
import threading
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import pytest

from tests.operations.test_logs import ADDRESS, Secrets, fill, routes_with_text
from tests.services import answers, postgres, redis_starts, redis_stops
from tests.spellings import spellings
from tests.stack import UNTRUSTED, Stack

pytestmark = pytest.mark.stack
PAGES = [
    "/es/",
    "/en/who-we-are/",
    "/pt-br/",
    "/es/noticias/",
    "/en/nothing-here/",
    "/documents/999/x.pdf",
    "/admin/login/",
]
SECURITY_HEADERS = {
    "Content-Security-Policy": r"default-src 'none'",
    "Strict-Transport-Security": r"max-age=63072000",
    "X-Content-Type-Options": r"nosniff",
    "Referrer-Policy": r".+",
    "Cross-Origin-Resource-Policy": r"same-origin",
    "Cross-Origin-Opener-Policy": r"same-origin",
    "Permissions-Policy": r"camera=\(\)",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(autouse=True)
def _everything_runs(stack):
    """Whatever a test stopped runs again."""
    yield
    if not answers(os.environ["DATABASE_URL"]):
        postgres("start")
    if not answers(os.environ["TEST_REDIS_URL"]):
        redis_starts()
    if "web" not in stack.processes:
        stack.start_web()
    stack.wait_for(f"{stack.direct}/readyz")


def fresh(stack, path):
    """The state of nginx's cache for a path: an answer's, as the log tells it."""
    return stack.ask(f"{stack.url}{path}", accept_encoding="br")


def sign_up(stack, email, url=None):
    """Join as a browser does; returns the status of the answer."""
    html = stack.ask(f"{stack.direct}/es/subscription/join/", host="localhost", x_forwarded_proto="https")[2].decode()
    stamp = re.search(r'name="stamp" value="([^"]+)"', html)
    return post(stack, email, stamp[1] if stamp else "", url)


def post(stack, email, stamp, url=None):
    time.sleep(2.1)  # nobody fills in a form faster
    data = urlencode({"email": email, "stamp": stamp}).encode()
    return stack.ask(f"{url or stack.url}/es/subscription/join/", data, origin=stack.url, sec_fetch_site="same-origin")


# Headers


def test_a_new_site_has_no_accounts(stack):
    """`deploy`, which a server runs, makes none."""
    code = "from django.contrib.auth import get_user_model as model; print(model().objects.count())"
    assert stack.manage("shell", "--no-imports", "-c", code).split()[-1] == "0"


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers(stack, path):
    _status, headers, _body = stack.ask(f"{stack.url}{path}")
    for name, value in SECURITY_HEADERS.items():
        assert re.search(value, headers[name] or ""), (path, name)
    assert "nginx/" not in headers["Server"]


def test_files_carry_them_too(stack):
    html = stack.ask(f"{stack.url}/es/noticias/nace-clac/")[2].decode()
    # Mails show resized pictures on the pages of webmail programs; static files are for this site only.
    for kind, policy in (("static", "same-origin"), ("media", "cross-origin")):
        path = re.search(rf'["\s](/{kind}/[^"\s]+)', html)[1]
        _status, headers, _body = stack.ask(f"{stack.url}{path}")
        assert headers["Cross-Origin-Resource-Policy"] == policy, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Strict-Transport-Security"], path
        assert "immutable" in headers["Cache-Control"], path
        assert headers["Content-Type"].startswith(('text/css; charset="utf-8"', "image/")), path


def agreed(stack, lowest, highest, ciphers="ALL:@SECLEVEL=0"):
    """(TLS version, cipher) that nginx agrees on with a client that would take anything between two versions; None if it does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ciphers)  # level 0: what OpenSSL itself would not offer any more is offered, too
    context.minimum_version, context.maximum_version = lowest, highest
    with socket.create_connection(("127.0.0.1", stack.port)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                return tls.version(), tls.cipher()[0]
        except (ssl.SSLError, OSError):
            return None


def test_old_tls_is_refused(stack):
    old, new = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3
    for version in (old, ssl.TLSVersion.TLSv1_1):
        assert agreed(stack, version, version) is None
    for version in (ssl.TLSVersion.TLSv1_2, new):
        assert agreed(stack, version, version)[0].replace(".", "_") == version.name
    assert agreed(stack, old, new)[0] == "TLSv1.3"  # the newest, if the client knows it


def test_weak_ciphers_are_refused(stack):
    """Whatever else a client offers with TLS 1.2: each of OpenSSL's ciphers alone."""
    version = ssl.TLSVersion.TLSv1_2
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    names = [cipher["name"] for cipher in context.get_ciphers() if not cipher["name"].startswith("TLS_")]
    taken = {name for name in names if agreed(stack, version, version, f"{name}:@SECLEVEL=0")}
    assert len(names) > 30
    assert taken == {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"}


def over_tls(stack, raw):
    """The first kilobytes of the answer to raw bytes."""
    with socket.create_connection(("127.0.0.1", stack.port)) as plain:
        tls = UNTRUSTED.wrap_socket(plain, server_hostname="localhost")
        tls.settimeout(10)
        tls.sendall(raw)
        answer = b""
        while block := tls.recv(4096):
            answer += block
        return answer


def test_readers_who_come_over_http_are_sent_to_https_and_machines_are_told(stack):
    for path, expected in (("/es/", b" 301 "), ("/webhooks/brevo/", b" 403 "), ("/metrics", b" 403 ")):
        with socket.create_connection(("127.0.0.1", stack.plain_port)) as plain:
            plain.sendall(f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
            answer = plain.recv(4096)
        assert expected in answer, path
        assert b"evil" not in answer
        assert expected != b" 301 " or f"Location: {stack.url}/es/".encode() in answer


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: x",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: -1",
    ],
)
def test_a_request_with_two_ends_is_refused_or_read_one_way(stack, head):
    smuggled = b"0\r\n\r\nGET /.well-known/security.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = over_tls(
        stack, b"POST /es/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + head + b"\r\n\r\n" + smuggled
    )
    assert answer.count(b"HTTP/1.1 ") <= 1
    stack.ask(f"{stack.direct}/robots.txt", x_forwarded_proto="https")
    log = (stack.folder / "web.log").read_text()
    assert "GET /robots.txt" in log  # what reaches the application is seen there
    assert "GET /.well-known/security.txt" not in log


def test_trace_and_listings_and_the_sources_are_not_there(stack):
    assert (
        b" 405 "
        in over_tls(stack, b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").split(b"\r\n")[0]
    )
    for path in (
        "/static/",
        "/media/",
        "/media/images/",
        "/.git/config",
        "/.env",
        "/manage.py",
        "/static/../manage.py",
        "/requirements.txt",
        "/metrics",
    ):
        assert stack.status(f"{stack.url}{path}") in {302, 400, 403, 404}, path
        assert b"git" not in stack.ask(f"{stack.url}{path}")[2][:200] or "git" not in path


def test_who_forges_an_address_is_still_who_they_are(stack):
    """The limit of the log-in counts the connection's address, whatever the headers say."""
    page = f"{stack.url}/admin/login/"
    for number in range(12):
        _status, headers, body = stack.ask(page)
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', body.decode())[1]
        cookie = headers["Set-Cookie"].partition(";")[0]
        data = urlencode({"username": "nobody", "password": "x", "csrfmiddlewaretoken": token}).encode()
        forged = {
            "x_forwarded_for": f"198.51.100.{number}",
            "x_real_ip": "198.51.100.9",
            "cookie": cookie,
            "referer": page,
            "accept_language": "en",
        }
        answer = stack.ask(page, data, **forged)[2].decode()
    assert "Too many attempts" in answer
    assert cookie.startswith("__Host-")


def test_cookies_are_for_https_for_this_host_and_not_for_scripts(stack):
    """As they come out of nginx: at the log-in page, and with a session."""
    made = ("createsuperuser", "--noinput", "--username", "cookies", "--email", "cookies@example.org")
    stack.manage(*made, DJANGO_SUPERUSER_PASSWORD="only for this test")
    page = f"{stack.url}/admin/login/"
    _status, headers, body = stack.ask(page)
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', body.decode())[1]
    (first,) = headers.get_all("Set-Cookie")
    fields = {"username": "cookies", "password": "only for this test", "csrfmiddlewaretoken": token}
    request = Request(page, urlencode(fields).encode(), {"Cookie": first.partition(";")[0], "Referer": page})  # noqa: S310
    answer = NoRedirect.open(request)
    assert answer.status == 302
    cookies = [first, *answer.headers.get_all("Set-Cookie")]
    assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-sessionid", "__Host-csrftoken"}
    for cookie in cookies:
        words = {word.strip().lower() for word in cookie.split(";")}
        assert {"secure", "path=/", "samesite=lax"} <= words, cookie
        assert not any(word.startswith("domain") for word in words)
        assert "httponly" in words or cookie.startswith("__Host-csrftoken=")  # the admin's scripts read that one
    assert len(re.search("__Host-sessionid=([^;]+)", " ".join(cookies))[1]) >= 32


class _NoRedirect(HTTPRedirectHandler):
    def http_error_302(self, request, answer, code, message, headers):
        return answer


NoRedirect = build_opener(HTTPSHandler(context=UNTRUSTED), _NoRedirect)


def test_nginx_carries_requests_to_nobody_but_the_application(stack):
    """Whatever a request line, a host or a header says, a server that waits elsewhere hears nothing."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.5)
        place = f"127.0.0.1:{elsewhere.getsockname()[1]}"
        for line, more in (
            (f"GET http://{place}/ HTTP/1.1", ""),
            (f"CONNECT {place} HTTP/1.1", ""),
            (f"GET //{place}/ HTTP/1.1", ""),
            (f"GET /http://{place}/ HTTP/1.1", ""),
            (f"GET /@{place}/ HTTP/1.1", ""),
            (f"GET /media/http://{place}/x HTTP/1.1", ""),
            (
                "GET / HTTP/1.1",
                f"X-Forwarded-Host: {place}\r\nX-Original-URL: http://{place}/\r\nX-Accel-Redirect: http://{place}/\r\n",
            ),
        ):
            for host in ("localhost", place):
                over_tls(stack, f"{line}\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n".encode())
        with pytest.raises(TimeoutError):
            asked.append(elsewhere.accept())
    assert not asked


def test_more_than_the_limit_is_refused_before_the_application_sees_it(stack):
    head = f"POST /es/contact/send/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {26 * 1024**2}\r\nConnection: close\r\n\r\n"
    assert over_tls(stack, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_personal_pages_are_in_no_cache_of_nginx(stack):
    code = (
        "from newsletter.models import Subscriber; from newsletter.subscribers.subscriptions import manage_url;"
        "person = Subscriber.objects.create(email='kept@example.org', name='Quispe', state='active');"
        "print(manage_url(person, 'preferences'))"
    )
    address = stack.manage("shell", "--no-imports", "-c", code).split()[-1]
    for _twice in range(2):
        assert b"Quispe" in stack.ask(address, accept_encoding="identity")[2]
        assert fresh(stack, "/es/")[0] == 200
    kept = b"".join(file.read_bytes() for file in (stack.folder / "cache").rglob("*") if file.is_file())
    assert b"/es/" in kept
    assert b"Quispe" not in kept
    assert address.split("/")[-2].encode() not in kept


def test_the_application_listens_on_loopback_only(stack):
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    port = f"{stack.web_port:04X}"
    assert {line.split()[1] for line in lines if line.split()[1].endswith(f":{port}")} == {f"0100007F:{port}"}


def test_another_name_gets_no_answer(stack):
    with socket.create_connection(("127.0.0.1", stack.port)) as plain, pytest.raises((ssl.SSLError, OSError)):
        UNTRUSTED.wrap_socket(plain, server_hostname="evil.example")


# The cache


def test_a_page_is_kept_and_purged_when_it_changes(stack):
    first, again = fresh(stack, "/es/quienes-somos/"), fresh(stack, "/es/quienes-somos/")
    assert first[2] == again[2]
    stack.manage(
        "shell", "--no-imports", "-c",
        "from wagtail.models import Page; page = Page.objects.get(slug='quienes-somos').specific;"
        "page.title = 'Quiénes somos hoy'; page.save_revision().publish()",
    )  # fmt: skip
    until = time.monotonic() + 20
    for encoding in ("br", "gzip", "identity"):
        while True:
            stack_answer = stack.ask(f"{stack.direct}/es/quienes-somos/", host="localhost", x_forwarded_proto="https")
            shown = stack.ask(f"{stack.url}/es/quienes-somos/", accept_encoding=encoding)
            if encoding != "identity":
                if (
                    shown[1]["ETag"] != first[1]["ETag"]
                    and shown[1]["ETag"].split("-")[0].strip('"') in stack_answer[1]["ETag"]
                ):
                    break
            elif "Quiénes somos hoy" in shown[2].decode():
                break
            assert time.monotonic() < until, encoding
            time.sleep(0.2)
    time.sleep(5.5)  # nginx writes its log every five seconds
    log = (stack.folder / "clac.log").read_text().splitlines()
    assert [line for line in log if '"path":"/es/…"' in line and '"cache":"HIT"' in line]


def test_readers_are_served_while_the_application_is_down(stack):
    for path in ("/es/", "/en/"):
        assert fresh(stack, path)[0] == 200
    assert stack.stop("web") == 0
    assert fresh(stack, "/es/")[0] == 200
    status, headers, body = stack.ask(f"{stack.url}/es/subscription/join/?new")
    assert status == 503
    assert "Volvemos enseguida" in body.decode()
    assert headers["Retry-After"] == "30"
    for name, value in SECURITY_HEADERS.items():
        assert re.search(value, headers[name] or ""), name


# Outages


def test_with_the_database_gone_readers_read_and_sign_ups_are_told(stack):
    html = stack.ask(f"{stack.direct}/es/", host="localhost", x_forwarded_proto="https")[2].decode()
    stamp = re.search(r'name="stamp" value="([^"]+)"', html)[1]
    postgres("stop")
    for path in ("/es/", "/es/"):
        assert stack.ask(f"{stack.direct}{path}", host="localhost", x_forwarded_proto="https")[0] == 200
        assert fresh(stack, path)[0] == 200
    status, headers, body = post(stack, "rosa@example.org", stamp, stack.url)
    assert status == 503
    assert "Volvemos enseguida" in body.decode()
    assert headers["Retry-After"] == "30"
    assert stack.status(f"{stack.direct}/healthz") == 200
    assert stack.status(f"{stack.direct}/readyz") == 503
    postgres("start")
    stack.wait_for(f"{stack.direct}/readyz")
    assert sign_up(stack, "rosa@example.org")[0] == 200


def test_with_redis_gone_everything_goes_on(stack):
    redis_stops()
    assert fresh(stack, "/es/")[0] == 200
    assert sign_up(stack, "luis@example.org")[0] == 200
    assert stack.status(f"{stack.direct}/readyz") == 200
    redis_starts()
    until = time.monotonic() + 60
    while not any("luis@example.org" in path.read_text() for path in (stack.folder / "var/mail").glob("*.eml")):
        assert time.monotonic() < until, "the mail to confirm never came"
        time.sleep(0.5)


# Logs

TOKENS = """
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from newsletter.subscribers import tokens
from newsletter.models import Subscriber
subscriber = Subscriber.objects.create(email="{address}", state="active")
user = get_user_model().objects.create_user("rosa", "{address}")
print(*(tokens.make(p, subscriber) for p in (tokens.CONFIRM, tokens.MANAGE, tokens.ADDRESS)), tokens.make_tracking(1),
      PasswordResetTokenGenerator().make_token(user).partition("-")[2])
"""


def test_no_log_holds_a_token_or_an_address(stack):
    secrets = Secrets(stack.manage("shell", "--no-imports", "-c", TOKENS.format(address=ADDRESS)).split())
    assert len(secrets.tokens) == 5
    assert sign_up(stack, ADDRESS.replace("@", "+2@"))[0] == 200
    for number, route in enumerate(routes_with_text()):
        token = secrets.tokens[number % 5]
        address = f"{fill(route, token)}?email={ADDRESS}&next=/es/subscription/leave/{token}/"
        # Else the application would send whoever asks it by itself on to https, which it does not speak.
        headers = {"x-forwarded-proto": "https", "referer": f"{stack.url}/es/subscription/data/{token}/", "user-agent": f"bot {ADDRESS}"}  # fmt: skip
        for url in (stack.url, stack.direct):
            stack.ask(f"{url}{address}", **headers)
            stack.ask(f"{url}{address}", f"email={ADDRESS}&token={token}".encode(), **headers)
            stack.ask(f"{url}/x{address}", host="localhost", **headers)
    for token in secrets.tokens:
        over_tls(stack, f"GET /t/{token}/\x01 HTTP/1.1\r\nHost: {token}\r\nConnection: close\r\n\r\n".encode())
        with socket.create_connection(("127.0.0.1", stack.web_port), 10) as plain:
            plain.sendall(f"GET /{token} {ADDRESS} HTTP/9\r\nx\r\n\r\n".encode())
            plain.recv(4096)
    stack.stop("web")  # what nginx says of an application that is away
    stack.status(f"{stack.url}/es/subscription/leave/{secrets.tokens[0]}/")
    time.sleep(5.5)  # nginx writes its log every five seconds
    logs = {path: path.read_text() for path in stack.folder.glob("*.log")}
    assert {path.name for path in logs} >= {"clac.log", "clac-error.log", "error.log", "web.log", "worker.log"}
    assert logs[stack.folder / "web.log"].count("request_finished") > 100
    assert "GET /es/subscription/leave/<str:token>/" in logs[stack.folder / "web.log"]
    for path, text in logs.items():
        assert not secrets.found_in(text), path.name
    assert "127.0.0.1" not in logs[stack.folder / "clac.log"]
    pattern = r'"request_id":"(\w+)","method":"GET","path":"/es/subscription/leave/…"'
    number = re.search(pattern, logs[stack.folder / "clac.log"])[1]
    assert number in logs[stack.folder / "web.log"]  # one number through both


# Stopping and updating


def test_a_reload_of_the_web_server_loses_no_request(stack):
    statuses, stopping = [], threading.Event()

    def ask():
        number = 0
        while not stopping.is_set():
            number += 1
            statuses.append(stack.status(f"{stack.url}/es/buscar/?q=cafe&n={number}"))

    readers = [threading.Thread(target=ask) for _number in range(4)]
    for reader in readers:
        reader.start()
    until = time.monotonic() + 120
    while len(statuses) < 10 and time.monotonic() < until:
        time.sleep(0.1)
    stack.processes["web"].send_signal(1)  # SIGHUP, as systemctl reload
    time.sleep(8)
    while len(statuses) < 50 and time.monotonic() < until:
        time.sleep(0.1)
    stopping.set()
    for reader in readers:
        reader.join()
    assert len(statuses) >= 50
    assert set(statuses) == {200}


def test_slow_clients_do_not_starve_others(stack):
    slow = []
    for _number in range(100):
        plain = socket.create_connection(("127.0.0.1", stack.port))
        tls = UNTRUSTED.wrap_socket(plain, server_hostname="localhost")
        tls.sendall(b"POST /es/subscription/join/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nemail=")
        slow.append(tls)
    started = time.monotonic()
    for number in range(10):
        assert stack.status(f"{stack.url}/es/buscar/?q=miel&n={number}") == 200
    assert time.monotonic() - started < 10
    for each in slow:
        each.close()


def test_a_stampede_after_a_purge_renders_each_page_once(stack):
    stack.manage("shell", "--no-imports", "-c", "from caching import page_cache; page_cache.purge()")
    before = misses(stack)
    started = threading.Barrier(40)

    def ask():
        started.wait()
        assert stack.status(f"{stack.url}/pt-br/quem-somos/") == 200

    readers = [threading.Thread(target=ask) for _number in range(40)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert misses(stack) - before == 1


def misses(stack):
    """How many pages the application rendered, as its log tells."""
    lines = (stack.folder / "web.log").read_text().splitlines()
    return sum("GET /pt-br/quem-somos/" in line and "request_finished" in line for line in lines)


PRIVATE_DOCUMENT = """
from django.core.files.base import ContentFile
from wagtail.documents import get_document_model
from wagtail.models import Collection, CollectionViewRestriction
collection = Collection.get_first_root_node().add_child(name="Junta")
CollectionViewRestriction.objects.create(collection=collection, restriction_type="login")
document = get_document_model().objects.create(title="Acta", file=ContentFile(b"{secret}", "minutes.txt"), collection=collection)
print("document:", document.url, document.file.name)
"""


def sent_as_it_is(stack, path, through_nginx):
    """The answer to a request whose path is sent letter by letter, as no client of ours would: bytes, head and body."""
    port = stack.port if through_nginx else stack.web_port
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        wire = UNTRUSTED.wrap_socket(connection, server_hostname="localhost") if through_nginx else connection
        host = "localhost" if through_nginx else "127.0.0.1"
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
        wire.sendall(head.encode("latin-1"))
        answer = b""
        while block := wire.recv(65536):
            answer += block
    return answer


@pytest.mark.parametrize("through_nginx", [True, False], ids=["nginx", "granian"])
def test_a_private_document_has_no_other_address(stack, through_nginx):
    secret = "the minutes of a meeting behind closed doors"
    told = stack.manage("shell", "-c", PRIVATE_DOCUMENT.format(secret=secret))
    url, name = re.search(r"document: (\S+) (\S+)", told).groups()
    assert b" 302 " in sent_as_it_is(stack, url, through_nginx).partition(b"\r\n")[0]
    for path in spellings(*name.split("/")):
        answer = sent_as_it_is(stack, f"/media/{path}", through_nginx)
        assert secret.encode() not in answer, path
        assert re.match(rb"HTTP/1\.1 (301|302|400|404) ", answer), (path, answer[:80])


PICTURE = """
import io
from core.images import CustomImage
from django.core.files.images import ImageFile
from PIL import Image
from wagtail.models import Collection
raw = io.BytesIO()
Image.new("RGB", (60, 40)).save(raw, "JPEG")
collection = Collection.get_first_root_node().add_child(name="Actas")
image = CustomImage.objects.create(title="Acta", file=ImageFile(raw, "acta.jpg"), collection=collection)
print("picture:", image.get_rendition("width-30").url, image.file.name)
"""
MAKE_PRIVATE = """
from wagtail.models import Collection, CollectionViewRestriction
CollectionViewRestriction.objects.create(collection=Collection.objects.get(name="Actas"), restriction_type="login")
"""


def test_a_picture_that_becomes_private_leaves_nginx_and_its_original_has_no_address(stack):
    url, original = re.search(r"picture: (\S+) (\S+)", stack.manage("shell", "-c", PICTURE)).groups()
    for encoding in ("br", "gzip", "identity"):
        assert stack.ask(f"{stack.url}{url}", accept_encoding=encoding)[0] == 200
    for path in spellings(*original.split("/")):
        assert re.match(rb"HTTP/1\.1 (400|404) ", sent_as_it_is(stack, f"/media/{path}", True)), path
    stack.manage("shell", "-c", MAKE_PRIVATE)
    for encoding in ("br", "gzip", "identity"):
        until = time.monotonic() + 30
        while stack.ask(f"{stack.url}{url}", accept_encoding=encoding)[0] != 404:
            assert time.monotonic() < until, encoding
            time.sleep(0.2)
