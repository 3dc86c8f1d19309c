"""Who is served: keys, signatures, policies, sessions."""

from __future__ import annotations

import base64
import http.client
import json
import time
from typing import Any

from botocore.exceptions import ClientError

from testing import ADMIN, READER, SECRET, SECURITY_AUDIT, Case, account, allow, endpoint, seed, trust


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
        seed(
            [
                {
                    "AccountId": self.A,
                    "UserDetailList": [self.user],
                    "accessKeys": keys,
                    "RoleDetailList": [r for r in self.roles if f":{self.A}:" in r["Arn"]],
                },
                account(self.B, RoleDetailList=[r for r in self.roles if f":{self.B}:" in r["Arn"]]),
            ]
        )

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
        connection.request(
            "POST", "/", "Action=ListUsers&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"}
        )
        # No service in an unsigned request: moto takes S3.
        self.assertEqual(connection.getresponse().status, 403)

    def test_an_error_has_the_form_that_every_sdk_reads(self) -> None:
        self.seed()
        client = endpoint.client("iam", READER)
        raw: list[Any] = []
        client.meta.events.register("before-parse.iam.*", lambda response_dict, **_: raw.append(response_dict))
        self.refused("AccessDenied", client.list_users)
        self.assertEqual(raw[0]["status_code"], 403)
        self.assertRegex(
            raw[0]["body"], rb"^<ErrorResponse xmlns=[^>]*><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: "
        )

    def test_an_inactive_key_is_refused(self) -> None:
        self.seed()
        endpoint.client("sts", READER).get_caller_identity()
        seed(
            [
                {
                    "AccountId": self.A,
                    "UserDetailList": [self.user],
                    "accessKeys": [{"UserName": "op", "AccessKeyId": READER, "SecretAccessKey": SECRET, "Status": "Inactive"}],
                }
            ]
        )
        self.refused("InvalidClientTokenId", endpoint.client("sts", READER).get_caller_identity)

    def test_missing_rights_in_the_words_of_aws(self) -> None:
        arn = self.user["Arn"]
        self.policies.append(
            {"PolicyName": "d", "PolicyDocument": {"Statement": {"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}}}
        )
        self.policies.append({"PolicyName": "a", "PolicyDocument": allow("iam:List*")})
        self.seed()
        iam = endpoint.client("iam", READER)
        self.assertEqual(
            self.refused("AccessDenied", iam.get_account_authorization_details),
            f"User: {arn} is not authorized to perform: iam:GetAccountAuthorizationDetails on resource: * because no "
            "identity-based policy allows the iam:GetAccountAuthorizationDetails action",
        )
        self.assertEqual(
            self.refused("AccessDenied", iam.list_users),
            f"User: {arn} is not authorized to perform: iam:ListUsers on resource: * with an explicit deny in an identity-based policy",
        )
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
            (
                {
                    "Statement": allow("*")["Statement"]
                    + [{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NumericLessThan": {"x:unknown": "1"}}}]
                },
                True,
            ),
            (
                {
                    "Statement": allow("*")["Statement"]
                    + [
                        {
                            "Effect": "Deny",
                            "Action": "*",
                            "Resource": "*",
                            "Condition": {"NoSuchOperator": {"aws:username": "x"}},
                        }
                    ]
                },
                False,
            ),
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
        group = {
            "Arn": f"arn:aws:iam::{self.A}:group/g",
            "GroupPolicyList": [
                {"PolicyName": "p", "PolicyDocument": allow("iam:DeleteUser", "arn:aws:iam::*:user/tmp-${aws:username}")}
            ],
        }
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
        self.assertIn(
            "because no permissions boundary allows the iam:",
            self.refused("AccessDenied", iam.get_account_authorization_details),
        )

    def test_assume_role_across_accounts(self) -> None:
        external = {"Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}
        role = self.role(
            "deep/Reader",
            trust({"AWS": f"arn:aws:iam::{self.A}:root"}, **external),
            AttachedManagedPolicies=[{"PolicyArn": SECURITY_AUDIT}],
        )
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
        self.assertIn(
            "sts:TagSession", self.refused("AccessDenied", lambda: self.assume(by_user, Tags=[{"Key": "a", "Value": "b"}]))
        )
        session = self.assume(role, ExternalId="agreed")
        identity = endpoint.client("sts", *session).get_caller_identity()
        self.assertEqual((identity["Account"], identity["Arn"]), (self.B, f"arn:aws:sts::{self.B}:assumed-role/Reader/session"))
        read = endpoint.client("iam", *session).get_account_authorization_details()
        self.assertEqual([r["RoleName"] for r in read["RoleDetailList"]], ["ByUser", "Others", "Reader"])
        self.assertEqual(read["RoleDetailList"][2]["RoleLastUsed"]["Region"], "us-east-1")
        self.assertIn(
            f"User: {identity['Arn']} is not",
            self.refused("AccessDenied", lambda: endpoint.client("iam", *session).create_user(UserName="x")),
        )
        self.refused("InvalidClientTokenId", endpoint.client("iam", *session[:2]).list_users)
        self.refused("InvalidClientTokenId", endpoint.client("iam", *session[:2], "another token").list_users)
        # Without the caller's own right the trust of another account is not enough.
        self.user["UserPolicyList"] = []
        self.seed()
        self.assertIn("no identity-based policy", self.refused("AccessDenied", lambda: self.assume(by_user)))

    def test_assume_role_within_one_account_and_chains(self) -> None:
        named = self.role(
            "Named",
            trust({"AWS": self.user["Arn"]}),
            self.A,
            RolePolicyList=[{"PolicyName": "p", "PolicyDocument": allow("sts:AssumeRole")}],
        )
        self.role("Delegated", trust({"AWS": self.A}), self.A)
        last = self.role("Last", trust({"AWS": named}), RolePolicyList=[{"PolicyName": "p", "PolicyDocument": allow("iam:*")}])
        self.user["UserPolicyList"] = []
        self.seed()
        session = self.assume(named)
        self.assertIn("Delegated", self.refused("AccessDenied", lambda: self.assume(f"arn:aws:iam::{self.A}:role/Delegated")))
        chained = self.assume(last, session, Policy=json.dumps(allow("iam:ListUsers")))
        endpoint.client("iam", *chained).list_users()
        self.assertIn("no session policy", self.refused("AccessDenied", endpoint.client("iam", *chained).list_roles))
        self.assertEqual(
            self.refused("AccessDenied", lambda: self.assume(named, (ADMIN, SECRET))),
            "Roles may not be assumed by root accounts.",
        )

    def test_web_identity(self) -> None:
        provider = f"arn:aws:iam::{self.B}:oidc-provider/oidc.example.com/id"
        condition = {
            "StringEquals": {
                "oidc.example.com/id:aud": "sts.amazonaws.com",
                "oidc.example.com/id:sub": "system:serviceaccount:ns:sa",
            }
        }
        role = self.role("Web", trust({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", Condition=condition))
        self.seed()

        def assume(**claims: Any) -> Any:
            claims = {
                "iss": "https://oidc.example.com/id",
                "aud": ["sts.amazonaws.com"],
                "sub": "system:serviceaccount:ns:sa",
                "exp": time.time() + 60,
            } | claims
            part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
            return endpoint.client("sts", "", "").assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="pod", WebIdentityToken=f"e30.{part}.c2lnbmF0dXJl"
            )

        self.refused("InvalidIdentityToken", assume)
        endpoint.client("iam").create_open_id_connect_provider(
            Url="https://oidc.example.com/id", ClientIDList=["sts.amazonaws.com"]
        )
        credentials = assume()["Credentials"]
        session = endpoint.client(
            "sts", credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
        )
        self.assertEqual(session.get_caller_identity()["Arn"], f"arn:aws:sts::{self.B}:assumed-role/Web/pod")
        self.refused("AccessDenied", lambda: assume(sub="system:serviceaccount:ns:other"))
        self.refused("AccessDenied", lambda: assume(aud="other"))
        self.refused("ExpiredTokenException", lambda: assume(exp=1))
