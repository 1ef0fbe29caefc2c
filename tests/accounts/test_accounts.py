"""Accounts, passwords, second steps and sessions against OWASP's ASVS 5.0, chapters 6 and 7; test_signin.py has how they work."""

import base64
import hashlib
import random
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import time_machine
from accounts import middleware, services, views
from accounts.models import RecoveryCode
from core import rate_limits
from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from editorial import roles
from pwned_passwords_django import api
from wagtail.models import GroupApprovalTask
from wagtail.users.models import UserProfile

from tests.core.test_access import address_of, read_table
from tests.core.test_access import things as things
from tests.factories import person

pytestmark = pytest.mark.django_db
PASSWORD, NEW = "café con leche y pan", "una frase bien larga"
ROSA = {  # whom an administrator adds
    "username": "rosa",
    "email": "rosa@example.org",
    "first_name": "Rosa",
    "last_name": "Díaz",
    "preferred_language": "es",
}
LOGIN, HOME, ACCOUNT = reverse("wagtailadmin_login"), reverse("wagtailadmin_home"), reverse("wagtailadmin_account")


@pytest.fixture
def ana(django_user_model):
    """An administrator whose admin is in English."""
    user = django_user_model.objects.create_superuser("ana", "ana@example.org", PASSWORD)
    UserProfile.objects.create(user=user, preferred_language="en")
    return user


@pytest.fixture
def eva(django_user_model):
    """Somebody who was invited and has not signed in yet."""
    user = django_user_model.objects.create_user("eva", "eva@example.org")
    user.groups.add(Group.objects.get(name=roles.EDITOR.name))
    return user


def sign_in(client, password=PASSWORD, name="ana"):
    return client.post(LOGIN, {"username": name, "password": password}, headers={"accept-language": "en"})


def is_in(client):
    return client.get(HOME).status_code == 200


@pytest.fixture
def reset_form(client, ana, run_tasks):
    """The address of the form that the mail about a forgotten password leads to."""
    client.post(reverse("wagtailadmin_password_reset"), {"email": ana.email})
    run_tasks()
    path = re.search(r"http://testserver(/admin/password_reset/\S+)", mail.outbox[0].body)[1]
    return Client().get(path).url, path


def choose(path, password):
    """Choose a password by the form of a reset link; returns the answer."""
    link, form = path[1], path[0]
    browser = Client(headers={"accept-language": "en"})
    browser.get(link)
    return browser.post(form, {"new_password1": password, "new_password2": password})


def change(client, old, new):
    """Change one's password by the page of one's account."""
    fields = {"password-old_password": old, "password-new_password1": new, "password-new_password2": new}
    return client.post(ACCOUNT, {**fields, "name_email-first_name": "Ana", "name_email-last_name": "Díaz", "name_email-email": "ana@example.org", "locale-preferred_language": "en", "locale-current_time_zone": "America/Lima", "theme-theme": "system", "theme-contrast": "system", "theme-density": "default", "theme-keyboard_shortcuts": "on"})  # fmt: skip


# Passwords


@pytest.mark.parametrize(
    "password",
    ["short", "eleven lett", "password1234", "qwertyuiop12", "ana.example.org", "clac-comercio-justo", "Fairtrade CLAC 1",
     "wagtail-password", "boletín-senha"],
)  # fmt: skip
def test_what_is_easily_guessed_is_taken_by_no_form(client, ana, reset_form, password):
    assert "errorlist" in choose(reset_form, password).text or "error-message" in choose(reset_form, password).text
    sign_in(client)
    change(client, PASSWORD, password)
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


@pytest.mark.parametrize("password", ["correct horse battery staple", "ñandú y maíz 🌽 en flor", "x7" * 64, " a space at each end ", "ALL IN CAPITALS", "123456 98765 4321 0"])  # fmt: skip
def test_long_passwords_of_any_letters_are_taken_as_they_are(client, ana, reset_form, password):
    assert choose(reset_form, password).status_code == 302
    for wrong in {password[:-1], password[:64], password.swapcase(), password.strip(), f"{password} "} - {password}:
        sign_in(client, wrong)
        assert not is_in(client), wrong
    sign_in(client, password)
    assert is_in(client)


def test_a_password_from_a_breach_is_refused_and_never_told_to_anybody(ana, reset_form, monkeypatch):
    password = "correct horse battery staple"
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    asked = []

    def answer(request):
        asked.append(request)
        return httpx.Response(200, text=f"{digest[5:]}:23\r\n{'0' * 35}:1")

    monkeypatch.setattr(api.default_client, "client", httpx.Client(transport=httpx.MockTransport(answer)))
    assert "was found in breaches of other sites" in choose(reset_form, password).text
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)
    assert asked[0].url == f"https://api.pwnedpasswords.com/range/{digest[:5]}"
    assert digest[5:] not in f"{asked[0].url} {asked[0].headers} {asked[0].content}"
    assert choose(reset_form, NEW).status_code == 302


def test_common_passwords_are_refused_while_nobody_can_be_asked(ana, reset_form, monkeypatch):
    def away(request):
        raise httpx.ConnectError("away")

    monkeypatch.setattr(api.default_client, "client", httpx.Client(transport=httpx.MockTransport(away)))
    assert choose(reset_form, "qwertyuiop123").status_code == 200
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_changing_the_password_takes_the_old_one_and_ends_other_sessions(client, ana):
    other = Client()
    sign_in(other)
    sign_in(client)
    assert "incorrect" in change(client, "wrong", NEW).text
    assert change(client, "", NEW).status_code == 200
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)
    assert change(client, PASSWORD, NEW).status_code == 302
    ana.refresh_from_db()
    assert ana.check_password(NEW)
    assert is_in(client)
    assert not is_in(other)


def test_a_password_does_not_grow_old(client, ana):
    with time_machine.travel(timezone.now() + timedelta(days=5 * 365)):
        sign_in(client)
        assert is_in(client)


def test_a_password_is_hashed_anew_when_that_got_stronger(client, ana, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    ana.password = PBKDF2PasswordHasher().encode(PASSWORD, "a-salt-of-22-letters-x", 1000)
    ana.save()
    sign_in(client)
    ana.refresh_from_db()
    assert ana.password.split("$")[1] == str(PBKDF2PasswordHasher.iterations)


ASKED_FOR = {
    "username", "password", "remember", "next", "csrfmiddlewaretoken", "email", "new_password1", "new_password2", "code",
    "password-old_password", "password-new_password1", "password-new_password2",
}  # fmt: skip
OTHERS_OF_THE_ACCOUNT = ("name_email-", "locale-", "theme-", "avatar-", "notifications-")


def test_forms_ask_for_passwords_masked_and_helped_and_for_no_secret_answers(client, ana, reset_form):
    browser = Client()
    browser.get(reset_form[1])
    pages = [browser.get(reset_form[0]).text, Client().get(LOGIN).text]
    sign_in(client)
    with time_machine.travel(timezone.now() + timedelta(minutes=30)):
        again = client.get(ACCOUNT, follow=True).text
    pages += [Client().get(reverse("wagtailadmin_password_reset")).text, client.get(ACCOUNT).text, again]
    masked = 0
    for html in pages:
        for field in re.findall(r"<(?:input|textarea|select)\b[^>]*>", html):
            name = (re.search(r'name="([^"]*)"', field) or [""] * 2)[1]
            if name.startswith(OTHERS_OF_THE_ACCOUNT) or name in {"", "q"}:
                continue
            assert name in ASKED_FOR, name  # no hint, no question
            if "password" in name or (html is again and name == "code"):
                masked += 1
                assert 'type="password"' in field
                assert not re.search(r'onpaste|oncopy|readonly|maxlength|autocomplete="(off|one-time-code)"', field), (
                    field
                )
    assert masked == 7


# Ways in


def test_no_other_address_lets_anybody_in(ana, things):
    """The name and the password, sent to each address that visitors may use, in each way that a program might."""
    tried, basic = 0, base64.b64encode(f"ana:{PASSWORD}".encode()).decode()
    for route, who in sorted(read_table().items()):
        if "visitor" not in who or route in {"admin/login/"}:
            continue
        path, client = address_of(route, things), Client(raise_request_exception=False)
        fields = {"username": "ana", "password": PASSWORD, "email": "ana@example.org"}
        client.post(path, fields, headers={"authorization": f"Basic {basic}"})
        client.get(
            path, fields, headers={"authorization": "Bearer ana", "remote-user": "ana", "x-forwarded-user": "ana"}
        )
        assert "_auth_user_id" not in client.session, path
        assert not is_in(client), path
        tried += 1
    assert tried > 25
    client = Client()
    sign_in(client)
    assert is_in(client)


def test_new_people_choose_their_own_password_by_a_link_that_works_once_and_for_an_hour(staff_client, run_tasks):
    data = ROSA | {"is_superuser": "on"}
    assert 'type="password"' not in staff_client.get(reverse("wagtailusers_users:add")).text
    staff_client.post(reverse("wagtailusers_users:add"), data)
    run_tasks()
    (sent,) = mail.outbox
    assert sent.to == ["rosa@example.org"]
    path = re.search(r"http://testserver(/admin/password_reset/\S+)", sent.body)[1]
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert not Client().get(path, follow=True).context["validlink"]
    for known in ("", "rosa", "rosa@example.org", path.split("/")[-2]):
        assert not sign_in(Client(), known, "rosa").headers.get("Location")
    form = Client().get(path).url
    assert choose((form, path), NEW).status_code == 302
    assert not Client().get(path, follow=True).context["validlink"]
    client = Client()
    sign_in(client, NEW, "rosa")
    assert is_in(client)
    assert len(mail.outbox) == 1


INVITATIONS = {
    "es": ("Invitación a CLAC", "Ana Díaz", ["Edición", "Traducción al portugués"]),
    "en": ("Invitation to CLAC", "Ana Díaz", ["Editing", "Translation into Portuguese"]),
    "pt-br": ("Convite para CLAC", "Ana Díaz", ["Edição", "Tradução para o português"]),
}


@pytest.mark.parametrize("language", INVITATIONS)
def test_an_invitation_says_in_the_persons_language_who_invites_to_what_and_until_when(
    staff_client, run_tasks, language, django_user_model
):
    django_user_model.objects.filter(pk=staff_client.user.pk).update(first_name="Ana", last_name="Díaz")
    names = [roles.EDITOR.name, roles.TRANSLATORS["pt-br"].name]
    groups = Group.objects.filter(name__in=names).values_list("pk", flat=True)
    data = ROSA | {"last_name": "O'Díaz", "groups": list(groups), "preferred_language": language}
    assert staff_client.post(reverse("wagtailusers_users:add"), data).status_code == 302
    with time_machine.travel(datetime(2026, 12, 24, 18, 30, tzinfo=UTC), tick=False):
        run_tasks()
    (sent,) = mail.outbox
    subject, by, expected = INVITATIONS[language]
    assert sent.subject == subject
    for text in (by, *expected, "Rosa O'Díaz", "13:30 (" if language != "en" else "1:30 p.m. ("):
        assert text in sent.body
    user = django_user_model.objects.get(username="rosa")
    assert user.wagtail_userprofile.preferred_language == language


def test_an_invitation_can_be_sent_again_until_the_person_has_signed_in(client, staff_client, run_tasks, eva):
    edit, again = (reverse(name, args=[eva.pk]) for name in ("wagtailusers_users:edit", "signin_invite"))
    assert again in staff_client.get(edit).text
    assert eva.email in staff_client.get(again).text
    run_tasks()
    assert not mail.outbox
    staff_client.post(again)
    run_tasks()
    (sent,) = mail.outbox
    assert sent.to == [eva.email]
    path = re.search(r"http://testserver(/admin/password_reset/\S+)", sent.body)[1]
    assert choose((Client().get(path).url, path), NEW).status_code == 302
    sign_in(Client(), NEW, eva.username)
    assert again not in staff_client.get(edit).text
    assert staff_client.post(again)["Location"] == HOME
    run_tasks()
    assert len(mail.outbox) == 1


def test_an_invitation_that_is_over_is_replaced_by_asking_for_a_new_password(staff_client, run_tasks):
    staff_client.post(reverse("wagtailusers_users:add"), ROSA)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        Client().post(reverse("wagtailadmin_password_reset"), {"email": "rosa@example.org"})
        run_tasks()
        path = re.search(r"http://testserver(/admin/password_reset/\S+)", mail.outbox[-1].body)[1]
        assert Client().get(path, follow=True).context["validlink"]
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": ""}, {"is_superuser": True}])
def test_an_invitation_is_not_sent_to_who_cannot_use_it_or_stands_above(client, run_tasks, eva, change):
    for name, value in change.items():
        setattr(eva, name, value)
    eva.save()
    client.force_login(person(roles.ADMINISTRATOR))
    assert client.post(reverse("signin_invite", args=[eva.pk]))["Location"] == HOME
    run_tasks()
    assert not mail.outbox


@pytest.mark.parametrize("language", ["es", "en", "pt-br"])
def test_role_names_are_in_the_readers_language(client, django_user_model, eva, language):
    django_user_model.objects.filter(pk=eva.pk).update(is_superuser=True)
    UserProfile.objects.create(user=eva, preferred_language=language)
    own = Group.objects.create(name="Voluntariado")
    client.force_login(eva)
    task = GroupApprovalTask.objects.get()
    expected = {"es": "Publicación", "en": "Publishing", "pt-br": "Publicação"}[language]
    for url in (
        reverse("wagtailusers_groups:index"),
        reverse("wagtailusers_users:index"),
        reverse("wagtailusers_users:add"),
        reverse("wagtailusers_users:edit", args=[eva.pk]),
        reverse("wagtailadmin_workflows:edit_task", args=[task.pk]),
    ):
        text = client.get(url).text
        assert expected in text, url
        assert own.name in text, url
        assert language == "es" or roles.EDITOR.name not in text, url


@pytest.mark.parametrize(("language", "text"), [("en", "Sorry, you do not have permission"), ("pt-br", "Desculpe")])
def test_messages_are_in_the_readers_language_also_when_permission_is_missing(client, eva, language, text):
    UserProfile.objects.create(user=eva, preferred_language=language)
    client.force_login(eva)
    assert text in client.get(reverse("wagtailusers_users:add"), follow=True).text


def test_when_a_check_fails_with_an_error_nobody_is_let_in(ana, monkeypatch):
    """The limits, the password's hash, the second step: an error is not a yes."""

    def fail(*arguments, **fields):
        raise OSError("broken")

    TOTPDevice.objects.create(user=ana, name="app", confirmed=True)
    code = services.new_recovery_codes(ana)[0]
    for place, name in (
        (rate_limits.RateLimitHit.objects, "create"),
        (ana.__class__, "check_password"),
        (services, "user_has_device"),
        (middleware, "user_has_device"),
        (views, "user_has_device"),
        (services, "match_token"),
    ):
        client = Client(raise_request_exception=False)
        with monkeypatch.context() as broken:
            broken.setattr(place, name, fail)
            sign_in(client)
            client.post(reverse("signin_ask"), {"code": code})
            assert not is_in(client), name
        assert not is_in(client), name
    assert ana.recovery_codes.count() == 10


# Secrets


def every_text():
    """All that the database holds, as one text."""
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            yield from (str(value).upper() for row in cursor.fetchall() for value in row)


def test_recovery_codes_are_long_and_only_their_hash_is_kept(ana):
    codes = [code.replace("-", "") for code in services.new_recovery_codes(ana)]
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[A-Z2-7]{32}", code) for code in codes)  # 160 bits
    stored = "\n".join(every_text())
    assert [code for code in codes if code in stored.replace("-", "")] == []
    for digest in RecoveryCode.objects.values_list("digest", flat=True):
        assert digest in {hashlib.sha256(code.encode()).hexdigest() for code in codes}


def test_secrets_do_not_come_from_a_generator_that_can_be_guessed(ana, client, monkeypatch):
    """While they are made nobody takes a number from `random`, which tells the next ones by those before."""
    drawn = []
    for name in ("random", "getrandbits"):
        draw = getattr(random, name)

        def counted(*arguments, draw=draw):
            drawn.append(draw)
            return draw(*arguments)

        for place in (random, random._inst):
            monkeypatch.setattr(place, name, counted)

    def secrets():
        browser = Client()
        answer = sign_in(browser)
        assert answer.status_code == 302
        device = TOTPDevice.objects.create(user=ana, confirmed=False)
        ana.set_password(PASSWORD)
        return [
            browser.session.session_key,
            browser.cookies["csrftoken"].value,
            device.key,
            ana.password,
            *services.new_recovery_codes(ana),
        ]

    first, second = secrets(), secrets()
    assert not drawn
    assert not set(first) & set(second)
    session, csrf, key, _password, *codes = first
    assert len(session) == len(csrf) == 32  # of 36 and 62 letters: 165 and 190 bits
    assert len(key) == 40  # hexadecimal: 160 bits
    assert len(codes) == 10
    random.choice("ab")
    assert drawn  # who takes one is seen


# Sessions


def test_an_invented_or_planted_session_is_nobodys(client, ana):
    client.cookies["sessionid"] = "a" * 32
    assert not is_in(client)
    victim = Client()
    victim.get(reverse("wagtailadmin_password_reset"))
    session = victim.session
    session["planted"] = True
    session.save()
    victim.cookies["sessionid"] = session.session_key
    sign_in(victim)
    assert is_in(victim)
    assert victim.cookies["sessionid"].value != session.session_key
    attacker = Client()
    attacker.cookies["sessionid"] = session.session_key
    assert not is_in(attacker)
    assert not Session.objects.filter(session_key=session.session_key).exists()


def test_proving_who_one_is_gives_a_new_session_and_ends_the_old(client, ana):
    sign_in(client)
    before = client.session.session_key
    client.post(reverse("signin_ask"), {"code": PASSWORD})
    assert is_in(client)
    assert client.session.session_key != before
    thief = Client()
    thief.cookies["sessionid"] = before
    assert not is_in(thief)


def test_what_a_session_may_not_do_without_asking_again(client, ana):
    """After a while, one's address and the sessions stay as they are until it is clear who asks."""
    sign_in(client)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        for path in (ACCOUNT, reverse("signin_change", args=["sessions"]), reverse("signin_change", args=["remove"])):
            answer = client.post(path, {"name_email-email": "thief@example.org"})
            assert answer.status_code == 302
            assert answer.url.startswith(reverse("signin_ask")), path
    ana.refresh_from_db()
    assert ana.email == "ana@example.org"


def connect_another_app(client):
    client.get(reverse("signin_set_up_app"))
    device = TOTPDevice.objects.get(confirmed=False)
    client.post(reverse("signin_set_up_app"), {"code": f"{totp(device.bin_key):06}"})


def second_steps():
    return set(TOTPDevice.objects.filter(confirmed=True)), set(RecoveryCode.objects.all())


CHANGES = {
    "new recovery codes": lambda client: client.post(reverse("signin_change", args=["codes"])),
    "another app": connect_another_app,
    "no app": lambda client: client.post(reverse("signin_change", args=["remove"])),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_the_second_step_ends_other_sessions(client, ana, what):
    """In both sessions the second step was taken, so that nothing but the change keeps one of them out."""
    TOTPDevice.objects.create(user=ana, name="app", confirmed=True)
    codes = services.new_recovery_codes(ana)
    other = Client()
    for browser in (client, other):
        sign_in(browser)
        browser.post(reverse("signin_ask"), {"code": codes.pop()})
        assert is_in(browser)
    before, session = second_steps(), other.session.session_key
    CHANGES[what](client)
    assert second_steps() != before
    assert is_in(client)
    assert not is_in(other)
    assert not Session.objects.filter(session_key=session).exists()


def test_who_is_deleted_is_out_at_once(client, ana):
    sign_in(client)
    assert is_in(client)
    ana.delete()
    assert not is_in(client)


def test_pages_with_personal_data_are_not_kept_by_browsers(client, ana, things):
    sign_in(client)
    number = things[1]["admin/subscribers/"]
    for path in (HOME, ACCOUNT, reverse("signin_manage"), "/admin/subscribers/", f"/admin/newsletter/subscribers/{number}/",
                 "/admin/messages/", "/admin/users/", "/admin/reports/site-history/", "/admin/newsletter/imports/", "/es/"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"], path
        assert "public" not in answer["Cache-Control"], path
