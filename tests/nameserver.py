"""A name server for tests: a few TXT records, and the root's name servers, over UDP on this machine."""

import socketserver
import threading

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        raw, socket = self.request
        query = dns.message.from_wire(raw)
        question = query.question[0]
        name, answer = question.name.to_text(), dns.message.make_response(query)
        if question.rdtype == dns.rdatatype.NS:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "NS", "a.root-servers.net."))
        elif name in self.server.records:
            text = f'"{self.server.records[name]}"'
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", text))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        socket.sendto(answer.to_wire(), self.client_address)


class NameServer(socketserver.ThreadingUDPServer):
    """Used as a context manager; `records` is {absolute name: text}, `port` where it listens."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.records, self.port = {}, self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()
