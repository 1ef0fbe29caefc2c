"""No log of ours holds a token or an address, whatever was asked for and whatever went wrong.

The tokens come from the program's own functions; addresses are written in every way that reaches a log.
"""

import html
import io
import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

import pytest
import sentry_sdk
from accounts import services
from core.forms import make_stamp
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpResponse
from django.test import Client
from django.urls import path, reverse
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_tasks_db.models import DBTaskResult
from jobs.periodic import JOBS, run_job
from operations import logs
from sentry_sdk.transport import Transport

from newsletter.models import Campaign, Delivery
from newsletter.subscribers import tokens
from newsletter.tasks import process_sign_ups
from tests import starts
from tests.accounts.test_accounts import change
from tests.core.test_access import every_route
from tests.spellings import address_spellings
from tests.workers import ROOT, environment

pytestmark = pytest.mark.django_db
ADDRESS = "rosa.quispe@example.org"
PURPOSES = (tokens.CONFIRM, tokens.MANAGE, tokens.ADDRESS)


@dataclass(frozen=True)
class Secrets:
    """Tokens of every kind. Neither half of one nor the address may stand in a log."""

    tokens: list

    def found_in(self, text):
        """Those that a log gives away, in whichever spelling."""
        plain = text.lower()
        halves = [token[: len(token) // 2].lower() for token in self.tokens]
        return [piece for piece in (*halves, "quispe") if piece in plain]


@pytest.fixture
def secrets(subscribe, issue, django_user_model):
    """What lets its holder in, made by the program."""
    subscriber = subscribe(ADDRESS)
    delivery = Delivery.objects.create(campaign=Campaign.objects.create(issue=issue), subscriber=subscriber)
    session = SessionStore()
    session.create()
    user = django_user_model.objects.create_user("rosa", ADDRESS)
    return Secrets(
        [
            *(tokens.make(purpose, subscriber) for purpose in PURPOSES),
            tokens.make_tracking(delivery.pk),
            PasswordResetTokenGenerator().make_token(user).partition("-")[2],
            session.session_key,
            make_stamp().rpartition(":")[2],
            *services.new_recovery_codes(user),
        ]
    )


@pytest.fixture
def log(settings):
    """What the site's own handler writes, at every level that it lets through."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    formatter = settings.LOGGING["formatters"]["line"]
    handler.setFormatter(formatter["()"](**{key: value for key, value in formatter.items() if key != "()"}))
    root.addHandler(handler)
    levels = {name: logging.getLogger(name).level for name in ("django_structlog", "django.request")}
    logging.getLogger("django_structlog").setLevel(logging.DEBUG)
    logging.getLogger("django.request").setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def fill(route, value):
    """An address that a route leads to, with `value` in every place that takes a text."""
    route = re.sub(r"<int:\w+>|\(\?P<\w+>\\d\+\)|\(\\d\+\)", "1", route)
    route = re.sub(r"<(?:\w+:)?\w+>|\(\?P<\w+>.*?\)+|\(\.\*\)|\((?:live|earliest)[^)]*\)", value, route)
    return "/" + re.sub(r"[\^$?\\]", "", route).removeprefix("/")


def routes_with_text():
    return [route for route in every_route() if re.search(r"<(?!int:)|\((?!\\d)", route)]


def test_the_walk_finds_the_routes_that_take_a_token():
    found = " ".join(routes_with_text())
    for part in (
        "confirm",
        "leave",
        "preferences",
        "new-address",
        "data",
        "t/<str:token>",
        "webhooks",
        "password_reset",
    ):
        assert part in found, part


def test_no_address_of_the_site_brings_a_token_into_the_log(secrets, log):
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    referer = f"http://testserver/es/subscription/leave/{secrets.tokens[1]}/?email={ADDRESS}"
    for number, route in enumerate(routes_with_text()):
        token = secrets.tokens[number % len(secrets.tokens)]
        query = f"?q={quote(ADDRESS)}&next=/es/subscription/leave/{token}/&{token}"
        for address in (fill(route, token), fill(route, token.upper()), fill(route, quote(ADDRESS))):
            client.get(address + query, headers={"referer": referer, "user-agent": f"bot {ADDRESS}"})
            client.post(address + query, {"email": ADDRESS}, headers={"referer": referer})
    text = log.getvalue()
    assert text.count("request_finished") > 100
    assert not secrets.found_in(text)
    assert "/es/subscription/leave/<str:token>/" in text


@pytest.mark.parametrize(
    "start",
    ["/", "/es/", "/es/subscription/", "/subscription/leave/", "/x/", "/es//leave/", "/admin/", "/media/", "/t/"],
)
def test_nor_does_an_address_that_is_none(secrets, log, client, start):
    for token in (*secrets.tokens, *(quote(spelling) for spelling in address_spellings(ADDRESS))):
        client.get(f"{start}{token}")
        client.get(f"{start}{token}/more/{token}/")
    assert "request_finished" in log.getvalue()
    assert not secrets.found_in(log.getvalue())


def test_a_page_is_named_and_a_number_kept(log, client, staff_client, page_of):
    page = page_of("about", "en")
    client.get(page.url + "?q=x")
    staff_client.get(f"/admin/pages/{page.pk}/edit/")
    assert f'GET {page.url}"' in log.getvalue().replace("'", '"')
    assert f"GET /admin/pages/{page.pk}/edit/" in log.getvalue()


# What goes wrong


def fail(request, token):
    """A view that quotes what it was given, as libraries do."""
    email = request.GET.get("email", "")
    raise ValueError(f"{request.get_full_path()!r}: {token} of {email!r} {{'{email}': (550, b'no')}} <{email}>")


def bad_host(request, token):
    return HttpResponse(request.get_host())


urlpatterns = [path("fail/<str:token>/", fail), path("host/<str:token>/", bad_host)]


def test_an_error_that_quotes_them_is_logged_without(secrets, log, settings):
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, ["operations.middleware.RequestLogMiddleware"]
    client = Client(raise_request_exception=False)
    for token in secrets.tokens:
        for spelling in address_spellings(ADDRESS):
            client.get(f"/fail/{token}/", {"email": spelling})
        client.get(f"/host/{token}/", headers={"host": f"{token}.example.org"})
    text = log.getvalue()
    assert "ValueError" in text
    assert "GET /fail/<str:token>/" in text
    assert "Bad Request: GET /host/<str:token>/" in text
    assert not secrets.found_in(text)


def test_whatever_is_logged_and_however(secrets, log):
    logger = logging.getLogger("newsletter.delivery.worker")
    for token in secrets.tokens:
        logger.warning("%s refused (%s)", ADDRESS.upper(), token.upper())
        logger.warning({"email": ADDRESS, ADDRESS: [token, {"deep": (ADDRESS, token.encode())}]})
        for quoting in (quote, lambda text: quote(quote(text)), html.escape, json.dumps, repr):
            logger.error("url /x?email=%s&t=%s/%s", quoting(ADDRESS), token, quoting(f"{ADDRESS} {token}"))
            logger.error("%s", quoting(f"https://x.example/leave/{token}#{ADDRESS}"))
    import structlog

    structlog.get_logger("core").warning("a", email=ADDRESS, more={"t": secrets.tokens}, error=ValueError(ADDRESS))
    with structlog.contextvars.bound_contextvars(who=ADDRESS, token=secrets.tokens[0]):
        logger.warning("bound")
    with structlog.contextvars.bound_contextvars(request_id=f"{secrets.tokens[0]} {ADDRESS}"):
        logger.warning("the number of the request comes from the proxy")
    assert not secrets.found_in(log.getvalue())


def test_what_is_typed_to_sign_in_is_in_no_log(log, client, django_user_model):
    """Nobody could blank it: a password is words, a code of an app is a number."""
    old, wrong, new, code = (
        "zorro manso bajo la lluvia",
        "gato pardo en el tejado",
        "perro fiel junto al fuego",
        "271828",
    )
    user = django_user_model.objects.create_superuser("rosa", ADDRESS, old)
    for name, password in ((wrong, old), ("rosa", wrong), ("rosa", old)):
        client.post(reverse("wagtailadmin_login"), {"username": name, "password": password})
    change(client, wrong, new)
    assert change(client, old, new).status_code == 302
    TOTPDevice.objects.create(user=user, name="app", confirmed=True)
    recovery = services.new_recovery_codes(user)[0]
    for typed in (code, recovery):
        answer = client.post(reverse("signin_ask"), {"code": typed})
    assert answer.status_code == 302
    text = log.getvalue()
    assert text.count("POST /admin/login/") >= 3
    assert "Sign-in failed" in text
    assert [typed for typed in (old, wrong, new, code, recovery) if typed in text] == []


@pytest.mark.parametrize("spelling", address_spellings(ADDRESS))
def test_an_address_in_any_spelling_is_blanked(spelling):
    assert "quispe" not in logs.blank(f"Mail for {spelling} failed").lower()


@pytest.mark.parametrize(
    "spelling",
    [
        "info&#64;quispe.pe",
        "info&amp;#64;quispe.pe",
        "info@[quispe.pe]",
        "info@\nquispe.pe",
        "info&commat;quispe&#x2e;pe",
    ],
)
def test_an_address_loses_its_domain_too(spelling):
    assert "quispe" not in logs.blank(f"Mail for {spelling} failed")


def test_a_token_without_a_digit_is_blanked_too():
    """One tracking token in 150 has none."""
    made = (tokens.make_tracking(number) for number in range(100_000))
    without = list(islice((token for token in made if not re.search(r"\d", token)), 40))
    assert [token for token in without if token in logs.blank(f"GET /t/{token}/1/")] == []


@pytest.mark.parametrize(
    "text",
    [
        "Campaign 12 waits 30 s for the provider: 421 4.7.0 Try again later",
        "OSError: [Errno 28] No space left on device: '/srv/clac/var/media/images'",
        "The job delete_old_page_views failed",
        '  File "/usr/lib/python3.11/site-packages/django/core/handlers/exception.py", line 55, in inner',
        "smtplib.SMTPServerDisconnected: Connection unexpectedly closed",
        "newsletter.tasks.process_sign_ups waits in the database",
        "/es/que-hacemos/organizaciones-de-productoras/",
        "HTTPSConnectionPool(host='api.resend.com', port=443): Read timed out.",
        "psycopg.errors.UniqueViolation: duplicate key value violates unique constraint",
    ],
)
def test_what_an_operator_needs_stays_readable(text):
    assert logs.blank(text) == text


# Tasks and jobs, whose tracebacks are kept


def test_the_traceback_of_a_task_is_blanked(secrets, run_tasks):
    process_sign_ups.enqueue()
    row = DBTaskResult.objects.get()
    try:
        raise ValueError(f"{ADDRESS} {' '.join(secrets.tokens)}")
    except ValueError as error:
        row.claim("test")
        row.set_failed(error)
    row.refresh_from_db()
    assert "ValueError" in row.traceback
    assert not secrets.found_in(row.traceback)


def test_the_outcome_of_a_job_and_its_alarm_are_blanked(secrets, settings, monkeypatch, run_tasks, mailoutbox, log):
    from dataclasses import replace

    from jobs.models import JobRun

    def fail():
        raise ValueError(f"{ADDRESS} {' '.join(secrets.tokens)}")

    settings.ALERT_EMAILS = ["operator@example.org"]
    JobRun.objects.get_or_create(name="back_up")
    monkeypatch.setitem(JOBS, "back_up", replace(JOBS["back_up"], function=fail))
    run_job.call("back_up")
    run_tasks()
    outcome = JobRun.objects.get(name="back_up").outcome
    for text in (outcome, mailoutbox[0].body, log.getvalue()):
        assert "ValueError" in text or "job back_up" in text
        assert not secrets.found_in(text)


# What goes around the logging of a request


@pytest.mark.parametrize("where", ["main", "thread"])
def test_an_error_that_ends_a_process_or_thread_is_logged_the_same_way(where):
    code = f"import threading\ndef fail(): raise ValueError('{ADDRESS}')\n" + (
        "fail()" if where == "main" else "t = threading.Thread(target=fail); t.start(); t.join()"
    )
    program = f"import django; django.setup(); exec({code!r})"
    env = environment(PYTHONPATH=f"{ROOT / 'site'}:{ROOT}", LOG_JSON="yes")
    answer = subprocess.run([sys.executable, "-c", program], env=env, cwd=ROOT, capture_output=True, text=True)
    assert "ValueError" in answer.stderr
    assert "quispe" not in answer.stderr
    assert "quispe" not in answer.stdout


def test_no_logger_of_any_program_writes_past_the_blanks():
    """In a process with the settings of production: the web server's, the queues' and Django's own loggers.

    pyasn1 has a handler of its own, for lines that only its setLogger() switches on.
    """
    code = (
        "import django, logging, granian.log; granian.log.configure_logging(granian.log.LogLevels.warning);"
        "django.setup(); import rq, django_rq, config.urls, jobs.redis_queue;"
        "from operations import logs;"
        "loggers = [logging.root, *(l for l in logging.root.manager.loggerDict.values() if isinstance(l, logging.Logger))];"
        "print(sorted({l.name for l in loggers for h in l.handlers"
        " if l.name != 'pyasn1' and not isinstance(h, logging.NullHandler) and h not in logging.root.handlers}), [type(h.formatter).__name__ for h in logging.root.handlers])"
    )
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'site'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "SECRET_KEY": "only-for-this-test-of-the-settings-of-production",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DATABASE_URL": "sqlite://:memory:",
    }
    env["SECRET_KEY"] *= 2
    answer = starts.python(code, env)
    assert answer.stdout.strip().splitlines()[-1:] == ["[] ['ProcessorFormatter']"], answer.stdout + answer.stderr


# Prometheus


def test_the_figures_name_nobody(client, settings, secrets):
    settings.METRICS_TOKEN = "correct horse"
    for token in secrets.tokens:
        client.get(f"/es/subscription/leave/{token}/?email={ADDRESS}")
        client.generic(token.upper().replace("2", "A"), f"/{token}")
    text = client.get("/metrics", headers={"authorization": "Bearer correct horse"}).content.decode()
    assert "clac_requests_total" in text
    assert not secrets.found_in(text)


# Sentry, with the SDK's own life of an event and a transport of the test's own


class Kept(Transport):
    """Keeps what would go out."""

    def __init__(self, options=None):
        super().__init__(options)
        self.sent = []

    def capture_envelope(self, envelope):
        self.sent.append(envelope.serialize().decode())


@pytest.fixture
def sentry(settings):
    kept = Kept()
    client = sentry_sdk.Client("https://key@sentry.example/1", transport=kept, **settings.SENTRY_OPTIONS)
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        yield kept
    client.close(timeout=0)


def test_sentry_is_told_what_went_wrong_and_nothing_of_anybody(sentry, secrets, settings, log):
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, ["operations.middleware.RequestLogMiddleware"]
    token = secrets.tokens[0]
    sentry_sdk.set_user({"email": ADDRESS})
    sentry_sdk.set_tag("subscriber", ADDRESS)
    sentry_sdk.set_extra("token", token)
    sentry_sdk.set_context("subscriber", {"email": ADDRESS})
    sentry_sdk.add_breadcrumb(message=f"mailed {ADDRESS} {token}")
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = secrets.tokens[-1]
    client.get(f"/fail/{token}/", {"email": ADDRESS}, headers={"referer": f"http://testserver/{token}/"})
    client.post(f"/fail/{token}/?next=/{token}", {"email": ADDRESS})
    client.get(f"/nothing/{token}/{ADDRESS}")
    logging.getLogger("newsletter").error("No mail for %s with %s", ADDRESS, token)
    try:
        local, address = token, ADDRESS
        raise ValueError(f"{local} of {address}")
    except ValueError as error:
        sentry_sdk.capture_exception(error)
    assert len(sentry.sent) >= 4
    sent = "\n".join(sentry.sent)
    assert "ValueError" in sent
    assert "test_logs.py" in sent
    assert "/fail/{token}/" in sent
    assert "No mail for %s with %s" in sent
    assert not secrets.found_in(sent)


def test_sentry_starts_with_these_very_options(settings):
    code = (
        "import django; django.setup(); import sentry_sdk; o = sentry_sdk.get_client().options;"
        "print(o['before_send'].__name__, o['include_local_variables'], o['max_request_body_size'])"
    )
    answer = starts.python(code, environment(SENTRY_DSN="https://key@127.0.0.1:9/1"))
    assert answer.stdout.split() == ["scrub_report", "False", "never"]


def test_who_may_not_is_named_by_the_route(staff_client, secrets, log):
    staff_client.get(reverse("wagtailusers_users:edit", args=[999999]) + f"?next={secrets.tokens[0]}")
    assert not secrets.found_in(log.getvalue())


def test_links_in_mails_hold_nothing_but_known_tokens():
    """So that what is tested here is all that there is."""
    assert {name for name in dir(tokens) if name.startswith("make")} == {"make", "make_tracking"}
