"""Faults, the log of calls, and the process itself."""

from __future__ import annotations

import datetime
import http.client
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from testing import ADMIN, HERE, SECRET, Case, Endpoint, account, endpoint, seed


class FaultsAndCalls(Case):
    def setUp(self) -> None:
        super().setUp()
        seed(account("111111111111", UserDetailList=[{"Arn": f"arn:aws:iam::111111111111:user/u{n}"} for n in range(5)]))
        endpoint.ask("DELETE", "/_ciem/faults")
        endpoint.ask("DELETE", "/_ciem/calls")
        self.iam = endpoint.client("iam")

    def order(self, **fault: Any) -> None:
        endpoint.ask("POST", "/_ciem/faults", fault)

    def code(self, call: Any) -> str:
        try:
            call()
        except ClientError as error:
            return error.response["Error"]["Code"]
        except (BotoCoreError, ResponseParserError) as error:
            return type(error).__name__
        return "ok"

    def test_errors_for_the_next_calls_of_an_action(self) -> None:
        self.order(kind="Throttling", action="GetAccountAuthorizationDetails", account="111111111111", count=2, skip=1)
        self.order(kind="ExpiredToken", action="ListUsers")

        def page() -> Any:
            return self.iam.get_account_authorization_details(MaxItems=2)

        self.assertEqual([self.code(page) for _ in range(4)], ["ok", "Throttling", "Throttling", "ok"])
        self.assertEqual([self.code(self.iam.list_users) for _ in range(2)], ["ExpiredToken", "ok"])
        self.order(kind="AccessDenied", service="iam", message="User: x is not authorized to perform: iam:ListRoles")
        self.assertEqual([self.code(self.iam.list_roles) for _ in range(2)], ["AccessDenied", "ok"])
        self.order(kind="Throttling", service="organizations")
        self.assertEqual(self.code(endpoint.client("organizations").list_roots), "ThrottlingException")
        self.assertEqual(endpoint.ask("GET", "/_ciem/faults"), [])

    def test_an_sdk_retries_a_throttled_call(self) -> None:
        self.order(kind="Throttling", action="ListUsers", count=2)
        client = boto3.client(
            "iam",
            endpoint_url=f"http://127.0.0.1:{endpoint.port}",
            region_name="us-east-1",
            aws_access_key_id=ADMIN,
            aws_secret_access_key=SECRET,
        )
        self.assertEqual(len(client.list_users()["Users"]), 5)
        self.assertEqual(
            [call["error"] for call in endpoint.ask("GET", "/_ciem/calls?action=ListUsers")], ["Throttling", "Throttling", None]
        )

    def test_slow_cut_and_half_answers(self) -> None:
        self.order(kind="Slow", action="ListUsers", delayMilliseconds=1500)
        started = time.monotonic()
        self.assertEqual(self.code(self.iam.list_users), "ok")
        self.assertGreater(time.monotonic() - started, 1.4)
        self.order(kind="Slow", action="ListUsers", delayMilliseconds=3000)
        hasty = endpoint.client("iam", read_timeout=0.5)
        self.assertEqual(self.code(hasty.list_users), "ReadTimeoutError")
        self.order(kind="Cut", action="ListUsers")
        self.assertEqual([self.code(self.iam.list_users) for _ in range(2)], ["ConnectionClosedError", "ok"])
        self.order(kind="HalfAnswer", action="GetAccountAuthorizationDetails")
        self.assertEqual(self.code(self.iam.get_account_authorization_details), "ResponseParserError")
        self.order(kind="HalfAnswer", action="GetAccountAuthorizationDetails")
        connection = http.client.HTTPConnection("127.0.0.1", endpoint.port)
        connection.request(
            "POST",
            "/",
            "Action=GetAccountAuthorizationDetails&Version=2010-05-08",
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": "AWS4-HMAC-SHA256 Credential="
                f"{ADMIN}/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0",
            },
        )
        answer = connection.getresponse()
        with self.assertRaises(http.client.IncompleteRead) as caught:
            answer.read()
        whole = int(answer.headers["Content-Length"])
        self.assertEqual(len(caught.exception.partial), whole - whole // 2)

    def test_the_log_of_calls(self) -> None:
        self.iam.list_users()
        endpoint.client("sts").get_caller_identity()
        with self.assertRaises(ClientError):
            endpoint.client("sts", "AKIAUNKNOWNUNKNOWN00").get_caller_identity()
        calls = endpoint.ask("GET", "/_ciem/calls")
        self.assertEqual(
            [(c["service"], c["action"], c["account"], c["accessKeyId"], c["status"], c["error"]) for c in calls],
            [
                ("iam", "ListUsers", "111111111111", ADMIN, 200, None),
                ("sts", "GetCallerIdentity", "111111111111", ADMIN, 200, None),
                ("sts", "GetCallerIdentity", None, "AKIAUNKNOWNUNKNOWN00", 403, "InvalidClientTokenId"),
            ],
        )
        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(calls[0]["time"])
        self.assertLess(age.total_seconds(), 60)
        self.assertEqual(len(endpoint.ask("GET", "/_ciem/calls?account=111111111111&action=ListUsers")), 1)
        endpoint.ask("DELETE", "/_ciem/calls?account=111111111111")
        self.assertEqual(len(endpoint.ask("GET", "/_ciem/calls")), 1)

    def test_bad_orders(self) -> None:
        for fault in ({"kind": "Boring"}, {"kind": "Cut", "acton": "ListUsers"}, {}, None, []):
            self.assertEqual(endpoint.request("POST", "/_ciem/faults", fault)[0], 400, fault)
        self.assertEqual(endpoint.request("GET", "/_ciem/nothing")[0], 404)

    def test_what_moto_has_not_is_said_once(self) -> None:
        self.assertEqual(
            self.code(lambda: self.iam.simulate_custom_policy(PolicyInputList=["{}"], ActionNames=["s3:GetObject"])),
            "NotImplemented",
        )


class Process(Case):
    def test_healthy(self) -> None:
        self.assertEqual(endpoint.ask("GET", "/_ciem/healthy"), {"moto": "5.2.5", "enforce": True})

    def test_without_enforcement_and_seeded_at_start(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(account("111111111111", UserDetailList=[{"Arn": "arn:aws:iam::111111111111:user/u"}]), file)
            file.flush()
            open_to_all = Endpoint("--no-enforce", "--seed", file.name)
        try:
            self.assertEqual(open_to_all.ask("GET", "/_ciem/healthy")["enforce"], False)
            open_to_all.client("iam", "AKIAUNKNOWNUNKNOWN00", "any").list_users()
            users = open_to_all.client("iam", ADMIN, "wrong").list_users()["Users"]
            self.assertEqual([u["UserName"] for u in users], ["u"])
        finally:
            open_to_all.stop()

    def test_a_bad_seed_file_is_named(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"AccountId": "1"}')
            file.flush()
            ended = subprocess.run(
                [sys.executable, str(HERE / "endpoint.py"), "--seed", file.name], capture_output=True, text=True
            )
        self.assertEqual(ended.returncode, 1)
        self.assertIn(f"{file.name}: AccountId", ended.stderr)

    def test_it_ends_with_the_process_that_started_it(self) -> None:
        # The middle process holds the pipe and is killed; nobody tells the endpoint.
        script = (
            "import subprocess, sys, time; p = subprocess.Popen([sys.executable, sys.argv[1], '--parent-pipe'], "
            "stdin=subprocess.PIPE, stdout=subprocess.PIPE); print(p.stdout.readline().decode().strip(), p.pid, flush=True); time.sleep(60)"
        )
        middle = subprocess.Popen([sys.executable, "-c", script, str(HERE / "endpoint.py")], stdout=subprocess.PIPE, text=True)
        url, pid = middle.stdout.readline().split()
        self.assertTrue(url.startswith("http://127.0.0.1:"))
        middle.kill()
        middle.wait()
        middle.stdout.close()
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            self.assertLess(time.monotonic(), deadline, "the endpoint outlives its parent")
            time.sleep(0.05)

    def test_only_loopback_is_served(self) -> None:
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        mine = [fields[1] for fields in listening if fields[1].endswith(f":{endpoint.port:04X}") and fields[3] == "0A"]
        self.assertEqual(mine, [f"0100007F:{endpoint.port:04X}"])
