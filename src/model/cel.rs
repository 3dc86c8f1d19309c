//! CEL validation rules of the kinds, as data for `#[schemars(extend("x-kubernetes-validations" = …))]`.
//!
//! They stand on the plain types, so that the core needs no kube; the API server enforces them (local-parts.md §5).
//! A rule reads only members that exist: the API server runs CEL after types, lengths and required members were right.

use serde_json::{Value, json};

/// One rule: what must hold, what to do where it does not, and the member (`.a.b`) that the error names.
pub(super) fn rule(rule: impl AsRef<str>, message: impl AsRef<str>, field_path: &str) -> Value {
    json!({"rule": rule.as_ref(), "message": message.as_ref(), "fieldPath": field_path})
}

/// A rule on a value without members; the error names the value itself.
pub(super) fn scalar_rule(rule: impl AsRef<str>, message: impl AsRef<str>) -> Value {
    json!({"rule": rule.as_ref(), "message": message.as_ref()})
}

/// The rules of a union: exactly the member that the discriminator names is there.
/// `members`: (value of the discriminator, member); values without a member are not listed.
pub(super) fn union(discriminator: &str, members: &[(&str, &str)]) -> Vec<Value> {
    members
        .iter()
        .map(|(value, member)| {
            rule(
                format!("has(self.{member}) == (self.{discriminator} == '{value}')"),
                format!("{discriminator} {value} needs {member}, and no other {discriminator} may have it"),
                &format!(".{member}"),
            )
        })
        .collect()
}

/// A required member that never changes. Put on the type that holds it, where the type itself cannot go away.
pub(super) fn immutable(member: &str, instead: &str) -> Value {
    rule(
        format!("self.{member} == oldSelf.{member}"),
        format!("{member} cannot be changed: {instead}"),
        &format!(".{member}"),
    )
}

/// Bounds of a duration, both included. Silent where the form is wrong: the pattern says that.
pub(super) fn duration_between(least: &str, most: &str) -> Vec<Value> {
    vec![scalar_rule(
        format!(
            "!self.matches('{pattern}') || (duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))",
            pattern = super::duration::PATTERN.replace('\\', "\\\\")
        ),
        format!("must be at least {least} and at most {most}"),
    )]
}
