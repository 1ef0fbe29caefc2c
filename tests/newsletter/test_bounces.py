"""Bounced mail in a mailbox: whose it was, what it says, and that it is read from a real IMAP server."""

import base64
import os
import shutil
import socket
import subprocess
import tempfile
import time
from email.message import EmailMessage
from pathlib import Path
from textwrap import dedent

import pytest
from core import privacy
from django.core import mail

from newsletter import bounces, campaigns, events, sending
from newsletter.models import Campaign, Delivery, ProviderEvent, Subscriber

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
        To: {bounces.return_path(delivery.pk)}
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
    campaigns.start(campaign)
    sending.work_on(campaign, 20)
    message = mail.outbox[0]
    number = campaign.deliveries.get().pk
    assert message.from_email == bounces.return_path(number)
    assert message.extra_headers["From"] == "CLAC <boletin@example.org>"
    assert "From: CLAC <boletin@example.org>" in message.message().as_string()


def test_a_return_path_counts_after_the_secret_key_was_rotated(delivery, settings):
    path = bounces.return_path(delivery.pk)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    assert bounces.delivery_of(path) == bounces.delivery_of(bounces.return_path(delivery.pk)) == delivery.pk
    assert bounces.return_path(delivery.pk) != path


def test_only_our_own_return_paths_count(delivery):
    path = bounces.return_path(delivery.pk)
    assert bounces.delivery_of(path.upper()) == delivery.pk
    forged = path.replace(f"+{delivery.pk}-", f"+{delivery.pk + 1}-")
    assert bounces.delivery_of(forged) is None
    for address in ("bounces@example.org", "bounces+x@example.org", "", "bounces+1-@example.org"):
        assert bounces.delivery_of(address) is None


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
    events.keep(bounces.PROVIDER, bounces.event_of(report(delivery, status)))
    events.process()
    delivery.refresh_from_db()
    assert delivery.state == state
    assert Subscriber.objects.get().state == person
    if state == State.BOUNCED:
        assert "550 no such user" in delivery.error


def test_an_automatic_answer_is_no_bounce(delivery):
    message = EmailMessage()
    message["To"], message["Subject"], message["Auto-Submitted"] = bounces.return_path(delivery.pk), "On leave", "auto-replied"  # fmt: skip
    message.set_content("I am away.")
    events.keep(bounces.PROVIDER, bounces.event_of(message.as_bytes()))
    events.process()
    delivery.refresh_from_db()
    assert delivery.state == State.SENT


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00", b"To: someone@example.org\r\n\r\nHi", b"Content-Type: multipart/report\r\n\r\n"]
)
def test_other_mail_is_nobodys_bounce(raw):
    assert bounces.event_of(raw) is None


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
    assert bounces.poll() == "1 kept, 1 left in the mailbox"
    assert bounces.poll() == "0 kept, 0 left in the mailbox"
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
    bounces.poll()
    assert len(privacy.data_of("rosa@example.org")["bounce_mailbox"]) == 2
    with django_capture_on_commit_callbacks(execute=True):
        privacy.erase("rosa@example.org")
    left = [path.read_bytes() for folder in ("new", "cur") for path in (imap / folder).iterdir()]
    assert left == [mails["3.c"]]


def test_without_a_mailbox_nothing_is_asked():
    assert bounces.poll() is None
