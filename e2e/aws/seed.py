"""Fills accounts straight into moto's stores, from the JSON that GetAccountAuthorizationDetails answers.

An account is replaced as a whole, and only when the whole input was understood. An entity goes to the account that its ARN
names, so that a file with entities of several accounts fills several. ../README.md describes the members.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from moto.core.base_backend import BackendDict, backend_lock
from moto.iam import models

from state import ROOT, compact, existing_backends, now, unique_id

LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
EXTRA = ("accessKeys", "administratorKeys", "loginProfiles", "mfaDevices", "root", "lastAccessed", "resources")
KNOWN = {"AccountId", "AccountName", "IsTruncated", "Marker", "ResponseMetadata", *LISTS, *EXTRA}
ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(aws|\d{12}):(user|group|role|policy|instance-profile)(/.*/|/)([^/]+)")


class SeedError(ValueError):
    """The input is refused; the text names the place in it."""


@dataclass
class Target:
    """One account on its way: the backend is filled aside and put in place at the end."""

    backend: models.IAMBackend
    # The counts that the input states for its policies; the rest is counted.
    stated: dict[str, int] = field(default_factory=dict)
    attached: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)


# --- values


def need(entry: Any, name: str, place: str) -> Any:
    if not isinstance(entry, dict) or entry.get(name) in (None, ""):
        raise SeedError(f"{place}: {name} is missing")
    return entry[name]


def document(value: Any, place: str) -> str:
    """A policy as text. Objects are written compactly; text is kept as it is, once any URL encoding is taken off it, so
    that documents which are no JSON can be given too."""
    if isinstance(value, dict):
        return compact(value)
    if isinstance(value, str):
        return unquote(value) if value.lstrip().lower().startswith("%7b") else value
    raise SeedError(f"{place}: a policy document is an object or text")


def date(value: Any, place: str, otherwise: datetime.datetime | None = None) -> datetime.datetime | None:
    if value is None:
        return otherwise
    try:
        time = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SeedError(f"{place}: {value!r} is not a date like 2026-01-31T08:00:00Z") from None
    return time.astimezone(datetime.UTC).replace(tzinfo=None) if time.tzinfo else time


@dataclass(frozen=True)
class Arn:
    text: str
    partition: str
    account: str
    kind: str
    path: str
    name: str


def parse(text: Any, kind: str, place: str) -> Arn:
    found = ARN.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[3] != kind:
        raise SeedError(f"{place}: {text!r} is not the ARN of a {kind}")
    return Arn(text, found[1], found[2], found[3], found[4], found[5])


# --- entities


def fill_common(holder: Any, entry: dict[str, Any], arn: Arn, id_name: str, prefix: str, inline: str, place: str) -> None:
    holder.id = entry.get(id_name) or unique_id(prefix, arn.text)
    holder.create_date = date(entry.get("CreateDate"), f"{place}.CreateDate", now())
    for index, given in enumerate(entry.get(inline) or []):
        where = f"{place}.{inline}[{index}]"
        holder.policies[need(given, "PolicyName", where)] = document(given.get("PolicyDocument"), f"{where}.PolicyDocument")


def attach(target: Target, holder: Any, entry: dict[str, Any], place: str) -> None:
    managed = target.backend.managed_policies
    for index, given in enumerate(entry.get("AttachedManagedPolicies") or []):
        where = f"{place}.AttachedManagedPolicies[{index}]"
        arn = need(given, "PolicyArn", where)
        if arn not in managed:
            raise SeedError(f"{where}: {arn} is neither in Policies nor a policy of AWS that moto knows")
        holder.managed_policies[arn] = managed[arn]
        target.attached[arn] += 1


def boundary(entry: dict[str, Any], place: str) -> str | None:
    given = entry.get("PermissionsBoundary")
    return need(given, "PermissionsBoundaryArn", f"{place}.PermissionsBoundary") if given else None


def tags(entry: dict[str, Any]) -> list[dict[str, str]]:
    return [{"Key": tag["Key"], "Value": tag["Value"]} for tag in entry.get("Tags") or []]


def add_policy(target: Target, entry: dict[str, Any], arn: Arn, place: str) -> None:
    backend = target.backend
    kind = models.AWSManagedPolicy if arn.account == "aws" else models.ManagedPolicy
    policy = kind(arn.name, backend.account_id, backend.partition, path=arn.path, description=entry.get("Description"))
    policy.id = entry.get("PolicyId") or unique_id("ANPA", arn.text)
    policy.create_date = date(entry.get("CreateDate"), f"{place}.CreateDate", now())
    policy.update_date = date(entry.get("UpdateDate"), f"{place}.UpdateDate", policy.create_date)
    policy.tags = {tag["Key"].lower(): tag for tag in tags(entry)}
    policy.versions = []
    for index, given in enumerate(need(entry, "PolicyVersionList", place)):
        where = f"{place}.PolicyVersionList[{index}]"
        number = need(given, "VersionId", where)
        text = document(given.get("Document"), f"{where}.Document")
        created = date(given.get("CreateDate"), f"{where}.CreateDate", policy.create_date)
        policy.versions.append(models.PolicyVersion(arn.text, text, bool(given.get("IsDefaultVersion")), number, created))
    default = [version.version_id for version in policy.versions if version.is_default]
    if len(default) != 1 or entry.get("DefaultVersionId", default[0]) != default[0]:
        raise SeedError(f"{place}: exactly one version is the default one, and DefaultVersionId names it")
    policy.default_version_id = default[0]
    policy.next_version_num = 1 + max(int(version.version_id.lstrip("v")) for version in policy.versions)
    if entry.get("AttachmentCount") is not None:
        target.stated[arn.text] = int(entry["AttachmentCount"])
    backend.managed_policies[arn.text] = policy
    target.counts["policies"] += 1


def add_group(target: Target, entry: dict[str, Any], arn: Arn, place: str) -> None:
    group = models.Group(target.backend.account_id, target.backend.partition, arn.name, arn.path)
    fill_common(group, entry, arn, "GroupId", "AGPA", "GroupPolicyList", place)
    attach(target, group, entry, place)
    target.backend.groups[arn.name] = group
    target.counts["groups"] += 1


def add_user(target: Target, entry: dict[str, Any], arn: Arn, place: str) -> None:
    backend = target.backend
    user = models.User(backend.account_id, backend.partition, arn.name, arn.path)
    fill_common(user, entry, arn, "UserId", "AIDA", "UserPolicyList", place)
    attach(target, user, entry, place)
    user.permissions_boundary_arn = boundary(entry, place)
    backend.tagger.tag_resource(arn.text, tags(entry))
    for name in entry.get("GroupList") or []:
        if name not in backend.groups:
            raise SeedError(f"{place}.GroupList: there is no group {name!r} in the account")
        backend.groups[name].users.append(user)
    backend.users[arn.name] = user
    target.counts["users"] += 1


def add_role(target: Target, entry: dict[str, Any], arn: Arn, place: str) -> None:
    backend = target.backend
    role = models.Role(
        account_id=backend.account_id,
        partition=backend.partition,
        role_id="",
        name=arn.name,
        assume_role_policy_document=document(entry.get("AssumeRolePolicyDocument"), f"{place}.AssumeRolePolicyDocument"),
        path=arn.path,
        permissions_boundary=boundary(entry, place),
        description=entry.get("Description", ""),
        tags=tags(entry),
        max_session_duration=entry.get("MaxSessionDuration", 3600),
    )
    fill_common(role, entry, arn, "RoleId", "AROA", "RolePolicyList", place)
    attach(target, role, entry, place)
    used = entry.get("RoleLastUsed") or {}
    role.last_used = date(used.get("LastUsedDate"), f"{place}.RoleLastUsed.LastUsedDate")
    role.last_used_region = used.get("Region")
    backend.roles[role.id] = role
    for index, given in enumerate(entry.get("InstanceProfileList") or []):
        add_instance_profile(target, role, given, f"{place}.InstanceProfileList[{index}]")
    target.counts["roles"] += 1


def add_instance_profile(target: Target, role: models.Role, entry: dict[str, Any], place: str) -> None:
    backend = target.backend
    arn = parse(need(entry, "Arn", place), "instance-profile", place)
    profile = models.InstanceProfile(backend.account_id, backend.partition, "", arn.name, arn.path, [role])
    profile.id = entry.get("InstanceProfileId") or unique_id("AIPA", arn.text)
    profile.create_date = date(entry.get("CreateDate"), f"{place}.CreateDate", role.create_date)
    backend.instance_profiles[arn.name] = profile


# --- credentials and usage


def user_of(target: Target, entry: dict[str, Any], place: str) -> models.User:
    name = need(entry, "UserName", place)
    if name not in target.backend.users:
        raise SeedError(f"{place}: there is no user {name!r} in account {target.backend.account_id}")
    return target.backend.users[name]


def access_key(target: Target, entry: dict[str, Any], owner: str, place: str) -> models.AccessKey:
    key = models.AccessKey(owner, "AKIA", target.backend.account_id, entry.get("Status", "Active"))
    key.access_key_id = entry.get("AccessKeyId", key.access_key_id)
    key.secret_access_key = entry.get("SecretAccessKey", key.secret_access_key)
    if not re.fullmatch("[A-Z0-9]{20}", key.access_key_id):
        raise SeedError(f"{place}: AccessKeyId {key.access_key_id!r} is not 20 capital letters and digits")
    key.create_date = date(entry.get("CreateDate"), f"{place}.CreateDate", now())
    used = entry.get("LastUsed")
    if used:
        time = date(need(used, "LastUsedDate", f"{place}.LastUsed"), f"{place}.LastUsed.LastUsedDate")
        key.last_used = models.AccessKeyLastUsed(time, used.get("ServiceName", "N/A"), used.get("Region", "N/A"))
    if key.access_key_id in target.backend.access_keys:
        raise SeedError(f"{place}: AccessKeyId {key.access_key_id} stands twice in the account")
    target.backend.access_keys[key.access_key_id] = key
    target.counts["accessKeys"] += 1
    return key


def add_login_profile(user: models.User, entry: dict[str, Any], place: str) -> None:
    user.password = entry.get("Password", "not-a-real-password")
    user.password_create_date = date(entry.get("CreateDate"), f"{place}.CreateDate", user.create_date)
    user.password_last_used = date(entry.get("PasswordLastUsed"), f"{place}.PasswordLastUsed")
    user.password_reset_required = bool(entry.get("PasswordResetRequired"))


def add_credentials(targets: dict[tuple[str, str], Target], target: Target, given: dict[str, Any], place: str) -> None:
    backend, extras = target.backend, target.backend.extras
    for index, entry in enumerate(given.get("accessKeys") or []):
        where = f"{place}accessKeys[{index}]"
        if need(entry, "UserName", where) == ROOT:
            extras.root_access_keys.append(access_key(target, entry, ROOT, where))
        else:
            user = user_of(target, entry, where)
            user.access_keys.append(access_key(target, entry, user.name, where))
    for index, entry in enumerate(given.get("administratorKeys") or []):
        where = f"{place}administratorKeys[{index}]"
        need(entry, "AccessKeyId", where)
        need(entry, "SecretAccessKey", where)
        number = str(entry.get("AccountId", backend.account_id))
        if (backend.partition, number) not in targets:
            raise SeedError(f"{where}.AccountId: account {number} is not in the input")
        # Signs as the root user but is in none of its lists, so that a test's own changes leave no trace in reports.
        access_key(targets[backend.partition, number], entry, ROOT, where)
    for index, entry in enumerate(given.get("loginProfiles") or []):
        where = f"{place}loginProfiles[{index}]"
        add_login_profile(user_of(target, entry, where), entry, where)
    for index, entry in enumerate(given.get("mfaDevices") or []):
        where = f"{place}mfaDevices[{index}]"
        user, serial = user_of(target, entry, where), need(entry, "SerialNumber", where)
        user.enable_mfa_device(serial, "", "")
        user.mfa_devices[serial].enable_date = date(entry.get("EnableDate"), f"{where}.EnableDate", now())
    root = given.get("root") or {}
    extras.root = {
        "created": date(root.get("CreateDate"), f"{place}root.CreateDate"),
        "password_last_used": date(root.get("PasswordLastUsed"), f"{place}root.PasswordLastUsed"),
        "mfa_active": root.get("MfaActive", True),
    }
    backend.account_summary._account_mfa_enabled = int(extras.root["mfa_active"])
    backend.account_summary._account_access_keys_present = int(bool(extras.root_access_keys))
    extras.last_accessed.update(given.get("lastAccessed") or {})


def add_resources(target: Target, given: dict[str, Any], place: str) -> Counter[str]:
    """Of an account file's resources, the credentials of users; answers the types that were left aside."""
    aside: Counter[str] = Counter()
    for index, entry in enumerate(given.get("resources") or []):
        where, kind = f"{place}resources[{index}]", entry.get("type")
        if kind not in ("AWS::IAM::AccessKey", "AWS::IAM::LoginProfile"):
            aside[str(kind)] += 1
            continue
        user = user_of(target, {"UserName": parse(entry.get("arn"), "user", where).name}, where)
        if kind == "AWS::IAM::LoginProfile":
            add_login_profile(user, {}, where)
        else:
            user.access_keys.append(access_key(target, {}, user.name, where))
    return aside


# --- whole accounts


def account_of(given: dict[str, Any], place: str) -> tuple[str, str]:
    """(partition, account id) of an account object: AccountId, else the account that most ARNs name."""
    named = Counter(
        (found[1], found[2])
        for name in LISTS
        for entry in given.get(name) or []
        if isinstance(entry, dict) and (found := ARN.fullmatch(str(entry.get("Arn")))) and found[2] != "aws"
    )
    partition = named.most_common(1)[0][0][0] if named else "aws"
    if given.get("AccountId"):
        if not re.fullmatch(r"\d{12}", str(given["AccountId"])):
            raise SeedError(f"{place}AccountId: {given['AccountId']!r} is not twelve digits")
        return partition, str(given["AccountId"])
    if not named:
        raise SeedError(f"{place}AccountId is missing, and no ARN names an account")
    return named.most_common(1)[0][0]


class Plan:
    """Everything that one request seeds."""

    def __init__(self) -> None:
        self.targets: dict[tuple[str, str], Target] = {}
        self.seen: set[tuple[str, str, str]] = set()
        self.aside: Counter[str] = Counter()

    def target(self, partition: str, account: str) -> Target:
        key = partition, account
        if key not in self.targets:
            self.targets[key] = Target(models.IAMBackend(partition, account))
        return self.targets[key]

    def add(self, given: dict[str, Any], place: str) -> None:
        unknown = sorted(set(given) - KNOWN)
        if unknown:
            raise SeedError(f"{place}{unknown[0]}: unknown member (known: {', '.join(sorted(KNOWN))})")
        own = self.target(*account_of(given, place))
        # Policies before what they are attached to, groups before the users in them.
        order = (
            ("Policies", "policy", add_policy),
            ("GroupDetailList", "group", add_group),
            ("UserDetailList", "user", add_user),
            ("RoleDetailList", "role", add_role),
        )
        of_aws: dict[str, tuple[dict[str, Any], Arn, str]] = {}
        for name, kind, add in order:
            for index, entry in enumerate(given.get(name) or []):
                where = f"{place}{name}[{index}]"
                arn = parse(need(entry, "Arn", where), kind, where)
                target = own if arn.account == "aws" else self.target(arn.partition, arn.account)
                if entry.get(f"{kind.title()}Name", arn.name) != arn.name:
                    raise SeedError(f"{where}: the name and the ARN {arn.text} do not agree")
                key = target.backend.account_id, kind, arn.text if kind == "policy" else arn.name
                if key in self.seen:
                    raise SeedError(f"{where}: {arn.text} stands twice in account {key[0]}")
                self.seen.add(key)
                if arn.account == "aws":
                    of_aws[arn.text] = entry, arn, where
                elif target is not own:
                    self.lend(target, entry, of_aws)
                add(target, entry, arn, where)
        add_credentials(self.targets, own, given, place)
        self.aside += add_resources(own, given, place)

    def lend(self, target: Target, holder: dict[str, Any], of_aws: dict[str, tuple[dict[str, Any], Arn, str]]) -> None:
        """Gives another account of the same file the policies of AWS that it attaches. The count stated for them is the
        first account's."""
        for given in holder.get("AttachedManagedPolicies") or []:
            key = target.backend.account_id, "policy", given.get("PolicyArn")
            if key[2] in of_aws and key not in self.seen:
                self.seen.add(key)
                entry, arn, where = of_aws[key[2]]
                add_policy(target, {**entry, "AttachmentCount": None}, arn, where)

    def put_in_place(self) -> None:
        replaced = {account for _, account in self.targets}
        owners = {key: account for account, _, backend in existing_backends() for key in backend.access_keys}
        owners = {key: account for key, account in owners.items() if account not in replaced}
        for (_, account), target in self.targets.items():
            for key in target.backend.access_keys:
                if owners.setdefault(key, account) != account:
                    raise SeedError(f"access key {key} belongs to account {owners[key]} already")
        for target in self.targets.values():
            for arn, policy in target.backend.managed_policies.items():
                policy.attachment_count = target.stated.get(arn, target.attached[arn])
        for (partition, account), target in self.targets.items():
            reset(account)
            models.iam_backends[account][partition] = target.backend


def reset(account: str) -> None:
    """Forgets everything about one account, in all services."""
    with backend_lock:
        for backends in list(BackendDict._instances):
            dict.pop(backends, account, None)


def seed(given: Any) -> dict[str, Any]:
    """Replaces the accounts in `given` (one account object, a list of them, or {accounts: […]}); answers what was made."""
    accounts = given.get("accounts") if isinstance(given, dict) and "accounts" in given else given
    plan = Plan()
    for index, account in enumerate(accounts if isinstance(accounts, list) else [accounts]):
        place = f"accounts[{index}]." if isinstance(accounts, list) else ""
        if not isinstance(account, dict):
            raise SeedError(f"{place or 'the input'} is not an account object")
        plan.add(account, place)
    plan.put_in_place()
    made = {account: dict(target.counts) for (_, account), target in plan.targets.items()}
    return {"accounts": made, "resourcesLeftAside": dict(plan.aside)}
