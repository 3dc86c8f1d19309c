"""What the tests of the endpoint share: one endpoint process, clients, and the parts of accounts."""

from __future__ import annotations

import atexit
import http.client
import json
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

HERE = Path(__file__).parent
ADMIN = "AKIAIOSFODNN7EXAMPLE"
READER = "AKIAI44QH8DHBEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
SECURITY_AUDIT = "arn:aws:iam::aws:policy/SecurityAudit"


class Endpoint:
    """The endpoint as a process of its own, on a free port."""

    def __init__(self, *options: str):
        self.folder = tempfile.TemporaryDirectory()
        port_file = Path(self.folder.name) / "port"
        command = [sys.executable, str(HERE / "endpoint.py"), "--parent-pipe", "--port-file", str(port_file), *options]
        started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while not port_file.exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"the endpoint ended with {self.process.returncode}")
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - started
        self.port = int(port_file.read_text())

    def request(self, method: str, path: str, value: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, json.dumps(value) if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def ask(self, method: str, path: str, value: Any = None) -> Any:
        status, answer = self.request(method, path, value)
        assert status == 200, (status, answer)
        return answer

    def client(self, service: str, key: str = ADMIN, secret: str = SECRET, token: str | None = None, **config: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.folder.cleanup()


endpoint = Endpoint()
atexit.register(endpoint.stop)


def seed(account: Any) -> Any:
    return endpoint.ask("POST", "/_ciem/seed", account)


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust(principal: Any, action: Any = "sts:AssumeRole", **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def administrator() -> list[dict[str, str]]:
    return [{"AccessKeyId": ADMIN, "SecretAccessKey": SECRET}]


def account(number: str, **members: Any) -> dict[str, Any]:
    return {"AccountId": number, "administratorKeys": administrator(), **members}


def details(key: str = ADMIN, page: int = 100, **options: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in LISTS}
    paginator = endpoint.client("iam", key).get_paginator("get_account_authorization_details")
    for answer in paginator.paginate(PaginationConfig={"PageSize": page}, **options):
        for name in LISTS:
            found[name] += answer[name]
    return found


class Case(unittest.TestCase):
    def setUp(self) -> None:
        endpoint.ask("POST", "/_ciem/reset", {})
