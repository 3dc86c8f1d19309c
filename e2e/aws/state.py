"""What the endpoint keeps beside moto's own state, and how an access key leads to its owner."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from moto.iam import models
from moto.sts.models import AssumedRole, sts_backends

ROOT = "<root_account>"


@dataclass
class LastAccessedJob:
    """A report of GenerateServiceLastAccessedDetails. Only `owner` may read it."""

    owner: str
    granularity: str
    created: datetime.datetime
    services: list[dict[str, Any]]
    polls: int = 0


@dataclass
class Extras:
    """State of one account that moto has no place for. It lives on the IAM backend, so that a reset takes it along."""

    root: dict[str, Any] = field(default_factory=dict)
    root_access_keys: list[models.AccessKey] = field(default_factory=list)
    # ARN of a user, role, group or policy -> ServiceLastAccessed records, in the form of the API.
    last_accessed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    jobs: dict[str, LastAccessedJob] = field(default_factory=dict)
    credential_report: tuple[str, datetime.datetime] | None = None


@dataclass(frozen=True)
class Caller:
    """The owner of an access key: `kind` is user, session or root."""

    kind: str
    arn: str
    user_id: str
    account: str
    partition: str
    key: models.AccessKey
    name: str = ""
    session: AssumedRole | None = None

    @property
    def backend(self) -> models.IAMBackend:
        return models.iam_backends[self.account][self.partition]


def now() -> datetime.datetime:
    """The present time as moto keeps times: UTC without a time zone, and in whole seconds as IAM answers."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)


def compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def unique_id(prefix: str, arn: str) -> str:
    """An id as IAM gives (AIDA…, AROA…), derived from the ARN so that seeding twice gives the same account."""
    return prefix + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


def existing_backends() -> list[tuple[str, str, models.IAMBackend]]:
    """The accounts that exist, without making one (moto's own look-up makes all partitions of every account)."""
    return [
        (account, partition, backend)
        for account, partitions in list(models.iam_backends.items())
        for partition, backend in list(partitions.items())
    ]


def find_account(access_key_id: str) -> str | None:
    for account, _, backend in existing_backends():
        if access_key_id in backend.access_keys:
            return account
    return None


def find_caller(access_key_id: str) -> Caller | None:
    for account, partition, backend in existing_backends():
        key = backend.access_keys.get(access_key_id)
        if key is None:
            continue
        if key.user_name == ROOT:
            return Caller("root", f"arn:{partition}:iam::{account}:root", account, account, partition, key)
        if key.user_name is not None:
            user = backend.users.get(key.user_name)
            return user and Caller("user", user.arn, user.id, account, partition, key, user.name)
        session = sts_backends[account][partition].get_assumed_role_from_access_key(access_key_id)
        if session is not None:
            name = session.role_arn.split("/")[-1]
            return Caller("session", session.arn, session.user_id, account, partition, key, name, session)
    return None


def find_role(arn: str) -> models.Role | None:
    for _, _, backend in existing_backends():
        for role in backend.roles.values():
            if role.arn == arn:
                return role
    return None
