//! From a question to concrete requests, and from their outcomes to one decision.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::action::{Action, ActionPattern};
use super::answer::{hold_strictly, render, unknown};
use super::arn::{Arn, is_account_id};
use super::decide::{Evaluation, Outcome, Target};
use super::document::Document;
use super::organization::Organization;
use super::pattern::Pattern;
use super::pattern::is_point;
use super::request::{Context, Request};
use super::services;
use super::subject::{Attached, Caller, CallerKind, Subject};
use super::wildcard;
use crate::access::formula::Formula;
use crate::access::{Decision, Matching, Question};
use crate::model::{IdentityKind, ReasonCode, Verdict};

/// A question whose principal was found and whose parts were read.
#[derive(Debug)]
pub struct Asked<'a> {
    pub(super) organization: &'a Organization,
    pub(super) caller: Caller<'a>,
    pub(super) context: Context,
    /// Owner of the resource, where the question says it.
    pub(super) resource_account: Option<&'a str>,
    pub(super) session: Vec<Attached>,
    /// Policies of the VPC endpoint that the request passes through (W1).
    pub(super) endpoint: Vec<Attached>,
    /// A bucket that no account lists is taken for the caller's: the question is what its own policies give.
    pub(super) own_buckets: bool,
}

/// The action of a question.
enum Wanted {
    One(Action),
    Several(ActionPattern),
}

impl Wanted {
    fn parse(text: &str) -> Option<Self> {
        Action::parse(text)
            .map(Self::One)
            .or_else(|| ActionPattern::parse(text).map(Self::Several))
    }
}

/// Why a request has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unplaced {
    /// The resource's account is not in what was read.
    AccountNotRead,
}

/// A mistyped resource must not pass a "must not" test for ever. Patterns may be cut anywhere.
fn is_resource(text: &str) -> bool {
    let named = |arn: Arn<'_>| arn.account.is_empty() || is_account_id(arn.account) || arn.account == "aws";
    text.contains(['*', '?']) || Arn::parse(text).is_some_and(named)
}

impl Organization {
    /// Answers one question.
    pub(super) fn answer(&self, question: &Question) -> Decision {
        let Some(caller) = self.caller(&question.principal) else {
            return unknown(
                "principal-not-found",
                format!("the principal '{}' is not in what was read", question.principal),
            );
        };
        let Some(action) = Wanted::parse(&question.action).filter(|_| !question.action.contains(char::is_whitespace)) else {
            return unknown(
                "action-malformed",
                format!("'{}' is no action: write service:Name", question.action),
            );
        };
        if !is_resource(&question.resource) {
            return unknown(
                "resource-malformed",
                format!(
                    "'{}' is no resource: write an ARN of six parts, or * for actions without resource",
                    question.resource
                ),
            );
        }
        let resource_account = question.provider.get("resourceAccount").and_then(Value::as_str);
        let asked = Asked {
            organization: self,
            caller,
            context: Context::of(question),
            resource_account,
            session: policies(question, "sessionPolicies"),
            endpoint: policies(question, "vpcEndpointPolicies"),
            own_buckets: false,
        };
        let answer = asked.outcome(action, &question.resource, question.matching);
        let Ok((outcome, exact)) = answer else {
            return unknown(
                "resource-account-not-read",
                format!("the account that owns '{}' is not in what was read", question.resource),
            );
        };
        let mut decision = render(question, &outcome);
        // What was found is certain where nothing better (any) or worse (all) can be.
        if !exact && decision.verdict != wildcard::certain(question.matching) {
            decision.verdict = Verdict::Unknown;
            decision.reason_code = ReasonCode::new("wildcard-too-wide");
            "too many combinations of patterns to tell: ask about one action or resource".clone_into(&mut decision.reason);
        }
        if question.strict {
            hold_strictly(&mut decision);
        }
        decision
    }

    /// Who asks; none where that is not in what was read.
    pub(super) fn caller<'a>(&'a self, principal: &'a str) -> Option<Caller<'a>> {
        let nobody = |kind| {
            Some(Caller {
                kind,
                account: None,
                home: None,
                asked: principal,
            })
        };
        let in_account = |id: &str, kind| {
            self.account(id).map(|home| Caller {
                kind,
                account: Some(&home.id),
                home: Some(home),
                asked: principal,
            })
        };
        if principal == "anonymous" {
            return nobody(CallerKind::Anonymous);
        }
        if is_account_id(principal) {
            return in_account(principal, CallerKind::Root);
        }
        let Some(arn) = Arn::parse(principal) else {
            let service = principal.ends_with(".amazonaws.com") || principal.ends_with(".amazonaws.com.cn");
            return if service { nobody(CallerKind::Service(principal)) } else { None };
        };
        match (arn.service, arn.resource.split_once('/').unwrap_or((arn.resource, ""))) {
            ("iam", ("root", "")) => in_account(arn.account, CallerKind::Root),
            ("iam", ("user" | "role" | "group", _)) => self.subject(principal).map(|subject| self.acting(subject, None, principal)),
            ("iam", ("saml-provider" | "oidc-provider", _)) => {
                self.owned(principal).filter(|owned| *owned.arn == *principal)?;
                nobody(CallerKind::Provider(principal))
            }
            ("sts", ("assumed-role", rest)) => {
                let (name, session) = rest.split_once('/')?;
                let role = self.subject_named(arn.account, IdentityKind::Role, name)?;
                Some(self.acting(role, Some(session), principal))
            }
            ("sts", ("federated-user", name)) => {
                let user = self.subject_named(arn.account, IdentityKind::User, name);
                in_account(arn.account, CallerKind::FederatedUser { arn: principal, user })
            }
            _ => None,
        }
    }

    /// An identity as caller.
    pub(super) fn acting<'a>(&'a self, subject: &'a Subject, session: Option<&'a str>, asked: &'a str) -> Caller<'a> {
        let kind = match subject.kind {
            IdentityKind::Role => CallerKind::Role(subject, session),
            IdentityKind::Group => CallerKind::Group(subject),
            _ => CallerKind::User(subject),
        };
        Caller {
            kind,
            account: Some(&subject.owner),
            home: subject.home.and_then(|at| self.accounts.get(at)),
            asked,
        }
    }
}

impl<'a> Asked<'a> {
    /// A question about a caller without session or special context.
    pub(super) fn plain(organization: &'a Organization, caller: Caller<'a>) -> Self {
        Self {
            organization,
            caller,
            context: Context::default(),
            resource_account: None,
            session: Vec::new(),
            endpoint: Vec::new(),
            own_buckets: true,
        }
    }

    /// Evaluates actions on resources. The flag is false where not all that the wildcards ask about could be looked at.
    fn outcome<'s: 'a>(&'s self, wanted: Wanted, resource: &str, matching: Matching) -> Result<(Outcome<'s>, bool), Unplaced> {
        let wild = |action: &ActionPattern, resource: &str| wildcard::evaluate(self, action, &Pattern::glob(resource).by_parts(), matching);
        let action = match wanted {
            Wanted::Several(pattern) => return wild(&pattern, resource),
            Wanted::One(action) if !resource.contains(['*', '?']) => return self.evaluate(action, resource).map(|outcome| (outcome, true)),
            Wanted::One(action) => action,
        };
        // An action that is checked on several kinds of resource needs each of them (W14): the worst of them counts.
        let kinds = if resource == "*" {
            services::required_resources(&action.service, &action.name)
        } else {
            None
        };
        let pattern = ActionPattern::exactly(&action);
        let Some(kinds) = kinds else { return wild(&pattern, resource) };
        let mut outcomes = kinds.iter().map(|kind| wild(&pattern, kind)).collect::<Result<Vec<_>, _>>()?;
        let complete = outcomes.iter().all(|(_, complete)| *complete);
        outcomes.sort_by_key(|(outcome, _)| wildcard::rank(outcome.formula.verdict()));
        Ok(outcomes.pop().map_or_else(|| (nothing(), true), |(worst, _)| (worst, complete)))
    }

    /// Evaluates one action on one resource.
    pub(super) fn evaluate<'s: 'a>(&'s self, action: Action, resource: &str) -> Result<Outcome<'s>, Unplaced> {
        let (request, target) = self.place(action, resource)?;
        Ok(Evaluation::new(&request, target, &self.session, &self.endpoint).run())
    }

    /// Finds the resource's account and what was read of the resource.
    pub(super) fn place<'s>(&'s self, action: Action, resource: &str) -> Result<(Request<'s>, Target<'s>), Unplaced> {
        let organization = self.organization;
        let arn = Arn::parse(resource);
        let owned = organization.owned(resource);
        let read = |id: &str| organization.account(id).ok_or(Unplaced::AccountNotRead).map(Some);
        let (own, home) = (self.caller.account, self.caller.home);
        let owned_by = match (self.resource_account, owned, arn) {
            (Some(asked), _, _) => read(asked)?,
            (None, Some(owned), _) => organization.accounts.get(owned.account),
            (None, None, Some(arn)) if Some(arn.account) == own && home.is_some() => home,
            (None, None, Some(arn)) if is_account_id(arn.account) => read(arn.account)?,
            // A bucket belongs to the account that lists it.
            (None, None, Some(arn)) if arn.service == "s3" && !is_point(arn.resource) && !self.own_buckets => {
                if home.is_none_or(|account| account.resources_read) {
                    return Err(Unplaced::AccountNotRead);
                }
                home
            }
            _ => home,
        };
        let identity = if action.service == "iam" || action.service == "sts" {
            organization.subject(resource)
        } else {
            None
        };
        let request = Request {
            caller: &self.caller,
            action,
            resource: Cow::Owned(resource.to_owned()),
            resource_account: owned_by.map(|account| &*account.id).or(own),
            owner: owned_by,
            resource_tags: identity
                .map(|subject| &subject.tags)
                .or_else(|| owned.and_then(|owned| owned.tags.as_ref())),
            context: &self.context,
        };
        let role = identity.filter(|subject| subject.kind == IdentityKind::Role);
        Ok((request, Target { role, owned }))
    }
}

/// Documents that the question brings: a list of them, or one.
fn policies(question: &Question, member: &'static str) -> Vec<Attached> {
    let documents = match question.provider.get(member) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let attach = |(at, document): (usize, &Value)| {
        let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
        Attached {
            name: format!("{member}[{at}]").into(),
            form: "session",
            via: None,
            document: Some(Arc::new(Document::compile(&text))),
        }
    };
    documents.iter().enumerate().map(attach).collect()
}

/// An outcome of nothing: no request of a wildcard could be placed.
pub(super) fn nothing<'a>() -> Outcome<'a> {
    Outcome {
        formula: Formula::False,
        code: ReasonCode::new("no-grant"),
        hits: Vec::new(),
        unread: Vec::new(),
    }
}
