"""Signing in to the admin: how often one may try, the second step, how long a session lasts, and what is written down."""

import re
from base64 import b32decode, b32encode
from datetime import timedelta
from unittest import mock

import pytest
import time_machine
from accounts import services, tasks
from accounts.models import RecoveryCode
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_tasks_db.models import DBTaskResult
from wagtail.models import ModelLogEntry, PageViewRestriction
from wagtail.users.models import UserProfile

pytestmark = pytest.mark.django_db
PASSWORD = "café con leche y pan"
LOGIN, HOME = reverse("wagtailadmin_login"), reverse("wagtailadmin_home")
ASK, MANAGE = reverse("signin_ask"), reverse("signin_manage")
SET_UP, SET_UP_APP = reverse("signin_set_up"), reverse("signin_set_up_app")


@pytest.fixture
def ana(django_user_model):
    """An administrator whose admin is in English."""
    user = django_user_model.objects.create_superuser("ana", "ana@example.org", PASSWORD)
    UserProfile.objects.create(user=user, preferred_language="en")
    return user


@pytest.fixture
def inactive(ana):
    ana.is_active = False
    ana.save(update_fields=["is_active"])


@pytest.fixture
def without_password(ana):
    """Somebody who was invited and has not chosen a password."""
    ana.set_unusable_password()
    ana.save(update_fields=["password"])


@pytest.fixture
def required(settings):
    settings.TWO_FACTOR_REQUIRED = True


def sign_in(client, password=PASSWORD, name="ana", **more):
    return client.post(LOGIN, {"username": name, "password": password, **more}, headers={"accept-language": "en"})


def code_now(device):
    return f"{totp(device.bin_key, step=device.step, digits=device.digits):06}"


@pytest.fixture
def app(ana):
    """The app that Ana connected."""
    return TOTPDevice.objects.create(user=ana, name="app", confirmed=True)


def is_in(client):
    return client.get(HOME).status_code == 200


def actions():
    return set(ModelLogEntry.objects.values_list("action", flat=True))


# Name and password


def test_name_and_password_let_in_and_are_written_down(client, ana):
    sign_in(client)
    assert is_in(client)
    assert "clac.sign_in" in actions()
    client.post(reverse("wagtailadmin_logout"))
    assert not is_in(client)
    assert "clac.sign_out" in actions()
    assert "Signed in" in Client_of(ana).get("/admin/reports/site-history/").content.decode()


def Client_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_who_guesses_is_stopped_and_told_so_and_the_right_password_does_not_help(client, ana):
    for _number in range(10):
        assert "didn&#x27;t match" in sign_in(client, "wrong").content.decode()
    answer = sign_in(client)
    assert "Too many attempts" in answer.content.decode()
    assert not is_in(client)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        sign_in(client)
        assert is_in(client)


def test_an_attack_from_elsewhere_does_not_keep_the_owner_out(client, ana):
    for _number in range(11):
        client.post(LOGIN, {"username": "ana", "password": "wrong"}, REMOTE_ADDR="203.0.113.9")
    sign_in(client)
    assert is_in(client)


def test_one_place_may_not_try_everybodys_name(client, ana):
    for number in range(100):
        sign_in(client, "wrong", f"person{number}")
    assert "Too many attempts" in sign_in(client).content.decode()


def test_a_success_forgets_the_attempts_before(client, ana):
    for _round in range(3):
        for _number in range(5):
            sign_in(client, "wrong")
        sign_in(client)
        assert is_in(client)
        client.post(reverse("wagtailadmin_logout"))


def test_nobody_learns_whether_a_name_exists(client, ana):
    known, unknown = (sign_in(client, "wrong", name).content.decode() for name in ("ana", "nobody"))
    blank = re.compile(r'value="[^"]*"|nonce="[^"]*"|CSRF_TOKEN": "[^"]*"')
    assert blank.sub("", known) == blank.sub("", unknown)
    answers = [
        client.post(reverse("wagtailadmin_password_reset"), {"email": e}) for e in ("ana@example.org", "x@example.org")
    ]
    assert answers[0].url == answers[1].url


def work_of(ask):
    """What a request makes the server do: its queries without their values, the tasks that it queues, the mails that it
    sends, and how often a password is hashed."""
    Client().get(LOGIN)  # what is remembered from one request to the next
    DBTaskResult.objects.all().delete()
    mail.outbox.clear()
    with (
        CaptureQueriesContext(connection) as queries,
        mock.patch.object(MD5PasswordHasher, "encode", autospec=True, side_effect=MD5PasswordHasher.encode) as hashing,
    ):
        ask()
    kinds = [re.sub(r"'[^']*'|\d+|NULL", "?", query["sql"]) for query in queries]
    return kinds, [row.task_path for row in DBTaskResult.objects.all()], len(mail.outbox), hashing.call_count


@pytest.mark.parametrize("state", [None, "inactive", "without_password"])
def test_the_work_of_a_reset_is_the_same_whether_an_account_exists_or_not(client, ana, state, request):
    if state:
        request.getfixturevalue(state)
    path = reverse("wagtailadmin_password_reset")
    known, unknown = (
        work_of(lambda email=email: client.post(path, {"email": email}))
        for email in ("ana@example.org", "x@example.org")
    )
    assert known == unknown
    assert known[1:3] == (["accounts.tasks.mail_password_link"], 0)


@pytest.mark.parametrize("state", [None, "inactive", "without_password"])
def test_the_work_of_a_wrong_password_is_the_same_whether_an_account_exists_or_not(client, ana, state, request):
    if state:
        request.getfixturevalue(state)
    known, unknown = (work_of(lambda name=name: sign_in(client, "wrong", name)) for name in ("ana", "nobody"))
    assert known == unknown
    assert known[3] == 1


def test_a_reset_goes_to_nobody_who_may_not_sign_in(client, ana, inactive, run_tasks):
    client.post(reverse("wagtailadmin_password_reset"), {"email": "ana@example.org"})
    run_tasks()
    assert not mail.outbox


def test_a_link_is_in_the_language_of_its_reader(client, ana, run_tasks):
    for _chosen in (True, False):
        client.post(
            reverse("wagtailadmin_password_reset"), {"email": "ana@example.org"}, headers={"accept-language": "pt-br"}
        )
        run_tasks()
        UserProfile.objects.all().delete()
    in_english, in_portuguese = mail.outbox
    assert "Please follow the link" in in_english.body
    assert "siga o link" in in_portuguese.body


def test_one_mail_that_fails_does_not_stop_the_next(ana, django_user_model, caplog):
    other = django_user_model.objects.create_user("rosa", "rosa@example.org")
    sent = []

    def refuse_first(self, *args, **kwargs):
        if "ana@example.org" in self.to:
            raise OSError("refused")
        sent.extend(self.to)

    with mock.patch.object(EmailMultiAlternatives, "send", refuse_first):
        tasks.mail_password_link.call([ana.pk, other.pk], "en")
    assert sent == ["rosa@example.org"]
    assert f"Failed to send password reset email to {ana.pk}" in caplog.text


def test_a_failure_is_written_down_but_never_what_was_typed(client, ana, caplog, run_tasks):
    sign_in(client, "my secret passphrase")
    sign_in(client, "x", "my secret passphrase")
    assert "secret" not in str(DBTaskResult.objects.values_list("args_kwargs"))
    run_tasks()
    assert "clac.sign_in_failed" in actions()
    kept = " ".join(str(entry.data) for entry in ModelLogEntry.objects.all()) + caplog.text
    assert "secret" not in kept
    assert "127.0.0.0/24" in kept


def test_reset_mails_are_few(client, ana, run_tasks):
    for _number in range(5):
        client.post(reverse("wagtailadmin_password_reset"), {"email": "ana@example.org"})
    run_tasks()
    assert len(mail.outbox) == 3


def test_a_reset_link_works_once_and_for_an_hour(client, ana, run_tasks):
    client.post(reverse("wagtailadmin_password_reset"), {"email": "ana@example.org"})
    run_tasks()
    path = re.search(r"http://testserver(/admin/password_reset/\S+)", mail.outbox[0].body)[1]
    assert path not in str(ModelLogEntry.objects.values_list("data"))
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert not client.get(path, follow=True).context["validlink"]
    answer = client.get(path, follow=True)
    assert answer.context["validlink"]
    new = "otra frase bien larga"
    client.post(answer.request["PATH_INFO"], {"new_password1": new, "new_password2": new})
    assert not Client().get(path, follow=True).context["validlink"]
    sign_in(client, new)
    assert is_in(client)


@pytest.mark.parametrize("password", ["short-one", "password1234", "qwertyuiop12", "ana.example.org"])
def test_short_common_and_own_names_are_no_passwords(ana, password):
    with pytest.raises(ValidationError):
        validate_password(password, ana)


@pytest.mark.parametrize("password", ["correct horse battery staple", "ñandú y maíz 🌽 en flor", "x7" * 64])
def test_long_phrases_with_any_letters_are(ana, password):
    validate_password(password, ana)
    ana.set_password(password)
    assert ana.check_password(password)
    assert not ana.check_password(password[:-1])


def test_the_password_is_shown_to_nobody_and_may_be_pasted(client):
    html = client.get(LOGIN).content.decode()
    field = re.search(r'<input[^>]*name="password"[^>]*>', html)[0]
    assert 'type="password"' in field
    assert "onpaste" not in html


# The second step


def test_where_it_is_required_nobody_gets_anywhere_without(client, ana, required, page_of):
    page = page_of("partners")
    sign_in(client)
    assert client.get(HOME).url.startswith(SET_UP)
    assert client.get("/admin/pages/").url.startswith(SET_UP)
    assert client.post(reverse("wagtailadmin_pages:unpublish", args=[page.pk])).url.startswith(SET_UP)
    page.refresh_from_db()
    assert page.live
    assert client.get(MANAGE).url.startswith(SET_UP)


def test_connecting_an_app_gives_recovery_codes_and_ends_other_sessions(client, ana, required):
    other = Client_of(ana)
    sign_in(client)
    html = client.get(SET_UP_APP).content.decode()
    assert "<svg" in html
    key = re.search(r'signin-key">(\w+)<', html)[1]
    device = TOTPDevice.objects.get(user=ana)
    assert b32decode(key) == device.bin_key
    assert "That is not right" in client.post(SET_UP_APP, {"code": "000000"}).content.decode()
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    html = client.post(SET_UP_APP, {"code": code_now(device), "next": "/admin/images/"}).content.decode()
    codes = re.findall(r"<code>([A-Z2-7-]+)</code>", html)
    assert len(set(codes)) == 10
    assert 'href="/admin/images/"' in html
    assert is_in(client)
    assert not is_in(other)
    assert [message.subject for message in mail.outbox] == ["Signing in to CLAC changed"]
    assert "clac.second_step_set_up" in actions()
    stored = set(RecoveryCode.objects.values_list("digest", flat=True))
    assert len(stored) == 10
    assert not any(code.replace("-", "")[:20] in digest.upper() for code in codes for digest in stored)


def test_two_unconfirmed_apps_do_no_harm(client, ana, required):
    """What two tabs at once left behind before the account was locked meanwhile."""
    kept, other = (TOTPDevice.objects.create(user=ana, name="app", confirmed=False) for _tab in range(2))
    sign_in(client)
    assert b32encode(kept.bin_key).decode() in client.get(SET_UP_APP).content.decode()
    assert not TOTPDevice.objects.filter(pk=other.pk).exists()
    assert "Your recovery codes" in client.post(SET_UP_APP, {"code": code_now(kept)}).content.decode()
    assert is_in(client)


@pytest.mark.parametrize("sessions", ["one session", "two sessions"])
def test_two_keys_in_two_tabs_are_finished_one_after_the_other(client, ana, required, sessions):
    """Each tab has a key of its own, as before the account was locked. The older one is what counts: the other's code is refused in
    words, and the account stays with the app that was connected."""
    tabs = [client, client if sessions == "one session" else Client()]
    for tab in tabs:
        sign_in(tab)
        assert tab.get(SET_UP_APP).status_code == 200
    kept = TOTPDevice.objects.get(user=ana)
    late = TOTPDevice.objects.create(user=ana, name="app", confirmed=False)
    assert "Your recovery codes" in tabs[0].post(SET_UP_APP, {"code": code_now(kept)}).content.decode()
    answer = tabs[1].post(SET_UP_APP, {"code": code_now(late)}, follow=True)
    assert answer.status_code == 200
    assert list(TOTPDevice.objects.filter(user=ana, confirmed=True)) == [kept]
    assert is_in(tabs[0])
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        fresh = Client()
        sign_in(fresh)
        assert fresh.get(HOME).url.startswith(ASK)
        fresh.post(ASK, {"code": code_now(kept)})
        assert is_in(fresh)
        assert fresh.get(SET_UP_APP).status_code == 200


def test_two_tabs_show_the_same_app(client, ana, required):
    sign_in(client)
    first, second = (re.search(r'signin-key">(\w+)<', client.get(SET_UP_APP).content.decode())[1] for _tab in range(2))
    assert first == second


def test_after_the_password_comes_the_code(client, ana, app):
    sign_in(client)
    answer = client.get("/admin/images/")
    assert answer.url == f"{ASK}?next=%2Fadmin%2Fimages%2F"
    before = client.session.session_key
    answer = client.post(ASK, {"code": code_now(app), "next": "/admin/images/"})
    assert answer.url == "/admin/images/"
    assert client.session.session_key != before
    assert is_in(client)


def test_a_code_works_once(client, ana, app):
    code = code_now(app)
    sign_in(client)
    client.post(ASK, {"code": code})
    client.post(reverse("wagtailadmin_logout"))
    sign_in(client)
    assert "That is not right" in client.post(ASK, {"code": code}).content.decode()
    assert not is_in(client)


def test_codes_cannot_be_guessed(client, ana, app):
    sign_in(client)
    for number in range(10):
        client.post(ASK, {"code": f"{number:06}"})
    assert "Too many attempts" in client.post(ASK, {"code": code_now(app)}).content.decode()
    assert not is_in(client)
    assert "clac.second_step_failed" in actions()


def test_a_recovery_code_lets_in_once(client, ana, app):
    code = services.new_recovery_codes(ana)[0]
    sign_in(client)
    client.post(ASK, {"code": code.lower().replace("-", " ")})
    assert is_in(client)
    client.post(reverse("wagtailadmin_logout"))
    sign_in(client)
    client.post(ASK, {"code": code})
    assert not is_in(client)
    assert ana.recovery_codes.count() == 9


def test_half_signed_in_is_nobody_on_the_site(client, ana, app, page_of):
    page = page_of("partners")
    sign_in(client)
    html = client.get(page.url).content.decode()
    assert "wagtail-userbar" not in html
    client.post(ASK, {"code": code_now(app)})
    assert "wagtail-userbar" in client.get(page.url).content.decode()


def test_next_leads_nowhere_else(client, ana, app):
    sign_in(client)
    answer = client.post(ASK, {"code": code_now(app), "next": "https://evil.example/"})
    assert answer.url == HOME


def test_what_changes_signing_in_asks_again_who_it_is(client, ana):
    sign_in(client)
    assert client.get(MANAGE).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        assert client.get(MANAGE).url.startswith(ASK)
        assert client.get(reverse("wagtailadmin_account")).url.startswith(ASK)
        assert client.post(reverse("signin_change", args=["sessions"])).url.startswith(ASK) is False
        assert "That is not right" in client.post(ASK, {"code": "wrong"}).content.decode()
        assert client.post(ASK, {"code": PASSWORD, "next": MANAGE}).url == MANAGE
        assert client.get(MANAGE).status_code == 200


def test_an_app_can_be_disconnected_and_codes_made_anew(client, ana, app):
    old = services.new_recovery_codes(ana)[0]
    sign_in(client)
    client.post(ASK, {"code": code_now(app)})
    html = client.post(reverse("signin_change", args=["codes"])).content.decode()
    assert len(re.findall(r"<code>([A-Z2-7-]+)</code>", html)) == 10
    assert old not in html
    client.post(reverse("signin_change", args=["remove"]))
    assert not services.has_app(ana)
    assert not ana.recovery_codes.exists()
    assert len(mail.outbox) == 2


def test_an_administrator_lets_somebody_start_over(client, ana, app, staff_client_named):
    boss = staff_client_named("boss")
    sign_in(client)
    client.post(ASK, {"code": code_now(app)})
    page = reverse("signin_reset", args=[ana.pk])
    assert "1 session ended" in boss.get(page).content.decode()
    assert services.has_app(ana)
    boss.post(page)
    assert not services.has_app(ana)
    assert not is_in(client)
    assert mail.outbox[0].to == ["ana@example.org"]
    assert "Reset signing in" in boss.get("/admin/users/").content.decode()


@pytest.fixture
def staff_client_named(django_user_model):
    def make(name):
        user = django_user_model.objects.create_superuser(name, f"{name}@example.org", PASSWORD)
        UserProfile.objects.create(user=user, preferred_language="en")
        return Client_of(user)

    return make


def test_who_is_no_superuser_does_not_reset_one(client, ana, django_user_model):
    from editorial import roles

    from tests.factories import person

    client.force_login(person(roles.ADMINISTRATOR))
    assert client.post(reverse("signin_reset", args=[ana.pk])).status_code in {302, 403}
    assert ModelLogEntry.objects.filter(action="clac.second_step_reset").count() == 0


def test_the_operator_helps_the_last_administrator(ana, app):
    call_command("reset_second_step", "ana")
    assert not services.has_app(ana)
    with pytest.raises(CommandError, match="no user"):
        call_command("reset_second_step", "nobody")


# Sessions


def test_a_session_gets_a_new_key_when_somebody_signs_in(client, ana):
    client.get(LOGIN)
    before = client.cookies.get("sessionid")
    sign_in(client)
    assert client.cookies["sessionid"].value != (before and before.value)


def test_a_session_ends_when_nobody_is_there_and_in_any_case_after_twelve_hours(client, ana):
    sign_in(client, remember="on")
    start = timezone.now()
    with time_machine.travel(start + timedelta(minutes=119)):
        assert is_in(client)
    with time_machine.travel(start + timedelta(minutes=119 + 121)):
        answer = client.get(HOME, follow=True)
        assert "Your session has ended" in answer.content.decode() or "sesión" in answer.content.decode()
    sign_in(client, remember="on")
    for hours in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11):
        with time_machine.travel(start + timedelta(hours=hours, minutes=5)):
            assert is_in(client), hours
    with time_machine.travel(start + timedelta(hours=12, minutes=10)):
        assert not is_in(client)


def test_signing_out_ends_the_session_on_the_server(client, ana):
    sign_in(client)
    stolen = client.cookies["sessionid"].value
    client.post(reverse("wagtailadmin_logout"))
    assert not Session.objects.filter(session_key=stolen).exists()
    thief = Client()
    thief.cookies["sessionid"] = stolen
    assert not is_in(thief)


def test_a_new_password_signs_out_everywhere_else(client, ana):
    other = Client_of(ana)
    assert is_in(other)
    ana.set_password("otra frase bien larga")
    ana.save()
    assert not is_in(other)


def test_somebody_sees_where_they_are_signed_in_and_ends_it(client, ana, django_user_model):
    django_user_model.objects.create_superuser("rosa", "rosa@example.org", PASSWORD)
    other, rosas = Client(headers={"user-agent": "Old phone"}), Client(headers={"user-agent": "Tablet of Rosa"})
    sign_in(other)
    sign_in(rosas, name="rosa")
    sign_in(client)
    html = client.get(MANAGE).text
    assert "Old phone" in html
    assert "Tablet of Rosa" not in html
    client.post(reverse("signin_change", args=["sessions"]))
    assert not is_in(other)
    assert is_in(client)
    assert is_in(rosas)
    assert "clac.sessions_ended" in actions()


def test_who_is_deactivated_is_out_at_once(client, ana, page_of):
    """Of the admin, where rights are asked for, too, and of pages for which it is enough to be somebody."""
    page = page_of("mission")
    PageViewRestriction.objects.create(page=page, restriction_type=PageViewRestriction.LOGIN)
    sign_in(client)
    assert client.get(page.url).status_code == 200
    ana.is_active = False
    ana.save()
    assert not is_in(client)
    assert client.get(page.url).status_code == 302


def test_the_cookies_are_for_https_and_not_for_scripts(client, ana, settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    sign_in(client)
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"
    assert len(cookie.value) >= 32


def test_pages_for_those_who_are_signed_in_are_not_kept_by_browsers(client, ana):
    sign_in(client)
    for path in (HOME, MANAGE, ASK, "/es/"):
        control = client.get(path, follow=True)["Cache-Control"]
        assert "no-store" in control or "no-cache" in control, path
        assert "public" not in control


def test_a_new_password_does_not_replace_the_second_step(client, ana, app, run_tasks):
    client.post(reverse("wagtailadmin_password_reset"), {"email": "ana@example.org"})
    run_tasks()
    path = re.search(r"http://testserver(/admin/password_reset/\S+)", mail.outbox[0].body)[1]
    form = client.get(path, follow=True)
    new = "otra frase bien larga"
    client.post(form.request["PATH_INFO"], {"new_password1": new, "new_password2": new})
    assert not is_in(client)
    sign_in(client, new)
    assert client.get(HOME).url.startswith(ASK)
