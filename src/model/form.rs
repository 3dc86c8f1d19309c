//! Forms of texts that several kinds share, as patterns for schemas (the syntax that Go's RE2 and JSON Schema agree on).

/// Name of a Kubernetes object: a DNS-1123 subdomain.
pub(super) const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Key of a ConfigMap or Secret.
pub(super) const DATA_KEY: &str = r"^[-._a-zA-Z0-9]+$";
/// Name that people give to an entry of a list: a DNS-1123 label.
pub(super) const ENTRY_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// GUID in lower case, as Azure writes it.
pub(super) const GUID: &str = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
/// ARN of an IAM role, with its path.
pub(super) const ROLE_ARN: &str = r"^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$";
/// External id, as STS bounds it.
pub(super) const EXTERNAL_ID: &str = r"^[A-Za-z0-9_+=,.@:/-]+$";
/// AWS region.
pub(super) const REGION: &str = r"^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$";
/// Id of a unit or account of any provider.
pub(super) const UNIT_OR_ACCOUNT: &str = r"^[A-Za-z0-9][A-Za-z0-9_().:-]*$";
/// Account of a known outsider: 12 digits, a GUID or a Google Cloud project id.
pub(super) const ACCOUNT: &str = r"^([0-9]{12}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9])$";
/// URL of a token issuer: no query, no fragment.
pub(super) const ISSUER: &str = r"^https://[^\s?#]+$";
/// Id of a rule.
pub(super) const RULE: &str = r"^[A-Za-z0-9][A-Za-z0-9._-]*$";
/// Id of a rule, with `*` for any text.
pub(super) const RULE_PATTERN: &str = r"^[A-Za-z0-9*][A-Za-z0-9._*-]*$";
/// What selects rules: an id or pattern of ids, a tag, or a framework.
pub(super) const RULE_CHOICE: &str = r"^[A-Za-z0-9*][A-Za-z0-9._:/*-]*$";
