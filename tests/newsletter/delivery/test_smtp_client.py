"""The SMTP client against a server that does what none should: it never takes for a yes what is not one, and never hangs."""

import ssl
import subprocess
import time
import uuid
from collections import Counter

import pytest

from newsletter.campaigns.snapshots import Content
from newsletter.delivery.errors import ErrorAction
from newsletter.delivery.personalisation import Recipient
from newsletter.delivery.transports import smtp
from newsletter.delivery.transports.base import EXIT_SECONDS, OutgoingMessage
from newsletter.delivery.transports.smtp import Channel, SMTPTransport
from newsletter.delivery.transports.smtp_client import Connection
from newsletter.delivery.worker import Lease
from newsletter.models import Campaign, CampaignContent
from tests.hostile import POLITE, STEPS, HostileServer, drop, say, stall, trickle

CAMPAIGN = Campaign(pk=7)
SHORT = 1.5  # seconds that the client waits for a server that stalls; a busy machine answers later than in one
NOT_SENT = {ErrorAction.AWAY, ErrorAction.LATER, ErrorAction.HALT, ErrorAction.NEVER}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(smtp, "POLL_SECONDS", 0.05)


@pytest.fixture(params=["pipelined", "one by one"])
def server(request, settings):
    """A server, with and without PIPELINING, and the site set to send by it over one connection."""
    with HostileServer() as server:
        if request.param != "pipelined":
            server.features.remove("PIPELINING")
        use(server, settings)
        yield server


@pytest.fixture
def plain_server(settings):
    """The same with PIPELINING only."""
    with HostileServer() as server:
        use(server, settings)
        yield server


def use(server, settings):
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = False, "", ""
    settings.EMAIL_TIMEOUT, settings.SMTP_CONNECTIONS = 2, 1
    settings.SMTP_REPLY_SECONDS = dict.fromkeys(["greeting", "sender", "recipient", "data", "end"], 2)


def be_short(settings):
    settings.EMAIL_TIMEOUT = SHORT
    settings.SMTP_REPLY_SECONDS = dict.fromkeys(settings.SMTP_REPLY_SECONDS, SHORT)


def mails(number, lease=None):
    """As many mails to 0@example.org, 1@example.org …"""
    row = CampaignContent(pk=1, campaign=CAMPAIGN, language="es", subject="Hola ñ", html="<p>ñ</p>", text="ñ\n.\n")
    content = Content(row, CAMPAIGN)
    lease = lease or held()
    return [
        OutgoingMessage(
            Recipient(each, uuid.UUID(int=each), f"{each}@example.org", "", "es", CAMPAIGN.pk), content, lease
        )
        for each in range(number)
    ]


def held():
    lease = Lease()
    lease.renew(time.monotonic())
    return lease


def send(outgoing, seconds=15, recording=0):
    """Have mails sent as the loop does, which records a result in `recording` seconds; returns {address: outcome}. Each comes back
    exactly once."""
    outcomes, until = Counter(), time.monotonic() + seconds
    found = {}
    with SMTPTransport("smtp") as transport:
        transport.submit(outgoing)
        while len(found) < len(outgoing):
            assert time.monotonic() < until, f"it hangs; so far {found}"
            assert transport.is_alive()
            result = transport.results.get(timeout=seconds)
            outcomes[result.mail.recipient.email] += 1
            found[result.mail.recipient.email] = "sent" if result.is_sent else result.outcome
            time.sleep(recording)
            transport.committed([result])
        started = time.monotonic()
    assert time.monotonic() - started < EXIT_SECONDS
    assert not transport.is_alive()
    assert set(outcomes.values()) == {1}
    return found


def actions(found):
    return [outcome if outcome == "sent" else outcome.action for _address, outcome in sorted(found.items())]


def said(server):
    """The client's commands, without what follows them."""
    return [line.split()[0] for line in server.heard]


def check_truth(found, server):
    """What counts as sent arrived once; what counts as not sent did not arrive."""
    copies = Counter(server.kept)
    assert max(copies.values(), default=0) <= 1
    for address, outcome in found.items():
        if outcome == "sent":
            assert copies[address] == 1
        elif outcome.action in NOT_SENT:
            assert copies[address] == 0, f"{address} arrived, and counts as {outcome}"


# Every step


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("wish", [drop, stall, "421 4.3.2 closing"], ids=["drop", "stall", "421"])
@pytest.mark.parametrize("time_", [1, 2])
def test_a_connection_that_ends_at_any_step(server, settings, step, wish, time_):
    if wish is stall:
        be_short(settings)
    server.wishes[step, time_] = wish
    found = send(mails(4))
    if step != "end":
        check_truth(found, server)
    assert actions(found).count("sent") >= 3
    doubtful = [outcome for outcome in found.values() if outcome != "sent" and outcome.action == ErrorAction.UNCLEAR]
    # Only what was written whole and not answered may or may not have gone; 421 says that it did not.
    assert len(doubtful) == (step == "end" and wish in (drop, stall))


NONSENSE = {
    "words": b"hello\r\n",
    "short": b"25\r\n",
    "empty": b"\r\n",
    "letters": b"25O fine\r\n",
    "four digits": b"2500 fine\r\n",
    "glued": b"250fine\r\n",
    "code 1xx": b"150 fine\r\n",
    "code 999": b"999 fine\r\n",
    "not text": b"\xff\xfe\x00\r\n",
    "codes that differ": b"250-fine\r\n550 no\r\n",
    "codes that differ, the other way": b"550-no\r\n250 fine\r\n",
    "no end": b"250-fine\r\n" * 20_000,
    "no line": b"2" * 200_000,
    "other digits": "٢٥٠ fine\r\n".encode(),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("raw", NONSENSE.values(), ids=NONSENSE)
def test_an_answer_that_makes_no_sense_is_no_yes(server, settings, step, raw):
    server.wishes[step, 1] = say(raw)
    found = send(mails(3))
    bad = [outcome for outcome in found.values() if outcome != "sent"]
    assert len(bad) <= 1
    assert "sent" in found.values()
    if step == "end":
        assert actions(found)[0] == ErrorAction.UNCLEAR
    else:
        check_truth(found, server)
        assert not any(outcome.action == ErrorAction.UNCLEAR for outcome in bad)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "end"])
@pytest.mark.parametrize("reply", ["220 hi", "250 fine", "354 go on"])
def test_a_yes_to_something_else_is_no_yes(server, step, reply):
    wanted = {"DATA": "3"}.get(step, "2")
    if reply[0] == wanted:
        return
    server.wishes[step, 1] = reply
    found = send(mails(3))
    assert actions(found)[1:] == ["sent", "sent"]
    assert actions(found)[0] == (ErrorAction.UNCLEAR if step == "end" else ErrorAction.AWAY)


@pytest.mark.parametrize("step", STEPS)
def test_an_answer_that_nobody_asked_for_answers_nothing(server, step):
    """A second 250 must not count for the next mail."""
    polite = POLITE.get(step, "250 PIPELINING" if "PIPELINING" in server.features else "250 x")
    server.wishes[step, 1] = say(f"{polite}\r\n250 fine\r\n".encode())
    found = send(mails(4))
    check_truth(found, server)
    assert actions(found).count("sent") >= 3
    if "PIPELINING" not in server.features:  # else it cannot be told from the next answer
        assert server.count("greeting") > 2, "it went on with a connection that is out of step"


# Answers that are odd and right


def byte_by_byte(reply):
    def answer(session):
        for letter in reply.encode() + b"\r\n":
            session.send(bytes([letter]))
            time.sleep(0.001)

    return answer


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "make",
    [
        byte_by_byte,
        lambda reply: say(reply.encode() + b"\n"),
        lambda reply: say(f"{reply[:3]}\r\n".encode()),
        lambda reply: say(f"{reply[:3]}-{'x' * 8000}\r\n{reply}\r\n".encode()),
        lambda reply: say(f"{reply[:3]}-\r\n".encode() * 100 + f"{reply}\r\n".encode()),
        lambda reply: say(f"{reply[:3]} \xf1 más\r\n".encode("latin-1")),
    ],
    ids=["byte by byte", "LF only", "no words", "8 KB", "a hundred lines", "latin-1"],
)
def test_odd_answers_that_are_right(server, step, make):
    server.wishes[step] = make(POLITE.get(step, "250 fine"))
    found = send(mails(3))
    assert actions(found) == ["sent"] * 3
    check_truth(found, server)


def test_an_answer_that_trickles_has_a_limit(server, settings):
    be_short(settings)
    server.wishes["greeting", 1] = trickle
    started = time.monotonic()
    found = send(mails(2))
    assert actions(found) == [ErrorAction.AWAY, "sent"]
    assert time.monotonic() - started < 5


# Refusals


@pytest.mark.parametrize(
    ("step", "reply", "action"),
    [
        ("greeting", "554 5.7.1 go away", ErrorAction.HALT),
        ("greeting", "450 4.7.0 busy", ErrorAction.AWAY),
        ("EHLO", "500 what", ErrorAction.HALT),
        ("MAIL", "451 4.3.0 disk", ErrorAction.AWAY),
        ("MAIL", "550 5.7.1 not your sender", ErrorAction.HALT),
        ("MAIL", "552 5.3.4 too big", ErrorAction.NEVER),
        ("MAIL", "530 5.7.0 sign in first", ErrorAction.HALT),
        ("RCPT", "450 4.2.1 greylisted", ErrorAction.LATER),
        ("RCPT", "550 5.1.1 nobody", ErrorAction.NEVER),
        ("RCPT", "550-5.1.1 nobody\n550 5.1.1 here", ErrorAction.NEVER),
        ("RCPT", "530 5.7.1 sign in first", ErrorAction.HALT),
        ("DATA", "452 4.3.1 full", ErrorAction.LATER),
        ("DATA", "554 5.5.1 no", ErrorAction.NEVER),
        ("end", "451 4.7.1 later", ErrorAction.LATER),
        ("end", "554 5.6.0 spam", ErrorAction.NEVER),
    ],
)
def test_refusals_in_the_server_s_words(server, step, reply, action):
    server.wishes[step, 1] = reply
    found = send(mails(3))
    assert actions(found) == [action, "sent", "sent"]
    assert found["0@example.org"].words == reply.replace("\n550", "").replace("550-", "550 ")
    if step != "end":
        assert "0@example.org" not in server.kept


def test_a_recipient_refused_while_data_is_welcome_gets_an_empty_end(plain_server):
    """RFC 2920, 3.1: the server waits for a body all the same; nobody gets it."""
    plain_server.wishes["RCPT", 1] = "550 5.1.1 nobody"
    found = send(mails(2))
    assert actions(found) == [ErrorAction.NEVER, "sent"]
    assert plain_server.bodies[0] == (None, b"")


def test_a_sender_refused_while_data_is_welcome_gets_no_body_at_all(plain_server):
    plain_server.wishes["MAIL", 1] = "552 5.2.2 no"
    found = send(mails(2))
    assert actions(found) == [ErrorAction.NEVER, "sent"]
    assert plain_server.kept == ["1@example.org"]


def test_one_mail_that_ends_each_connection_does_not_stop_the_others(server):
    def refuse(session):
        if "3@example.org" in session.server.heard[-1]:
            raise ConnectionError
        session.send(b"250 fine\r\n")

    server.wishes["RCPT"] = refuse
    found = send(mails(8))
    assert found.pop("3@example.org").action == ErrorAction.LATER
    assert set(found.values()) == {"sent"}


def test_pipelining_that_is_offered_and_refused_half_way(plain_server):
    """The server answers 503 to what comes too early (Postfix: improper command pipelining)."""

    def wait_its_turn(session):
        time.sleep(0.02)
        session.connection.setblocking(False)
        early = session.rfile.peek()
        session.connection.setblocking(True)
        session.send(b"503 5.5.0 improper command pipelining\r\n" if early else b"250 fine\r\n")

    plain_server.wishes["RCPT"] = wait_its_turn
    found = send(mails(3))
    assert actions(found) == ["sent"] * 3
    check_truth(found, plain_server)


# Errors of our own


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Channel, "_send"), (Channel, "_open"), (Channel, "_write"), (Channel, "_next_to_pipeline"), (Channel, "_disconnect"), (Channel, "_connect"),
        (Connection, "expect"), (Connection, "wait"), (Connection, "command"), (Connection, "write"), (Connection, "_parse_line"), (Connection, "_ehlo"),
        (Connection, "is_too_big"), (smtp, "prepare"), (SMTPTransport, "next_mail"), (SMTPTransport, "wait_for_mail"), (Content, "as_bytes"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("at", "error"), [(0, KeyError("a fault")), (3, KeyError("a fault")), (1, OSError("a fault"))])
def test_an_error_anywhere_is_the_result_of_one_mail(server, monkeypatch, owner, name, at, error):
    real, calls = getattr(owner, name), []

    def once(*arguments, **more):
        calls.append(name)
        if len(calls) == at + 1:
            raise error
        return real(*arguments, **more)

    monkeypatch.setattr(owner, name, once)
    found = send(mails(5))
    check_truth(found, server)
    assert actions(found).count("sent") >= 4


# What the server offers


@pytest.mark.parametrize(("size", "action"), [("SIZE 300", ErrorAction.NEVER), ("SIZE 0", "sent"), ("SIZE", "sent"), ("SIZE many", "sent")])  # fmt: skip
def test_a_mail_that_is_too_big_for_the_server_is_not_begun(server, size, action):
    server.features = [*[each for each in server.features if not each.startswith("SIZE")], size]
    found = send(mails(3))
    assert actions(found) == [action] * 3
    if action == ErrorAction.NEVER:
        assert not [line for line in server.heard if line.startswith("MAIL")]
        assert "300 bytes" in found["0@example.org"].words


def test_a_server_without_8bitmime_and_smtputf8_gets_plain_ascii(server):
    assert not {"8BITMIME", "SMTPUTF8"} & set(server.features)
    send(mails(2))
    assert all(raw.isascii() for _recipient, raw in server.bodies)
    assert server.messages[0]["Subject"] == "Hola ñ"
    assert server.messages[0].get_body(("plain",)).get_content().splitlines() == ["ñ", "."]


@pytest.mark.parametrize("address", ["a b@example.org", "a@example.org>\r\nRCPT TO:<eve@example.org", "ñ@example.org", "a@ñ.example", "", "a"])  # fmt: skip
def test_an_address_that_smtp_cannot_carry_is_not_begun(server, address):
    first, *others = mails(3)
    first.recipient = Recipient(0, uuid.UUID(int=0), address, "", "es", CAMPAIGN.pk)
    found = send([first, *others])
    assert found[address].action == ErrorAction.NEVER
    assert sorted(server.kept) == ["1@example.org", "2@example.org"]


# Leases, and the end


def test_no_body_is_written_once_the_lease_is_lost(server):
    lease = held()

    def lose(session):
        lease.lose(1)
        session.send(b"354 go on\r\n")

    server.wishes["DATA", 2] = lose
    found = send(mails(3, lease))
    assert actions(found) == ["sent", ErrorAction.RELEASED, "sent"]
    assert "1@example.org" not in server.kept


@pytest.mark.parametrize("step", STEPS)
def test_whatever_hangs_the_carrier_ends_and_gives_back_what_was_not_begun(server, step):
    server.wishes[step] = stall
    with SMTPTransport("smtp") as transport:
        transport.submit(mails(5))
        deadline = time.monotonic() + 3
        while len(server.heard) < min(STEPS.index(step), 4) and time.monotonic() < deadline:
            time.sleep(0.01)
        given_back = transport.withdraw()
        assert len(given_back) >= 3
        started = time.monotonic()
    assert time.monotonic() - started < EXIT_SECONDS
    assert not transport.is_alive()


def test_a_carrier_that_ends_at_once_ends(server):
    transport = SMTPTransport("smtp")
    transport._loop.call_soon(transport._end)  # its thread has not come to anything yet
    transport._thread.start()
    transport._thread.join(EXIT_SECONDS)
    assert not transport.is_alive()


def test_a_connection_that_was_closed_while_idle_costs_nothing(server):
    """With or without a goodbye: the next mail goes over a new connection."""
    with SMTPTransport("smtp") as transport:
        for number, goodbye in enumerate([b"421 4.4.2 idle\r\n", b""]):

            def close(session, goodbye=goodbye):
                session.send(b"250 kept\r\n" + goodbye)
                raise ConnectionError

            server.wishes["end", 2 * number + 1] = close
            for mail in mails(2):
                transport.submit([mail])
                result = transport.results.get(timeout=10)
                assert result.is_sent
                transport.committed([result])
                time.sleep(0.1)
    assert len(server.kept) == 4


@pytest.mark.parametrize("wish", [drop, "421 4.7.0 enough of this connection"], ids=["drop", "421"])
def test_a_connection_that_has_had_its_day_costs_nothing(server, wish):
    server.wishes["MAIL", 2] = wish
    assert actions(send(mails(4))) == ["sent"] * 4
    assert len(server.kept) == 4


def test_a_connection_that_ends_while_a_result_is_recorded_costs_nothing(plain_server):
    """The database takes its time; meanwhile the server gives up waiting for the next body."""

    def give_up(session):
        session.send(b"354 go on\r\n")
        raise ConnectionError

    plain_server.wishes["DATA", 2] = give_up
    assert actions(send(mails(2), recording=0.3)) == ["sent", "sent"]
    assert sorted(plain_server.kept) == ["0@example.org", "1@example.org"]


def test_a_server_that_closes_each_connection_before_the_mail_is_not_asked_for_ever(server):
    server.wishes["DATA"] = say(b"354 go on\r\n421 4.3.2 closing\r\n")
    found = send(mails(2))
    assert actions(found) == [ErrorAction.LATER] * 2
    assert said(server).count("DATA") == 2


# TLS


def certificate(folder, name):
    """A certificate for `name` (an IP address or a host) that signs itself: (file of it, file of its key)."""
    kind = "IP" if name[0].isdigit() else "DNS"
    files = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}", "-out", files[0], "-keyout", files[1]]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def tls_server(plain_server, settings, trusted, monkeypatch):
    """A server with STARTTLS, whose certificate this machine trusts."""
    files = trusted
    plain_server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    plain_server.context.load_cert_chain(*files)
    plain_server.features.append("STARTTLS")
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    settings.EMAIL_USE_TLS = True
    return plain_server


def test_mail_goes_out_under_tls_and_what_was_offered_before_is_forgotten(tls_server, settings):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "ana", "secreta"
    tls_server.wishes["EHLO", 1] = "250-server\n250-SIZE 1\n250-AUTH CRAM-MD5\n250 STARTTLS"
    tls_server.features = ["PIPELINING", "AUTH PLAIN"]
    assert actions(send(mails(3))) == ["sent"] * 3
    assert said(tls_server)[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


@pytest.mark.parametrize(
    "injected",
    [b"250 fine\r\n", b"250-server\r\n250 AUTH PLAIN\r\n", b"2", b"250-a\r\n", b"\r\n", b"220 go on\r\n" * 50],
)
@pytest.mark.parametrize("pause", [0, 0.002])
def test_what_comes_before_tls_begins_is_no_answer(tls_server, settings, injected, pause):
    """The command injection of STARTTLS (CVE-2011-0411's kind): bytes in the open after the 220 of the server."""
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "ana", "secreta"
    tls_server.features.append("AUTH PLAIN")

    def inject(session):
        session.send(b"220 go on\r\n" + (b"" if pause else injected))
        if pause:
            time.sleep(pause)
            session.send(injected)

    tls_server.wishes["STARTTLS"] = inject
    found = send(mails(1))
    assert actions(found)[0] in ({ErrorAction.HALT, ErrorAction.AWAY} if pause else {ErrorAction.HALT})
    assert said(tls_server) == ["EHLO", "STARTTLS"], "nothing is said after it"
    assert not tls_server.kept


@pytest.mark.parametrize(("reply", "action"), [("454 4.7.0 no TLS now", ErrorAction.AWAY), ("502 what", ErrorAction.HALT), ("250 fine", ErrorAction.AWAY)])  # fmt: skip
def test_without_tls_nothing_is_sent(tls_server, reply, action):
    tls_server.wishes["STARTTLS"] = reply
    assert actions(send(mails(1))) == [action]
    assert not tls_server.kept


def test_a_server_that_no_longer_offers_tls_gets_nothing(tls_server):
    tls_server.features.remove("STARTTLS")
    found = send(mails(1))
    assert actions(found) == [ErrorAction.HALT]
    assert "STARTTLS" in found["0@example.org"].words
    assert said(tls_server) == ["EHLO", "QUIT"]


@pytest.mark.parametrize("name", ["mail.example.org", "127.0.0.2"])
def test_another_one_s_certificate_halts_the_campaign(tls_server, tmp_path, monkeypatch, name):
    files = certificate(tmp_path, name)
    tls_server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls_server.context.load_cert_chain(*files)
    found = send(mails(1))
    assert actions(found) == [ErrorAction.HALT]
    assert "127.0.0.1" in found["0@example.org"].words


def test_a_certificate_that_nobody_vouches_for_halts_the_campaign(tls_server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    found = send(mails(1))
    assert actions(found) == [ErrorAction.HALT]
    assert "self-signed" in found["0@example.org"].words


@pytest.mark.parametrize("wish", [drop, stall], ids=["drop", "stall"])
def test_a_handshake_that_fails(tls_server, settings, wish):
    be_short(settings)
    tls_server.wishes["STARTTLS", 1] = lambda session: (session.send(b"220 go on\r\n"), wish(session))
    assert actions(send(mails(2))) == [ErrorAction.AWAY, "sent"]


# Signing in


@pytest.fixture
def guarded_server(server, settings):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "ana", "secreta"
    server.features += ["AUTH LOGIN PLAIN"]
    return server


def login(session, *replies):
    """AUTH LOGIN's questions, with these replies."""
    session.send(b"334 VXNlcm5hbWU6\r\n")
    for reply in replies:
        session.hear()
        session.send(f"{reply}\r\n".encode())
        if reply[0] != "3":
            return


def test_signing_in_by_plain(guarded_server):
    assert actions(send(mails(1))) == ["sent"]
    assert "AUTH PLAIN AGFuYQBzZWNyZXRh" in guarded_server.heard


@pytest.mark.parametrize("offer", ["AUTH LOGIN", "AUTH=LOGIN", "auth login", "AUTH CRAM-MD5 LOGIN"])
def test_signing_in_by_login(guarded_server, offer):
    guarded_server.features[-1] = offer
    guarded_server.wishes["AUTH"] = lambda session: login(session, "334 UGFzc3dvcmQ6", "235 welcome")
    assert actions(send(mails(1))) == ["sent"]
    assert guarded_server.heard[1:4] == ["AUTH LOGIN", "YW5h", "c2VjcmV0YQ=="]


def test_another_way_of_signing_in_is_tried_where_the_first_will_not_do(guarded_server):
    guarded_server.wishes["AUTH", 1] = "504 5.5.4 not that one"
    guarded_server.wishes["AUTH", 2] = lambda session: login(session, "334 UGFzc3dvcmQ6", "235 welcome")
    assert actions(send(mails(1))) == ["sent"]


@pytest.mark.parametrize("reply", ["535 5.7.8 no", "250 fine", "500 what"])
def test_the_password_is_not_told_to_whom_refuses_the_name(guarded_server, reply):
    guarded_server.features[-1] = "AUTH LOGIN"
    guarded_server.wishes["AUTH"] = lambda session: login(session, reply)
    found = send(mails(1))
    assert actions(found)[0] in {ErrorAction.HALT, ErrorAction.AWAY}
    assert "c2VjcmV0YQ==" not in guarded_server.heard


@pytest.mark.parametrize(
    ("reply", "action"),
    [("535 5.7.8 wrong password", ErrorAction.HALT), ("454 4.7.0 later", ErrorAction.AWAY), ("250 fine", ErrorAction.AWAY), ("334 more?", ErrorAction.AWAY)],
)  # fmt: skip
def test_signing_in_that_fails(guarded_server, reply, action):
    guarded_server.wishes["AUTH"] = reply
    found = send(mails(1))
    assert actions(found) == [action]
    assert reply in found["0@example.org"].words
    assert "secreta" not in found["0@example.org"].words
    assert not guarded_server.kept


@pytest.mark.parametrize("offer", ["AUTH CRAM-MD5", "AUTH XOAUTH2 NTLM", "XAUTH PLAIN", "8BITMIME"])
def test_no_way_of_signing_in_that_we_know(guarded_server, offer):
    guarded_server.features[-1] = offer
    guarded_server.wishes["EHLO"] = f"250-AUTH PLAIN LOGIN is our motto\n250 {offer}"
    found = send(mails(1))
    assert actions(found) == [ErrorAction.HALT]
    assert "AUTH PLAIN or LOGIN" in found["0@example.org"].words
    assert said(guarded_server) == ["EHLO", "QUIT"]
