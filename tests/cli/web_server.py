# SPDX-License-Identifier: Apache-2.0
"""A web server on 127.0.0.1 that behaves as badly as an address tells it to, for fetch_test.py."""
import hashlib
import http.server
import socket
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """The first part of the path says how to behave, the rest is the file."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        path = self.path.split("://", 1)[1].split("/", 1)[1] if "://" in self.path else self.path[1:]
        how, _, name = path.partition("/")
        server.requests.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        nth = sum(1 for request in server.requests if request[0] == self.path)
        if how in ("404", "403", "416"):
            return self.answer(int(how))
        if how == "busy" and nth <= 2:
            return self.answer(503, {"Retry-After": "0"})
        if how == "loop":
            return self.answer(302, {"Location": self.path})
        if how == "redirect":
            return self.answer(302, {"Location": "/ok/" + name, "ETag": '"of-the-redirect"'})
        if how == "file":
            return self.answer(302, {"Location": "file:///etc/hostname"})
        if how == "hang":
            server.stop.wait()
            self.close_connection = True
            return None
        return self.send_file(how, server.files[name], nth)

    def answer(self, status, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_file(self, how, content, nth):
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        wanted = self.headers.get("Range")
        first = 0
        if wanted and not how.startswith("norange") and self.headers.get("If-Range") in (None, etag):
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                return self.answer(416)
            self.send_response(206)
            shown = first + 1 if how == "wrongrange" else first
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if how != "noetag":
            self.send_header("ETag", etag)
        if how == "nolength":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        body = content[first:]
        if how in ("cut", "norangecut") and nth <= 2 or how == "alwayscut":
            body = body[:len(body) // 2] if how != "alwayscut" or first == 0 else b""
            self.close_connection = True
        if how in ("stall", "slow"):
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self.server.half_sent.set()
            self.server.stop.wait(None if how == "stall" else 20)
            self.close_connection = True
            return None
        if how == "nolength":
            self.close_connection = True
        self.wfile.write(body)
        return None


class Server:
    def __init__(self, files, context=None):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.http.handle_error = lambda *_: None  # The program hangs up, as it should.
        self.http.files, self.http.requests = files, []
        self.http.stop, self.http.half_sent = threading.Event(), threading.Event()
        if context:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.http.stop.set()
        self.http.shutdown()
        self.http.server_close()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
