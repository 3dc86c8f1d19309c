"""Seeding: what is read back is what was put in."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

from testing import ADMIN, LISTS, READER, SECRET, SECURITY_AUDIT, Case, account, allow, details, endpoint, seed, trust


def normal(value: Any, name: str = "") -> Any:
    """Order, the form of dates and members that mean the same when they are absent."""
    if name.endswith("Document"):
        return json.loads(unquote(value)) if isinstance(value, str) else value
    if name.endswith("Date"):
        time = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
        return time.astimezone(datetime.UTC).replace(microsecond=0).isoformat()
    if isinstance(value, dict):
        return {k: normal(v, k) for k, v in value.items() if v not in (None, [], {}, 0)}
    if isinstance(value, list):
        return sorted((normal(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True))
    return value


class Seeding(Case):
    maxDiff = 4000

    def check_round_trip(self, given: dict[str, Any], page: int) -> None:
        """What is read back, account by account, is what was seeded."""
        numbers = Counter(e["Arn"].split(":")[4] for name in LISTS for e in given[name])
        del numbers["aws"]
        main = numbers.most_common(1)[0][0]
        keys = {number: f"AKIAROUNDTRIP{n:07}" for n, number in enumerate(numbers)}
        given["administratorKeys"] = [
            {"AccountId": number, "AccessKeyId": key, "SecretAccessKey": SECRET} for number, key in keys.items()
        ]
        self.assertEqual(set(seed(given)["accounts"]), set(numbers))
        for number, key in keys.items():
            expected = {name: [e for e in given[name] if e["Arn"].split(":")[4] == number] for name in LISTS}
            attached = Counter(
                a["PolicyArn"] for name in LISTS[:3] for e in expected[name] for a in e["AttachedManagedPolicies"]
            )
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
            "PolicyName": "own",
            "PolicyId": "ANPAEXAMPLEEXAMPLE001",
            "Arn": f"arn:aws:iam::{a}:policy/team/own",
            "Path": "/team/",
            "DefaultVersionId": "v2",
            "AttachmentCount": 3,
            "PermissionsBoundaryUsageCount": 2,
            "IsAttachable": True,
            "CreateDate": "2021-01-01T00:00:00Z",
            "UpdateDate": "2022-01-01T00:00:00Z",
            "PolicyVersionList": [
                {
                    "VersionId": "v1",
                    "IsDefaultVersion": False,
                    "CreateDate": "2021-01-01T00:00:00Z",
                    "Document": allow("s3:Get*"),
                },
                {
                    "VersionId": "v2",
                    "IsDefaultVersion": True,
                    "CreateDate": "2022-01-01T00:00:00Z",
                    "Document": quote(json.dumps(allow("s3:*", "arn:aws:s3:::b/ä ${aws:username}%2f*"))),
                },
            ],
        }
        of_aws = policy | {
            "PolicyName": "SecurityAudit",
            "Arn": SECURITY_AUDIT,
            "Path": "/",
            "AttachmentCount": 1,
            "PermissionsBoundaryUsageCount": 0,
            "PolicyId": "ANPAEXAMPLEEXAMPLE002",
        }
        attached = [{"PolicyName": "own", "PolicyArn": policy["Arn"]}]
        boundary = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": policy["Arn"]}
        inline = [{"PolicyName": "in/line", "PolicyDocument": json.dumps(allow("iam:*"))}]
        role = {
            "Path": "/p/q/",
            "RoleName": "r",
            "RoleId": "AROAEXAMPLEEXAMPLE001",
            "Arn": f"arn:aws:iam::{a}:role/p/q/r",
            "CreateDate": "2019-05-01T10:00:00+02:00",
            "AssumeRolePolicyDocument": trust({"Service": "ec2.amazonaws.com"}),
        }
        given = {
            "UserDetailList": [
                {
                    "Path": "/",
                    "UserName": "u",
                    "UserId": "AIDAEXAMPLEEXAMPLE001",
                    "Arn": f"arn:aws:iam::{a}:user/u",
                    "CreateDate": "2018-01-01 00:00:00+00:00",
                    "UserPolicyList": inline,
                    "GroupList": ["g"],
                    "AttachedManagedPolicies": attached,
                    "PermissionsBoundary": boundary,
                    "Tags": [{"Key": "Team", "Value": "x y"}],
                },
                {
                    "Path": "/",
                    "UserName": "u",
                    "UserId": "AIDAEXAMPLEEXAMPLE002",
                    "Arn": f"arn:aws:iam::{b}:user/u",
                    "CreateDate": "2018-01-01 00:00:00+00:00",
                    "GroupList": [],
                    "AttachedManagedPolicies": [{"PolicyName": "SecurityAudit", "PolicyArn": SECURITY_AUDIT}],
                },
            ],
            "GroupDetailList": [
                {
                    "Path": "/",
                    "GroupName": "g",
                    "GroupId": "AGPAEXAMPLEEXAMPLE001",
                    "Arn": f"arn:aws:iam::{a}:group/g",
                    "CreateDate": "2018-01-01T00:00:00Z",
                    "GroupPolicyList": inline,
                    "AttachedManagedPolicies": attached,
                }
            ],
            "RoleDetailList": [
                role
                | {
                    "RolePolicyList": inline,
                    "AttachedManagedPolicies": attached + [{"PolicyName": "SecurityAudit", "PolicyArn": SECURITY_AUDIT}],
                    "PermissionsBoundary": boundary,
                    "Tags": [{"Key": "k", "Value": ""}],
                    "RoleLastUsed": {"LastUsedDate": "2024-02-03T04:05:06Z", "Region": "eu-central-1"},
                    "InstanceProfileList": [
                        {
                            "Path": "/",
                            "InstanceProfileName": "ip",
                            "InstanceProfileId": "AIPAEXAMPLEEXAMPLE001",
                            "Arn": f"arn:aws:iam::{a}:instance-profile/ip",
                            "CreateDate": "2019-05-01T10:00:00Z",
                            "Roles": [role],
                        }
                    ],
                }
            ],
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
            (
                account(
                    "111111111111",
                    UserDetailList=[
                        user | {"AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::111111111111:policy/none"}]}
                    ],
                ),
                "UserDetailList[0].AttachedManagedPolicies[0]",
            ),
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
        seed(
            account(
                "111111111111",
                RoleDetailList=[
                    {
                        "Arn": "arn:aws:iam::111111111111:role/r",
                        "AssumeRolePolicyDocument": '{"Statement": [',
                    }
                ],
            )
        )
        client = endpoint.client("iam")
        raw: list[bytes] = []
        client.meta.events.register("before-parse.iam.*", lambda response_dict, **_: raw.append(response_dict["body"]))
        with contextlib.suppress(ValueError):
            client.get_account_authorization_details()
        self.assertIn(quote('{"Statement": [', safe="").encode(), raw[0])

    def test_a_thousand_roles_in_two_seconds(self) -> None:
        own = [
            {
                "Arn": f"arn:aws:iam::111111111111:policy/p{n}",
                "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "Document": allow(f"s3:Get{n}")}],
            }
            for n in range(1000)
        ]
        roles = [
            {
                "Arn": f"arn:aws:iam::111111111111:role/r{n}",
                "AssumeRolePolicyDocument": trust({"AWS": "arn:aws:iam::111111111111:root"}),
                "RolePolicyList": [{"PolicyName": "i", "PolicyDocument": allow(f"ec2:Run{n}")}],
                "AttachedManagedPolicies": [{"PolicyArn": own[n]["Arn"]}],
            }
            for n in range(1000)
        ]
        started = time.monotonic()
        seed(account("111111111111", RoleDetailList=roles, Policies=own))
        seeded = time.monotonic()
        read = details()
        self.assertEqual([len(read[name]) for name in LISTS], [0, 0, 1000, 1000])
        print(
            f"\n  start {endpoint.start_seconds:.2f} s, seeding 1,000 roles and policies {seeded - started:.2f} s, "
            f"reading them in pages of 100 {time.monotonic() - seeded:.2f} s",
            file=sys.stderr,
        )
        self.assertLess(seeded - started, 2)

    def test_credentials_among_the_resources_of_an_account_file(self) -> None:
        arn = "arn:aws:iam::111111111111:user/u"
        made = seed(
            account(
                "111111111111",
                UserDetailList=[{"Arn": arn}],
                resources=[
                    {"type": "AWS::IAM::AccessKey", "arn": arn},
                    {"type": "AWS::IAM::LoginProfile", "arn": arn},
                    {"type": "AWS::S3::Bucket"},
                ],
            )
        )
        self.assertEqual(made["resourcesLeftAside"], {"AWS::S3::Bucket": 1})
        iam = endpoint.client("iam")
        self.assertEqual(len(iam.list_access_keys(UserName="u")["AccessKeyMetadata"]), 1)
        self.assertEqual(iam.get_login_profile(UserName="u")["LoginProfile"]["UserName"], "u")

    def test_reset_of_one_account(self) -> None:
        users = [{"Arn": f"arn:aws:iam::{n}:user/u"} for n in ("111111111111", "222222222222")]
        key = [{"AccessKeyId": READER, "SecretAccessKey": SECRET}]
        seed(
            [
                account("111111111111", UserDetailList=users[:1]),
                {"AccountId": "222222222222", "administratorKeys": key, "UserDetailList": users[1:]},
            ]
        )
        endpoint.ask("POST", "/_ciem/reset", {"account": "111111111111"})
        with self.assertRaisesRegex(ClientError, "InvalidClientTokenId"):
            details()
        self.assertEqual([u["UserName"] for u in details(READER)["UserDetailList"]], ["u"])
        endpoint.ask("POST", "/_ciem/reset", {"account": "222222222222"})
