"""Usage: the credential report with its root row and last uses, and the jobs of service last accessed data."""

from __future__ import annotations

import csv
import datetime
import io
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.iam import models
from moto.iam.exceptions import NoSuchEntity, ReportNotPresentException, ValidationError
from moto.iam.responses import IamResponse

import policy
from access import identity_documents
from iam import page_size
from state import ROOT, LastAccessedJob, find_caller, now

# --- the credential report

COLUMNS = [
    *("user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed"),
    *("password_next_rotation", "mfa_active"),
    *(
        f"access_key_{n}_{what}"
        for n in (1, 2)
        for what in ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
    ),
    *("cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated"),
]


def _date(time: datetime.datetime | None, otherwise: str = "N/A") -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else otherwise


def _flag(value: Any) -> str:
    return "true" if value else "false"


def _keys(keys: list[models.AccessKey]) -> list[str]:
    cells = []
    for key in [*keys, None, None][:2]:
        if key is None:
            cells += ["false", "N/A", "N/A", "N/A", "N/A"]
            continue
        used = key.last_used
        cells += [_flag(key.status == "Active"), _date(key.create_date), _date(used and used.timestamp)]
        cells += [used.region, used.service] if used else ["N/A", "N/A"]
    return cells


def _certificates(certificates: list[models.SigningCertificate]) -> list[str]:
    cells = []
    for certificate in [*certificates, None, None][:2]:
        cells += [_flag(certificate.status == "Active"), _date(certificate.upload_date)] if certificate else ["false", "N/A"]
    return cells


def _root_row(backend: models.IAMBackend) -> list[str]:
    root = backend.extras.root
    return [
        ROOT,
        f"arn:{backend.partition}:iam::{backend.account_id}:root",
        _date(root.get("created") or datetime.datetime(2020, 1, 1)),
        "not_supported",
        _date(root.get("password_last_used"), "no_information"),
        *("not_supported", "not_supported"),
        _flag(root.get("mfa_active", True)),
        *_keys(backend.extras.root_access_keys),
        *_certificates([]),
    ]


def _user_row(user: models.User, max_age: int | None) -> list[str]:
    changed = getattr(user, "password_create_date", None) or user.create_date
    password = ["false", "N/A", "N/A", "N/A"]
    if user.password:
        rotation = changed + datetime.timedelta(days=max_age) if max_age else None
        password = ["true", _date(user.password_last_used, "no_information"), _date(changed), _date(rotation)]
    return [
        *(user.name, user.arn, _date(user.create_date)),
        *password,
        _flag(user.mfa_devices),
        *_keys(user.access_keys),
        *_certificates(list(user.signing_certificates.values())),
    ]


def credential_report(backend: models.IAMBackend) -> str:
    """Root first, then the users in the order of their names; no line end after the last row."""
    rules = backend.account_password_policy
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerow(_root_row(backend))
    for user in sorted(backend.users.values(), key=lambda user: user.name.lower()):
        writer.writerow(_user_row(user, rules.max_password_age if rules else None))
    return text.getvalue().rstrip("\n")


def generate_credential_report(self: IamResponse) -> ActionResult:
    extras = self.backend.extras
    first = extras.credential_report is None
    # AWS keeps a report for four hours. Tests change an account and look again, so every request makes a new one.
    extras.credential_report = credential_report(self.backend), now()
    if first:
        return ActionResult({"State": "STARTED", "Description": "No report exists. Starting a new report generation task"})
    return ActionResult({"State": "COMPLETE"})


def get_credential_report(self: IamResponse) -> ActionResult:
    report = self.backend.extras.credential_report
    if report is None:
        raise ReportNotPresentException("No report exists.")
    return ActionResult({"Content": report[0], "ReportFormat": "text/csv", "GeneratedTime": report[1]})


# --- service last accessed data

# Names of the namespaces that test accounts use most; another namespace stands for its own name.
SERVICES = {
    "ec2": "Amazon EC2",
    "iam": "AWS Identity and Access Management",
    "kms": "AWS Key Management Service",
    "lambda": "AWS Lambda",
    "logs": "Amazon CloudWatch Logs",
    "s3": "Amazon S3",
    "secretsmanager": "AWS Secrets Manager",
    "sns": "Amazon SNS",
    "sqs": "Amazon SQS",
    "sts": "AWS Security Token Service",
}


def _granted_services(documents: list[str]) -> set[str]:
    """Namespaces that an Allow names; all of the table for a wildcard service or a NotAction."""
    found: set[str] = set()
    for document in documents:
        for statement in policy.statements(document):
            if statement.get("Effect") != "Allow":
                continue
            for action in policy.as_list(statement.get("Action", "*")):
                namespace = str(action).split(":")[0].lower()
                found |= set(SERVICES) if "*" in namespace else {namespace}
    return found


def _documents(backend: models.IAMBackend, arn: str) -> list[str]:
    managed = backend.managed_policies.get(arn)
    if managed:
        return [version.document for version in managed.versions if version.is_default]
    for holders in (backend.users, backend.groups, backend.roles):
        for holder in holders.values():
            if holder.arn == arn:
                return identity_documents(backend, holder)
    raise NoSuchEntity(f"The entity with ARN {arn} cannot be found.")


def _services(backend: models.IAMBackend, arn: str) -> list[dict[str, Any]]:
    seeded = {entry["ServiceNamespace"]: entry for entry in backend.extras.last_accessed.get(arn, [])}
    found = []
    for namespace in sorted(_granted_services(_documents(backend, arn)) | set(seeded)):
        entry = {"ServiceNamespace": namespace, "ServiceName": SERVICES.get(namespace, namespace)}
        entry |= seeded.get(namespace, {})
        entry.setdefault("TotalAuthenticatedEntities", 1 if entry.get("LastAuthenticated") else 0)
        found.append(entry)
    return found


def _owner(self: IamResponse) -> str:
    caller = find_caller(self.access_key)
    return caller.arn if caller else self.access_key


def generate_service_last_accessed_details(self: IamResponse) -> ActionResult:
    arn = self._get_param("Arn")
    granularity = self._get_param("Granularity") or "SERVICE_LEVEL"
    job = LastAccessedJob(_owner(self), granularity, now(), _services(self.backend, arn))
    job_id = str(uuid.uuid4())
    self.backend.extras.jobs[job_id] = job
    return ActionResult({"JobId": job_id})


def get_service_last_accessed_details(self: IamResponse) -> ActionResult:
    job = self.backend.extras.jobs.get(self._get_param("JobId"))
    # A report can be read by the principal alone that asked for it, with a role's credentials in the same session.
    if job is None or job.owner != _owner(self):
        raise NoSuchEntity(f"Job with id {self._get_param('JobId')} cannot be found.")
    job.polls += 1
    answer = {"JobType": job.granularity, "JobCreationDate": job.created, "JobStatus": "IN_PROGRESS"}
    if job.polls == 1:
        # The first look finds it unfinished, so that nobody gets by without polling.
        return ActionResult(answer | {"ServicesLastAccessed": [], "IsTruncated": False})
    marker = self._get_param("Marker") or "0"
    if not marker.isdigit() or int(marker) > len(job.services):
        raise ValidationError("Invalid Marker.")
    start, size = int(marker), page_size(self)
    page = job.services[start : start + size]
    if job.granularity != "ACTION_LEVEL":
        page = [{name: value for name, value in entry.items() if name != "TrackedActionsLastAccessed"} for entry in page]
    answer |= {"JobStatus": "COMPLETED", "JobCompletionDate": job.created, "ServicesLastAccessed": page}
    answer["IsTruncated"] = start + size < len(job.services)
    if answer["IsTruncated"]:
        answer["Marker"] = str(start + size)
    return ActionResult(answer)


def _create_login_profile(self: models.IAMBackend, user_name: str, password: str) -> models.User:
    user = _moto_create_login_profile(self, user_name, password)
    user.password_create_date = now()
    return user


_moto_create_login_profile = models.IAMBackend.create_login_profile


def install() -> None:
    models.IAMBackend.create_login_profile = _create_login_profile
    IamResponse.generate_credential_report = generate_credential_report
    IamResponse.get_credential_report = get_credential_report
    IamResponse.generate_service_last_accessed_details = generate_service_last_accessed_details
    IamResponse.get_service_last_accessed_details = get_service_last_accessed_details
