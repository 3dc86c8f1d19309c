//! The accounts as read, compiled and indexed: every distinct document once, however many identities share it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::build::Builder;
use super::coverage::{Faults, Sections};
use super::request::Place;
use super::subject::{Attached, Subject};
use crate::model::IdentityKind;
use crate::snapshot::Snapshot;
use crate::snapshot::aws::{self as native, section};

/// Everything that was read of AWS.
#[derive(Debug, Default)]
pub struct Organization {
    /// Sorted by number.
    pub(super) accounts: Vec<Account>,
    /// Sorted by ARN.
    pub(super) subjects: Vec<Subject>,
    /// Sorted by ARN.
    pub(super) resources: Vec<Owned>,
    by_arn: HashMap<Arc<str>, usize>,
    /// Account number and name of role or user → subject.
    by_name: HashMap<(Arc<str>, IdentityKind, String), usize>,
    resource_by_arn: HashMap<Arc<str>, usize>,
    account_by_id: HashMap<Arc<str>, usize>,
    pub(super) faults: Faults,
}

/// One account.
#[derive(Debug)]
pub struct Account {
    /// Its number.
    pub id: Arc<str>,
    pub(super) sections: Sections,
    /// Whether the list of what it owns was read.
    pub resources_read: bool,
    /// Service control policies from the root down; none where they were not read, empty where the account has no such layer.
    pub service_control: Option<Vec<Level>>,
    /// Resource control policies from the root down.
    pub resource_control: Option<Vec<Level>>,
    /// Organization and path, where the account is a member of one that was read.
    pub(super) member: Option<(Arc<str>, Arc<str>)>,
    /// Ids of all accounts of that organization.
    pub(super) members: Vec<String>,
    /// The management account, which control policies do not bind (W2, W3).
    pub management: bool,
}

impl Account {
    /// Its place in its organization.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        let (organization, path) = self.member.as_ref()?;
        Some(Place { organization, path })
    }
}

/// What is attached to one node on an account's path.
#[derive(Debug)]
pub struct Level {
    /// All its policies.
    pub policies: Vec<Attached>,
}

/// Something that an account owns.
#[derive(Debug)]
pub struct Owned {
    /// Its ARN.
    pub arn: Arc<str>,
    /// The account: index in the organization.
    pub account: usize,
    /// Type name of AWS `CloudFormation`.
    pub kind: String,
    /// Tags; none where they were not read.
    pub tags: Option<BTreeMap<String, String>>,
    /// Its policy; none where it has none or it was not read.
    pub policy: Option<Attached>,
    /// Grants of a KMS key; none where they were not read.
    pub grants: Option<Vec<native::KeyGrant>>,
    /// Something of it decides who is let in from outside, and is not evaluated: an ACL that names others, or Block Public Access that
    /// closes buckets with a public policy (W8).
    pub outsiders_open: bool,
}

impl Organization {
    /// Compiles snapshots of AWS accounts. What cannot be used is in the coverage.
    pub fn build(snapshots: &[&Snapshot]) -> Self {
        let mut sorted: Vec<&&Snapshot> = snapshots.iter().collect();
        sorted.sort_by(|a, b| a.scope.cmp(&b.scope));
        let mut builder = Builder::default();
        for snapshot in sorted {
            builder.snapshot(snapshot);
        }
        builder.finish()
    }

    /// Sorts and indexes what was read.
    pub(super) fn of(accounts: Vec<Account>, subjects: Vec<Subject>, resources: Vec<Owned>, faults: Faults) -> Self {
        let (subjects, faults) = told_apart(subjects, faults);
        let mut organization = Self {
            accounts,
            subjects,
            resources,
            faults,
            ..Self::default()
        };
        organization.index();
        organization
    }

    fn index(&mut self) {
        self.accounts.sort_by(|a, b| a.id.cmp(&b.id));
        self.subjects.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.resources.sort_by(|a, b| a.arn.cmp(&b.arn));
        for (at, account) in self.accounts.iter().enumerate() {
            self.account_by_id.entry(Arc::clone(&account.id)).or_insert(at);
        }
        for subject in &mut self.subjects {
            subject.home = self.account_by_id.get(&subject.owner).copied();
        }
        for (at, subject) in self.subjects.iter().enumerate() {
            self.by_arn.entry(Arc::clone(&subject.arn)).or_insert(at);
            self.by_name
                .entry((Arc::clone(&subject.owner), subject.kind, subject.name.clone()))
                .or_insert(at);
        }
        for (at, resource) in self.resources.iter().enumerate() {
            self.resource_by_arn.entry(Arc::clone(&resource.arn)).or_insert(at);
        }
        self.faults.settle();
    }

    /// The identity of an ARN.
    pub fn subject(&self, arn: &str) -> Option<&Subject> {
        self.by_arn.get(arn).and_then(|at| self.subjects.get(*at))
    }

    /// An identity of an account by name, as session ARNs have it.
    pub(super) fn subject_named(&self, account: &str, kind: IdentityKind, name: &str) -> Option<&Subject> {
        self.by_name
            .get(&(Arc::from(account), kind, name.to_owned()))
            .and_then(|at| self.subjects.get(*at))
    }

    /// An account that was read.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.account_by_id.get(id).and_then(|at| self.accounts.get(*at))
    }

    /// Whether the roles of every account were read whole.
    pub(super) fn all_roles_read(&self) -> bool {
        self.accounts.iter().all(|account| account.sections.state(section::ROLES).is_ok())
    }

    /// The resource of an ARN, or the nearest one that contains it (a bucket for its objects).
    pub(super) fn owned(&self, arn: &str) -> Option<&Owned> {
        let mut asked = arn;
        if self.resources.is_empty() {
            return None;
        }
        loop {
            if let Some(found) = self.resource_by_arn.get(asked).and_then(|at| self.resources.get(*at)) {
                return Some(found);
            }
            asked = asked.rsplit_once('/')?.0;
        }
    }
}

/// An identity that was read twice has two states, and nobody can say which holds: what it may do is not known.
fn told_apart(mut subjects: Vec<Subject>, mut faults: Faults) -> (Vec<Subject>, Faults) {
    subjects.sort_by(|a, b| a.arn.cmp(&b.arn));
    let mut kept: Vec<Subject> = Vec::with_capacity(subjects.len());
    for subject in subjects {
        match kept.last_mut() {
            Some(last) if last.arn == subject.arn => last.make_ambiguous(&mut faults),
            _ => kept.push(subject),
        }
    }
    (kept, faults)
}

impl Subject {
    fn make_ambiguous(&mut self, faults: &mut Faults) {
        let source = match self.kind {
            IdentityKind::Role => section::ROLES,
            IdentityKind::Group => section::GROUPS,
            _ => section::USERS,
        };
        let reason = "the identity appears more than once in what was read: which state holds is not known";
        faults.add(source, &self.arn, "", reason);
        faults.add(source, &self.arn, "AssumeRolePolicyDocument", reason);
        self.policies = vec![Attached {
            name: Arc::clone(&self.arn),
            form: "inline",
            via: None,
            document: None,
        }];
        self.trust = None;
        self.boundary = None;
    }
}
