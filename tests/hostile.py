"""An SMTP server that says what a test wants it to say, at any step of the conversation."""

import socketserver
import ssl
import threading
import time
from email import message_from_bytes
from email.policy import default

STEPS = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "end"]
POLITE = {
    "greeting": "220 hi",
    "MAIL": "250 2.1.0 fine",
    "RCPT": "250 2.1.5 fine",
    "DATA": "354 go on",
    "end": "250 2.0.0 kept",
    "RSET": "250 fine",
    "QUIT": "221 bye",
    "STARTTLS": "220 go on",
    "AUTH": "235 welcome",
}


def drop(session):
    """Close the connection."""
    raise ConnectionError


def stall(session):
    """Say nothing for ever."""
    session.server.is_over.wait(30)
    raise ConnectionError


def say(raw):
    """Answer with these bytes, and go on."""
    return lambda session: session.send(raw)


class Session(socketserver.StreamRequestHandler):
    """One connection."""

    def send(self, raw):
        self.wfile.write(raw)
        self.wfile.flush()

    def hear(self):
        """The next line of the client, without its end."""
        line = self.rfile.readline()
        if not line:
            raise ConnectionError
        self.server.heard.append(line.decode().strip())
        return line.decode().strip()

    def answer(self, step, polite):
        """Do what the test wants at a step; else be polite."""
        number = self.server.count(step)
        wish = self.server.wishes.get((step, number), self.server.wishes.get(step))
        if callable(wish):
            wish(self)
        else:
            self.send((wish or polite).replace("\n", "\r\n").encode() + b"\r\n")
        return wish or polite

    def start_tls(self):
        """Go on under TLS with the server's certificate."""
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")

    def handle(self):
        try:
            self.converse()
        except (OSError, ssl.SSLError):
            return

    def converse(self):
        server = self.server
        self.answer("greeting", POLITE["greeting"])
        recipient = None
        while True:
            line = self.hear()
            verb = line.split()[0].upper() if line.strip() else ""
            if verb == "EHLO":
                features = ["server", *server.features]
                self.answer("EHLO", "\n".join(f"250-{feature}" for feature in features[:-1]) + f"\n250 {features[-1]}")
                continue
            reply = self.answer(verb, POLITE.get(verb, "500 what"))
            if verb == "STARTTLS":
                self.start_tls()
            elif verb == "RCPT":
                is_refused = isinstance(reply, str) and reply[0] != "2"
                recipient = None if is_refused else line.partition("<")[2].rpartition(">")[0]
            elif verb == "DATA" and not (isinstance(reply, str) and reply[0] != "3"):
                self.take(recipient)
            elif verb == "QUIT":
                return

    def take(self, recipient):
        """Read a mail. It is kept once its last dot has come, whatever is answered."""
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line)
        with self.server.lock:
            self.server.bodies.append((recipient, b"".join(lines)))
        self.answer("end", POLITE["end"])


class HostileServer(socketserver.ThreadingTCPServer):
    """Used as a context manager. `wishes` says what is done at a step, always or the n-th time ((step, n), from 1): a reply, or a
    function of the session. `bodies` are the (recipient, bytes) that came whole, the recipient None where it was refused; `heard` all commands."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.port = self.server_address[1]
        self.features, self.wishes = ["PIPELINING", "SIZE 1000000"], {}
        self.heard, self.bodies, self.context = [], [], None
        self.lock, self.is_over, self._counts = threading.Lock(), threading.Event(), {}

    def count(self, step):
        """How often a step was reached, with this time."""
        with self.lock:
            self._counts[step] = self._counts.get(step, 0) + 1
            return self._counts[step]

    @property
    def kept(self):
        """The recipients whose mail came whole, once for each copy."""
        return [recipient for recipient, _raw in self.bodies if recipient]

    @property
    def messages(self):
        """The mails that came whole."""
        return [message_from_bytes(raw, policy=default) for _recipient, raw in self.bodies]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *error):
        self.is_over.set()
        self.shutdown()
        self.server_close()


def trickle(session):
    """An answer a byte at a time, without end."""
    while not session.server.is_over.is_set():
        session.send(b"2")
        time.sleep(0.02)
