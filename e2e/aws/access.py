"""Who is calling, and may they? moto's own check counts calls, knows one account, ignores boundaries, conditions and NotResource,
refuses a trust in `:root`, lets a role of another account be assumed without asking it, and answers in a shape that SDKs other
than boto3 do not read. This replaces the check and keeps moto's computation of the signature.

Not checked: service control policies, resource policies other than trust, the signature of a web identity token, clock skew.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any, NoReturn
from urllib.parse import urlparse

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.iam import access_control, models
from moto.iam.responses import IamResponse
from moto.sts.models import STSBackend
from werkzeug.exceptions import HTTPException

import policy
from state import Caller, find_account, find_caller, find_role, now

ROLES_ARE_NOT_FOR_ROOT = "Roles may not be assumed by root accounts."


class Refusal(ServiceException):
    """A request that is not served: AWS error code, text and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 403):
        super().__init__(code, message)
        self.status = status


def denied(arn: str, action: str, resource: str, why: str = "") -> Refusal:
    return Refusal("AccessDenied", f"User: {arn} is not authorized to perform: {action} on resource: {resource}{why}")


INVALID_TOKEN = ("InvalidClientTokenId", "The security token included in the request is invalid.")


class SigningKey:
    """Stands where moto expects its own access key class: the credentials to compute the signature with."""

    def __init__(self, account_id: str, partition: str, access_key_id: str, headers: Any):
        caller = find_caller(access_key_id)
        token = headers.get("X-Amz-Security-Token")
        if caller is None or caller.key.status != "Active":
            raise access_control.CreateAccessKeyFailure(reason="InvalidId")
        if token != (caller.session.session_token if caller.session else None):
            raise access_control.CreateAccessKeyFailure(reason="InvalidToken")
        self.caller, self.arn, self._token = caller, caller.arn, token

    def create_credentials(self) -> Any:
        key = self.caller.key
        return access_control.Credentials(key.access_key_id, key.secret_access_key, self._token)


def _raise(code: str, message: str) -> Any:
    def raise_refusal(self: Any, *_: Any) -> NoReturn:
        raise Refusal(code, message)

    return raise_refusal


# --- rights


def _text(backend: models.IAMBackend, arn: str | None) -> list[str]:
    managed = backend.managed_policies.get(arn or "")
    return [version.document for version in managed.versions if version.is_default] if managed else []


def identity_documents(backend: models.IAMBackend, holder: Any) -> list[str]:
    """Inline and attached policies of a user, group or role, and of a user's groups."""
    found = list(holder.policies.values())
    for arn in holder.managed_policies:
        found += _text(backend, arn)
    if isinstance(holder, models.User):
        for group in backend.groups.values():
            if holder in group.users:
                found += identity_documents(backend, group)
    return found


def context_of(caller: Caller) -> policy.Context:
    context = {
        "aws:principalarn": [caller.arn],
        "aws:principalaccount": [caller.account],
        "aws:userid": [caller.user_id],
        "aws:principaltype": [{"user": "User", "session": "AssumedRole", "root": "Account"}[caller.kind]],
        "aws:sourceip": ["127.0.0.1"],
        "aws:securetransport": ["false"],
        "aws:viaawsservice": ["false"],
        "aws:requestedregion": ["us-east-1"],
    }
    if caller.kind == "user":
        context["aws:username"] = [caller.name]
    holder = _holder(caller)
    if caller.session:
        # The key holds the role's ARN, never the session's.
        context["aws:principalarn"] = [caller.session.role_arn]
    for tag in (holder and holder.tags) or []:
        context[f"aws:principaltag/{tag['Key'].lower()}"] = [tag["Value"]]
    return context


def _holder(caller: Caller) -> Any:
    if caller.session:
        return find_role(caller.session.role_arn)
    return caller.backend.users.get(caller.name) if caller.kind == "user" else None


def refusal_by_identity(caller: Caller, action: str, resource: str, context: policy.Context) -> tuple[str, str] | None:
    """Why the caller's own policies do not allow it: (deny | identity | boundary | session, the words AWS adds)."""
    holder = _holder(caller)
    if holder is None:
        return "identity", ""
    layers = [("identity", "identity-based policy", identity_documents(caller.backend, holder))]
    if holder.permissions_boundary:
        boundary = _text(caller.backend, holder.permissions_boundary_arn)
        layers.append(("boundary", "permissions boundary", boundary))
    if caller.session and caller.session.policy:
        layers.append(("session", "session policy", [caller.session.policy]))
    answers = [(layer, name, policy.decide(documents, action, resource, context)) for layer, name, documents in layers]
    for _, name, answer in answers:
        if answer == "deny":
            return "deny", f" with an explicit deny in {'an' if name[0] in 'aeiou' else 'a'} {name}"
    for layer, name, answer in answers:
        if answer is None:
            return layer, f" because no {name} allows the {action} action"
    return None


def authorize(caller: Caller, action: str, resource: str) -> None:
    if caller.kind == "root" or action == "sts:GetCallerIdentity":
        return
    refused = refusal_by_identity(caller, action, resource, context_of(caller))
    if refused:
        raise denied(caller.arn, action, resource, refused[1])


# --- assuming a role


def _names(statement: dict[str, Any], caller: Caller) -> str | None:
    """How a trust statement names the caller: `direct`, `through-account` or not at all (None)."""
    principal = statement.get("Principal")
    if principal is None:
        return "direct" if "NotPrincipal" in statement and statement.get("Effect") == "Deny" else None
    named = [str(name) for name in policy.as_list(principal if isinstance(principal, str) else principal.get("AWS"))]
    own = {"*", caller.arn, caller.session.role_arn if caller.session else caller.arn}
    if own.intersection(named):
        return "direct"
    account = {caller.account, f"arn:{caller.partition}:iam::{caller.account}:root"}
    return "through-account" if account.intersection(named) else None


def _request_context(context: policy.Context, params: dict[str, Any]) -> policy.Context:
    for name in ("ExternalId", "RoleSessionName", "SourceIdentity"):
        if params.get(name):
            context[f"sts:{name.lower()}"] = [params[name]]
    tags = params.get("Tags") or []
    if tags:
        context["aws:tagkeys"] = [tag["Key"] for tag in tags]
    for tag in tags:
        context[f"aws:requesttag/{tag['Key'].lower()}"] = [tag["Value"]]
    return context


def _asked(base: str, params: dict[str, Any]) -> list[str]:
    extra = [("Tags", "sts:TagSession"), ("SourceIdentity", "sts:SetSourceIdentity")]
    return [base] + [action for name, action in extra if params.get(name)]


def authorize_assume_role(caller: Caller, params: dict[str, Any]) -> None:
    """The role's account must trust the caller; the caller's own policies must allow it too, unless the trust names a
    principal of the same account itself. A role that does not exist is refused with the same words."""
    arn = str(params.get("RoleArn"))
    if caller.kind == "root":
        raise Refusal("AccessDenied", ROLES_ARE_NOT_FOR_ROOT)
    role = find_role(arn)
    context = _request_context(context_of(caller), params)
    for action in _asked("sts:AssumeRole", params):
        trust = role and policy.decide(
            [role.assume_role_policy_document], action, None, context, lambda statement: _names(statement, caller)
        )
        own = refusal_by_identity(caller, action, arn, context)
        enough_alone = trust == "direct" and role.account_id == caller.account
        if own and (own[0] == "deny" or not enough_alone or own[0] in ("boundary", "session") and caller.session):
            raise denied(caller.arn, action, arn, own[1] if trust else "")
        if trust in (None, "deny"):
            raise denied(caller.arn, action, arn, " with an explicit deny in a resource-based policy" if trust else "")


def authorize_web_identity(params: dict[str, Any]) -> None:
    """The trust policy alone decides. The token's signature is not verified: its claims are taken as they are."""
    arn, token = str(params.get("RoleArn")), str(params.get("WebIdentityToken"))
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        issuer = claims["iss"].removeprefix("https://")
    except (IndexError, ValueError, KeyError, AttributeError):
        raise Refusal("InvalidIdentityToken", "The ID Token provided is not a valid JWT.", 400) from None
    if claims.get("exp", 0) < time.time():
        raise Refusal("ExpiredTokenException", "Token expired", 400)
    role = find_role(arn)
    provider = role and f"arn:{role.partition}:iam::{role.account_id}:oidc-provider/{issuer}"
    if role and provider not in models.iam_backends[role.account_id][role.partition].open_id_providers:
        message = f"No OpenIDConnect provider found in your account for https://{issuer}"
        raise Refusal("InvalidIdentityToken", message, 400)
    known = {f"{issuer}:{claim}".lower(): [str(v) for v in policy.as_list(value)] for claim, value in claims.items()}
    context = _request_context(known, params)

    def names(statement: dict[str, Any]) -> str | None:
        principal = statement.get("Principal")
        federated = policy.as_list(principal.get("Federated")) if isinstance(principal, dict) else []
        return "direct" if principal == "*" or provider in federated else None

    for action in _asked("sts:AssumeRoleWithWebIdentity", params):
        if not role or policy.decide([role.assume_role_policy_document], action, None, context, names) != "direct":
            raise Refusal("AccessDenied", f"Not authorized to perform {action}")


# --- in place of moto's check


def _check(response: Any, request_class: type, resource: str) -> None:
    action = response._get_action()
    if response.service_name == "sts" and action == "AssumeRoleWithWebIdentity":
        return authorize_web_identity(response.params)
    is_s3 = request_class is access_control.S3IAMRequest
    if "Authorization" not in response.headers:
        if is_s3:
            raise access_control.S3AccessDeniedError()
        raise Refusal("MissingAuthenticationToken", "Request is missing Authentication Token")
    url = urlparse(response.uri)
    try:
        request = request_class(
            account_id=response.current_account,
            method=response.method,
            path=response.raw_path + (f"?{url.query}" if url.query else ""),
            data=response.data,
            body=response.raw_body,
            headers=response.headers,
            action=action,
        )
        request.check_signature()
    except (KeyError, IndexError):
        message = "Authorization header requires 'Credential', 'Signature', 'SignedHeaders' and a date."
        raise Refusal("IncompleteSignature", message, 400) from None
    caller: Caller = request._access_key.caller
    if caller.session and caller.session.expiration.replace(tzinfo=None) < now():
        raise Refusal("ExpiredToken", "The security token included in the request is expired")
    mark_used(caller, response.service_name, response.region)
    try:
        if request._action == "sts:AssumeRole":
            authorize_assume_role(caller, response.params)
        else:
            authorize(caller, request._action, resource)
    except Refusal:
        if is_s3:
            request._raise_access_denied()
        raise


def mark_used(caller: Caller, service: str, region: str) -> None:
    caller.key.last_used = models.AccessKeyLastUsed(timestamp=now(), service=service, region=region)
    role = caller.session and find_role(caller.session.role_arn)
    if role:
        role.last_used, role.last_used_region = now(), region


def _enforce(response: Any, request_class: type, resource: str = "*") -> None:
    try:
        _check(response, request_class, resource)
    except Refusal as refusal:
        raise in_protocol(response, refusal) from refusal


# The names that services with a JSON protocol (Organizations, Identity Center, …) have for the same errors.
JSON_CODES = {
    "AccessDenied": "AccessDeniedException",
    "ExpiredToken": "ExpiredTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "Throttling": "ThrottlingException",
}


def in_protocol(response: BaseResponse, refusal: Refusal) -> HTTPException:
    """The refusal as the service's own protocol says it (query XML, JSON …)."""
    if "json" in str(get_service_model(response.boto3_service_name).protocol):
        refusal = Refusal(JSON_CODES.get(refusal.code, refusal.code), refusal.message, 400)
    _, headers, body = response.serialized(ActionResult(refusal))
    response.response_headers.update({name: value for name, value in headers.items() if name != "status"})
    error = HTTPException(body)
    error.code = refusal.status
    return error


RESOURCES = {"RoleName": "role", "UserName": "user", "GroupName": "group"}


def _resource_of_iam_request(response: IamResponse) -> str:
    """The ARN that an IAM request is about, `*` for requests about the account."""
    params = response.params
    for name in ("PolicyArn", "Arn", "OpenIDConnectProviderArn", "SAMLProviderArn"):
        if params.get(name):
            return str(params[name])
    for name, kind in RESOURCES.items():
        if params.get(name):
            holders = getattr(response.backend, f"{kind}s").values()
            holder = next((holder for holder in holders if holder.name == params[name]), None)
            return holder.arn if holder else f"arn:{response.partition}:iam::{response.current_account}:{kind}/{params[name]}"
    return "*"


def _caller_identity(self: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
    caller = find_caller(access_key_id)
    if caller is None:
        return _moto_caller_identity(self, access_key_id, region)
    return caller.user_id, caller.arn, caller.account


_moto_caller_identity = STSBackend.get_caller_identity


def install(enforce: bool) -> None:
    """Puts all this in moto's place. Without `enforce` every request is served, as moto does by default."""
    models.get_account_id_from = lambda key: find_account(key) or models.DEFAULT_ACCOUNT_ID
    # moto marks a key as used before it looks at the signature; here it happens after.
    models.mark_account_as_visited = lambda **_: None
    STSBackend.get_caller_identity = _caller_identity
    IamResponse._determine_resource = _resource_of_iam_request
    access_control.create_access_key = SigningKey
    request = access_control.IAMRequest
    request._raise_invalid_access_key = _raise(*INVALID_TOKEN)
    request._raise_signature_does_not_match = _raise(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
        "and signing method. Consult the service documentation for details.",
    )
    ActionAuthenticatorMixin._authenticate_and_authorize_action = _enforce if enforce else _only_mark


def _only_mark(response: Any, request_class: type, resource: str = "*") -> None:
    caller = find_caller(response.access_key)
    if caller:
        mark_used(caller, response.service_name, response.region)
