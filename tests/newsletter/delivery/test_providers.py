"""Every provider of newsletter/delivery/providers.py, sending to a stand-in of its API: a new class is tested by being there."""

import base64
import re
import ssl
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.checks import run_checks
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.html import conditional_escape

from newsletter.campaigns import lifecycle
from newsletter.delivery import worker
from newsletter.delivery.providers import PROVIDERS
from newsletter.delivery.transports import threads
from newsletter.models import Campaign, Delivery, IncomingReport, SignUpRequest
from newsletter.subscribers.subscriptions import process_requests
from newsletter.tasks import send_campaign
from tests.fakes import ProviderAPI
from tests.newsletter.delivery.test_smtp_client import certificate

pytestmark = pytest.mark.django_db
State = Delivery.State
WITH_API = {name: provider for name, provider in PROVIDERS.items() if name not in {"local", "smtp"}}
WITH_KEY = [name for name, provider in WITH_API.items() if provider.key_seconds]
SINGLE_WITH_KEY = [name for name in WITH_KEY if not WITH_API[name].merges]
MERGING = [name for name, provider in WITH_API.items() if provider.merges]
LATER = timedelta(minutes=3)
of_all, of_those_with_key, of_merging = (
    pytest.mark.parametrize("name", names) for names in (list(WITH_API), WITH_KEY, MERGING)
)


def choose(settings, name, api_url):
    """Have the site send by a provider, with its settings as the environment would give them."""
    provider = PROVIDERS[name]
    given = dict.fromkeys(provider.credentials, "k") | {f"{name.upper()}_API_URL": api_url}
    settings.EMAIL_PROVIDER, settings.EMAIL_BACKEND = name, provider.backend
    settings.ANYMAIL = provider.anymail(given.get, given.get)
    if name == "amazon_ses":
        access = {"aws_access_key_id": "k", "aws_secret_access_key": "k", "region_name": "sa-east-1"}
        params = settings.ANYMAIL["AMAZON_SES_CLIENT_PARAMS"] | access | {"endpoint_url": api_url}
        settings.ANYMAIL = {"AMAZON_SES_CLIENT_PARAMS": params}
    if name == "mailgun":
        settings.ANYMAIL |= {"MAILGUN_SENDER_DOMAIN": "example.org"}


@pytest.fixture
def api(name, settings, monkeypatch):
    """The API of the provider `name`, and the site set to send by it."""
    monkeypatch.setattr(threads, "REPEAT_AFTER", 0)
    with ProviderAPI() as api:
        choose(settings, name, api.url)
        api.key_seconds, api.refuses_repetitions = PROVIDERS[name].key_seconds, name == "brevo"
        settings.NEWSLETTER_LEASE_SECONDS = 60
        yield api


@pytest.fixture
def start(issue, subscribe):
    """Start a campaign to so many people: 0@example.org, 1@example.org …"""

    def go(number, person="María"):
        for each in range(number):
            subscribe(f"{each}@example.org", name=person)
        campaign = Campaign.objects.create(issue=issue)
        lifecycle.start(campaign)
        return campaign

    return go


def work(campaign, after=timedelta()):
    """Work on a campaign to the end of what can be done `after` some time."""
    with time_machine.travel(timezone.now() + after):
        send_campaign.func(campaign.pk)
        campaign.refresh_from_db()


def counts(campaign):
    return {state: number for state, number in campaign.counts().items() if number}


@of_all
def test_a_certificate_that_nobody_vouches_for_halts_the_campaign(api, start, settings, name, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path, "127.0.0.1"))
    api.socket = context.wrap_socket(api.socket, server_side=True)
    choose(settings, name, api.url.replace("http:", "https:"))
    campaign = start(3)
    work(campaign)
    assert (campaign.state, campaign.problem) == (Campaign.State.PAUSED, Campaign.Problem.HALTED)
    assert "self-signed" in campaign.problem_words
    assert campaign.counts()[State.QUEUED] == 3


@of_all
def test_everybody_gets_it_once_and_can_leave_with_one_click(api, start, name):
    campaign = start(5)
    work(campaign)
    assert campaign.state == Campaign.State.SENT
    assert counts(campaign) == {State.SENT: 5}
    assert Counter(api.sent) == Counter(f"{each}@example.org" for each in range(5))
    assert len(api.calls) == (1 if PROVIDERS[name].merges else 5)
    if name != "amazon_ses":  # its mails are MIME in base64
        assert all("List-Unsubscribe" in str(call) for call in api.calls)
        assert not any("@@" in str(call) for call in api.calls)


# Answers that do not say that a mail was taken: (status, headers, body).
NO_YES = {
    "a page": (200, {"Content-Type": "text/html"}, b"<html>Maintenance</html>"),
    "a page said to be JSON": (202, {}, b"<html>Maintenance</html>"),
    "half of JSON": (200, {}, b'{"id": "1", "message": "Que'),
    "nothing": (200, {}, b""),
    "no object": (200, {}, b"null"),
    "a word": (200, {}, b'"ok"'),
    "an empty list": (200, {}, b"[]"),
    "an empty object": (200, {}, b"{}"),
    "less than was announced": (200, {"Connection": "close", "Content-Length": "9000"}, b'{"id": "1"}'),
    "a redirection to nowhere": (302, {}, b""),
    "not modified": (304, {}, b""),
    "too large": (413, {}, b"Request Entity Too Large"),
    "a gateway's page": (502, {"Content-Type": "text/html"}, b"<html>"),
}


@of_all
def test_an_answer_that_is_not_understood_is_no_yes(api, issue, subscribe, name):
    subscribe("ana@example.org")
    wrong = []
    for kind, answer in NO_YES.items():
        Delivery.objects.all().delete()
        api.orders.clear()
        api.orders.extend([answer] * 2)
        campaign = Campaign.objects.create(issue=issue)
        lifecycle.start(campaign)
        work(campaign)
        counted, is_refusal = counts(campaign), kind == "too large"
        if State.SENT in counted or (State.FAILED in counted) != is_refusal:
            wrong.append((kind, counted))
    assert wrong == []
    assert api.sent == []


LOST = ["vanish", "garbled", (504, {})]


@pytest.mark.parametrize("lost", LOST, ids=["no answer", "nonsense", "504"])
@of_all
def test_a_call_whose_answer_is_lost_is_repeated_only_under_its_key(api, start, name, lost):
    provider, number = PROVIDERS[name], 12
    api.orders.append(lost)
    campaign = start(number)
    work(campaign)
    work(campaign, after=LATER)
    assert campaign.state == Campaign.State.SENT
    assert max(Counter(api.sent).values(), default=1) == 1
    if provider.key_seconds:
        assert len(api.sent) == number
        assert counts(campaign) == {State.SENT: number}
        repeated = [key for key, times in Counter(api.keys).items() if times == 2]
        assert len(repeated) == 1
        assert len({tuple(people) for people, key in zip(api.people, api.keys, strict=True) if key in repeated}) == 1
    else:
        doubtful = number if provider.merges else 1
        assert counts(campaign) == {State.UNKNOWN: doubtful} | (
            {} if provider.merges else {State.SENT: number - doubtful}
        )
        assert max(Counter(person for people in api.people for person in people).values()) == 1


@of_those_with_key
def test_keys_are_uuids_of_their_own_for_each_call(api, start, name):
    work(start(9))
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key) for key in api.keys)
    assert len(set(api.keys)) == len(api.keys)


@of_those_with_key
def test_an_answer_lost_twice_is_asked_for_while_the_key_lives_and_never_later(api, start, name):
    """A batch is known only to the worker that made it; a single mail is taken up by any."""
    provider = PROVIDERS[name]
    api.orders.extend(["vanish", "vanish"])
    campaign = start(1)
    work(campaign)
    assert len(api.calls) == 2
    if provider.merges:
        assert counts(campaign) == {State.UNKNOWN: 1}
    else:
        assert counts(campaign) == {State.QUEUED: 1}
        work(campaign, after=timedelta(seconds=provider.key_seconds - worker.providers.KEY_MARGIN - 5))
        assert counts(campaign) == {State.SENT: 1}
        assert len(set(api.keys)) == 1
    assert api.sent == ["0@example.org"]


@of_those_with_key
def test_a_provider_that_is_away_at_the_repetition_leaves_it_open(api, start, name):
    api.orders.extend(["vanish", (503, {})])
    campaign = start(1)
    work(campaign)
    work(campaign, after=timedelta(seconds=PROVIDERS[name].key_seconds))
    assert counts(campaign) == {State.UNKNOWN: 1}
    assert api.sent == ["0@example.org"]


@of_merging
def test_the_next_worker_too_puts_little_at_risk_while_answers_are_unclear(api, start, name):
    campaign = start(30)
    Campaign.objects.filter(pk=campaign.pk).update(unclear=1)
    work(campaign)
    assert len(api.people[0]) == 1
    assert counts(campaign) == {State.SENT: 30}


@pytest.mark.parametrize("name", ["sendgrid"])
def test_sendgrid_is_told_what_each_placeholder_stands_for(api, start, name):
    work(start(2))
    (call,) = api.calls
    places = set(re.findall(r"%own\.\w+%", str(call["content"])))
    assert len(places) > 1
    for person in call["personalizations"]:
        assert places <= set(person["substitutions"])
        assert person["custom_args"]["delivery"].isdecimal()
        assert person["headers"]["List-Unsubscribe"].startswith("<http")


@of_those_with_key
def test_a_call_that_took_until_its_key_ends_is_not_repeated_at_once(api, start, name, monkeypatch):
    monkeypatch.setattr(threads, "CALL_MARGIN", PROVIDERS[name].key_seconds)
    api.orders.append("vanish")
    campaign = start(1)
    work(campaign)
    assert len(api.calls) == 1


@pytest.mark.parametrize("name", SINGLE_WITH_KEY)
def test_a_campaign_that_was_paused_meanwhile_does_not_use_a_key_beyond_its_life(api, start, name):
    api.orders.extend(["vanish", "vanish"])
    campaign = start(1)
    work(campaign)
    lifecycle.change_state(campaign, "pause")
    lifecycle.change_state(campaign, "resume")
    work(campaign, after=timedelta(seconds=PROVIDERS[name].key_seconds))
    assert counts(campaign) == {State.UNKNOWN: 1}
    assert "RemoteDisconnected" in campaign.deliveries.get().error
    assert api.sent == ["0@example.org"]


@of_all
def test_what_a_dead_worker_held_is_taken_up_only_under_a_key_that_is_known(api, start, name):
    campaign, provider = start(2), PROVIDERS[name]
    young, old = campaign.deliveries.order_by("pk")
    now = timezone.now()
    Delivery.objects.filter(pk=young.pk).update(state=State.SENDING, lease_until=now - timedelta(seconds=1))
    ended = now - timedelta(seconds=max(1, provider.key_seconds - 60))
    Delivery.objects.filter(pk=old.pk).update(state=State.SENDING, lease_until=ended)
    work(campaign)
    young.refresh_from_db()
    old.refresh_from_db()
    assert young.state == (State.SENT if name in SINGLE_WITH_KEY else State.UNKNOWN)
    assert old.state == State.UNKNOWN


@of_all
def test_constant_errors_pause_it_and_leave_few_in_doubt(api, start, name, caplog):
    provider = PROVIDERS[name]
    api.orders.extend([(500, {})] * 999)
    campaign = start(230 if provider.merges else 30)
    for round_ in range(9):
        work(campaign, after=round_ * LATER)
        if campaign.state == Campaign.State.PAUSED:
            break
    assert campaign.problem == Campaign.Problem.UNCLEAR
    assert "500" in campaign.problem_words
    assert "campaign paused" in caplog.text
    assert not api.sent
    assert counts(campaign).get(State.UNKNOWN, 0) <= 2 * provider.per_call + 12
    assert len(api.calls) <= 40  # ten answers, what else was on its way, and each twice where there is a key


@of_all
def test_a_call_carries_a_hundred_at_most(name):
    provider = PROVIDERS[name]
    assert provider.per_call <= min(provider.max_mails_per_call, 100)
    assert provider.per_call == 1 or provider.merges


@of_all
def test_a_refusal_for_good_fails_in_the_provider_s_words(api, start, name):
    refusal = {"status": "parameter-error", "data": {"code": "ValidationError", "message": "no such domain"}, "message": "no such domain"}  # fmt: skip
    api.orders.append((200 if name == "postal" else 400, {}, refusal))
    campaign = start(1)
    work(campaign)
    assert counts(campaign) == {State.FAILED: 1}
    assert len(api.calls) == 1
    if name != "amazon_ses":
        assert "no such domain" in campaign.deliveries.get().error


@of_all
def test_a_wrong_key_pauses_at_once(api, start, name):
    refusal = {"status": "error", "data": {"code": "InvalidServerAPIKey"}, "message": "wrong key"}
    api.orders.extend([(200 if name == "postal" else 401, {}, refusal)] * 9)
    campaign = start(5)
    work(campaign)
    assert (campaign.state, campaign.problem) == (Campaign.State.PAUSED, Campaign.Problem.HALTED)
    assert counts(campaign) == {State.QUEUED: 5}


@of_all
def test_a_provider_that_asks_for_a_pause_gets_one(api, start, name):
    api.orders.extend([(429, {"Retry-After": "120"})] * 9)
    campaign = start(3)
    work(campaign)
    assert counts(campaign) == {State.QUEUED: 3}
    if name != "amazon_ses":
        assert timedelta(seconds=100) < campaign.resume_at - timezone.now() < timedelta(seconds=121)
    api.orders.clear()
    work(campaign, after=LATER)
    assert counts(campaign) == {State.SENT: 3}, campaign.deliveries.first().error


@pytest.mark.parametrize("name", ["resend"])
def test_another_call_with_the_key_that_is_still_on_its_way_is_no_refusal(api, start, name):
    api.orders.extend(["vanish", (409, {}, {"name": "concurrent_idempotent_requests"})])
    campaign = start(1)
    work(campaign)
    work(campaign, after=LATER)
    assert counts(campaign) == {State.SENT: 1}
    assert api.sent == ["0@example.org"]


@of_merging
def test_a_name_is_no_placeholder_of_the_provider_s(api, start, name):
    trick = " ".join(PROVIDERS[name].placeholder.format(token) for token in ("manage", "name"))
    work(start(2, person=trick))
    places = {trick.split()[1]: 0}
    text = str(api.calls)
    assert trick not in text
    assert all(place in text for place in places)  # where the name goes, in the mail itself
    assert Counter(api.sent) == {"0@example.org": 1, "1@example.org": 1}


# Settings and webhooks


@of_all
def test_every_setting_of_a_provider_is_documented(name):
    table = Path("docs/operators/settings.md").read_text()
    provider = PROVIDERS[name]
    assert f"`{name}`" in table
    api_url = {f"{name.upper()}_API_URL"} - set(provider.credentials)
    assert not [
        setting for setting in {*provider.credentials, *provider.optional} - api_url if f"`{setting}`" not in table
    ]


@of_all
def test_the_secret_alone_either_opens_the_webhook_or_is_refused_at_the_start(client, settings, name):
    provider = PROVIDERS[name]
    choose(settings, name, "http://127.0.0.1:9")
    settings.WEBHOOK_SECRET = settings.ANYMAIL["WEBHOOK_SECRET"] = "hook:secret"
    is_refused = provider.missing_signature(settings.ANYMAIL) == provider.signature != ""
    headers = {"authorization": f"Basic {base64.b64encode(b'hook:secret').decode()}"}
    answer = client.post(f"/webhooks/{name}/", b"[", "application/json", headers=headers)
    # What is proven is kept, even where it cannot be read; what a signature has to prove in addition is refused.
    is_open = provider.webhook and not is_refused
    assert answer.status_code in ({200, 400} if is_open else {404})
    assert IncomingReport.objects.exists() == (answer.status_code == 200)


@of_all
def test_a_key_that_is_none_is_refused_at_the_start_and_no_webhook_answers_500(client, settings, name):
    provider = PROVIDERS[name]
    choose(settings, name, "http://127.0.0.1:9")
    before = settings.ANYMAIL
    for key in ("no key ñ", "c2hvcnQ=", "whsec_ñ"):
        settings.ANYMAIL = before | {provider.signature or "WEBHOOK_SECRET": key}
        settings.WEBHOOK_SECRET = settings.ANYMAIL.get("WEBHOOK_SECRET", "")
        problems = [problem for problem in run_checks() if problem.id == "newsletter.E001"]
        answer = client.post(f"/webhooks/{name}/", b"[{}]", "application/json")
        if problems:
            assert problems[0].msg.startswith(f"Setting {provider.signature}: ")
            assert answer.status_code == 404
        else:
            assert answer.status_code in ({400, 401} if provider.webhook else {404})


def test_keys_that_cannot_be_keys_are_found_at_the_start(settings):
    for name, key in (("sendgrid", "no key"), ("resend", "whsec_!"), ("mailersend", "ñ"), ("mandrill", "ñ")):
        choose(settings, name, "http://127.0.0.1:9")
        settings.ANYMAIL |= {PROVIDERS[name].signature: key}
        assert [problem.id for problem in run_checks() if "newsletter" in problem.id] == ["newsletter.E001"], name


@of_all
def test_what_operators_should_know_stands_on_the_operations_page(admin_client, settings, name):
    settings.EMAIL_PROVIDER = name
    html = admin_client.get(reverse("operations"), headers={"accept-language": "en"}).content.decode()
    with translation.override("en"):
        warning = conditional_escape(PROVIDERS[name].warning)
    assert warning in html
    assert bool(warning) == (name in {"sendgrid", "mailersend"})


@of_all
def test_a_confirmation_that_is_refused_for_good_is_given_up_and_others_wait(api, name):
    SignUpRequest.objects.create(email="rosa@example.org", language="es")
    refusal = {"status": "parameter-error", "data": {"code": "ValidationError"}}
    api.orders.extend([(200 if name == "postal" else 400, {}, refusal), (503, {})])
    process_requests()
    assert not SignUpRequest.objects.exists()
    SignUpRequest.objects.create(email="ana@example.org", language="es")
    process_requests()
    assert SignUpRequest.objects.get().email == "ana@example.org"
    assert not api.sent
