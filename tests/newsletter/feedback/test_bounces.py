"""Bounced mail in a mailbox: whose it was, what it says, and that it is read from a real IMAP server."""

import base64
import os
import shutil
import socket
import subprocess
import tempfile
import time
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from textwrap import dedent

import pytest
from anymail.signals import EventType
from django.core import mail
from django.db import OperationalError
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from privacy import registry

from newsletter.campaigns import lifecycle
from newsletter.delivery import worker
from newsletter.feedback import bounce_mailbox, events
from newsletter.models import Campaign, Delivery, IncomingReport, ProviderEvent, Subscriber
from newsletter.subscribers import subscriptions, tokens

pytestmark = pytest.mark.django_db
State = Delivery.State


@pytest.fixture(autouse=True)
def _mailbox(settings):
    settings.BOUNCE_ADDRESS = "bounces@example.org"


@pytest.fixture
def delivery(issue, subscribe):
    campaign = Campaign.objects.create(issue=issue, state=Campaign.State.SENT)
    return Delivery.objects.create(
        campaign=campaign, subscriber=subscribe("rosa@example.org"), language="es", state=State.SENT
    )


def report(delivery, status="5.1.1", words="550 no such user"):
    """A delivery report (RFC 3464) that came back to a delivery's return path."""
    return (
        dedent(f"""\
        From: MAILER-DAEMON@mx.example.net
        To: {bounce_mailbox.return_path(delivery.pk)}
        Subject: Undelivered Mail Returned to Sender
        Date: Tue, 24 Nov 2026 10:00:00 +0000
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"

        --b
        Content-Type: text/plain

        Sorry.
        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example.net

        Final-Recipient: rfc822; rosa@example.org
        Action: failed
        Status: {status}
        Diagnostic-Code: smtp; {words}

        --b--
        """)
        .replace("\n", "\r\n")
        .encode()
    )


def test_each_mail_has_a_return_path_of_its_own(issue, subscribe, delivery):
    campaign = Campaign.objects.create(issue=issue)
    lifecycle.start(campaign)
    worker.run(campaign, 20)
    message = mail.outbox[0]
    number = campaign.deliveries.get().pk
    assert message.from_email == bounce_mailbox.return_path(number)
    assert message.extra_headers["From"] == "CLAC <boletin@example.org>"
    assert "From: CLAC <boletin@example.org>" in message.message().as_string()


def test_a_return_path_counts_after_the_secret_key_was_rotated(delivery, settings):
    path = bounce_mailbox.return_path(delivery.pk)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    assert (
        bounce_mailbox.delivery_from_return_path(path)
        == bounce_mailbox.delivery_from_return_path(bounce_mailbox.return_path(delivery.pk))
        == delivery.pk
    )
    assert bounce_mailbox.return_path(delivery.pk) != path


def test_only_our_own_return_paths_count(delivery):
    path = bounce_mailbox.return_path(delivery.pk)
    assert bounce_mailbox.delivery_from_return_path(path.upper()) == delivery.pk
    forged = path.replace(f"+{delivery.pk}-", f"+{delivery.pk + 1}-")
    assert bounce_mailbox.delivery_from_return_path(forged) is None
    for address in ("bounces@example.org", "bounces+x@example.org", "", "bounces+1-@example.org"):
        assert bounce_mailbox.delivery_from_return_path(address) is None


@pytest.mark.parametrize(
    ("status", "state", "person"),
    [
        ("5.1.1", State.BOUNCED, "bounced"),
        ("5.2.2", State.BOUNCED, "active"),
        ("4.4.1", State.BOUNCED, "active"),
        ("2.1.5", State.DELIVERED, "active"),
    ],
)
def test_the_report_tells_for_good_from_for_now(delivery, status, state, person):
    events.store_event(bounce_mailbox.PROVIDER, bounce_mailbox.parse_bounce(report(delivery, status)))
    events.process()
    delivery.refresh_from_db()
    assert delivery.state == state
    assert Subscriber.objects.get().state == person
    if state == State.BOUNCED:
        assert "550 no such user" in delivery.error


def test_an_automatic_answer_is_no_bounce(delivery):
    message = EmailMessage()
    message["To"], message["Subject"], message["Auto-Submitted"] = bounce_mailbox.return_path(delivery.pk), "On leave", "auto-replied"  # fmt: skip
    message.set_content("I am away.")
    events.store_event(bounce_mailbox.PROVIDER, bounce_mailbox.parse_bounce(message.as_bytes()))
    events.process()
    delivery.refresh_from_db()
    assert delivery.state == State.SENT


def returned(delivery, body, headers="From: MAILER-DAEMON@mx.example.net"):
    """A message that came back to a delivery's return path."""
    top = f"{dedent(headers)}\nTo: {bounce_mailbox.return_path(delivery.pk)}\nSubject: Mail\nDate: Tue, 24 Nov 2026 10:00:00 +0000\n"
    return (top + dedent(body)).replace("\n", "\r\n").encode("utf-8", "surrogateescape")


def parts(kind, status, text="Sorry.", original="Subject: Hola\n\nHola"):
    """The body of a report of three parts, of which the second has the content type `kind`."""
    return (
        'Content-Type: multipart/report; boundary="b"\nMIME-Version: 1.0\n\n--b\nContent-Type: text/plain\n\n'
        f"{text}\n--b\nContent-Type: {kind}\n\n{dedent(status)}\n--b\nContent-Type: message/rfc822\n\n{original}\n--b--\n"
    )


DSN, DSN_UTF8, ARF = "message/delivery-status", "message/global-delivery-status", "message/feedback-report"
FAILED = """\
    Reporting-MTA: dns; mx.example.net

    Final-Recipient: rfc822; rosa@example.org
    Action: {action}
    Status: {status}
    Diagnostic-Code: smtp; {words}
"""


def failed(status, words="", action="failed", kind=DSN, **others):
    return parts(kind, dedent(FAILED).format(action=action, status=status, words=words), **others)


# Small messages in the manner of each program, with what they amount to.
SAMPLES = {
    "postfix: unknown user": (failed("5.1.1", "550 5.1.1 <rosa@example.org>: User unknown in virtual mailbox table"), "bounced"),
    "postfix: no such domain": (failed("5.4.4", "X-Postfix; Host or domain name not found. Name service error"), "bounced"),
    "postfix: still trying": (failed("4.4.1", "connect to mx: Connection timed out", "delayed"), "deferred"),
    "postfix: given up after five days": (failed("4.4.1", "connect to mx: Connection timed out"), "system bounce"),
    "gmail: full": (failed("4.2.2", "452-4.2.2 The recipient's inbox is out of storage space"), "soft bounce"),
    "gmail: DMARC": (failed("5.7.26", "550-5.7.26 Unauthenticated email is not accepted"), "policy bounce"),
    "exchange: unknown": (failed("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found"), "bounced"),
    "exchange: edge block": (failed("5.4.1", "550 5.4.1 Recipient address rejected: Access denied"), "bounced"),
    "exchange: too large": (failed("5.3.4", "550 5.3.4 ROUTING.SizeLimit; message size exceeds limit"), "system bounce"),
    "microsoft: blocked": (failed("5.7.606", "550 5.7.606 Access denied, banned sending IP"), "policy bounce"),
    "microsoft: mailbox unavailable": (failed("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable"), "bounced"),
    "a general code, the server's own says it": (failed("5.0.0", "550 5.7.1 Message blocked"), "policy bounce"),
    "no diagnosis, the words say it": (failed("5.0.0", text="<rosa@example.org>: no such user here"), "bounced"),
    "no diagnosis at all": (failed("5.0.0"), "system bounce"),
    "comments": (failed("5.1.1 (bad destination mailbox address)", action="failed (bad)"), "bounced"),
    "no code": (failed("", "550 user unknown"), "bounced"),
    "UTF-8": (failed("5.1.1", "550 usuário desconhecido", kind=DSN_UTF8), "bounced"),
    "UTF-8, in base64": (
        parts(f"{DSN_UTF8}\nContent-Transfer-Encoding: base64", base64.b64encode(dedent(FAILED).format(action="failed", status="5.1.1", words="x").encode()).decode()),
        "bounced",
    ),
    "several behind one address, one has it": (
        parts(DSN, FAILED.format(action="failed", status="5.1.1", words="") + "\n    Final-Recipient: rfc822; b@example.org\n    Action: relayed\n    Status: 2.0.0\n"),
        "delivered",
    ),
    "the returned mail speaks of spam": (failed("5.1.1", original="Subject: spam\n\nblocked by policy"), "bounced"),
    "the returned mail speaks of unknown users": (failed("5.0.0", original="Subject: x\n\n550 5.1.1 unknown user"), "system bounce"),
    "the parts are not marked": ("\nSorry.\n\n" + dedent(FAILED).format(action="failed", status="5.1.1", words="550 no"), "bounced"),
    "exim": (
        "\nThis message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to all of "
        "its recipients. The following address(es) failed:\n\n  rosa@example.org\n    Unrouteable address\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\nReceived: x\n\nspam",
        "bounced",
    ),
    "exim: blocked": (
        "\nThis message was created automatically by mail delivery software.\nThe following address(es) failed:\n\n  rosa@example.org\n"
        "    SMTP error from remote mail server after RCPT TO: 550 blocked using dnsbl.example.net\n\n"
        "------ This is a copy of the message ------\n",
        "policy bounce",
    ),
    "exim: no such user, says the other server": (
        "\nThis message was created automatically by mail delivery software.\nThe following address(es) failed:\n\n  rosa@example.org\n"
        "    host mx.example.net [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<rosa@example.org>:\n    550 No Such User Here\n\n"
        "------ This is a copy of the message ------\n",
        "bounced",
    ),
    "accents in a field": (failed("5.0.0", "550 A conta de e-mail não existe"), "bounced"),
    "accents in a field, in Latin 1": (failed("5.0.0", "550 Usu\udce1rio desconhecido"), "bounced"),
    "office: delayed, in Portuguese": ("\nA entrega para estes destinatários está atrasada. Ainda não foi entregue.\n\nusuário não encontrado\n", "system bounce"),
    "office: delayed, in Spanish": ("\nLa entrega se ha retrasado. El servidor seguirá intentándolo.\n\nusuario no encontrado\n", "system bounce"),
    "exim: a warning": (
        "\nThis message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or "
        "more of its\nrecipients after more than 24 hours on the queue on mx.example.net.\n\nThe address to which the message has not "
        "yet been delivered is:\n\n  rosa@example.org\n\nNo action is required on your part. Delivery attempts will continue.\n",
        "deferred",
    ),
    "qmail": (
        "\nHi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following "
        "addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<rosa@example.org>:\nSorry, no mailbox here by "
        "that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <x@example.org>\n",
        "bounced",
    ),
    "qmail: the network": (
        "\nHi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following "
        "addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<rosa@example.org>:\nSorry, I wasn't able to "
        "establish an SMTP connection. (#4.4.1)\nI'm not going to try again.\n\n--- Below this line is a copy of the message.\n",
        "system bounce",
    ),
    "yahoo": (
        "\nMessage from yahoo.example.\nUnable to deliver message to the following address(es).\n\n<rosa@example.org>:\nThis user doesn't "
        "have a yahoo.example account (rosa@example.org) [-9]\n\n--- Original message follows.\n",
        "bounced",
    ),
    "yahoo: disabled": (
        "\nMessage from yahoo.example.\nUnable to deliver message to the following address(es).\n\n<rosa@example.org>:\nSorry. This account "
        "has been disabled or discontinued.\n\n--- Original message follows.\n",
        "soft bounce",
    ),
    "domino": ("\nYour message\n\nwas not delivered to:\n\n  rosa@example.org\n\nbecause:\n\n  User rosa not listed in Domino Directory\n", "bounced"),
    "a server that gives no reason": ("\nDelivery to the following recipients failed.\n\n   rosa@example.org\n", "system bounce"),
    "a page of HTML": ("Content-Type: text/html\n\n<p>Mail could not be delivered:<br>rosa@example.org: <b>unknown user</b></p>", "bounced"),
    "a complaint": (parts(ARF, "Feedback-Type: abuse\nVersion: 1\n"), "complained"),
    "a reader who opts out": (parts(ARF, "Feedback-Type: opt-out\nVersion: 1\n"), "unsubscribed"),
    "no spam after all": (parts(ARF, "Feedback-Type: not-spam\nVersion: 1\n"), "unknown"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind"), SAMPLES.values(), ids=SAMPLES)
def test_bounces_are_judged_as_they_are(delivery, body, kind):
    assert bounce_mailbox.parse_bounce(returned(delivery, body)).event_type == kind


def test_a_reader_who_writes_of_unknown_users_is_no_bounce(delivery):
    raw = returned(delivery, "\nThe user is unknown to me. 550 5.1.1\n", "From: Rosa <rosa@example.org>")
    assert bounce_mailbox.parse_bounce(raw).event_type == "unknown"


AWAY = "Estoy de vacaciones hasta el 4 de enero; no abro archivos adjuntos de remitentes desconocidos."
PERSON = "Return-Path: <>\nFrom: Rosa <rosa@example.org>"
REPLIES = {
    "vacaciones": (f"{PERSON}\nAuto-Submitted: auto-replied", AWAY),
    "vacaciones, nothing says that it is automatic": (PERSON, AWAY),
    "férias": (PERSON, "Estou de férias. Mensagens de um endereço desconhecido não são lidas; este usuário não existe para spam."),
    "a helpdesk": (f"{PERSON}\nAuto-Submitted: auto-generated", "Your ticket was opened; no account is needed to answer.\nStatus: open\nAction: failed"),
    "a helpdesk that sends as anybody": (PERSON, "Ticket 12: no such user account was found.\n\nStatus: 5.1.1\nAction: failed"),
    "a challenge": (PERSON, "You are an unknown user to me. Confirm that your address exists."),
    "no subject": (PERSON, "Si el asunto no existe, el correo no se lee."),
    "a name as of a server's domain": ("Return-Path: <>\nFrom: Rosa <rosa@postmaster.example>", AWAY),
    "a receipt": ("Return-Path: <>\nFrom: postmaster@example.net\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b", '--b\nContent-Type: text/plain\n\nThe user is unknown.\n--b--'),
}  # fmt: skip


@pytest.mark.parametrize(("headers", "words"), REPLIES.values(), ids=REPLIES)
def test_an_automatic_reply_ends_and_counts_nothing(delivery, headers, words):
    event = bounce_mailbox.parse_bounce(returned(delivery, f"\n{words}\n", headers))
    assert event.event_type in {EventType.AUTORESPONDED, "unknown"}


@pytest.mark.parametrize("sender", ["Mail Delivery System <Mailer-Daemon@mx.example.net>", "postmaster@example.net", "MAILER-DAEMON"])  # fmt: skip
def test_a_report_of_a_server_may_call_itself_a_reply(delivery, sender):
    raw = returned(
        delivery, "\nThe user is unknown.\n", f"Return-Path: <>\nFrom: {sender}\nAuto-Submitted: auto-replied"
    )
    assert bounce_mailbox.parse_bounce(raw).event_type == "bounced"


def test_a_report_from_anybody_counts_if_it_is_marked_as_one(delivery):
    body = failed("5.0.0", text="no such user here").replace("report;", "report; report-type=delivery-status;")
    assert (
        bounce_mailbox.parse_bounce(returned(delivery, body, "From: Servidor <x@example.net>")).event_type == "bounced"
    )
    marked = 'Content-Type: multipart/report; report-type="delivery-status"; boundary=b\n\n--b\n\nThe user is unknown.\n--b--\n'
    assert (
        bounce_mailbox.parse_bounce(returned(delivery, marked, "From: Servidor <x@example.net>")).event_type
        == "bounced"
    )


def test_a_report_inside_the_returned_mail_is_about_another_mail(delivery):
    inner = failed("5.1.1", "550 unknown user").replace('"b"', '"c"').replace("--b", "--c")
    assert (
        bounce_mailbox.parse_bounce(returned(delivery, failed("5.2.2", "mailbox full", original=inner))).event_type
        == "soft bounce"
    )
    forwarded = f"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee below.\n--b\nContent-Type: message/rfc822\n\n{inner}\n--b--\n"
    assert bounce_mailbox.parse_bounce(returned(delivery, forwarded, PERSON)).event_type == "unknown"


def test_a_complaint_names_the_mail_by_its_return_path(delivery):
    body = parts(
        ARF, "Feedback-Type: abuse\n", original=f"Return-Path: <{bounce_mailbox.return_path(delivery.pk)}>\n\nHola"
    )
    raw = b"From: fbl@example.net\r\nTo: abuse@example.org\r\n" + body.encode()
    events.store_event(bounce_mailbox.PROVIDER, bounce_mailbox.parse_bounce(raw))
    events.process()
    assert Subscriber.objects.get().state == "complained"


@pytest.mark.parametrize(
    "date",
    ["Tue, 24 Nov 2026 10:00:00 -0000", "Mon, 01 Jan 0001 00:00:00 +1400", "yesterday", "", "Fri, 31 Dec 9999 23:59:59 -1200", "\ufffd"],
)  # fmt: skip
def test_a_strange_date_stops_nothing(delivery, date):
    raw = report(delivery).replace(b"Tue, 24 Nov 2026 10:00:00 +0000", date.encode())
    before = timezone.now()
    events.store_event(bounce_mailbox.PROVIDER, bounce_mailbox.parse_bounce(raw))
    events.process()
    person = Subscriber.objects.get()
    assert person.state == "bounced"
    # Retention counts from here: a date of long ago would delete what should stay known.
    assert person.ended_at >= before or person.ended_at.isoformat() == "2026-11-24T10:00:00+00:00"


def move(person, address):
    """Have a subscriber move to another address, as by the link."""
    Subscriber.objects.filter(pk=person.pk).update(new_email=address)
    person.refresh_from_db()
    subscriptions.confirm_new_address(tokens.make(tokens.ADDRESS, person, address))


def test_a_bounce_of_the_old_address_leaves_the_subscription_at_the_new_one(delivery):
    Delivery.objects.update(sent_at=timezone.now() - timedelta(seconds=60))
    raw = report(delivery)
    move(delivery.subscriber, "rosa.new@example.org")
    events.store_event(bounce_mailbox.PROVIDER, bounce_mailbox.parse_bounce(raw))
    events.process()
    person = Subscriber.objects.get()
    assert (person.email, person.state) == ("rosa.new@example.org", "active")
    Delivery.objects.update(sent_at=timezone.now())
    events.store_event(bounce_mailbox.PROVIDER, bounce_mailbox.parse_bounce(raw + b"again"))
    events.process()
    assert Subscriber.objects.get().state == "bounced"


class Mailbox:
    """An IMAP mailbox in memory: {number: message}, and the flags that were set."""

    def __init__(self, messages):
        self.messages, self.flags = dict(enumerate(messages, 1)), {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def uid(self, command, number, *rest):
        if command == "SEARCH":
            return "OK", [" ".join(str(key) for key in self.messages if key not in self.flags).encode()]
        if command == "FETCH":
            message = self.messages[int(number)]
            return "OK", [None] if message is None else [(b"1 (BODY[] {3}", message), b")"]
        self.flags[int(number)] = rest[-1].strip("()\\")
        return "OK", [b""]

    def expunge(self):
        pass


@pytest.fixture
def mailbox(settings, monkeypatch):
    """Have bounces.poll() find these messages."""
    settings.BOUNCE_IMAP_HOST = "imap.example.org"

    def fill(*messages):
        found = Mailbox(messages)
        monkeypatch.setattr(bounce_mailbox, "_open_inbox", lambda: found)
        return found

    return fill


def test_each_message_stands_alone(delivery, mailbox, monkeypatch, staff_client):
    judge = bounce_mailbox._delivery_report

    def fail_once(message):
        if message["X-Broken"]:
            raise UnicodeError("rosa@example.org cannot be decoded")
        return judge(message)

    monkeypatch.setattr(bounce_mailbox, "_delivery_report", fail_once)
    question = returned(delivery, "\nIs this about coffee?\n", "From: Rosa <rosa@example.org>")
    found = mailbox(
        b"X-Broken: yes\r\n" + report(delivery),
        None,  # somebody deleted it meanwhile
        question,
        report(delivery).replace(b"+0000", b"-0000"),
        b"To: bounces@example.org\r\n\r\nHello?",
    )
    assert bounce_mailbox.poll() == "1 kept, 1 left in the mailbox, 2 set aside"
    assert found.flags == {1: "Deleted", 3: "Deleted", 4: "Deleted", 5: "Flagged"}
    events.process()
    assert Subscriber.objects.get().state == "bounced"
    rows = {row.problem: bytes(row.body) for row in IncomingReport.objects.all()}
    assert rows == {
        "UnicodeError: … cannot be decoded": b"X-Broken: yes\r\n" + report(delivery),
        "not understood": question,
    }
    html = staff_client.get("/admin/unreadable-reports/").content.decode()
    assert "not understood" in html
    number = IncomingReport.objects.get(problem="not understood").pk
    assert f"/admin/unreadable-reports/inspect/{number}/" in html
    assert "Is this about coffee?" in staff_client.get(f"/admin/unreadable-reports/inspect/{number}/").content.decode()


def test_a_database_that_is_away_is_not_the_messages_fault(delivery, mailbox, monkeypatch):
    def away(*arguments):
        raise OperationalError

    found = mailbox(report(delivery))
    monkeypatch.setattr(events, "store_event", away)
    with pytest.raises(OperationalError):
        bounce_mailbox.poll()
    assert not found.flags


NOISY = st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NOISY, NOISY)
def test_whatever_comes_is_judged_and_ends_nobody_without_a_reason(delivery, head, body):
    raw = f"To: {bounce_mailbox.return_path(delivery.pk)}\r\n".encode() + head + b"\r\n\r\n" + body
    assert bounce_mailbox.parse_bounce(raw).event_type != "bounced"


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00", b"To: someone@example.org\r\n\r\nHi", b"Content-Type: multipart/report\r\n\r\n"]
)
def test_other_mail_is_nobodys_bounce(raw):
    assert bounce_mailbox.parse_bounce(raw) is None


@pytest.fixture
def imap(settings):
    """A Dovecot of its own (Debian's package), with one mailbox; installed and used by `make test-services`."""
    dovecot = shutil.which("dovecot") or "/usr/sbin/dovecot"
    if not shutil.which(dovecot):
        pytest.skip("needs Dovecot (make test-services)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Dovecot touches no mail as root; then the mailbox is nobody's.
    owner, group = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    os.chown(folder, owner, group)
    mailbox = folder / "mail"
    (mailbox / "new").mkdir(parents=True)
    for name in ("", "new", "cur", "tmp"):
        (mailbox / name).mkdir(exist_ok=True)
        os.chown(mailbox / name, owner, group)
    configuration = folder / "dovecot.conf"
    configuration.write_text(f"""
        protocols = imap
        listen = 127.0.0.1
        base_dir = {folder}/run
        state_dir = {folder}/state
        log_path = {folder}/log
        ssl = no
        disable_plaintext_auth = no
        mail_location = maildir:{mailbox}
        first_valid_uid = 0
        first_valid_gid = 0
        passdb {{
          driver = static
          args = password=secret
        }}
        userdb {{
          driver = static
          args = uid={owner} gid={group} home={folder}
        }}
        service imap-login {{
          chroot =
          inet_listener imap {{
            port = {port}
          }}
          inet_listener imaps {{
            port = 0
          }}
        }}
    """)
    process = subprocess.Popen([dovecot, "-F", "-c", configuration])
    settings.BOUNCE_IMAP_HOST, settings.BOUNCE_IMAP_PORT, settings.BOUNCE_IMAP_TLS = "127.0.0.1", port, False
    settings.BOUNCE_IMAP_USER, settings.BOUNCE_IMAP_PASSWORD = "bounces", "secret"
    for _attempt in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield mailbox
    process.terminate()
    process.wait()
    shutil.rmtree(folder)


def test_a_mailbox_is_read_and_what_is_not_ours_is_left_in_it(imap, delivery):
    (imap / "new" / "1.a").write_bytes(report(delivery))
    (imap / "new" / "2.b").write_bytes(b"To: bounces@example.org\r\nSubject: A question\r\n\r\nHello?\r\n")
    assert bounce_mailbox.poll() == "1 kept, 1 left in the mailbox"
    assert bounce_mailbox.poll() == "0 kept, 0 left in the mailbox"
    events.process()
    delivery.refresh_from_db()
    assert delivery.state == State.BOUNCED
    assert ProviderEvent.objects.count() == 1
    left = [path.read_bytes() for folder in ("new", "cur") for path in (imap / folder).iterdir()]
    assert len(left) == 1
    assert b"A question" in left[0]


def test_an_erasure_reaches_the_mails_that_were_left_in_the_mailbox(imap, delivery, django_capture_on_commit_callbacks):
    encoded = base64.encodebytes(b"Please take Rosa@Example.org off the list. " + b"x" * 60)
    mails = {
        "1.a": b"To: bounces@example.org\r\nSubject: Out\r\n\r\nrosa@example.org is away\r\n",
        "2.b": b"To: bounces@example.org\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded,
        "3.c": b"To: bounces@example.org\r\nSubject: A question\r\n\r\nprosa@example.org asks\r\n",
    }
    for name, raw in mails.items():
        (imap / "new" / name).write_bytes(raw)
    bounce_mailbox.poll()
    assert len(registry.export_data("rosa@example.org")["bounce_mailbox"]) == 2
    with django_capture_on_commit_callbacks(execute=True):
        registry.erase("rosa@example.org")
    left = [path.read_bytes() for folder in ("new", "cur") for path in (imap / folder).iterdir()]
    assert left == [mails["3.c"]]


def test_without_a_mailbox_nothing_is_asked():
    assert bounce_mailbox.poll() is None
