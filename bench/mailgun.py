"""A stand-in for Mailgun's API on loopback: reads a call as it comes, and answers that it took it.

python -m bench.mailgun PORT
"""

import itertools
import socket
import sys
import threading

ANSWER = b'{"id": "<%d@stand-in>", "message": "Queued. Thank you."}'
numbers = itertools.count(1)


def serve(client: socket.socket) -> None:
    """Answer one connection's calls, one after another (HTTP/1.1, keep-alive)."""
    with client, client.makefile("rb") as stream:
        while line := stream.readline():
            length = 0
            while (header := stream.readline()) not in (b"\r\n", b""):
                name, _colon, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not line.startswith(b"POST"):
                return
            stream.read(length)
            body = ANSWER % next(numbers)
            client.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


def main(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _address = server.accept()
            threading.Thread(target=serve, args=[client], daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
