"""What the audit reads: authorization details, boundaries, credential report, last accessed data."""

from __future__ import annotations

import csv
import datetime
import json
import time
from typing import Any

from botocore.exceptions import ClientError

from testing import READER, SECRET, SECURITY_AUDIT, Case, account, allow, details, endpoint, seed, trust


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
        self.iam.create_role(
            RoleName="r",
            AssumeRolePolicyDocument=json.dumps(trust("*")),
            PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess",
        )
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
        self.assertEqual(
            [(v["VersionId"], v["IsDefaultVersion"]) for v in policy["PolicyVersionList"]], [("v1", False), ("v2", True)]
        )

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
        for call in (
            lambda: iam.put_user_permissions_boundary(
                UserName="u", PermissionsBoundary="arn:aws:iam::111111111111:policy/none"
            ),
            lambda: iam.create_user(UserName="v", PermissionsBoundary="arn:aws:iam::111111111111:policy/none"),
        ):
            with self.assertRaisesRegex(ClientError, "NoSuchEntity"):
                call()
        self.assertEqual([u["UserName"] for u in iam.list_users()["Users"]], ["u"])


class Usage(Case):
    def report(self) -> list[dict[str, str]]:
        iam = endpoint.client("iam")
        while iam.generate_credential_report()["State"] != "COMPLETE":
            pass
        answer = iam.get_credential_report()
        age = datetime.datetime.now(datetime.UTC) - answer["GeneratedTime"]
        self.assertLess(age.total_seconds(), 60)
        return list(csv.DictReader(answer["Content"].decode().splitlines()))

    def test_credential_report(self) -> None:
        users = [{"Arn": f"arn:aws:iam::111111111111:user/{name}", "CreateDate": "2020-02-02T02:02:02Z"} for name in ("b", "A")]
        used = {"LastUsedDate": "2026-01-02T03:04:05Z", "ServiceName": "s3", "Region": "eu-west-1"}
        seed(
            account(
                "111111111111",
                UserDetailList=users,
                accessKeys=[
                    {
                        "UserName": "b",
                        "AccessKeyId": READER,
                        "SecretAccessKey": SECRET,
                        "CreateDate": "2020-03-03T00:00:00Z",
                        "LastUsed": used,
                    },
                    {"UserName": "b", "Status": "Inactive", "CreateDate": "2020-04-04T00:00:00Z"},
                    {"UserName": "<root_account>", "CreateDate": "2019-01-01T00:00:00Z"},
                ],
                loginProfiles=[
                    {"UserName": "A", "CreateDate": "2021-01-01T00:00:00Z", "PasswordLastUsed": "2022-01-01T00:00:00Z"}
                ],
                mfaDevices=[{"UserName": "A", "SerialNumber": "arn:aws:iam::111111111111:mfa/A"}],
                root={"CreateDate": "2018-01-01T00:00:00Z", "PasswordLastUsed": "2025-05-05T00:00:00Z", "MfaActive": False},
            )
        )
        with self.assertRaisesRegex(ClientError, "ReportNotPresent"):
            endpoint.client("iam").get_credential_report()
        root, a, b = self.report()
        self.assertEqual((root["user"], root["arn"]), ("<root_account>", "arn:aws:iam::111111111111:root"))
        self.assertEqual(
            list(root.values())[2:],
            [
                "2018-01-01T00:00:00Z",
                "not_supported",
                "2025-05-05T00:00:00Z",
                "not_supported",
                "not_supported",
                "false",
                "true",
                "2019-01-01T00:00:00Z",
                "N/A",
                "N/A",
                "N/A",
                *["false", "N/A", "N/A", "N/A", "N/A"],
                *["false", "N/A"] * 2,
            ],
        )
        self.assertEqual(
            list(a.values())[3:9], ["true", "2022-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "N/A", "true", "false"]
        )
        self.assertEqual(
            list(b.values()),
            [
                "b",
                "arn:aws:iam::111111111111:user/b",
                "2020-02-02T02:02:02Z",
                "false",
                "N/A",
                "N/A",
                "N/A",
                "false",
                "true",
                "2020-03-03T00:00:00Z",
                "2026-01-02T03:04:05Z",
                "eu-west-1",
                "s3",
                "false",
                "2020-04-04T00:00:00Z",
                "N/A",
                "N/A",
                "N/A",
                *["false", "N/A"] * 2,
            ],
        )
        summary = endpoint.client("iam").get_account_summary()["SummaryMap"]
        self.assertEqual((summary["AccountMFAEnabled"], summary["AccountAccessKeysPresent"]), (0, 1))

    def test_a_call_moves_the_last_use(self) -> None:
        seed(
            account(
                "111111111111",
                UserDetailList=[{"Arn": "arn:aws:iam::111111111111:user/u"}],
                accessKeys=[{"UserName": "u", "AccessKeyId": READER, "SecretAccessKey": SECRET}],
            )
        )
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
        seed(
            account(
                "111111111111",
                RoleDetailList=[
                    {
                        "Arn": arn,
                        "AssumeRolePolicyDocument": trust("*"),
                        "RolePolicyList": [
                            {"PolicyName": "p", "PolicyDocument": allow(["s3:GetObject", "sqs:*", "neptune-db:*"])}
                        ],
                    }
                ],
                UserDetailList=[
                    {
                        "Arn": "arn:aws:iam::111111111111:user/u",
                        "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": allow("iam:*")}],
                    }
                ],
                accessKeys=[{"UserName": "u", "AccessKeyId": READER, "SecretAccessKey": SECRET}],
                lastAccessed={
                    arn: [
                        {
                            "ServiceNamespace": "s3",
                            "LastAuthenticated": "2026-01-01T00:00:00Z",
                            "LastAuthenticatedEntity": arn,
                            "LastAuthenticatedRegion": "eu-west-1",
                            "TrackedActionsLastAccessed": [
                                {
                                    "ActionName": "GetBucketAcl",
                                    "LastAccessedTime": "2026-01-01T00:00:00Z",
                                    "LastAccessedRegion": "eu-west-1",
                                }
                            ],
                        }
                    ]
                },
            )
        )
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
