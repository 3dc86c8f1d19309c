//! Which rules run for a policy, with which severity and parameters, and what of the policy could not be used.

use std::collections::BTreeMap;

use super::glob;
use super::rules::{PREDICATES, Predicate};
use super::{NotEvaluated, PolicyProblem};
use crate::catalogue::{Catalogue, ParameterValue, Rule};
use crate::model::{AuditPolicySpec, Provider, Severity};

/// A rule that runs.
pub struct Selected<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What computes it.
    pub predicate: &'static Predicate,
    /// After overrides.
    pub severity: Severity,
    /// Every parameter of the rule, set by the policy or at its default.
    pub parameters: BTreeMap<&'a str, ParameterValue>,
}

/// What a policy makes of the catalogue.
pub struct Selection<'a> {
    /// Sorted by rule id.
    pub rules: Vec<Selected<'a>>,
    /// Rules that the policy takes out by name: they were wanted by `include`, and are said to be not evaluated.
    pub excluded: Vec<&'a Rule>,
}

impl<'a> Selection<'a> {
    /// Reads the rule selection of a policy for one provider.
    pub fn read(catalogue: &'a Catalogue, policy: &AuditPolicySpec, provider: Provider) -> Self {
        let chosen = &policy.rules;
        let mut selection = Self {
            rules: Vec::new(),
            excluded: Vec::new(),
        };
        for rule in catalogue
            .rules()
            .iter()
            .filter(|rule| rule.provider.is_none_or(|own| own == provider))
        {
            if !chosen.include.is_empty() && !chosen.include.iter().any(|entry| names(entry, rule)) {
                continue;
            }
            if chosen.exclude.iter().any(|entry| names(entry, rule)) {
                selection.excluded.push(rule);
                continue;
            }
            // A test holds catalogue and predicates together, so that every rule has one.
            let Some(predicate) = PREDICATES.iter().find(|predicate| predicate.name == rule.check) else {
                continue;
            };
            let severity = chosen
                .severity_overrides
                .iter()
                .find(|other| other.rule == rule.id)
                .map_or(rule.severity, |other| other.severity);
            selection.rules.push(Selected {
                rule,
                predicate,
                severity,
                parameters: parameters(rule, policy),
            });
        }
        selection
    }

    /// The excluded rules, as reports list them.
    pub fn excluded_rules(&self, scope: &str) -> impl Iterator<Item = NotEvaluated> {
        self.excluded.iter().map(move |rule| NotEvaluated {
            rule: rule.id.clone(),
            scope: scope.to_owned(),
            reason: "the policy excludes the rule (rules.exclude)".to_owned(),
        })
    }
}

/// Whether an entry of `include` or `exclude` names a rule: by id, pattern of ids, tag, step, framework (`CIS-AWS`), framework with
/// version (`CIS-AWS/v5.0`) or one control of it.
fn names(entry: &str, rule: &Rule) -> bool {
    let framework = |reference: &String| {
        reference
            .strip_prefix(entry)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    glob::matches(entry, &rule.id)
        || rule.step.as_str() == entry
        || rule.tags.iter().any(|tag| tag == entry)
        || rule.references.iter().any(framework)
}

fn parameters<'a>(rule: &'a Rule, policy: &AuditPolicySpec) -> BTreeMap<&'a str, ParameterValue> {
    let set = |name: &str, default: &ParameterValue| {
        let given = policy
            .rules
            .parameters
            .iter()
            .find(|given| given.rule == rule.id && given.name == name);
        // What cannot be read is in `problems`; the default holds.
        given
            .and_then(|given| default.parse_like(&given.value).ok())
            .unwrap_or_else(|| default.clone())
    };
    rule.parameters
        .iter()
        .map(|(name, parameter)| (name.as_str(), set(name, &parameter.default)))
        .collect()
}

/// Everything in the policy that this catalogue does not know. Nothing of it is fatal: an older or newer bundle still applies.
pub fn problems(catalogue: &Catalogue, policy: &AuditPolicySpec) -> Vec<PolicyProblem> {
    let mut problems = Vec::new();
    let mut add = |place: String, value: &str, reason: String| {
        problems.push(PolicyProblem {
            place,
            value: value.to_owned(),
            reason,
        });
    };
    let unknown_rule = || "no rule of this version has the id".to_owned();
    let rules = &policy.rules;
    for (list, entries) in [("include", &rules.include), ("exclude", &rules.exclude)] {
        for (index, entry) in entries.iter().enumerate() {
            if !catalogue.rules().iter().any(|rule| names(entry, rule)) && !is_framework(catalogue, entry) {
                add(
                    format!("rules.{list}[{index}]"),
                    entry,
                    "no rule of this version has the id, tag or framework".to_owned(),
                );
            }
        }
    }
    for (index, other) in rules.severity_overrides.iter().enumerate() {
        if catalogue.rule(&other.rule).is_none() {
            add(format!("rules.severityOverrides[{index}].rule"), &other.rule, unknown_rule());
        }
    }
    for (index, given) in rules.parameters.iter().enumerate() {
        let place = format!("rules.parameters[{index}]");
        match catalogue.rule(&given.rule).map(|rule| rule.parameters.get(&given.name)) {
            None => add(format!("{place}.rule"), &given.rule, unknown_rule()),
            Some(None) => add(
                format!("{place}.name"),
                &given.name,
                format!("the rule {} has no such parameter", given.rule),
            ),
            Some(Some(parameter)) => {
                if let Err(reason) = parameter.default.parse_like(&given.value) {
                    add(format!("{place}.value"), &given.value, reason);
                }
            }
        }
    }
    for exemption in &policy.exemptions {
        for entry in exemption
            .rules
            .iter()
            .filter(|entry| !catalogue.rules().iter().any(|rule| glob::matches(entry, &rule.id)))
        {
            add(format!("exemptions[{}].rules", exemption.name), entry, unknown_rule());
        }
    }
    for guardrail in &policy.guardrails {
        add(
            format!("guardrails[{}]", guardrail.name),
            &guardrail.name,
            "this version does not evaluate guardrails yet".to_owned(),
        );
    }
    for data in &policy.sensitive {
        add(
            format!("sensitive[{}]", data.name),
            &data.name,
            "this version does not weigh sensitive data yet".to_owned(),
        );
    }
    for table in policy.scoring.tables.keys() {
        add(
            "scoring.tables".to_owned(),
            table,
            "this version does not compute the risk score yet".to_owned(),
        );
    }
    problems.sort_unstable();
    problems
}

/// A framework and version that the catalogue knows, though no rule may serve it yet.
fn is_framework(catalogue: &Catalogue, entry: &str) -> bool {
    let (name, version) = entry.split_once('/').map_or((entry, None), |(name, version)| (name, Some(version)));
    catalogue
        .frameworks()
        .get(name)
        .is_some_and(|framework| version.is_none_or(|asked| framework.versions.iter().any(|known| known == asked)))
}
