//! What is wrong in an account: rules, exemptions, stable ids, and what could not be judged. A pure function of what was read, the policy,
//! the catalogue, the time and the findings of the run before (design §2).

mod carry;
mod condition;
mod exemption;
mod glob;
mod groups;
mod identifier;
mod rules;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

pub use exemption::ExemptionNames;
pub use identifier::Key;

use crate::access::{Entitlements, Identity};
use crate::catalogue::{Catalogue, Facts, Step};
use crate::graph::Universe;
use crate::model::{
    AuditPolicySpec, CoverageEntry, Evidence, EvidenceClass, Finding, FindingGroup, FindingState, IdentityKind, NotEvaluated, Provider,
    Remediation,
};
use exemption::Exemptions;
use groups::Groups;
use rules::{Gap, Problem, Setting, Subject};
use selection::{Selected, Selection};

/// What an audit of one account rests on. The version of the engine is no input: it judges, and the run record names it.
pub struct AuditInput<'a> {
    /// Everything that was read, of this account and of those it is joined with.
    pub universe: &'a Universe,
    /// Provider of the audited account.
    pub provider: Provider,
    /// The audited account, subscription, project or cluster.
    pub scope: &'a str,
    /// What to check, and what is exempt.
    pub policy: &'a AuditPolicySpec,
    /// The rules.
    pub catalogue: &'a Catalogue,
    /// The time of the audit: `firstSeen` of new findings, and what exemptions are measured against.
    pub now: Timestamp,
    /// The findings of the run before; those of other accounts are passed over. None: there was none, or it was lost.
    pub previous: Option<&'a [Finding]>,
}

/// What an audit of one account says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditOutcome {
    /// Sorted by id.
    pub findings: Vec<Finding>,
    /// Rules that could not say for the whole account that all is well, sorted.
    pub not_evaluated: Vec<NotEvaluated>,
    /// What could not be read, used or judged, sorted.
    pub coverage: Vec<CoverageEntry>,
    /// Identities of the account by kind (`User`, `Role`, …).
    pub identities: BTreeMap<String, u32>,
    /// Root causes of several identities, sorted.
    pub groups: Vec<FindingGroup>,
    /// The exemptions that concern the account.
    pub exemptions: ExemptionNames,
    /// What of the policy could not be used, sorted. Never fatal.
    pub policy_problems: Vec<PolicyProblem>,
}

/// Something in a policy that this version does not know or cannot use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyProblem {
    /// Path in the policy's spec: `rules.include[0]`.
    pub place: String,
    /// The value that stands there.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Ids of the rules of a provider that a policy selects.
pub fn selected_rules(catalogue: &Catalogue, policy: &AuditPolicySpec, provider: Provider) -> BTreeSet<String> {
    let selection = Selection::read(catalogue, policy, provider);
    selection.rules.iter().map(|selected| selected.rule.id.clone()).collect()
}

/// What of a policy this version does not know or cannot use, sorted.
pub fn policy_problems(catalogue: &Catalogue, policy: &AuditPolicySpec) -> Vec<PolicyProblem> {
    selection::problems(catalogue, policy)
}

/// Audits one account.
pub fn audit(input: &AuditInput<'_>) -> AuditOutcome {
    let entitlements = input.universe.covering(input.provider, input.scope);
    let selection = Selection::read(input.catalogue, input.policy, input.provider);
    let exemptions = Exemptions::read(input.policy, input.scope, input.now, entitlements);
    let mut run = Run {
        input,
        selected: &selection.rules,
        exemptions: &exemptions,
        findings: BTreeMap::new(),
        groups: Groups::default(),
        unjudged: BTreeSet::new(),
        present: BTreeSet::new(),
        outcome: AuditOutcome {
            not_evaluated: selection.excluded_rules(input.scope).collect(),
            policy_problems: selection::problems(input.catalogue, input.policy),
            ..AuditOutcome::default()
        },
    };
    match entitlements {
        Some(entitlements) => run.judge_all(entitlements),
        None => run.nothing_was_read(),
    }
    let mut outcome = run.finish(entitlements);
    outcome.exemptions = exemptions.into_names();
    outcome
}

/// An audit under way.
struct Run<'a> {
    input: &'a AuditInput<'a>,
    selected: &'a [Selected<'a>],
    exemptions: &'a Exemptions<'a>,
    findings: BTreeMap<crate::model::FindingId, Finding>,
    groups: Groups,
    /// (rule, identity) that got no verdict.
    unjudged: BTreeSet<(&'a str, String)>,
    /// Native ids of the account's identities, kept where findings of an earlier run are to be carried over.
    present: BTreeSet<String>,
    outcome: AuditOutcome,
}

impl<'a> Run<'a> {
    fn judge_all(&mut self, entitlements: &dyn Entitlements) {
        let trusted = &self.input.policy.trusted;
        let mut trusted_accounts: BTreeSet<String> = entitlements.scopes().into_iter().chain(trusted.accounts.iter().cloned()).collect();
        let mut trusted_organizations: BTreeSet<String> = trusted.organizations.iter().cloned().collect();
        if let Some(own) = entitlements.organization(self.input.scope) {
            trusted_accounts.extend(own.scopes);
            trusted_organizations.insert(own.id);
        }
        for identity in entitlements.identities().filter(|identity| identity.read_from == self.input.scope) {
            let count = self.outcome.identities.entry(kind_name(identity.key.kind).to_owned()).or_default();
            *count = count.saturating_add(1);
            if self.input.previous.is_some() {
                self.present.insert(identity.key.id.clone());
            }
            let unusable = entitlements.unusable(&identity.key.id);
            let subject = Subject::new(&identity, entitlements);
            for selected in self.selected {
                let setting = Setting {
                    trusted_accounts: &trusted_accounts,
                    trusted_organizations: &trusted_organizations,
                    issuers: self.input.catalogue.issuers(),
                    parameters: &selected.parameters,
                };
                self.judge(selected, &subject, &setting, &unusable);
            }
            self.outcome.coverage.extend(unusable);
        }
        let scopes = entitlements.scopes();
        let of_others = |entry: &CoverageEntry| scopes.iter().any(|other| other != self.input.scope && is_of(&entry.entity, other));
        self.outcome
            .coverage
            .extend(entitlements.coverage().into_iter().filter(|entry| !of_others(entry)));
        for selected in self.selected {
            for input in &selected.rule.inputs {
                if let Err(reason) = entitlements.source(self.input.scope, input) {
                    self.not_evaluated(selected, format!("{input}: {reason}"));
                }
            }
        }
        if self.selected.is_empty() {
            self.no_rules();
        }
    }

    fn judge(&mut self, selected: &Selected<'a>, subject: &Subject<'_>, setting: &Setting<'_>, unusable: &[CoverageEntry]) {
        let identity = subject.identity;
        // Nobody can change these, so nothing that they hold is an excess (W10).
        let untouchable = identity.not_actionable.is_some() && selected.rule.step == Step::Excess;
        if !selected.predicate.kinds.contains(&identity.key.kind) || untouchable {
            return;
        }
        let judgement = (selected.predicate.check)(subject, setting);
        let rule = selected.rule.id.as_str();
        if !judgement.gaps.is_empty() || (unusable.iter().any(|entry| selected.predicate.reads.is_touched_by(entry, identity))) {
            self.unjudged.insert((rule, identity.key.id.clone()));
        }
        let entry = |gap: Gap| CoverageEntry {
            source: gap.source.to_owned(),
            entity: identity.key.id.clone(),
            place: gap.place,
            reason: format!("{rule} could not be judged: {}", gap.reason),
        };
        self.outcome.coverage.extend(judgement.gaps.into_iter().map(entry));
        for problem in judgement.problems {
            self.add(selected, identity, problem);
        }
    }

    fn add(&mut self, selected: &Selected<'_>, identity: &Identity, problem: Problem) {
        let input = self.input;
        let rule = selected.rule;
        let key = Key {
            provider: input.provider,
            scope: input.scope,
            rule: &rule.id,
            identity: Some(&identity.key.id),
            resource: None,
            discriminator: &problem.discriminator,
        };
        let id = key.id();
        let named = format!("{} {}", kind_words(identity.key.kind), identity.key.name);
        let policies = list(&problem.policies);
        let facts = Facts {
            identity: &named,
            subject: &problem.subject,
            policies: &policies,
        };
        let mut statements = problem.statements;
        statements.sort_unstable();
        statements.dedup();
        let mut finding = Finding {
            id: id.clone(),
            rule: rule.id.clone(),
            severity: selected.severity,
            score: None,
            identity: Some(identity.key.clone()),
            resource: None,
            discriminator: problem.discriminator,
            evidence: Evidence {
                class: EvidenceClass::Configuration,
                source: problem.source.to_owned(),
                summary: facts.fill(&rule.summary),
                statements,
                truncated: false,
            },
            conditions: problem.conditions,
            remediation: Remediation {
                kind: rule.remediation.kind.as_str().to_owned(),
                summary: facts.fill(&rule.remediation.text),
                artefacts: BTreeMap::new(),
            },
            references: rule.references.clone(),
            first_seen: input.now,
            state: FindingState::Open,
            exemption: None,
        };
        self.exemptions.apply(&mut finding, Some(identity));
        if finding.state == FindingState::Open {
            self.groups.add(&finding, problem.causes);
        }
        self.findings.insert(id, finding);
    }

    fn nothing_was_read(&mut self) {
        let provider = self.input.provider.as_str();
        let reason = if self.input.universe.unsupported().contains(&self.input.provider) {
            format!("this version cannot evaluate {provider}")
        } else {
            format!("no snapshot of {provider} {} could be used", self.input.scope)
        };
        let members = self
            .input
            .universe
            .members()
            .filter(|member| member.provider() == self.input.provider);
        let why = members
            .flat_map(Entitlements::coverage)
            .filter(|entry| is_of(&entry.entity, self.input.scope));
        self.outcome.coverage.extend(why);
        for selected in self.selected {
            self.not_evaluated(selected, reason.clone());
        }
        self.outcome.coverage.push(self.account_entry(reason));
        if self.selected.is_empty() {
            self.no_rules();
        }
    }

    /// An account without rules has not passed: it was not looked at.
    fn no_rules(&mut self) {
        let reason = format!(
            "no rule for {} is selected or built in: nothing was judged",
            self.input.provider.as_str()
        );
        self.outcome.coverage.push(self.account_entry(reason));
    }

    fn account_entry(&self, reason: String) -> CoverageEntry {
        CoverageEntry {
            source: "rules".to_owned(),
            entity: self.input.scope.to_owned(),
            place: String::new(),
            reason,
        }
    }

    fn not_evaluated(&mut self, selected: &Selected<'_>, reason: String) {
        self.outcome.not_evaluated.push(NotEvaluated {
            rule: selected.rule.id.clone(),
            scope: self.input.scope.to_owned(),
            reason,
        });
    }

    fn finish(mut self, entitlements: Option<&dyn Entitlements>) -> AuditOutcome {
        for selected in self.selected {
            let without = self.unjudged.iter().filter(|(rule, _)| *rule == selected.rule.id).count();
            if without > 0 {
                let whom = if without == 1 {
                    "one identity".to_owned()
                } else {
                    format!("{without} identities")
                };
                self.not_evaluated(selected, format!("{whom} could not be judged: see the coverage"));
            }
        }
        self.carry_over(entitlements);
        let mut outcome = self.outcome;
        outcome.findings = self.findings.into_values().collect();
        outcome.groups = self.groups.finish();
        outcome.not_evaluated.sort_unstable();
        outcome.not_evaluated.dedup();
        outcome.coverage.sort_unstable();
        outcome.coverage.dedup();
        outcome
    }
}

/// Whether an entity of the coverage is of an account: the account itself, or an ARN in it.
fn is_of(entity: &str, scope: &str) -> bool {
    entity == scope || entity.split(':').nth(4) == Some(scope)
}

/// How many names a sentence holds before it counts the rest.
const NAMED: usize = 5;

/// Names in a sentence: `a`, `b` and `c`, or the first few and how many more.
fn list(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match (names.len().saturating_sub(shown.len()), shown.split_last()) {
        (_, None) => String::new(),
        (0, Some((last, []))) => (*last).to_owned(),
        (0, Some((last, first))) => format!("{} and {last}", first.join(", ")),
        (more, _) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The kind as files and reports write it.
const fn kind_name(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::User => "User",
        IdentityKind::Group => "Group",
        IdentityKind::Role => "Role",
        IdentityKind::ServiceAccount => "ServiceAccount",
        IdentityKind::ServicePrincipal => "ServicePrincipal",
        IdentityKind::ManagedIdentity => "ManagedIdentity",
        IdentityKind::Federated => "Federated",
        IdentityKind::Workload => "Workload",
        IdentityKind::Root => "Root",
    }
}

/// The kind as sentences say it.
const fn kind_words(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::User => "user",
        IdentityKind::Group => "group",
        IdentityKind::Role => "role",
        IdentityKind::ServiceAccount => "service account",
        IdentityKind::ServicePrincipal => "service principal",
        IdentityKind::ManagedIdentity => "managed identity",
        IdentityKind::Federated => "federated identity",
        IdentityKind::Workload => "workload",
        IdentityKind::Root => "root user",
    }
}
