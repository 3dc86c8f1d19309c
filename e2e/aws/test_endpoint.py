"""Each addition to moto, looked at by boto3 and over plain HTTP. Run by ./test."""

from __future__ import annotations

import base64
import contextlib
import csv
import datetime
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

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


def setUpModule() -> None:
    global endpoint
    endpoint = Endpoint()


def tearDownModule() -> None:
    endpoint.stop()


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


def normal(value: Any, name: str = "") -> Any:
    """Order, the form of dates and members that mean the same when they are absent."""
    if name.endswith("Document"):
        return json.loads(unquote(value)) if isinstance(value, str) else value
    if name.endswith("Date"):
        time = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
        return time.astimezone(datetime.timezone.utc).replace(microsecond=0).isoformat()
    if isinstance(value, dict):
        return {k: normal(v, k) for k, v in value.items() if v not in (None, [], {}, 0)}
    if isinstance(value, list):
        return sorted((normal(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True))
    return value


class Case(unittest.TestCase):
    def setUp(self) -> None:
        endpoint.ask("POST", "/_ciem/reset", {})


class Seeding(Case):
    maxDiff = 4000

    def check_round_trip(self, given: dict[str, Any], page: int) -> None:
        """What is read back, account by account, is what was seeded."""
        numbers = Counter(e["Arn"].split(":")[4] for name in LISTS for e in given[name])
        del numbers["aws"]
        main = numbers.most_common(1)[0][0]
        keys = {number: f"AKIAROUNDTRIP{n:07}" for n, number in enumerate(numbers)}
        given["administratorKeys"] = [
            {"AccountId": number, "AccessKeyId": key, "SecretAccessKey": SECRET} for number, key in keys.items()]
        self.assertEqual(set(seed(given)["accounts"]), set(numbers))
        for number, key in keys.items():
            expected = {name: [e for e in given[name] if e["Arn"].split(":")[4] == number] for name in LISTS}
            attached = Counter(a["PolicyArn"] for name in LISTS[:3] for e in expected[name] for a in e["AttachedManagedPolicies"])
            for policy in given["Policies"]:
                # The counts that a file states for the policies of AWS are those of its main account.
                if "::aws:" in policy["Arn"] and number == main:
                    expected["Policies"].append(policy)
                elif "::aws:" in policy["Arn"] and policy["Arn"] in attached:
                    expected["Policies"].append(policy | {"AttachmentCount": attached[policy["Arn"]]})
            got = details(key, page)
            for name in LISTS:
                self.assertTrue(expected[name] or number != main, f"nothing to compare in {name}")
                self.assertEqual(normal(got[name]), normal(expected[name]), f"{number} {name}")

    def test_round_trip_of_a_whole_dump(self) -> None:
        dump = os.environ.get("CIEM_TEST_GAAD")
        if not dump:
            self.skipTest("CIEM_TEST_GAAD names no GetAccountAuthorizationDetails dump")
        self.check_round_trip(json.loads(Path(dump).read_bytes()), 100)

    def test_round_trip_of_every_member(self) -> None:
        a, b = "111111111111", "222222222222"
        policy = {
            "PolicyName": "own", "PolicyId": "ANPAEXAMPLEEXAMPLE001", "Arn": f"arn:aws:iam::{a}:policy/team/own", "Path": "/team/",
            "DefaultVersionId": "v2", "AttachmentCount": 3, "PermissionsBoundaryUsageCount": 2, "IsAttachable": True,
            "CreateDate": "2021-01-01T00:00:00Z", "UpdateDate": "2022-01-01T00:00:00Z",
            "PolicyVersionList": [
                {"VersionId": "v1", "IsDefaultVersion": False, "CreateDate": "2021-01-01T00:00:00Z", "Document": allow("s3:Get*")},
                {"VersionId": "v2", "IsDefaultVersion": True, "CreateDate": "2022-01-01T00:00:00Z",
                 "Document": quote(json.dumps(allow("s3:*", "arn:aws:s3:::b/ä ${aws:username}%2f*")))}]}
        of_aws = policy | {"PolicyName": "SecurityAudit", "Arn": SECURITY_AUDIT, "Path": "/", "AttachmentCount": 1,
                           "PermissionsBoundaryUsageCount": 0, "PolicyId": "ANPAEXAMPLEEXAMPLE002"}
        attached = [{"PolicyName": "own", "PolicyArn": policy["Arn"]}]
        boundary = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": policy["Arn"]}
        inline = [{"PolicyName": "in/line", "PolicyDocument": json.dumps(allow("iam:*"))}]
        role = {"Path": "/p/q/", "RoleName": "r", "RoleId": "AROAEXAMPLEEXAMPLE001", "Arn": f"arn:aws:iam::{a}:role/p/q/r",
                "CreateDate": "2019-05-01T10:00:00+02:00", "AssumeRolePolicyDocument": trust({"Service": "ec2.amazonaws.com"})}
        given = {
            "UserDetailList": [
                {"Path": "/", "UserName": "u", "UserId": "AIDAEXAMPLEEXAMPLE001", "Arn": f"arn:aws:iam::{a}:user/u",
                 "CreateDate": "2018-01-01 00:00:00+00:00", "UserPolicyList": inline, "GroupList": ["g"], "AttachedManagedPolicies": attached,
                 "PermissionsBoundary": boundary, "Tags": [{"Key": "Team", "Value": "x y"}]},
                {"Path": "/", "UserName": "u", "UserId": "AIDAEXAMPLEEXAMPLE002", "Arn": f"arn:aws:iam::{b}:user/u",
                 "CreateDate": "2018-01-01 00:00:00+00:00", "GroupList": [],
                 "AttachedManagedPolicies": [{"PolicyName": "SecurityAudit", "PolicyArn": SECURITY_AUDIT}]}],
            "GroupDetailList": [
                {"Path": "/", "GroupName": "g", "GroupId": "AGPAEXAMPLEEXAMPLE001", "Arn": f"arn:aws:iam::{a}:group/g",
                 "CreateDate": "2018-01-01T00:00:00Z", "GroupPolicyList": inline, "AttachedManagedPolicies": attached}],
            "RoleDetailList": [role | {
                "RolePolicyList": inline, "AttachedManagedPolicies": attached + [{"PolicyName": "SecurityAudit", "PolicyArn": SECURITY_AUDIT}],
                "PermissionsBoundary": boundary, "Tags": [{"Key": "k", "Value": ""}],
                "RoleLastUsed": {"LastUsedDate": "2024-02-03T04:05:06Z", "Region": "eu-central-1"},
                "InstanceProfileList": [{"Path": "/", "InstanceProfileName": "ip", "InstanceProfileId": "AIPAEXAMPLEEXAMPLE001",
                                         "Arn": f"arn:aws:iam::{a}:instance-profile/ip", "CreateDate": "2019-05-01T10:00:00Z", "Roles": [role]}]}],
            "Policies": [policy, of_aws],
        }
        self.check_round_trip(given, 2)

    def test_seeding_again_replaces_and_gives_the_same_ids(self) -> None:
        role = {"Arn": "arn:aws:iam::111111111111:role/r", "CreateDate": "2020-01-01", "AssumeRolePolicyDocument": trust("*")}
        seed(account("111111111111", RoleDetailList=[role, role | {"Arn": "arn:aws:iam::111111111111:role/gone"}]))
        first = details()["RoleDetailList"]
        seed(account("111111111111", RoleDetailList=[role]))
        second = details()["RoleDetailList"]
        self.assertEqual([r["RoleName"] for r in first], ["gone", "r"])
        self.assertEqual(second, first[1:])

    def test_refused_input_names_its_place_and_changes_nothing(self) -> None:
        seed(account("111111111111"))
        user = {"Arn": "arn:aws:iam::111111111111:user/u"}
        for given, place in (
            (account("111111111111", UserDetailList=[{"Arn": "arn:aws:iam::111111111111:role/u"}]), "UserDetailList[0]"),
            (account("111111111111", UserDetailList=[user, user]), "UserDetailList[1]"),
            (account("111111111111", UserDetailList=[user | {"CreateDate": "yesterday"}]), "UserDetailList[0].CreateDate"),
            (account("111111111111", UserDetailList=[user | {"GroupList": ["none"]}]), "UserDetailList[0].GroupList"),
            (account("111111111111", UserDetailList=[user | {"AttachedManagedPolicies": [
                {"PolicyArn": "arn:aws:iam::111111111111:policy/none"}]}]), "UserDetailList[0].AttachedManagedPolicies[0]"),
            (account("111111111111", accessKeys=[{"UserName": "none"}]), "accessKeys[0]"),
            (account("11"), "AccountId"),
            (account("111111111111", UserDetialList=[]), "UserDetialList"),
            ([account("222222222222", administratorKeys=[{"AccessKeyId": ADMIN, "SecretAccessKey": SECRET}])], ADMIN),
        ):
            status, answer = endpoint.request("POST", "/_ciem/seed", given)
            self.assertEqual(status, 400, answer)
            self.assertIn(place, answer["error"])
        self.assertEqual(details()["UserDetailList"], [])

    def test_a_document_that_is_no_json_is_served_as_it_is(self) -> None:
        seed(account("111111111111", RoleDetailList=[{
            "Arn": "arn:aws:iam::111111111111:role/r", "AssumeRolePolicyDocument": '{"Statement": [',
        }]))
        client = endpoint.client("iam")
        raw: list[bytes] = []
        client.meta.events.register("before-parse.iam.*", lambda response_dict, **_: raw.append(response_dict["body"]))
        with contextlib.suppress(ValueError):
            client.get_account_authorization_details()
        self.assertIn(quote('{"Statement": [', safe="").encode(), raw[0])

    def test_a_thousand_roles_in_two_seconds(self) -> None:
        own = [{"Arn": f"arn:aws:iam::111111111111:policy/p{n}", "PolicyVersionList": [
            {"VersionId": "v1", "IsDefaultVersion": True, "Document": allow(f"s3:Get{n}")}]} for n in range(1000)]
        roles = [{
            "Arn": f"arn:aws:iam::111111111111:role/r{n}", "AssumeRolePolicyDocument": trust({"AWS": "arn:aws:iam::111111111111:root"}),
            "RolePolicyList": [{"PolicyName": "i", "PolicyDocument": allow(f"ec2:Run{n}")}],
            "AttachedManagedPolicies": [{"PolicyArn": own[n]["Arn"]}],
        } for n in range(1000)]
        started = time.monotonic()
        seed(account("111111111111", RoleDetailList=roles, Policies=own))
        seeded = time.monotonic()
        read = details()
        self.assertEqual([len(read[name]) for name in LISTS], [0, 0, 1000, 1000])
        print(f"\n  start {endpoint.start_seconds:.2f} s, seeding 1,000 roles and policies {seeded - started:.2f} s, "
              f"reading them in pages of 100 {time.monotonic() - seeded:.2f} s", file=sys.stderr)
        self.assertLess(seeded - started, 2)

    def test_credentials_among_the_resources_of_an_account_file(self) -> None:
        arn = "arn:aws:iam::111111111111:user/u"
        made = seed(account("111111111111", UserDetailList=[{"Arn": arn}], resources=[
            {"type": "AWS::IAM::AccessKey", "arn": arn}, {"type": "AWS::IAM::LoginProfile", "arn": arn}, {"type": "AWS::S3::Bucket"}]))
        self.assertEqual(made["resourcesLeftAside"], {"AWS::S3::Bucket": 1})
        iam = endpoint.client("iam")
        self.assertEqual(len(iam.list_access_keys(UserName="u")["AccessKeyMetadata"]), 1)
        self.assertEqual(iam.get_login_profile(UserName="u")["LoginProfile"]["UserName"], "u")

    def test_reset_of_one_account(self) -> None:
        users = [{"Arn": f"arn:aws:iam::{n}:user/u"} for n in ("111111111111", "222222222222")]
        key = [{"AccessKeyId": READER, "SecretAccessKey": SECRET}]
        seed([account("111111111111", UserDetailList=users[:1]), {"AccountId": "222222222222", "administratorKeys": key, "UserDetailList": users[1:]}])
        endpoint.ask("POST", "/_ciem/reset", {"account": "111111111111"})
        with self.assertRaisesRegex(ClientError, "InvalidClientTokenId"):
            details()
        self.assertEqual([u["UserName"] for u in details(READER)["UserDetailList"]], ["u"])
        endpoint.ask("POST", "/_ciem/reset", {"account": "222222222222"})


class AuthorizationDetails(Case):
    def setUp(self) -> None:
        super().setUp()
        seed(account("111111111111", UserDetailList=[{"Arn": f"arn:aws:iam::111111111111:user/u{n:03}"} for n in range(250)]))
        self.iam = endpoint.client("iam")

    def test_pages_of_a_hundred_by_default(self) -> None:
        sizes, marker = [], {}
        while True:
            answer = self.iam.get_account_authorization_details(**marker)
            sizes.append(len(answer["UserDetailList"]))
            if not answer["IsTruncated"]:
                break
            marker = {"Marker": answer["Marker"]}
        self.assertEqual(sizes, [100, 100, 50])
        self.assertNotIn("Marker", answer)

    def test_max_items_and_bad_values(self) -> None:
        self.assertEqual(len(self.iam.get_account_authorization_details(MaxItems=7)["UserDetailList"]), 7)
        self.assertEqual(len(self.iam.get_account_authorization_details(MaxItems=1000)["UserDetailList"]), 250)
        for options in ({"MaxItems": 1001}, {"Marker": "nonsense"}, {"Filter": ["Robot"]}):
            with self.assertRaises(ClientError) as caught:
                self.iam.get_account_authorization_details(**options)
            self.assertEqual(caught.exception.response["Error"]["Code"], "ValidationError", options)

    def test_a_change_between_two_pages_repeats_nothing(self) -> None:
        first = self.iam.get_account_authorization_details()
        self.iam.delete_user(UserName="u000")
        second = self.iam.get_account_authorization_details(Marker=first["Marker"])
        self.assertEqual(second["UserDetailList"][0]["UserName"], "u100")

    def test_filter_and_only_the_policies_of_aws_in_use(self) -> None:
        self.iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust("*")),
                             PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess")
        self.iam.attach_role_policy(RoleName="r", PolicyArn=SECURITY_AUDIT)
        self.iam.attach_role_policy(RoleName="r", PolicyArn=SECURITY_AUDIT)
        for name in ("unused", "limit"):
            self.iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(allow("s3:*")))
        self.iam.put_user_permissions_boundary(UserName="u001", PermissionsBoundary="arn:aws:iam::111111111111:policy/limit")
        of_aws = details(Filter=["AWSManagedPolicy"])
        self.assertEqual([(p["PolicyName"], p["AttachmentCount"]) for p in of_aws["Policies"]], [("SecurityAudit", 1)])
        self.assertRegex(of_aws["Policies"][0]["PolicyId"], "^ANPA[A-Z0-9]{17}$")
        self.assertEqual(of_aws["UserDetailList"], [])
        # Used as boundaries alone: `limit` and PowerUserAccess are in no page, but are there by ARN.
        self.assertEqual([p["PolicyName"] for p in details(Filter=["LocalManagedPolicy"])["Policies"]], ["unused"])
        limit = self.iam.get_policy(PolicyArn="arn:aws:iam::111111111111:policy/limit")["Policy"]
        self.assertEqual((limit["AttachmentCount"], limit["PermissionsBoundaryUsageCount"]), (0, 1))
        version = self.iam.get_policy_version(PolicyArn=limit["Arn"], VersionId="v1")["PolicyVersion"]
        self.assertEqual(version["Document"], allow("s3:*"))
        self.assertEqual([r["RoleName"] for r in details(Filter=["Role"])["RoleDetailList"]], ["r"])

    def test_a_new_version_moves_the_date_of_update(self) -> None:
        self.iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(allow("s3:*")))
        arn = "arn:aws:iam::111111111111:policy/p"
        before = self.iam.get_policy(PolicyArn=arn)["Policy"]["UpdateDate"]
        time.sleep(1.1)
        self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("s3:Get*")), SetAsDefault=True)
        policy = details(Filter=["LocalManagedPolicy"])["Policies"][0]
        self.assertGreater(policy["UpdateDate"], before)
        self.assertEqual([(v["VersionId"], v["IsDefaultVersion"]) for v in policy["PolicyVersionList"]], [("v1", False), ("v2", True)])

    def test_documents_are_percent_encoded(self) -> None:
        self.iam.put_user_policy(UserName="u001", PolicyName="p", PolicyDocument=json.dumps(allow("s3:*", "arn:aws:s3:::b/*")))
        raw: list[bytes] = []
        self.iam.meta.events.register("before-parse.iam.*", lambda response_dict, **_: raw.append(response_dict["body"]))
        self.iam.get_account_authorization_details()
        self.assertIn(b"arn%3Aaws%3As3%3A%3A%3Ab%2F%2A", raw[0])


class UserBoundaries(Case):
    def test_put_show_and_delete(self) -> None:
        seed(account("111111111111"))
        iam = endpoint.client("iam")
        boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
        iam.create_user(UserName="u", PermissionsBoundary=boundary)
        shown = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": boundary}
        self.assertRegex(iam.get_user(UserName="u")["User"]["UserId"], "^AIDA[A-Z0-9]{17}$")
        self.assertEqual(iam.get_user(UserName="u")["User"]["PermissionsBoundary"], shown)
        self.assertEqual(details()["UserDetailList"][0]["PermissionsBoundary"], shown)
        self.assertNotIn("PermissionsBoundary", iam.list_users()["Users"][0])
        iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=SECURITY_AUDIT)
        self.assertEqual(iam.get_user(UserName="u")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"], SECURITY_AUDIT)
        iam.delete_user_permissions_boundary(UserName="u")
        self.assertNotIn("PermissionsBoundary", iam.get_user(UserName="u")["User"])
        self.assertNotIn("PermissionsBoundary", details()["UserDetailList"][0])
        for call in (lambda: iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary="arn:aws:iam::111111111111:policy/none"),
                     lambda: iam.create_user(UserName="v", PermissionsBoundary="arn:aws:iam::111111111111:policy/none")):
            with self.assertRaisesRegex(ClientError, "NoSuchEntity"):
                call()
        self.assertEqual([u["UserName"] for u in iam.list_users()["Users"]], ["u"])


class Usage(Case):
    def report(self) -> list[dict[str, str]]:
        iam = endpoint.client("iam")
        while iam.generate_credential_report()["State"] != "COMPLETE":
            pass
        answer = iam.get_credential_report()
        age = datetime.datetime.now(datetime.timezone.utc) - answer["GeneratedTime"]
        self.assertLess(age.total_seconds(), 60)
        return list(csv.DictReader(answer["Content"].decode().splitlines()))

    def test_credential_report(self) -> None:
        users = [{"Arn": f"arn:aws:iam::111111111111:user/{name}", "CreateDate": "2020-02-02T02:02:02Z"} for name in ("b", "A")]
        used = {"LastUsedDate": "2026-01-02T03:04:05Z", "ServiceName": "s3", "Region": "eu-west-1"}
        seed(account(
            "111111111111", UserDetailList=users,
            accessKeys=[
                {"UserName": "b", "AccessKeyId": READER, "SecretAccessKey": SECRET, "CreateDate": "2020-03-03T00:00:00Z", "LastUsed": used},
                {"UserName": "b", "Status": "Inactive", "CreateDate": "2020-04-04T00:00:00Z"},
                {"UserName": "<root_account>", "CreateDate": "2019-01-01T00:00:00Z"}],
            loginProfiles=[{"UserName": "A", "CreateDate": "2021-01-01T00:00:00Z", "PasswordLastUsed": "2022-01-01T00:00:00Z"}],
            mfaDevices=[{"UserName": "A", "SerialNumber": "arn:aws:iam::111111111111:mfa/A"}],
            root={"CreateDate": "2018-01-01T00:00:00Z", "PasswordLastUsed": "2025-05-05T00:00:00Z", "MfaActive": False},
        ))
        with self.assertRaisesRegex(ClientError, "ReportNotPresent"):
            endpoint.client("iam").get_credential_report()
        root, a, b = self.report()
        self.assertEqual((root["user"], root["arn"]), ("<root_account>", "arn:aws:iam::111111111111:root"))
        self.assertEqual(list(root.values())[2:], [
            "2018-01-01T00:00:00Z", "not_supported", "2025-05-05T00:00:00Z", "not_supported", "not_supported", "false",
            "true", "2019-01-01T00:00:00Z", "N/A", "N/A", "N/A", *["false", "N/A", "N/A", "N/A", "N/A"], *["false", "N/A"] * 2])
        self.assertEqual(list(a.values())[3:9], ["true", "2022-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "N/A", "true", "false"])
        self.assertEqual(list(b.values()), [
            "b", "arn:aws:iam::111111111111:user/b", "2020-02-02T02:02:02Z", "false", "N/A", "N/A", "N/A", "false",
            "true", "2020-03-03T00:00:00Z", "2026-01-02T03:04:05Z", "eu-west-1", "s3",
            "false", "2020-04-04T00:00:00Z", "N/A", "N/A", "N/A", *["false", "N/A"] * 2])
        summary = endpoint.client("iam").get_account_summary()["SummaryMap"]
        self.assertEqual((summary["AccountMFAEnabled"], summary["AccountAccessKeysPresent"]), (0, 1))

    def test_a_call_moves_the_last_use(self) -> None:
        seed(account("111111111111", UserDetailList=[{"Arn": "arn:aws:iam::111111111111:user/u"}],
                     accessKeys=[{"UserName": "u", "AccessKeyId": READER, "SecretAccessKey": SECRET}]))
        self.assertEqual(self.report()[1]["access_key_1_last_used_date"], "N/A")
        with self.assertRaises(ClientError):
            endpoint.client("sts", READER, "wrong").get_caller_identity()
        self.assertEqual(self.report()[1]["access_key_1_last_used_date"], "N/A")
        endpoint.client("sts", READER).get_caller_identity()
        row = self.report()[1]
        self.assertEqual((row["access_key_1_last_used_service"], row["access_key_1_last_used_region"]), ("sts", "us-east-1"))

    def job(self, iam: Any, arn: str, granularity: str, **options: Any) -> tuple[str, list[dict[str, Any]]]:
        job = iam.generate_service_last_accessed_details(Arn=arn, Granularity=granularity)["JobId"]
        self.assertEqual(iam.get_service_last_accessed_details(JobId=job)["JobStatus"], "IN_PROGRESS")
        found, marker = [], {}
        while True:
            answer = iam.get_service_last_accessed_details(JobId=job, **options, **marker)
            self.assertEqual((answer["JobStatus"], answer["JobType"]), ("COMPLETED", granularity))
            found += answer["ServicesLastAccessed"]
            if not answer["IsTruncated"]:
                return job, found
            marker = {"Marker": answer["Marker"]}

    def test_service_last_accessed_details(self) -> None:
        arn = "arn:aws:iam::111111111111:role/r"
        seed(account(
            "111111111111",
            RoleDetailList=[{"Arn": arn, "AssumeRolePolicyDocument": trust("*"), "RolePolicyList": [
                {"PolicyName": "p", "PolicyDocument": allow(["s3:GetObject", "sqs:*", "neptune-db:*"])}]}],
            UserDetailList=[{"Arn": "arn:aws:iam::111111111111:user/u", "UserPolicyList": [
                {"PolicyName": "p", "PolicyDocument": allow("iam:*")}]}],
            accessKeys=[{"UserName": "u", "AccessKeyId": READER, "SecretAccessKey": SECRET}],
            lastAccessed={arn: [{
                "ServiceNamespace": "s3", "LastAuthenticated": "2026-01-01T00:00:00Z", "LastAuthenticatedEntity": arn,
                "LastAuthenticatedRegion": "eu-west-1", "TrackedActionsLastAccessed": [
                    {"ActionName": "GetBucketAcl", "LastAccessedTime": "2026-01-01T00:00:00Z", "LastAccessedRegion": "eu-west-1"}]}]},
        ))
        iam = endpoint.client("iam")
        job, services = self.job(iam, arn, "ACTION_LEVEL", MaxItems=2)
        self.assertEqual([s["ServiceNamespace"] for s in services], ["neptune-db", "s3", "sqs"])
        self.assertEqual([s["TotalAuthenticatedEntities"] for s in services], [0, 1, 0])
        self.assertEqual(services[1]["ServiceName"], "Amazon S3")
        self.assertEqual(services[1]["TrackedActionsLastAccessed"][0]["ActionName"], "GetBucketAcl")
        self.assertNotIn("TrackedActionsLastAccessed", self.job(iam, arn, "SERVICE_LEVEL")[1][1])
        with self.assertRaisesRegex(ClientError, "NoSuchEntity"):
            endpoint.client("iam", READER).get_service_last_accessed_details(JobId=job)
        with self.assertRaisesRegex(ClientError, "NoSuchEntity"):
            iam.generate_service_last_accessed_details(Arn=arn + "x")


class Access(Case):
    """Two accounts: a user and a role in one, roles in the other."""

    A, B = "111111111111", "222222222222"

    def setUp(self) -> None:
        super().setUp()
        self.policies: list[dict[str, Any]] = [{"PolicyName": "p", "PolicyDocument": allow("sts:AssumeRole")}]
        self.user: dict[str, Any] = {"Arn": f"arn:aws:iam::{self.A}:user/team/op", "UserPolicyList": self.policies}
        self.roles: list[dict[str, Any]] = []

    def role(self, name: str, document: Any, number: str | None = None, **more: Any) -> str:
        arn = f"arn:aws:iam::{number or self.B}:role/{name}"
        self.roles.append({"Arn": arn, "AssumeRolePolicyDocument": document, **more})
        return arn

    def seed(self) -> None:
        keys = [{"UserName": "op", "AccessKeyId": READER, "SecretAccessKey": SECRET}]
        seed([{"AccountId": self.A, "UserDetailList": [self.user], "accessKeys": keys,
               "RoleDetailList": [r for r in self.roles if f":{self.A}:" in r["Arn"]]},
              account(self.B, RoleDetailList=[r for r in self.roles if f":{self.B}:" in r["Arn"]])])

    def refused(self, code: str, call: Any) -> str:
        with self.assertRaises(ClientError) as caught:
            call()
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def assume(self, arn: str, credentials: tuple[Any, ...] = (READER, SECRET), **options: Any) -> tuple[str, str, str]:
        answer = endpoint.client("sts", *credentials).assume_role(RoleArn=arn, RoleSessionName="session", **options)
        return tuple(answer["Credentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))

    def test_a_key_leads_to_its_account_and_user(self) -> None:
        self.seed()
        identity = endpoint.client("sts", READER).get_caller_identity()
        self.assertEqual((identity["Account"], identity["Arn"]), (self.A, self.user["Arn"]))
        self.assertRegex(identity["UserId"], "^AIDA[A-Z0-9]{17}$")
        root = endpoint.client("sts").get_caller_identity()
        self.assertEqual((root["Account"], root["Arn"]), (self.B, f"arn:aws:iam::{self.B}:root"))

    def test_wrong_credentials(self) -> None:
        self.seed()
        for service, call, codes in (
            ("sts", "get_caller_identity", ("InvalidClientTokenId", "SignatureDoesNotMatch")),
            ("iam", "list_users", ("InvalidClientTokenId", "SignatureDoesNotMatch")),
            ("organizations", "list_roots", ("UnrecognizedClientException", "InvalidSignatureException")),
            ("s3", "list_buckets", ("InvalidAccessKeyId", "SignatureDoesNotMatch")),
        ):
            self.refused(codes[0], getattr(endpoint.client(service, "AKIAUNKNOWNUNKNOWN00"), call))
            self.refused(codes[1], getattr(endpoint.client(service, READER, "wrong"), call))
        self.refused("InvalidClientTokenId", endpoint.client("sts", READER, SECRET, "a token of nobody").get_caller_identity)
        endpoint.client("sts", READER).get_caller_identity()
        connection = http.client.HTTPConnection("127.0.0.1", endpoint.port)
        connection.request("POST", "/", "Action=ListUsers&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"})
        # No service in an unsigned request: moto takes S3.
        self.assertEqual(connection.getresponse().status, 403)

    def test_an_error_has_the_form_that_every_sdk_reads(self) -> None:
        self.seed()
        client = endpoint.client("iam", READER)
        raw: list[Any] = []
        client.meta.events.register("before-parse.iam.*", lambda response_dict, **_: raw.append(response_dict))
        self.refused("AccessDenied", client.list_users)
        self.assertEqual(raw[0]["status_code"], 403)
        self.assertRegex(raw[0]["body"], rb"^<ErrorResponse xmlns=[^>]*><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: ")

    def test_an_inactive_key_is_refused(self) -> None:
        self.seed()
        endpoint.client("sts", READER).get_caller_identity()
        seed([{"AccountId": self.A, "UserDetailList": [self.user],
               "accessKeys": [{"UserName": "op", "AccessKeyId": READER, "SecretAccessKey": SECRET, "Status": "Inactive"}]}])
        self.refused("InvalidClientTokenId", endpoint.client("sts", READER).get_caller_identity)

    def test_missing_rights_in_the_words_of_aws(self) -> None:
        arn = self.user["Arn"]
        self.policies.append({"PolicyName": "d", "PolicyDocument": {"Statement": {"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}}})
        self.policies.append({"PolicyName": "a", "PolicyDocument": allow("iam:List*")})
        self.seed()
        iam = endpoint.client("iam", READER)
        self.assertEqual(
            self.refused("AccessDenied", iam.get_account_authorization_details),
            f"User: {arn} is not authorized to perform: iam:GetAccountAuthorizationDetails on resource: * because no "
            "identity-based policy allows the iam:GetAccountAuthorizationDetails action")
        self.assertEqual(
            self.refused("AccessDenied", iam.list_users),
            f"User: {arn} is not authorized to perform: iam:ListUsers on resource: * with an explicit deny in an identity-based policy")
        iam.list_roles()

    def test_policy_language(self) -> None:
        cases = (
            (allow("IAM:listroles"), True),
            (allow("iam:List?oles"), True),
            (allow(None, NotAction="iam:Get*"), True),
            (allow(None, NotAction="iam:*"), False),
            (allow("iam:*", None, NotResource="*"), False),
            (allow("iam:*", None, NotResource="arn:aws:s3:::*"), True),
            (allow("*", Condition={"StringEquals": {"aws:PrincipalAccount": self.A}}), True),
            (allow("*", Condition={"StringNotEquals": {"aws:PrincipalAccount": self.A}}), False),
            (allow("*", Condition={"StringLike": {"aws:PrincipalArn": ["x", "*:user/team/*"]}}), True),
            (allow("*", Condition={"StringEquals": {"aws:PrincipalTag/Team": "core"}}), True),
            (allow("*", Condition={"StringEquals": {"aws:username": "${aws:PrincipalTag/Name}"}}), True),
            (allow("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), False),
            (allow("*", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}), True),
            (allow("*", Condition={"Null": {"aws:MultiFactorAuthPresent": True}}), True),
            (allow("*", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), True),
            (allow("*", Condition={"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/8"]}}), False),
            (allow("*", Condition={"DateLessThan": {"aws:CurrentTime": "2100-01-01T00:00:00Z"}}), False),
            ({"Statement": allow("*")["Statement"] + [{"Effect": "Deny", "Action": "*", "Resource": "*",
                                                      "Condition": {"NumericLessThan": {"x:unknown": "1"}}}]}, True),
            ({"Statement": allow("*")["Statement"] + [{"Effect": "Deny", "Action": "*", "Resource": "*",
                                                      "Condition": {"NoSuchOperator": {"aws:username": "x"}}}]}, False),
            ("no policy at all", False),
        )
        self.user["Tags"] = [{"Key": "Team", "Value": "core"}, {"Key": "Name", "Value": "op"}]
        for document, allowed in cases:
            with self.subTest(document=document):
                if isinstance(document, dict):
                    document = {"Statement": [{k: v for k, v in s.items() if v is not None} for s in document["Statement"]]}
                self.user["UserPolicyList"] = [{"PolicyName": "p", "PolicyDocument": document}]
                self.seed()
                call = endpoint.client("iam", READER).list_roles
                call() if allowed else self.refused("AccessDenied", call)

    def test_resources_groups_attached_policies_and_boundaries(self) -> None:
        self.user |= {"UserPolicyList": [], "GroupList": ["g"], "AttachedManagedPolicies": [{"PolicyArn": SECURITY_AUDIT}]}
        group = {"Arn": f"arn:aws:iam::{self.A}:group/g", "GroupPolicyList": [
            {"PolicyName": "p", "PolicyDocument": allow("iam:DeleteUser", "arn:aws:iam::*:user/tmp-${aws:username}")}]}
        keys = [{"UserName": "op", "AccessKeyId": READER, "SecretAccessKey": SECRET}]
        tmp = {"Arn": f"arn:aws:iam::{self.A}:user/tmp-op"}
        given = {"AccountId": self.A, "UserDetailList": [self.user, tmp], "GroupDetailList": [group], "accessKeys": keys}
        seed(given)
        iam = endpoint.client("iam", READER)
        iam.get_account_authorization_details()
        self.refused("AccessDenied", lambda: iam.delete_user(UserName="op"))
        iam.delete_user(UserName="tmp-op")
        self.user["PermissionsBoundary"] = {"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}
        seed(given)
        self.assertIn("because no permissions boundary allows the iam:", self.refused("AccessDenied", iam.get_account_authorization_details))

    def test_assume_role_across_accounts(self) -> None:
        external = {"Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}
        role = self.role("deep/Reader", trust({"AWS": f"arn:aws:iam::{self.A}:root"}, **external),
                         AttachedManagedPolicies=[{"PolicyArn": SECURITY_AUDIT}])
        by_user = self.role("ByUser", trust({"AWS": self.user["Arn"]}))
        others = self.role("Others", trust({"AWS": "arn:aws:iam::333333333333:root"}))
        self.seed()
        words = f"User: {self.user['Arn']} is not authorized to perform: sts:AssumeRole on resource: "
        self.assertEqual(self.refused("AccessDenied", lambda: self.assume(role)), words + role)
        self.assertEqual(self.refused("AccessDenied", lambda: self.assume(role, ExternalId="guessed")), words + role)
        self.assertEqual(self.refused("AccessDenied", lambda: self.assume(others)), words + others)
        self.assertEqual(self.refused("AccessDenied", lambda: self.assume(role + "x")), words + role + "x")
        self.assume(by_user)
        # Tags need a trust in sts:TagSession.
        self.assertIn("sts:TagSession", self.refused("AccessDenied", lambda: self.assume(by_user, Tags=[{"Key": "a", "Value": "b"}])))
        session = self.assume(role, ExternalId="agreed")
        identity = endpoint.client("sts", *session).get_caller_identity()
        self.assertEqual((identity["Account"], identity["Arn"]), (self.B, f"arn:aws:sts::{self.B}:assumed-role/Reader/session"))
        read = endpoint.client("iam", *session).get_account_authorization_details()
        self.assertEqual([r["RoleName"] for r in read["RoleDetailList"]], ["ByUser", "Others", "Reader"])
        self.assertEqual(read["RoleDetailList"][2]["RoleLastUsed"]["Region"], "us-east-1")
        self.assertIn(f"User: {identity['Arn']} is not", self.refused(
            "AccessDenied", lambda: endpoint.client("iam", *session).create_user(UserName="x")))
        self.refused("InvalidClientTokenId", endpoint.client("iam", *session[:2]).list_users)
        self.refused("InvalidClientTokenId", endpoint.client("iam", *session[:2], "another token").list_users)
        # Without the caller's own right the trust of another account is not enough.
        self.user["UserPolicyList"] = []
        self.seed()
        self.assertIn("no identity-based policy", self.refused("AccessDenied", lambda: self.assume(by_user)))

    def test_assume_role_within_one_account_and_chains(self) -> None:
        named = self.role("Named", trust({"AWS": self.user["Arn"]}), self.A, RolePolicyList=[
            {"PolicyName": "p", "PolicyDocument": allow("sts:AssumeRole")}])
        self.role("Delegated", trust({"AWS": self.A}), self.A)
        last = self.role("Last", trust({"AWS": named}), RolePolicyList=[{"PolicyName": "p", "PolicyDocument": allow("iam:*")}])
        self.user["UserPolicyList"] = []
        self.seed()
        session = self.assume(named)
        self.assertIn("Delegated", self.refused("AccessDenied", lambda: self.assume(f"arn:aws:iam::{self.A}:role/Delegated")))
        chained = self.assume(last, session, Policy=json.dumps(allow("iam:ListUsers")))
        endpoint.client("iam", *chained).list_users()
        self.assertIn("no session policy", self.refused("AccessDenied", endpoint.client("iam", *chained).list_roles))
        self.assertEqual(self.refused("AccessDenied", lambda: self.assume(named, (ADMIN, SECRET))), "Roles may not be assumed by root accounts.")

    def test_web_identity(self) -> None:
        provider = f"arn:aws:iam::{self.B}:oidc-provider/oidc.example.com/id"
        condition = {"StringEquals": {"oidc.example.com/id:aud": "sts.amazonaws.com", "oidc.example.com/id:sub": "system:serviceaccount:ns:sa"}}
        role = self.role("Web", trust({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", Condition=condition))
        self.seed()

        def assume(**claims: Any) -> Any:
            claims = {"iss": "https://oidc.example.com/id", "aud": ["sts.amazonaws.com"], "sub": "system:serviceaccount:ns:sa",
                      "exp": time.time() + 60} | claims
            part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
            return endpoint.client("sts", "", "").assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="pod", WebIdentityToken=f"e30.{part}.c2lnbmF0dXJl")

        self.refused("InvalidIdentityToken", assume)
        endpoint.client("iam").create_open_id_connect_provider(Url="https://oidc.example.com/id", ClientIDList=["sts.amazonaws.com"])
        credentials = assume()["Credentials"]
        session = endpoint.client("sts", credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        self.assertEqual(session.get_caller_identity()["Arn"], f"arn:aws:sts::{self.B}:assumed-role/Web/pod")
        self.refused("AccessDenied", lambda: assume(sub="system:serviceaccount:ns:other"))
        self.refused("AccessDenied", lambda: assume(aud="other"))
        self.refused("ExpiredTokenException", lambda: assume(exp=1))


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
        page = lambda: self.iam.get_account_authorization_details(MaxItems=2)
        self.assertEqual([self.code(page) for _ in range(4)], ["ok", "Throttling", "Throttling", "ok"])
        self.assertEqual([self.code(self.iam.list_users) for _ in range(2)], ["ExpiredToken", "ok"])
        self.order(kind="AccessDenied", service="iam", message="User: x is not authorized to perform: iam:ListRoles")
        self.assertEqual([self.code(self.iam.list_roles) for _ in range(2)], ["AccessDenied", "ok"])
        self.order(kind="Throttling", service="organizations")
        self.assertEqual(self.code(endpoint.client("organizations").list_roots), "ThrottlingException")
        self.assertEqual(endpoint.ask("GET", "/_ciem/faults"), [])

    def test_an_sdk_retries_a_throttled_call(self) -> None:
        self.order(kind="Throttling", action="ListUsers", count=2)
        client = boto3.client("iam", endpoint_url=f"http://127.0.0.1:{endpoint.port}", region_name="us-east-1",
                              aws_access_key_id=ADMIN, aws_secret_access_key=SECRET)
        self.assertEqual(len(client.list_users()["Users"]), 5)
        self.assertEqual([call["error"] for call in endpoint.ask("GET", "/_ciem/calls?action=ListUsers")], ["Throttling", "Throttling", None])

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
        connection.request("POST", "/", "Action=GetAccountAuthorizationDetails&Version=2010-05-08",
                           {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "AWS4-HMAC-SHA256 Credential="
                            f"{ADMIN}/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"})
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
        self.assertEqual([(c["service"], c["action"], c["account"], c["accessKeyId"], c["status"], c["error"]) for c in calls], [
            ("iam", "ListUsers", "111111111111", ADMIN, 200, None),
            ("sts", "GetCallerIdentity", "111111111111", ADMIN, 200, None),
            ("sts", "GetCallerIdentity", None, "AKIAUNKNOWNUNKNOWN00", 403, "InvalidClientTokenId")])
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(calls[0]["time"])
        self.assertLess(age.total_seconds(), 60)
        self.assertEqual(len(endpoint.ask("GET", "/_ciem/calls?account=111111111111&action=ListUsers")), 1)
        endpoint.ask("DELETE", "/_ciem/calls?account=111111111111")
        self.assertEqual(len(endpoint.ask("GET", "/_ciem/calls")), 1)

    def test_bad_orders(self) -> None:
        for fault in ({"kind": "Boring"}, {"kind": "Cut", "acton": "ListUsers"}, {}, None, []):
            self.assertEqual(endpoint.request("POST", "/_ciem/faults", fault)[0], 400, fault)
        self.assertEqual(endpoint.request("GET", "/_ciem/nothing")[0], 404)

    def test_what_moto_has_not_is_said_once(self) -> None:
        self.assertEqual(self.code(lambda: self.iam.simulate_custom_policy(PolicyInputList=["{}"], ActionNames=["s3:GetObject"])), "NotImplemented")


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
            ended = subprocess.run([sys.executable, str(HERE / "endpoint.py"), "--seed", file.name], capture_output=True, text=True)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(f"{file.name}: AccountId", ended.stderr)

    def test_it_ends_with_the_process_that_started_it(self) -> None:
        # The middle process holds the pipe and is killed; nobody tells the endpoint.
        script = (
            "import subprocess, sys, time; p = subprocess.Popen([sys.executable, sys.argv[1], '--parent-pipe'], "
            "stdin=subprocess.PIPE, stdout=subprocess.PIPE); print(p.stdout.readline().decode().strip(), p.pid, flush=True); time.sleep(60)")
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


if __name__ == "__main__":
    unittest.main()
