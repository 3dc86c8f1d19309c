//! One concrete request: caller, action, resource, context, and what follows from them (W23).

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::action::Action;
use super::arn::Arn;
use super::condition::{Fact, Lookup};
use super::key::{Key, KeyKind};
use super::organization::Account;
use super::pattern::is_point;
use super::subject::{Caller, CallerKind};
use crate::access::{ContextValue, Question};

/// What a question says about the request.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// By key in lower case, sorted.
    keys: Vec<(String, ContextValue)>,
    complete: bool,
    time: Option<Timestamp>,
}

impl Context {
    /// Takes the context of a question.
    pub fn of(question: &Question) -> Self {
        let mut keys: Vec<(String, ContextValue)> = question
            .context
            .iter()
            .map(|(key, value)| (key.to_ascii_lowercase(), value.clone()))
            .collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            keys,
            complete: question.context_complete,
            time: question.time,
        }
    }

    fn get(&self, key: &str) -> Option<&ContextValue> {
        self.keys
            .binary_search_by(|(own, _)| own.as_str().cmp(key))
            .ok()
            .and_then(|at| self.keys.get(at))
            .map(|(_, value)| value)
    }
}

/// What is known about an account's place in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// `o-…`
    pub organization: &'a str,
    /// `o-…/r-…/ou-…/`
    pub path: &'a str,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Who.
    pub caller: &'a Caller<'a>,
    /// What, in lower case.
    pub action: Action,
    /// On what: an ARN, or `*`-like text for actions without resource.
    pub resource: Cow<'a, str>,
    /// Account that owns the resource.
    pub resource_account: Option<&'a str>,
    /// What was read of that account.
    pub owner: Option<&'a Account>,
    /// Tags of the resource, where they were read.
    pub resource_tags: Option<&'a BTreeMap<String, String>>,
    /// What the question says.
    pub context: &'a Context,
}

/// Services whose endpoint is in us-east-1 whatever the resource: `aws:RequestedRegion` says so.
const GLOBAL_SERVICES: &[&str] = &[
    "iam",
    "organizations",
    "route53",
    "route53domains",
    "cloudfront",
    "account",
    "support",
    "shield",
    "globalaccelerator",
    "waf",
];

impl Lookup for Request<'_> {
    fn fact(&self, key: &Key) -> Fact<'_> {
        if let Some(value) = self.context.get(key.lower()) {
            return match value {
                ContextValue::Absent => Fact::Absent,
                ContextValue::One(value) => Fact::one(value.as_str()),
                ContextValue::Many(values) => match values.as_slice() {
                    [one] => Fact::one(one.as_str()),
                    several => Fact::Many(Cow::Borrowed(several)),
                },
            };
        }
        match self.derived(key) {
            Fact::Unknown | Fact::Present if self.context.complete => Fact::Absent,
            fact => fact,
        }
    }
}

impl Request<'_> {
    fn derived(&self, key: &Key) -> Fact<'_> {
        match &key.kind {
            KeyKind::Other => Fact::Unknown,
            KeyKind::ResourceAccount
            | KeyKind::ResourceOrgId
            | KeyKind::ResourceOrgPaths
            | KeyKind::ResourceTag(_)
            | KeyKind::RequestedRegion => self.of_resource(&key.kind),
            KeyKind::AlwaysPresent => self.of_time(key),
            kind => self.of_caller(kind),
        }
    }

    fn of_time(&self, key: &Key) -> Fact<'_> {
        match (self.context.time, key.lower()) {
            (Some(time), "aws:currenttime") => Fact::one(time.to_string()),
            (Some(time), "aws:epochtime") => Fact::one(time.as_second().to_string()),
            _ => Fact::Present,
        }
    }

    fn of_resource(&self, kind: &KeyKind) -> Fact<'_> {
        match kind {
            KeyKind::ResourceAccount => self.resource_account.map_or(Fact::Unknown, Fact::one),
            KeyKind::ResourceOrgId => self
                .owner
                .and_then(Account::place)
                .map_or(Fact::Unknown, |place| Fact::one(place.organization)),
            KeyKind::ResourceOrgPaths => self
                .owner
                .and_then(Account::place)
                .map_or(Fact::Unknown, |place| Fact::one(place.path)),
            KeyKind::ResourceTag(tag) => match self.resource_tags {
                Some(tags) => tags
                    .iter()
                    .find(|(own, _)| own.eq_ignore_ascii_case(tag))
                    .map_or(Fact::Absent, |(_, value)| Fact::one(value.as_str())),
                None => Fact::Unknown,
            },
            _ => {
                if GLOBAL_SERVICES.contains(&self.action.service.as_str()) {
                    return Fact::one("us-east-1");
                }
                match Arn::parse(&self.resource) {
                    Some(arn) if !arn.region.is_empty() && !is_point(arn.region) => Fact::one(arn.region),
                    _ => Fact::Present,
                }
            }
        }
    }

    fn of_caller(&self, kind: &KeyKind) -> Fact<'_> {
        let caller = self.caller;
        if matches!(caller.kind, CallerKind::Somebody | CallerKind::Group(_)) {
            return Fact::Unknown;
        }
        let service = matches!(caller.kind, CallerKind::Service(_));
        // Without credentials of an account there is no principal to tell of.
        let nameless = service || matches!(caller.kind, CallerKind::Anonymous | CallerKind::Provider(_));
        match kind {
            KeyKind::OfServices | KeyKind::PrincipalServiceNames => {
                if service {
                    Fact::Unknown
                } else {
                    Fact::Absent
                }
            }
            KeyKind::PrincipalIsService => match caller.kind {
                CallerKind::Service(_) => Fact::one("true"),
                CallerKind::Anonymous => Fact::Absent,
                _ => Fact::one("false"),
            },
            KeyKind::PrincipalServiceName => match caller.kind {
                CallerKind::Service(name) => Fact::one(name),
                _ => Fact::Absent,
            },
            KeyKind::FederatedProvider => match caller.kind {
                CallerKind::Provider(provider) => Fact::one(provider),
                CallerKind::Role(..) | CallerKind::FederatedUser { .. } => Fact::Unknown,
                _ => Fact::Absent,
            },
            KeyKind::PrincipalType => match caller.kind {
                CallerKind::User(_) => Fact::one("User"),
                CallerKind::Role(..) => Fact::one("AssumedRole"),
                CallerKind::FederatedUser { .. } => Fact::one("FederatedUser"),
                CallerKind::Root => Fact::one("Account"),
                CallerKind::Anonymous => Fact::one("Anonymous"),
                _ => Fact::Unknown,
            },
            _ if nameless => Fact::Absent,
            KeyKind::PrincipalArn => match &caller.kind {
                CallerKind::User(subject) | CallerKind::Role(subject, _) => Fact::one(&*subject.arn),
                CallerKind::FederatedUser { arn, .. } => Fact::one(*arn),
                _ => Fact::one(caller.asked),
            },
            KeyKind::PrincipalAccount => caller.account.map_or(Fact::Unknown, Fact::one),
            KeyKind::PrincipalOrgId => caller
                .home
                .and_then(Account::place)
                .map_or(Fact::Unknown, |place| Fact::one(place.organization)),
            KeyKind::PrincipalOrgPaths => caller
                .home
                .and_then(Account::place)
                .map_or(Fact::Unknown, |place| Fact::one(place.path)),
            KeyKind::PrincipalTag(tag) => self.principal_tag(tag),
            KeyKind::UserName => match &caller.kind {
                CallerKind::User(subject) => Fact::one(subject.name.as_str()),
                _ => Fact::Absent,
            },
            KeyKind::UserId => match &caller.kind {
                CallerKind::User(subject) if !subject.id.is_empty() => Fact::one(subject.id.as_str()),
                CallerKind::Role(subject, Some(session)) if !subject.id.is_empty() => Fact::one(format!("{}:{session}", subject.id)),
                CallerKind::Root => caller.account.map_or(Fact::Present, Fact::one),
                CallerKind::FederatedUser { arn, .. } => {
                    let name = arn.rsplit_once('/').map_or(*arn, |(_, name)| name);
                    Fact::one(format!("{}:{name}", caller.account.unwrap_or_default()))
                }
                _ => Fact::Present,
            },
            KeyKind::TokenIssueTime => match caller.kind {
                CallerKind::Role(..) | CallerKind::FederatedUser { .. } => Fact::Present,
                _ => Fact::Unknown,
            },
            _ => Fact::Unknown,
        }
    }

    /// Tags are known for users, and for roles to whose sessions nobody may pass tags (W23).
    fn principal_tag(&self, tag: &str) -> Fact<'_> {
        let subject = match &self.caller.kind {
            CallerKind::User(subject) => subject,
            CallerKind::Role(subject, _) if !subject.session_tags || self.context.complete => subject,
            CallerKind::Root => return Fact::Absent,
            _ => return Fact::Unknown,
        };
        subject
            .tags
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(tag))
            .map_or(Fact::Absent, |(_, value)| Fact::one(value.as_str()))
    }
}
