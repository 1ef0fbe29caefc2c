"""What is written down: no log holds a token that lets its holder in, or an address of a person."""

import json
import logging
import re
import urllib.parse

import pytest
import sentry_sdk
from core import logs
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.test import RequestFactory
from django.urls import resolve, reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import override
from sentry_sdk.transport import Transport

from newsletter import personal, subscriptions, tokens
from newsletter.models import Campaign, Delivery
from tests.core.test_access import routes

pytestmark = pytest.mark.django_db
EMAIL = "rosa.diaz+boletin@example.org"


@pytest.fixture
def secrets(subscribe, django_user_model, issue):
    """Tokens and addresses, made as the program makes them: {name: text}."""
    rosa = subscribe(EMAIL)
    user = django_user_model.objects.create_user("rosa", EMAIL, "a long password")
    delivery = Delivery.objects.create(campaign=Campaign.objects.create(issue=issue), subscriber=rosa)
    return {
        "manage": rosa.manage_token,
        "confirm": tokens.make(tokens.CONFIRM, rosa, "x"),
        "address": tokens.make(tokens.ADDRESS, rosa, "x"),
        "tracking": tokens.make_tracking(delivery.pk),
        "reset": default_token_generator.make_token(user),
        "user": urlsafe_base64_encode(force_bytes(user.pk)) + "00000",  # a number of some length
        "email": EMAIL,
        "quoted": urllib.parse.quote(EMAIL),
        "session": "0123456789abcdefghijklmnopqrstuv",
    }


def spelt(text):
    return {text, text.upper(), text.lower(), urllib.parse.quote(text), urllib.parse.quote(text, safe="")}


def asked(path, **headers):
    """A request as it is when its line is written: routed, if it leads anywhere."""
    request = RequestFactory().get(path, headers=headers)
    with override(path.split("/")[1] if path.split("/")[1] in dict(settings.LANGUAGES) else "es"):
        try:
            request.resolver_match = resolve(request.path_info)
        except Exception:
            request.resolver_match = None
    return request


def test_no_route_shows_its_arguments(secrets):
    with_arguments = [route for route in routes() if "<" in route or "(" in route]
    assert len(with_arguments) > 100
    for route in with_arguments:
        for secret in secrets.values():
            for text in spelt(secret):
                path = "/" + re.sub(r"<(?:int:)\w+>|\(\\d\+\)|\(\?P<\w+>\\d\+\)", "7", route)
                path = re.sub(r"\(\(\?:[^$]*|<(?:\w+:)?\w+>|\([^)]*\)", lambda _found, text=text: text, path)
                path = re.sub(r"[\^$\\]", "", path)
                for spelling in {path, path.rstrip("/"), f"{path}{text}", f"{path}?next={text}"}:
                    shown = logs.shown_path(asked(spelling))
                    assert text.lower() not in shown.lower(), (spelling, shown)


def test_what_is_nobodys_is_shown(page_of):
    for page in (page_of("home"), page_of("mission", "en"), page_of("issue-welcome", "pt-br")):
        assert logs.shown_path(asked(page.url)) == page.url
    assert logs.shown_path(asked("/admin/pages/12/edit/")) == "/admin/pages/12/edit/"
    assert logs.shown_path(asked("/es/subscription/join/")) == "/es/subscription/join/"
    assert logs.shown_path(asked("/")) == "/"


def test_texts_of_any_line_lose_what_is_a_persons(secrets):
    for name, secret in secrets.items():
        for text in spelt(secret):
            if name != "user":
                assert text.lower() not in logs.blank(f"It failed for {text}: (“{text}”), x={text}").lower(), text


def test_tokens_without_a_digit_are_tokens(subscribe):
    rosa = subscribe(EMAIL)
    found = (re.sub(r"\d", "", tokens.make_tracking(number))[:24] for number in range(2000))
    for token in {token for token in found if len(token) == 24} | {re.sub(r"\d", "q", rosa.manage_token)}:
        assert logs.blank(f"GET /t/{token}/1/") == "GET /t/…/1/"


@pytest.fixture
def lines(caplog, settings):
    """What the console's handler would write: a function that returns it."""
    formatter = logging.getLogger().handlers[0].formatter
    for handler in logging.getLogger().handlers:
        formatter = handler.formatter if "ProcessorFormatter" in type(handler.formatter).__name__ else formatter
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(formatter.format(record) for record in caplog.records)


def test_requests_that_fail_are_logged_without_their_tokens(client, secrets, lines, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError(f"no luck with {secrets['manage']} and {EMAIL}")

    monkeypatch.setattr(subscriptions, "subscriber_of", fail)
    monkeypatch.setattr(logging.getLogger("django.request"), "level", logging.DEBUG)
    client.raise_request_exception = False
    for view in ("leave", "preferences", "data"):
        assert client.get(reverse(f"newsletter_{view}", args=[secrets["manage"]])).status_code == 500
    client.get(f"/es/subscription/leave/{secrets['manage']}")
    client.get(f"/es/nada/{secrets['manage']}/?email={EMAIL}")
    written = lines()
    assert "no luck with" in written
    assert secrets["manage"] not in written
    assert EMAIL not in written


class Kept(Transport):
    """A transport of Sentry's that keeps what would be sent."""

    def __init__(self, options=None):
        super().__init__(options)
        self.sent = []

    def capture_envelope(self, envelope):
        self.sent += [item.payload.json for item in envelope.items]


def test_sentry_is_told_the_route_and_not_the_address(client, secrets, monkeypatch):
    kept = Kept()
    sentry_sdk.init("https://key@sentry.example/1", transport=kept, **settings.SENTRY_OPTIONS)
    try:
        monkeypatch.setattr(subscriptions, "subscriber_of", lambda *args, **kwargs: 1 / 0)
        client.raise_request_exception = False
        client.get(
            reverse("newsletter_data", args=[secrets["manage"]]) + f"?email={EMAIL}",
            headers={"referer": f"https://x.example/{secrets['confirm']}"},
        )
        sentry_sdk.flush()
    finally:
        sentry_sdk.init()
    assert any("ZeroDivisionError" in json.dumps(report) for report in kept.sent)
    assert all("/data/{token}" in report["transaction"] for report in kept.sent)
    for secret in secrets.values():
        assert secret not in json.dumps(kept.sent)


def test_links_in_mails_hold_nothing_but_known_tokens(secrets):
    """So that what is tested here is all that there is."""
    made = {name for name in dir(tokens) if name.startswith("make")}
    assert made == {"make", "make_tracking"}
    assert {personal.LEAVE_URL, personal.PREFERENCES_URL, personal.TRACK_URL, personal.NAME}
