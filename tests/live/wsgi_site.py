"""The example site under a plain WSGI server, which knows no WebSockets: ``python -m tests.live.wsgi_site <port>``."""

from __future__ import annotations

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

from example_project.stack import HOST


class ThreadingWSGIServer(ThreadingMixIn, WSGIServer):
    """A browser asks for several things at once."""

    daemon_threads = True


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.config.settings")
    from django.core.wsgi import get_wsgi_application

    with make_server(HOST, int(sys.argv[1]), get_wsgi_application(), server_class=ThreadingWSGIServer) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
