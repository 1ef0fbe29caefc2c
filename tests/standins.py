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
        server = self.server
        self.say(server.greeting)
        recipient = ""
        while line := self.rfile.readline():
            verb, words = line[:4].upper().decode(), line.decode().strip()
            if verb == "EHLO":
                lines = ["stand-in", *server.features]
                for number, feature in enumerate(lines):
                    self.say(f"250{' ' if number == len(lines) - 1 else '-'}{feature}")
            elif verb == "AUTH":
                self.say(server.auth)
            elif verb == "MAIL":
                is_open = server.sender.startswith("2")
                self.say(server.sender)
            elif verb == "RCPT":
                recipient = words.partition("<")[2].rpartition(">")[0]
                reply = server.next_for("RCPT", recipient) or "250 welcome"
                is_open = is_open and reply.startswith("2")
                if reply == "drop":
                    return
                self.say(reply)
                if reply.startswith("421"):
                    return
            elif verb == "DATA":
                self.say("354 go on" if is_open else "503 no recipient")
                if is_open and not self.take(recipient):
                    return
            elif verb == "QUIT":
                return
            else:
                self.say("250 fine")

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
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Type": "application/json", "Content-Length": len(payload)}).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *words):
        pass


def _fields(kind, raw):
    """The fields of a call, whichever way they were written: {name: [values]}."""
    if kind.startswith("application/json"):
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
    """A provider's API, used as a context manager: Mailgun's batches, or Brevo's and Resend's single mails.

    `calls` are what was asked; `sent` the addresses to whom mail really went, repetitions with a known idempotency key left
    out. `orders` are answers to give instead: (status, headers) one after the other; “vanish” sends and gives no answer.
    `poisoned` are addresses for whose sake a whole call is refused.
    """

    daemon_threads = True
    request_queue_size = 200

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _API)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.calls, self.sent, self.orders, self.poisoned = [], [], deque(), set()
        self.seconds, self._keys, self._lock = 0, {}, threading.Lock()

    def answer(self, headers, fields):
        """(status, headers, body) of a call."""
        time.sleep(self.seconds)
        with self._lock:
            self.calls.append(fields)
            order = self.orders.popleft() if self.orders else None
            if order and order != "vanish":
                return order[0], order[1], {"message": "not now"}
            people = _people(fields)
            if bad := self.poisoned & set(people):
                return 400, {}, {"message": f"'to' parameter is not a valid address: {bad}"}
            key = _key(headers, fields)
            number = self._keys.get(key) or f"<{len(self.calls)}@provider>"
            if key is None or key not in self._keys:
                self.sent += people
            if key:
                self._keys[key] = number
            if order == "vanish":
                return None, {}, {}
            return 200, {}, {"id": number, "messageId": number, "message": "Queued. Thank you."}

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


def _people(fields):
    """The addresses that a call goes to."""
    people = fields["to"]
    texts = [person["email"] if isinstance(person, dict) else person for person in people]
    return [re.sub(r".*<(.*)>", r"\1", address) for text in texts for address in text.split(", ")]


def _key(headers, fields):
    """The idempotency key of a call: Resend's header, Brevo's among the mail's own headers."""
    return headers.get("Idempotency-Key") or (fields.get("headers") or {}).get("idempotencyKey")
