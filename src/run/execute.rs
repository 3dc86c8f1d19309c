//! The run itself: a function of its inputs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ENGINE;
use crate::audit::{AuditInput, AuditOutcome, Key, audit, selected_rules};
use crate::catalogue::Catalogue;
use crate::change::{self, Changes};
use crate::graph::Universe;
use crate::model::{AuditPolicySpec, Delta, Finding, Provider, SeverityCounts, SnapshotRef};
use crate::report::AuditDocument;
use crate::snapshot::Snapshot;

/// What a run rests on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// One for each account; together they form one organization.
    pub snapshots: &'a [Snapshot],
    /// What to check, and what is exempt.
    pub policy: &'a AuditPolicySpec,
    /// The rules.
    pub catalogue: &'a Catalogue,
    /// The findings of the run before, of any accounts; none: there was none, or it was lost.
    pub previous: Option<&'a [Finding]>,
    /// The time of the run.
    pub now: Timestamp,
}

/// An account, subscription, project or cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its provider.
    pub provider: Provider,
    /// Its native id.
    pub scope: String,
}

/// What a run says of one account.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountRun {
    /// Which account.
    pub account: Account,
    /// Findings, coverage and all else that the audit says.
    pub outcome: AuditOutcome,
    /// What changed against the run before; all is new where there was none.
    pub delta: Delta,
    /// New findings by severity.
    pub new: SeverityCounts,
    /// Resolved findings by the severity that they had.
    pub resolved: SeverityCounts,
    /// Every rule that the policy selects could judge the whole account.
    pub complete: bool,
    /// Permissions that the collector of the account lacked, sorted.
    pub missing_permissions: Vec<String>,
}

/// A run over one or several accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The snapshots that were evaluated, sorted.
    pub snapshots: Vec<SnapshotRef>,
    /// The time of the run.
    pub now: Timestamp,
    /// Whether there was a run before.
    pub compared: bool,
    /// Sorted by account.
    pub accounts: Vec<AccountRun>,
}

/// Audits the accounts in `only`, or all that the snapshots hold where it is empty. The other snapshots tell both sides of trust between accounts.
pub fn execute(inputs: &Inputs<'_>, only: &[Account]) -> Execution {
    let universe = Universe::build(inputs.snapshots);
    let all = inputs.snapshots.iter().map(|snapshot| Account {
        provider: snapshot.provider,
        scope: snapshot.scope.clone(),
    });
    let accounts: BTreeSet<Account> = if only.is_empty() {
        all.collect()
    } else {
        only.iter().cloned().collect()
    };
    let mut snapshots: Vec<SnapshotRef> = inputs.snapshots.iter().map(Snapshot::reference).collect();
    snapshots.sort_unstable();
    Execution {
        snapshots,
        now: inputs.now,
        compared: inputs.previous.is_some(),
        accounts: accounts.into_iter().map(|account| one(inputs, &universe, account)).collect(),
    }
}

fn one(inputs: &Inputs<'_>, universe: &Universe, account: Account) -> AccountRun {
    let Account { provider, scope } = &account;
    let outcome = audit(&AuditInput {
        universe,
        provider: *provider,
        scope,
        policy: inputs.policy,
        catalogue: inputs.catalogue,
        now: inputs.now,
        previous: inputs.previous,
    });
    let own = inputs
        .previous
        .unwrap_or_default()
        .iter()
        .filter(|finding| Key::is_of(finding, *provider, scope));
    let selected = selected_rules(inputs.catalogue, inputs.policy, *provider);
    let changes = Changes::between(own, &outcome.findings, |rule| selected.contains(rule));
    let (delta, new, resolved) = (changes.delta(), changes.new_by_severity(), changes.resolved_by_severity());
    // Rules that the policy excludes are listed as not evaluated too; nothing is missing for them.
    let missed = outcome.not_evaluated.iter().any(|rule| selected.contains(&rule.rule));
    let snapshot = inputs
        .snapshots
        .iter()
        .find(|snapshot| (snapshot.provider, &snapshot.scope) == (*provider, scope));
    AccountRun {
        complete: !missed && !selected.is_empty(),
        missing_permissions: snapshot.map(Snapshot::missing_permissions).unwrap_or_default(),
        account,
        outcome,
        delta,
        new,
        resolved,
    }
}

impl AccountRun {
    /// Several accounts as one: for a recorded organization that one CloudAccount stands for.
    pub(super) fn joined(runs: Vec<Self>) -> Option<Self> {
        let mut runs = runs.into_iter();
        let mut all = runs.next()?;
        for run in runs {
            all.delta = change::sum([&all.delta, &run.delta]);
            all.new.add_all(run.new);
            all.resolved.add_all(run.resolved);
            all.complete &= run.complete;
            all.missing_permissions.extend(run.missing_permissions);
            all.outcome.join(run.outcome);
            all.account.scope = format!("{},{}", all.account.scope, run.account.scope);
        }
        all.missing_permissions.sort_unstable();
        all.missing_permissions.dedup();
        Some(all)
    }
}

impl Execution {
    /// The document of `ciem audit`: all accounts together.
    pub fn document(&self) -> AuditDocument {
        let mut document = AuditDocument {
            snapshots: self.snapshots.clone(),
            engine: ENGINE.to_owned(),
            now: self.now,
            coverage: Vec::new(),
            not_evaluated: Vec::new(),
            identities: BTreeMap::new(),
            findings: Vec::new(),
            groups: Vec::new(),
            delta: self.compared.then(|| change::sum(self.accounts.iter().map(|run| &run.delta))),
        };
        for AccountRun { outcome, .. } in &self.accounts {
            document.coverage.extend(outcome.coverage.iter().cloned());
            document.not_evaluated.extend(outcome.not_evaluated.iter().cloned());
            document.findings.extend(outcome.findings.iter().cloned());
            document.groups.extend(outcome.groups.iter().cloned());
            for (kind, count) in &outcome.identities {
                let sum = document.identities.entry(kind.clone()).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        document.coverage.sort_unstable();
        document.coverage.dedup();
        document.not_evaluated.sort_unstable();
        document.not_evaluated.dedup();
        document.findings.sort_by(|a, b| a.id.cmp(&b.id));
        document
            .groups
            .sort_by(|a, b| (&a.rule, &a.cause, &a.findings).cmp(&(&b.rule, &b.cause, &b.findings)));
        document
    }
}
