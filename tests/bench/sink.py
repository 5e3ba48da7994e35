"""An app that takes bodies of any size and answers with their SHA-256.

    python tests/bench/sink.py PORT
"""

import hashlib
import socketserver
import sys

PIECE = 1024 * 1024


class Sink(socketserver.StreamRequestHandler):
    """Serves one connection; bodies are framed by Content-Length."""

    rbufsize = PIECE

    def handle(self) -> None:
        """Take one request after another."""
        while self.rfile.readline(65536):
            length = 0
            while (line := self.rfile.readline(65536)) not in {b"\r\n", b""}:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            digest = self._digest(length).encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(digest), digest))

    def _digest(self, length: int) -> str:
        digest = hashlib.sha256()
        while length and (piece := self.rfile.read1(min(PIECE, length))):
            digest.update(piece)
            length -= len(piece)
        return digest.hexdigest()


class Server(socketserver.ThreadingTCPServer):
    """Is the listening socket."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Sink) as server:
        server.serve_forever()
