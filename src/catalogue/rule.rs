//! One rule as written in the data files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Provider, Severity};

/// What is checked, and everything there is to say about it. The predicate that computes it is in `audit`, found by `check`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// `AWS-EXC-01`.
    pub id: String,
    /// What is wrong, in a few words.
    pub title: String,
    /// What exactly is found, and what is not.
    pub description: String,
    /// Why it matters.
    pub rationale: String,
    /// For which provider; absent: for all.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Which part of the audit.
    pub step: Step,
    /// How bad a finding is unless the policy says otherwise.
    pub severity: Severity,
    /// Name of the predicate.
    pub check: String,
    /// Snapshot sections without which the rule cannot say that all is well, sorted.
    pub inputs: Vec<String>,
    /// Words to select by, besides id and framework.
    pub tags: Vec<String>,
    /// What a policy can set, with defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// One sentence for each finding; see [`Facts`] for what it may name.
    pub summary: String,
    /// How to fix it.
    pub remediation: RemediationText,
    /// `framework/version/id`, sorted.
    pub references: Vec<String>,
}

/// Which part of the audit a rule belongs to (catalogue.md §3): the category of its findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Which identities there are, and in what state.
    Inventory,
    /// Who can become what, and reach what.
    Map,
    /// What goes beyond need.
    Excess,
    /// What changed.
    Change,
}

impl Step {
    /// The word as reports have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Map => "map",
            Self::Excess => "excess",
            Self::Change => "change",
        }
    }
}

/// A value that a policy can set for a rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// What holds where the policy says nothing; its kind is the kind that a policy must give.
    pub default: ParameterValue,
    /// What it does.
    pub description: String,
}

/// Value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl ParameterValue {
    /// Reads the text of a policy as the same kind as `self`: lists are separated by commas.
    pub fn parse_like(&self, text: &str) -> Result<Self, String> {
        match self {
            Self::Integer(_) => text
                .trim()
                .parse()
                .map(Self::Integer)
                .map_err(|_| format!("'{text}' is no whole number")),
            Self::Text(_) => Ok(Self::Text(text.to_owned())),
            Self::List(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Self::List(items.map(str::to_owned).collect()))
            }
        }
    }
}

/// How to fix what a rule finds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemediationText {
    /// What sort of change.
    pub kind: RemediationKind,
    /// What to do, in one sentence; see [`Facts`] for what it may name.
    pub text: String,
}

/// What sort of change fixes it (catalogue.md §3.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemediationKind {
    /// Take the grant away.
    Remove,
    /// Narrow the policy.
    Shrink,
    /// Tighten the trust or its condition.
    Trust,
    /// Rotate or disable a credential.
    Credential,
    /// Delete the identity.
    Delete,
    /// Add an organization policy, deny or boundary.
    Guardrail,
    /// Make the access eligible instead of permanent.
    JustInTime,
    /// Switch a log on.
    Log,
    /// Change a Kubernetes manifest.
    Manifest,
    /// Look at it and decide.
    Review,
}

impl RemediationKind {
    /// The word as findings have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Shrink => "shrink",
            Self::Trust => "trust",
            Self::Credential => "credential",
            Self::Delete => "delete",
            Self::Guardrail => "guardrail",
            Self::JustInTime => "just-in-time",
            Self::Log => "log",
            Self::Manifest => "manifest",
            Self::Review => "review",
        }
    }
}

/// The names that fill `{identity}`, `{subject}` and `{policies}` in a rule's sentences.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// Kind and short name: `role deploy`.
    pub identity: &'a str,
    /// What the rule says of it: a trusted account, a service, an issuer.
    pub subject: &'a str,
    /// The policies it rests on.
    pub policies: &'a str,
}

impl Facts<'_> {
    /// Fills a sentence. An unknown name, which `Rule::check` refuses, stays as it is.
    pub fn fill(&self, sentence: &str) -> String {
        let mut filled = String::with_capacity(sentence.len() + self.identity.len() + self.subject.len() + self.policies.len());
        let mut rest = sentence;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            // A name in braces never holds braces, so that what is filled in is not filled again.
            let found = after
                .split_once('}')
                .and_then(|(name, behind)| self.get(name).map(|value| (value, behind)));
            rest = if let Some((value, behind)) = found {
                filled.push_str(value);
                behind
            } else {
                filled.push('{');
                after
            };
        }
        filled.push_str(rest);
        filled
    }

    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "identity" => Some(self.identity),
            "subject" => Some(self.subject),
            "policies" => Some(self.policies),
            _ => None,
        }
    }
}

impl Rule {
    /// Refuses what cannot be used: empty texts, unsorted inputs, sentences with names that nothing fills.
    pub(super) fn check(&self) -> Result<(), String> {
        let texts = [
            ("id", &self.id),
            ("title", &self.title),
            ("description", &self.description),
            ("rationale", &self.rationale),
            ("check", &self.check),
            ("summary", &self.summary),
            ("remediation", &self.remediation.text),
        ];
        let parameters = self
            .parameters
            .iter()
            .map(|(name, parameter)| (name.as_str(), &parameter.description));
        if let Some((name, _)) = texts.into_iter().chain(parameters).find(|(_, text)| text.trim().is_empty()) {
            return Err(format!("the text of {name} is empty"));
        }
        if self.inputs.is_empty() || !self.inputs.is_sorted_by(|one, other| one < other) {
            return Err("inputs must be named, sorted, once each".to_owned());
        }
        for sentence in [&self.summary, &self.remediation.text] {
            let filled = Facts {
                identity: "i",
                subject: "s",
                policies: "p",
            }
            .fill(sentence);
            if filled.contains(['{', '}']) {
                return Err(format!("the sentence '{sentence}' names something that nothing fills"));
            }
        }
        Ok(())
    }
}
