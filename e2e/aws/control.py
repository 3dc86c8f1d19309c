"""The endpoint's own paths under /_ciem/, the log of calls, and faults: a layer of WSGI around moto."""

from __future__ import annotations

import datetime
import io
import json
import re
import socket
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import parse_qs

from moto import __version__ as moto_version
from moto.core.base_backend import BackendDict

import seed
from access import JSON_CODES
from state import find_account

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

# What AWS answers: code, HTTP status, text.
ERRORS = {
    "Throttling": (400, "Rate exceeded"),
    "AccessDenied": (403, "Access denied by a fault that the test ordered"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "ServiceFailure": (500, "The request processing has failed because of an unknown error, exception or failure."),
    "ServiceUnavailable": (503, "Service is unavailable"),
}
KINDS = (*ERRORS, "Slow", "Cut", "HalfAnswer")


@dataclass
class Fault:
    """Spoils the next `count` matching calls, after letting `skip` of them pass."""

    kind: str
    action: str | None = None
    service: str | None = None
    account: str | None = None
    count: int = 1
    skip: int = 0
    delayMilliseconds: int = 0
    message: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")

    def concerns(self, call: dict[str, Any]) -> bool:
        return all(getattr(self, name) in (None, call[name]) for name in ("action", "service", "account"))


class Control:
    def __init__(self, application: Application, enforce: bool):
        self.application, self.enforce = application, enforce
        self.lock = threading.Lock()
        self.calls: deque[dict[str, Any]] = deque(maxlen=200_000)
        self.faults: list[Fault] = []

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_ciem/"):
            return self.own(path, environ, start_response)
        if path.startswith("/moto-api"):
            return self.application(environ, start_response)
        return self.serve(environ, start_response)

    # --- calls to AWS

    def serve(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        call = describe(environ)
        with self.lock:
            fault = self.take(call)
            call["fault"] = fault and fault.kind
            self.calls.append(call)
        if fault and fault.delayMilliseconds:
            time.sleep(fault.delayMilliseconds / 1000)
        if fault and fault.kind == "Cut":
            return cut(environ, call, b"")
        if fault and fault.kind in ERRORS:
            status, text = ERRORS[fault.kind]
            return answer_error(environ, start_response, call, fault.kind, fault.message or text, status)
        try:
            status, headers, body = run(self.application, environ)
        except NotImplementedError as missing:
            # 501 and not moto's 500: an SDK would repeat that for a while.
            return answer_error(environ, start_response, call, "NotImplemented", f"moto: {missing}", 501)
        except Exception as error:
            traceback.print_exc()
            text = f"the endpoint itself failed: {type(error).__name__}"
            return answer_error(environ, start_response, call, "InternalFailure", text, 500)
        call["status"] = int(status.split()[0])
        if call["status"] >= 400:
            found = re.search(rb"<Code>([^<]*)</Code>|\"__type\": ?\"([^\"]*)\"", body)
            call["error"] = (found[1] or found[2]).decode() if found else None
        if fault and fault.kind == "HalfAnswer":
            return cut(environ, call, http_answer(status, headers, body)[: -(len(body) // 2 or 1)])
        start_response(status, headers)
        return [body]

    def take(self, call: dict[str, Any]) -> Fault | None:
        for fault in self.faults:
            if not fault.concerns(call):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.count -= 1
            if fault.count <= 0:
                self.faults.remove(fault)
            return fault
        return None

    # --- own paths

    def own(self, path: str, environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
            status, value = self.command(f"{environ['REQUEST_METHOD']} {path}", query, environ)
        except (seed.SeedError, ValueError, TypeError, KeyError, AttributeError) as error:
            text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            status, value = "400 Bad Request", {"error": text}
        body = json.dumps(value).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def command(self, what: str, query: dict[str, str], environ: Environ) -> tuple[str, Any]:
        given = json.loads(read_body(environ) or b"null") if what.startswith("POST") else None
        with self.lock:
            match what:
                case "GET /_ciem/healthy":
                    return "200 OK", {"moto": moto_version, "enforce": self.enforce}
                case "POST /_ciem/seed":
                    return "200 OK", seed.seed(given)
                case "POST /_ciem/reset":
                    return "200 OK", self.reset((given or {}).get("account"))
                case "POST /_ciem/faults":
                    unknown = sorted(set(given) - {field.name for field in fields(Fault)})
                    if unknown:
                        raise ValueError(f"{unknown[0]}: unknown member of a fault")
                    self.faults.append(Fault(**given))
                    return "200 OK", {}
                case "GET /_ciem/faults":
                    return "200 OK", [asdict(fault) for fault in self.faults]
                case "DELETE /_ciem/faults":
                    self.faults = [fault for fault in self.faults if query.get("account") not in (None, fault.account)]
                    return "200 OK", {}
                case "GET /_ciem/calls":
                    wanted = {name: query[name] for name in ("account", "service", "action") if name in query}
                    return "200 OK", [call for call in self.calls if all(call[n] == v for n, v in wanted.items())]
                case "DELETE /_ciem/calls":
                    kept = [call for call in self.calls if query.get("account") not in (None, call["account"])]
                    self.calls = deque(kept, maxlen=self.calls.maxlen)
                    return "200 OK", {}
        return "404 Not Found", {"error": f"{what}: no such path"}

    def reset(self, account: str | None) -> dict[str, Any]:
        if account is None:
            BackendDict.reset()
            self.calls.clear()
            self.faults.clear()
        else:
            seed.reset(account)
        return {}


# --- HTTP


def read_body(environ: Environ) -> bytes:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def describe(environ: Environ) -> dict[str, Any]:
    """Who calls what, as far as the request says it by itself."""
    scope = re.search(r"Credential=([A-Z0-9]+)/\d+/([^/]+)/([^/]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    action = target.rpartition(".")[2] or None
    if not action and environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = (parse_qs(read_body(environ).decode("utf-8", "replace")).get("Action") or [None])[0]
    action = action or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
    service = scope[3] if scope else "sts" if action.startswith("AssumeRoleWith") else None
    return {
        "time": datetime.datetime.now(datetime.UTC).isoformat(),
        "service": service,
        "action": action,
        "account": find_account(scope[1]) if scope else None,
        "accessKeyId": scope[1] if scope else None,
        "status": None,
        "error": None,
    }


def answer_error(
    environ: Environ, start_response: Any, call: dict[str, Any], code: str, message: str, status: int
) -> Iterable[bytes]:
    """An error in the protocol that the request speaks: JSON, or the XML of query services."""
    call["status"], call["error"] = status, code
    if "json" in environ.get("CONTENT_TYPE", ""):
        call["error"] = code = JSON_CODES.get(code, code)
        kind, body = environ["CONTENT_TYPE"], json.dumps({"__type": code, "message": message})
    else:
        kind, fault = "text/xml", "Receiver" if status >= 500 else "Sender"
        error = f"<Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body.encode()))), ("x-amzn-ErrorType", code)]
    start_response(f"{status} {code}", headers)
    return [body.encode()]


def run(application: Application, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
    got: list[Any] = []
    chunks = application(environ, lambda status, headers, *_: got.append((status, list(headers))))
    try:
        body = b"".join(chunks)
    finally:
        getattr(chunks, "close", lambda: None)()
    return *got[0], body


def http_answer(status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    if not any(name.lower() == "content-length" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def cut(environ: Environ, call: dict[str, Any], begun: bytes) -> Iterable[bytes]:
    """Sends `begun`, then ends the connection in the middle of the answer."""
    connection: socket.socket = environ["werkzeug.socket"]
    if begun:
        connection.sendall(begun)
    else:
        call["status"] = 0
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("cut by a fault that the test ordered")
