//! Which accounts, identities and resources something is about.
//!
//! Every selector reads the same way: criteria of different members must all hold; of the values in one member any suffices;
//! a member that is absent or empty asks nothing. Patterns know `*` (any text, also none) and `?` (one character).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{IdentityKind, cel};

/// Selects by labels, as Kubernetes does: all of `matchLabels` and all of `matchExpressions` must hold. Empty: everything.
///
/// For cloud identities and resources the labels are their tags (AWS, Azure) or labels (GCP, Kubernetes).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be there with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), schema_with = "label_values")]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on single labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<LabelRequirement>,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = requirement_rules()))]
pub struct LabelRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// `In` and `NotIn` compare with `values`; `Exists` and `DoesNotExist` look at the key alone. As in Kubernetes, `NotIn` also
    /// holds where the label is absent.
    pub operator: LabelOperator,
    /// What the label's value is compared with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// The label is there with one of the values.
    In,
    /// The label is absent, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether labels fulfil it.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether it asks nothing, so that everything fulfils it.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }
}

impl LabelRequirement {
    /// Whether labels fulfil it.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            LabelOperator::In => value.is_some_and(|value| self.values.contains(value)),
            LabelOperator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }
}

/// Selects CloudAccounts of the policy's own namespace. Empty (`{}`): all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = account_selector_rules()))]
pub struct AccountSelector {
    /// Names of CloudAccounts. Absent: any name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub match_names: Vec<String>,
    /// What their labels must be.
    #[serde(flatten)]
    pub labels: LabelSelector,
}

impl AccountSelector {
    /// Whether a CloudAccount with this name and these labels is selected.
    pub fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        (self.match_names.is_empty() || self.match_names.iter().any(|wanted| wanted == name)) && self.labels.matches(labels)
    }
}

/// Selects identities.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentitySelector {
    /// Kinds of identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    pub kinds: Vec<IdentityKind>,
    /// Patterns of short names, such as `deploy-*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Vec<String>,
    /// Patterns of native ids: ARN, object id, GCP member, `system:serviceaccount:NAMESPACE:NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 2048)), extend("x-kubernetes-list-type" = "set"))]
    pub ids: Vec<String>,
    /// Patterns of paths: the IAM path on AWS (`/service-role/*`), the namespace of a Kubernetes ServiceAccount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub paths: Vec<String>,
    /// Labels or tags of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelSelector>,
    /// Where the identity is one of another issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated: Option<FederatedSelector>,
}

/// Selects identities whose tokens another issuer signs: pipelines, Pods, users of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct FederatedSelector {
    /// Pattern of the issuer, such as `https://token.actions.githubusercontent.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub issuer: Option<String>,
    /// Pattern of the subject, such as `repo:example/*:ref:refs/heads/main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub subject: Option<String>,
}

/// Selects resources.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct ResourceSelector {
    /// Patterns of types, as the provider spells them: `s3:bucket`, `Microsoft.Storage/storageAccounts`, `storage.googleapis.com/Bucket`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub types: Vec<String>,
    /// Patterns of short names, such as `backup-*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Vec<String>,
    /// Patterns of native ids: ARN, Azure resource id, full resource name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 2048)), extend("x-kubernetes-list-type" = "set"))]
    pub ids: Vec<String>,
    /// Labels or tags of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelSelector>,
}

/// A map of label values, which schemars alone would leave unbounded.
fn label_values(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 256},
        "maxProperties": 32,
    })
}

fn requirement_rules() -> Vec<Value> {
    vec![
        cel::rule(
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
            "operators In and NotIn need values",
            ".values",
        ),
        cel::rule(
            "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
            "operators Exists and DoesNotExist take no values",
            ".values",
        ),
    ]
}

fn account_selector_rules() -> Vec<Value> {
    vec![cel::rule(
        "!has(self.matchLabels) || self.matchLabels.all(key, !format.qualifiedName().validate(key).hasValue() && \
         !format.labelValue().validate(self.matchLabels[key]).hasValue())",
        "keys and values must be Kubernetes labels",
        ".matchLabels",
    )]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn requirement(operator: LabelOperator, values: &[&str]) -> LabelRequirement {
        LabelRequirement {
            key: "tier".to_owned(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        }
    }

    #[rstest]
    #[case(LabelOperator::In, &["gold"], true, false)]
    #[case(LabelOperator::In, &["silver"], false, false)]
    #[case(LabelOperator::NotIn, &["gold"], false, true)]
    #[case(LabelOperator::NotIn, &["silver"], true, true)]
    #[case(LabelOperator::Exists, &[], true, false)]
    #[case(LabelOperator::DoesNotExist, &[], false, true)]
    fn operators_follow_kubernetes(#[case] operator: LabelOperator, #[case] values: &[&str], #[case] gold: bool, #[case] absent: bool) {
        let requirement = requirement(operator, values);
        assert_eq!(requirement.matches(&labels(&[("tier", "gold")])), gold);
        assert_eq!(requirement.matches(&labels(&[("team", "x")])), absent);
    }

    #[test]
    fn everything_must_hold() {
        let selector = LabelSelector {
            match_labels: labels(&[("environment", "production")]),
            match_expressions: vec![requirement(LabelOperator::Exists, &[])],
        };
        assert!(selector.matches(&labels(&[("environment", "production"), ("tier", "")])));
        assert!(!selector.matches(&labels(&[("environment", "production")])));
        assert!(!selector.matches(&labels(&[("environment", "staging"), ("tier", "gold")])));
        assert!(LabelSelector::default().is_empty() && LabelSelector::default().matches(&BTreeMap::new()));
    }

    #[test]
    fn accounts_are_selected_by_name_and_label() {
        let selector: AccountSelector =
            serde_json::from_str(r#"{"matchNames": ["a", "b"], "matchLabels": {"environment": "production"}}"#).unwrap();
        let production = labels(&[("environment", "production")]);
        assert!(selector.matches("a", &production));
        assert!(!selector.matches("c", &production));
        assert!(!selector.matches("a", &BTreeMap::new()));
        assert!(AccountSelector::default().matches("any", &BTreeMap::new()));
    }
}
