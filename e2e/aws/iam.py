"""What moto's IAM lacks for an audit: paged authorization details, user boundaries, ids and counts as IAM gives them."""

from __future__ import annotations

import base64
import binascii
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import never_return, url_encode
from moto.iam import models
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import NoSuchEntity, ValidationError
from moto.iam.responses import IamResponse
from moto.iam.utils import generate_access_key_id_from_account_id

from state import Extras, compact, now, unique_id

ENTITY_TYPES = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")


def encoded(document: str) -> str:
    """A policy as IAM answers it: percent-encoded by RFC 3986, `/` too."""
    return quote(document, safe="")


# --- GetAccountAuthorizationDetails


def _policies(holder: Any) -> list[dict[str, str]]:
    return [{"PolicyName": name, "PolicyDocument": encoded(text)} for name, text in holder.policies.items()]


def user_detail(user: models.User) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.create_date,
        # Unlike the other lists this one is left out when it is empty.
        "UserPolicyList": _policies(user) or None,
        "GroupList": user.group_list,
        "AttachedManagedPolicies": user.attached_managed_policies,
        "PermissionsBoundary": user.permissions_boundary,
        "Tags": user.tags or [],
    }


def group_detail(group: models.Group) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": group.create_date,
        "GroupPolicyList": _policies(group),
        "AttachedManagedPolicies": group.attached_managed_policies,
    }


def _role_summary(role: models.Role) -> dict[str, Any]:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date,
        "AssumeRolePolicyDocument": encoded(role.assume_role_policy_document),
    }


def _instance_profile(profile: models.InstanceProfile) -> dict[str, Any]:
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": profile.create_date,
        "Roles": [_role_summary(role) for role in profile.roles],
    }


def role_detail(role: models.Role) -> dict[str, Any]:
    last_used = {"LastUsedDate": role.last_used, "Region": role.last_used_region} if role.last_used else {}
    return _role_summary(role) | {
        "InstanceProfileList": [_instance_profile(profile) for profile in role.instance_profile_list],
        "RolePolicyList": _policies(role),
        "AttachedManagedPolicies": role.attached_managed_policies,
        "PermissionsBoundary": role.permissions_boundary,
        "Tags": role.tags,
        "RoleLastUsed": last_used,
    }


def policy_detail(policy: models.ManagedPolicy) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": policy.attachment_count,
        "IsAttachable": True,
        "CreateDate": policy.create_date,
        "UpdateDate": policy.update_date,
        "PolicyVersionList": [
            {
                "Document": encoded(version.document),
                "VersionId": version.version_id,
                "IsDefaultVersion": version.is_default,
                "CreateDate": version.create_date,
            }
            for version in policy.versions
        ],
    }


def boundary_usage(backend: models.IAMBackend) -> Counter[str]:
    holders = [*backend.users.values(), *backend.roles.values()]
    return Counter(holder.permissions_boundary_arn for holder in holders if holder.permissions_boundary_arn)


# The order in which the answer goes through the kinds, over all its pages.
KINDS: list[tuple[str, Callable[[Any], dict[str, Any]]]] = [
    ("UserDetailList", user_detail),
    ("GroupDetailList", group_detail),
    ("RoleDetailList", role_detail),
    ("Policies", policy_detail),
]
Row = tuple[int, str, Any]


def _rows(backend: models.IAMBackend, wanted: list[str], boundaries: Counter[str]) -> Iterator[Row]:
    """(place in KINDS, ARN, entity) of all that the answer holds over all its pages."""
    holders = (("User", backend.users), ("Group", backend.groups), ("Role", backend.roles))
    for kind, (name, entities) in enumerate(holders):
        if name in wanted:
            yield from ((kind, entity.arn, entity) for entity in list(entities.values()))
    for policy in list(backend.managed_policies.values()):
        is_aws = isinstance(policy, models.AWSManagedPolicy)
        # AWS leaves out its own policies that nothing is attached to, and any policy that is used as a boundary alone.
        left_out = policy.attachment_count == 0 and (is_aws or boundaries[policy.arn] > 0)
        if not left_out and ("AWSManagedPolicy" if is_aws else "LocalManagedPolicy") in wanted:
            yield len(holders), policy.arn, policy


def page_size(response: IamResponse) -> int:
    size = response._get_int_param("MaxItems", 100)
    if not 1 <= size <= 1000:
        bound = "less than or equal to 1000" if size > 1000 else "greater than or equal to 1"
        raise ValidationError(
            f"1 validation error detected: Value '{size}' at 'maxItems' failed to satisfy constraint: "
            f"Member must have value {bound}"
        )
    return size


def _after(marker: str | None) -> tuple[int, str]:
    """The last row of the page before. The marker names it, so that changes between two pages skip and repeat nothing else."""
    if not marker:
        return -1, ""
    try:
        kind, arn = json.loads(base64.urlsafe_b64decode(marker))
        return int(kind), str(arn)
    except (ValueError, TypeError, binascii.Error):
        raise ValidationError("Invalid Marker.") from None


def get_account_authorization_details(self: IamResponse) -> ActionResult:
    wanted = self._get_param("Filter") or list(ENTITY_TYPES)
    unknown = [name for name in wanted if name not in ENTITY_TYPES]
    if unknown:
        raise ValidationError(
            f"1 validation error detected: Value '[{', '.join(unknown)}]' at 'filter' failed to satisfy constraint: Member must "
            f"satisfy constraint: [Member must satisfy enum value set: [{', '.join(ENTITY_TYPES)}]]"
        )
    after, size = _after(self._get_param("Marker")), page_size(self)
    boundaries = boundary_usage(self.backend)
    left = (row for row in _rows(self.backend, wanted, boundaries) if row[:2] > after)
    rows = heapq.nsmallest(size + 1, left, key=lambda row: row[:2])
    answer: dict[str, Any] = {name: [] for name, _ in KINDS}
    for kind, _, entity in rows[:size]:
        name, detail = KINDS[kind]
        answer[name].append(detail(entity))
    for policy in answer["Policies"]:
        policy["PermissionsBoundaryUsageCount"] = boundaries[policy["Arn"]]
    answer["IsTruncated"] = len(rows) > size
    if answer["IsTruncated"]:
        answer["Marker"] = base64.urlsafe_b64encode(compact(rows[size - 1][:2]).encode()).decode()
    return ActionResult(answer)


# --- permissions boundaries of users


def _boundary(self: models.User) -> dict[str, str] | None:
    if not self.permissions_boundary_arn:
        return None
    return {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": self.permissions_boundary_arn,
    }


def _set_boundary(response: IamResponse) -> None:
    arn = response._get_param("PermissionsBoundary")
    if arn not in response.backend.managed_policies:
        raise NoSuchEntity(f"Scope ARN: {arn} does not exist or is not attachable.")
    response.backend.get_user(response._get_param("UserName")).permissions_boundary_arn = arn


def put_user_permissions_boundary(self: IamResponse) -> ActionResult:
    _set_boundary(self)
    return EmptyResult()


def delete_user_permissions_boundary(self: IamResponse) -> ActionResult:
    self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = None
    return EmptyResult()


def create_user(self: IamResponse) -> ActionResult:
    answer = _moto_create_user(self)
    if self._get_param("PermissionsBoundary"):
        try:
            _set_boundary(self)
        except NoSuchEntity:
            self.backend.delete_user(self._get_param("UserName"))
            raise
    return answer


_moto_create_user = IamResponse.create_user


# --- ids, counts and dates


def _with_id(kind: type, prefix: str) -> None:
    plain = kind.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self.id = generate_access_key_id_from_account_id(self.account_id, prefix, total_length=21)

    kind.__init__ = init


def _attach_to(self: models.ManagedPolicy, holder: Any) -> None:
    # Attaching again changes nothing; moto would count it twice.
    if self.arn not in holder.managed_policies:
        _moto_attach_to(self, holder)


_moto_attach_to = models.ManagedPolicy.attach_to


def _create_policy_version(self: models.IAMBackend, policy_arn: str, *args: Any) -> models.PolicyVersion:
    version = _moto_create_policy_version(self, policy_arn, *args)
    self.get_policy(policy_arn).update_date = now()
    return version


_moto_create_policy_version = models.IAMBackend.create_policy_version


# --- the policies of AWS, parsed once for all accounts


def _shared_aws_policies() -> Callable[[models.IAMBackend], list[models.ManagedPolicy]]:
    data = json.loads(aws_managed_policies_data)
    texts = {name: compact(entry.pop("Document")) for name, entry in data.items()}

    def policies(self: models.IAMBackend) -> list[models.ManagedPolicy]:
        found = []
        for name, entry in data.items():
            policy = models.AWSManagedPolicy.from_data(name, self.account_id, self.region_name, entry)
            policy.versions[0].document = texts[name]
            policy.id = unique_id("ANPA", policy.arn)
            found.append(policy)
        return found

    return policies


def _with_extras(plain: Callable[..., None]) -> Callable[..., None]:
    def init(self: models.IAMBackend, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self.extras = Extras()

    return init


def install() -> None:
    IamResponse.get_account_authorization_details = get_account_authorization_details
    IamResponse.put_user_permissions_boundary = put_user_permissions_boundary
    IamResponse.delete_user_permissions_boundary = delete_user_permissions_boundary
    IamResponse.create_user = create_user
    models.User.permissions_boundary_arn = None
    models.User.permissions_boundary = property(_boundary)
    models.ManagedPolicy.permissions_boundary_usage_count = property(lambda self: boundary_usage(self.backend)[self.arn])
    models.ManagedPolicy.attach_to = _attach_to
    models.IAMBackend.create_policy_version = _create_policy_version
    models.IAMBackend._init_aws_policies = _shared_aws_policies()
    models.IAMBackend.__init__ = _with_extras(models.IAMBackend.__init__)
    for kind, prefix in (
        (models.User, "AIDA"),
        (models.Group, "AGPA"),
        (models.InstanceProfile, "AIPA"),
        (models.ManagedPolicy, "ANPA"),
    ):
        _with_id(kind, prefix)
    IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER |= {
        # Lists of users do not show boundaries; documents are encoded wherever they stand.
        "ListUsersResponse.Users.User.PermissionsBoundary": never_return,
        "GetPolicyVersionResponse.PolicyVersion.Document": url_encode,
        "ListRolesResponse.Roles.Role.AssumeRolePolicyDocument": url_encode,
    }
