"""The local AWS endpoint of the tests: moto's server on loopback, with what ../README.md lists put in.

endpoint.py [--port N] [--port-file FILE] [--seed FILE]… [--no-enforce] [--parent-pipe]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import warnings
from pathlib import Path

# Read by moto when it is imported.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ.pop("MOTO_ACCOUNT_ID", None)

import contextlib

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

import access
import control
import iam
import reports
import seed

HOST = "127.0.0.1"


class Handler(MotoRequestHandler):
    def log_request(self, *_: object) -> None:
        """Nothing: /_ciem/calls is the log."""


def exit_with_parent() -> None:
    """Ends the process when standard input does: the other end is held by the test program, and the kernel closes it
    however that program ends."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description="local AWS endpoint of the tests")
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="the port is written here once connections are accepted")
    parser.add_argument("--seed", type=Path, action="append", default=[], help="JSON of one or more accounts")
    parser.add_argument("--no-enforce", action="store_true", help="serve every request, whoever signed it")
    parser.add_argument("--parent-pipe", action="store_true", help="exit when standard input ends")
    options = parser.parse_args()

    if options.parent_pipe:
        exit_with_parent()
    # moto warns of error codes that a service's model does not list; those of signing never are.
    warnings.simplefilter("ignore")
    iam.install()
    reports.install()
    access.install(enforce=not options.no_enforce)
    for file in options.seed:
        try:
            seed.seed(json.loads(file.read_bytes()))
        except (OSError, ValueError) as error:
            sys.exit(f"{file}: {error}")

    moto = DomainDispatcherApplication(create_backend_app)
    application = control.Control(moto, enforce=not options.no_enforce)
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = make_server(HOST, options.port, application, threaded=True, request_handler=Handler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    print(f"http://{HOST}:{server.server_port}", flush=True)
    if options.port_file:
        partial = options.port_file.with_name(options.port_file.name + ".partial")
        partial.write_text(str(server.server_port))
        partial.rename(options.port_file)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
