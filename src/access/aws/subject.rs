//! Who asks: the identities of the accounts, and callers that no account lists (services, root, anonymous).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::document::Document;
use super::organization::Account;
use crate::model::IdentityKind;

/// A policy as it stands on an identity or resource.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Name as in [`crate::model::StatementRef::policy`].
    pub name: Arc<str>,
    /// `inline`, `managed` or `boundary`.
    pub form: &'static str,
    /// ARN of the group it comes through.
    pub via: Option<Arc<str>>,
    /// The compiled document; none where it was not read.
    pub document: Option<Arc<Document>>,
}

/// A user, group or role.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its ARN.
    pub arn: Arc<str>,
    /// The account that its ARN names.
    pub owner: Arc<str>,
    /// That account, where it was read: index in the organization.
    pub home: Option<usize>,
    /// The account in whose snapshot it stands.
    pub scope: Arc<str>,
    /// User, group or role.
    pub kind: IdentityKind,
    /// Its name.
    pub name: String,
    /// `AIDA…`, `AROA…`.
    pub id: String,
    /// Its path.
    pub path: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Tags as written.
    pub tags: BTreeMap<String, String>,
    /// Policies, directly attached ones first, then those of groups.
    pub policies: Vec<Attached>,
    /// Groups that were named and not read.
    pub missing_groups: Vec<String>,
    /// The permissions boundary.
    pub boundary: Option<Attached>,
    /// The trust policy of a role.
    pub trust: Option<Attached>,
    /// Somebody may pass session tags (`sts:TagSession` in the trust), which override the role's (W23).
    pub session_tags: bool,
    /// ARNs of the instance profiles that hold it.
    pub instance_profiles: Vec<String>,
}

/// Roles on this path are assumed by their service only (W10).
pub const SERVICE_LINKED: &str = "/aws-service-role/";
/// Roles on this path are managed by IAM Identity Center (W10).
pub const RESERVED_SSO: &str = "/aws-reserved/sso.amazonaws.com/";

impl Subject {
    /// Whether it is a service-linked role.
    pub fn service_linked(&self) -> bool {
        self.kind == IdentityKind::Role && self.path.starts_with(SERVICE_LINKED)
    }

    /// Why nobody can act on it (W10).
    pub fn not_actionable(&self) -> Option<&'static str> {
        if self.kind != IdentityKind::Role {
            None
        } else if self.service_linked() {
            Some("service-linked role: only its service assumes and changes it")
        } else if self.path.starts_with(RESERVED_SSO) {
            Some("reserved role of IAM Identity Center: change its permission set instead")
        } else {
            None
        }
    }

    /// ARN of one of its sessions. A session's ARN has no path.
    pub fn session_arn(&self, session: &str) -> String {
        let mut parts = self.arn.splitn(6, ':');
        let partition = parts.nth(1).unwrap_or("aws");
        let account = parts.nth(2).unwrap_or_default();
        format!("arn:{partition}:sts::{account}:assumed-role/{}/{session}", self.name)
    }
}

/// Who makes a request.
#[derive(Debug, Clone)]
pub struct Caller<'a> {
    /// What it is.
    pub kind: CallerKind<'a>,
    /// Its account.
    pub account: Option<&'a str>,
    /// What was read of that account.
    pub home: Option<&'a Account>,
    /// ARN or name as asked.
    pub asked: &'a str,
}

/// What a caller is.
#[derive(Debug, Clone)]
pub enum CallerKind<'a> {
    /// An IAM user with its own credentials.
    User(&'a Subject),
    /// A role, and the name of its session where one is asked about.
    Role(&'a Subject, Option<&'a str>),
    /// A group, as if it could act: what its policies give its members.
    Group(&'a Subject),
    /// A session of `GetFederationToken`, and the user of its name.
    FederatedUser {
        /// The session's ARN.
        arn: &'a str,
        /// The user of that name.
        user: Option<&'a Subject>,
    },
    /// The root user of an account.
    Root,
    /// A service principal.
    Service(&'a str),
    /// Holder of a token of an identity provider, by the provider's ARN or name.
    Provider(&'a str),
    /// Nobody in particular.
    Anonymous,
    /// Somebody who is not known: keys of the principal stay open.
    Somebody,
}

impl<'a> Caller<'a> {
    /// The identity whose policies count.
    pub fn subject(&self) -> Option<&'a Subject> {
        match &self.kind {
            CallerKind::User(subject) | CallerKind::Role(subject, _) | CallerKind::Group(subject) => Some(subject),
            CallerKind::FederatedUser { user, .. } => *user,
            CallerKind::Root | CallerKind::Service(_) | CallerKind::Provider(_) | CallerKind::Anonymous | CallerKind::Somebody => None,
        }
    }
}
