"""What lies outside of this machine, played by servers on it: an SMTP server and a provider's API that falter on command."""

import json
import re
import socketserver
import threading
import time
from collections import defaultdict, deque
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl


class _SMTP(socketserver.StreamRequestHandler):
    """One connection. Commands are answered in their order, so a client may pipeline them."""

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self):
        self.server.connections += 1
        try:
            self.converse()
        except (ConnectionError, ValueError):
            return

    def converse(self):
        self.say(self.server.greeting)
        self.recipient, self.is_open = "", False
        while line := self.rfile.readline():
            command = getattr(self, f"do_{line[:4].decode().lower()}", None)
            if command is None:
                self.say("250 fine")
            elif not command(line.decode().strip()):
                return

    def do_ehlo(self, _words):
        *others, last = "stand-in", *self.server.features
        for feature in others:
            self.say(f"250-{feature}")
        self.say(f"250 {last}")
        return True

    def do_auth(self, _words):
        self.say(self.server.auth)
        return True

    def do_mail(self, _words):
        self.is_open = self.server.sender.startswith("2")
        self.say(self.server.sender)
        return True

    def do_rcpt(self, words):
        self.recipient = words.partition("<")[2].rpartition(">")[0]
        reply = self.server.next_for("RCPT", self.recipient) or "250 welcome"
        self.is_open = self.is_open and reply.startswith("2")
        if reply == "drop":
            return False
        self.say(reply)
        return not reply.startswith("421")

    def do_data(self, _words):
        self.say("354 go on" if self.is_open else "503 no recipient")
        return not self.is_open or self.take(self.recipient)

    def do_quit(self, _words):
        return False

    def take(self, recipient):
        """Read a mail and do with it what was ordered; returns whether the connection goes on."""
        order = self.server.next_for("DATA", recipient)
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line or order == "drop":
                return False  # what was cut off is no mail
            lines.append(line[1:] if line.startswith(b"..") else line)
        time.sleep(self.server.seconds)
        if order is None or order in {"vanish", "stall"}:
            self.server.keep(recipient, b"".join(lines))
        if order == "stall":
            time.sleep(self.server.stall_seconds)
        if order in {"vanish", "stall"}:
            return False
        self.say(order or "250 kept")
        return not (order or "").startswith("421")


class SMTPServer(socketserver.ThreadingTCPServer):
    """An SMTP server, used as a context manager. `mails` are the (recipient, message) pairs that it kept.

    `orders["RCPT"]` and `orders["DATA"]` say how it falters for an address: replies to give one after the other, or “drop”
    (closes the connection), “vanish” (keeps the mail and closes without a word), “stall” (keeps it and says nothing).
    """

    allow_reuse_address = daemon_threads = True
    request_queue_size = 200

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _SMTP)
        self.port = self.server_address[1]
        self.greeting, self.sender, self.auth = "220 stand-in", "250 fine", "235 welcome"
        self.features = ["PIPELINING", "8BITMIME", "AUTH PLAIN LOGIN"]
        self.orders = {"RCPT": defaultdict(deque), "DATA": defaultdict(deque)}
        self.mails, self.connections, self.seconds, self.stall_seconds = [], 0, 0, 5
        self._lock = threading.Lock()

    def next_for(self, place, recipient):
        """The next order for an address, or None."""
        with self._lock:
            waiting = self.orders[place].get(recipient)
            return waiting.popleft() if waiting else None

    def keep(self, recipient, raw):
        with self._lock:
            self.mails.append((recipient, message_from_bytes(raw, policy=default)))

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


class _API(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        fields = _fields(self.headers["Content-Type"], raw)
        status, headers, body = self.server.answer(self.headers, fields)
        if status is None:
            self.close_connection = True
            return
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": len(payload)} | headers).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *words):
        pass


def _fields(kind, raw):
    """The fields of a call, whichever way they were written: {name: [values]}."""
    if not kind or kind.startswith(("application/json", "text/plain")):
        return json.loads(raw)
    fields = defaultdict(list)
    if kind.startswith("multipart/form-data"):
        message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw, policy=default)
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            fields[name].append(part.get_payload(decode=True).decode())
    else:
        for name, value in parse_qsl(raw.decode(), keep_blank_values=True):
            fields[name].append(value)
    return fields


class ProviderAPI(ThreadingHTTPServer):
    """The API of any provider, used as a context manager: it takes calls as Anymail writes them for each of them.

    `calls` are what was asked, `people` and `keys` to whom and under which idempotency key each was; `sent` the addresses to whom mail
    really went, repetitions with a key that is known for `key_seconds` left out (refused, if `refuses_repetitions`).
    `orders` are answers to give instead: (status, headers) or (status, headers, body) one after the other; “vanish” sends and gives no
    answer, “garbled” sends and answers nonsense. `poisoned` are addresses for whose sake a whole call is refused.
    """

    daemon_threads = True
    request_queue_size = 200

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _API)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.calls, self.people, self.keys, self.sent, self.orders, self.poisoned = [], [], [], [], deque(), set()
        self.key_seconds, self.refuses_repetitions = 3600, False
        self.seconds, self._known, self._lock = 0, {}, threading.Lock()

    def answer(self, headers, fields):
        """(status, headers, body) of a call."""
        time.sleep(self.seconds)
        with self._lock:
            people, key = _people(fields), _key(headers, fields)
            self.calls.append(fields)
            self.people.append(people)
            self.keys.append(key)
            order = self.orders.popleft() if self.orders else None
            if isinstance(order, tuple):
                status, more, *body = order
                return status, more, body[0] if body else {"message": "not now"}
            if bad := self.poisoned & set(people):
                return 400, {}, {"message": f"'to' parameter is not a valid address: {bad}"}
            number, since = self._known.get(key, (None, 0))
            if not key or time.time() - since > self.key_seconds:
                number = f"<{len(self.calls)}@provider>"
                self.sent += people
                self._known[key] = number, time.time()
            elif self.refuses_repetitions and not order:
                return 400, {}, {"code": "duplicate_parameter", "message": "the key was used"}
            if order == "vanish":
                return None, {}, {}
            if order == "garbled":
                return 200, {}, b"<html>"
            return 200, {"X-Message-Id": number}, _taken(fields, people, number)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")


def _people(fields):
    """The addresses that a call goes to, wherever its provider wants them."""
    found = {}
    for name, value in fields.items() if isinstance(fields, dict) else []:
        if name.lower() in {"to", "toaddresses", "recipients"}:
            found |= dict.fromkeys(_addresses(value))
        elif isinstance(value, dict):
            found |= dict.fromkeys(_people(value))
        elif isinstance(value, list):
            found |= dict.fromkeys(address for each in value for address in _people(each))
    return list(found)


def _addresses(value):
    if isinstance(value, str):
        return ADDRESS.findall(value)
    if isinstance(value, dict):
        return _addresses(value.get("email") or value.get("Email") or value.get("address"))
    return [address for each in value for address in _addresses(each)]


def _key(headers, fields):
    """The idempotency key of a call: Resend's header, Brevo's among the mail's own headers, Unisender Go's in the message."""
    return (
        headers.get("Idempotency-Key")
        or _of(fields, "headers").get("idempotencyKey")
        or _of(fields, "message").get("idempotence_key")
    )


def _of(fields, name):
    """The object in a field, an empty one where there is something else."""
    return fields[name] if isinstance(fields.get(name), dict) else {}


def _taken(fields, people, number):
    """What every provider says when it took a call, all in one; Mandrill says it with a list."""
    if "key" in fields and "message" in fields:
        return [{"email": person, "status": "queued", "_id": number} for person in people]
    return {
        "id": number, "messageId": number, "MessageId": number, "MessageID": number, "job_id": number, "message_ids": [number],
        "message": "Queued. Thank you.", "Message": "OK", "status": "success", "success": True, "To": ", ".join(people),
        "Messages": [{"Status": "success", "To": [{"Email": person, "MessageID": number} for person in people]}],
        "data": {"message_id": number, "messages": {person: {"id": number} for person in people}},
        "emails": [{"mail_rcpt": person, "id": number, "status": "new"} for person in people] if "project_id" in fields else people,
        "results": {"id": number, "total_accepted_recipients": len(people), "total_rejected_recipients": 0},
    }  # fmt: skip
