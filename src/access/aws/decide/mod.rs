//! The evaluation of one request over all layers (W1–W11, W24).

mod control;
mod resource;

use self::resource::Granted;
use super::action::Action;
use super::condition::Leaf;
use super::organization::Owned;
use super::pattern::is_point;
use super::request::Request;
use super::statement::{Effect, Role, Statement};
use super::subject::{Attached, CallerKind, Subject};
use crate::access::formula::Formula;
use crate::model::{ReasonCode, Verdict};

/// Names of layers, as answers and statement references have them.
pub mod layer {
    /// Inline, managed and group policies.
    pub const IDENTITY: &str = "identity";
    /// Permissions boundary.
    pub const BOUNDARY: &str = "boundary";
    /// Session policies.
    pub const SESSION: &str = "session";
    /// Resource policy.
    pub const RESOURCE: &str = "resource";
    /// Trust policy of a role.
    pub const TRUST: &str = "trust";
    /// Service control policies.
    pub const SERVICE_CONTROL: &str = "service-control-policies";
    /// Resource control policies.
    pub const RESOURCE_CONTROL: &str = "resource-control-policies";
    /// Grant of a KMS key.
    pub const KEY_GRANT: &str = "key-grant";
    /// Policy of the VPC endpoint.
    pub const ENDPOINT: &str = "vpc-endpoint";
    /// Ways across accounts other than a resource policy: shares, attributes, grants (W5).
    pub const SHARING: &str = "sharing";
    /// What follows from the service itself, whatever policies say.
    pub const SERVICE: &str = "service";
}

/// A statement that applies, or a policy of which nothing is known.
#[derive(Debug, Clone)]
pub struct Hit<'a> {
    /// Layer.
    pub layer: &'static str,
    /// The policy; none where the layer has none.
    pub policy: Option<&'a Attached>,
    /// The statement; none for a whole policy or layer.
    pub statement: Option<&'a Statement>,
    /// What it says.
    pub verdict: Verdict,
}

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// When access is given, simplified.
    pub formula: Formula<Leaf>,
    /// Why.
    pub code: ReasonCode,
    /// What applied.
    pub hits: Vec<Hit<'a>>,
    /// Layers that were not read.
    pub unread: Vec<&'static str>,
}

/// What a layer allows and denies.
#[derive(Debug, Clone)]
struct Sides {
    allow: Formula<Leaf>,
    deny: Formula<Leaf>,
}

/// What the resource is, as far as it was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'a> {
    /// The role that is assumed, for actions that its trust policy governs.
    pub role: Option<&'a Subject>,
    /// The resource, or the one that contains it.
    pub owned: Option<&'a Owned>,
}

/// Evaluates one request.
pub struct Evaluation<'a, 'r> {
    request: &'r Request<'a>,
    target: Target<'a>,
    session: &'a [Attached],
    endpoint: &'a [Attached],
    /// Only this statement grants: what it is worth after all other layers.
    only: Option<(&'a Attached, &'a Statement)>,
    hits: Vec<Hit<'a>>,
}

/// STS actions that need nobody's permission, even against an explicit deny (W9).
const FREE: &[&str] = &["getcalleridentity", "getsessiontoken"];

/// Actions on a role that its trust policy governs (W6).
const TRUSTED: &[&str] = &[
    "assumerole",
    "assumerolewithwebidentity",
    "assumerolewithsaml",
    "tagsession",
    "setsourceidentity",
];

/// The actions that a role's trust policy governs.
pub fn assumptions() -> impl Iterator<Item = Action> {
    TRUSTED.iter().map(|name| Action {
        service: "sts".to_owned(),
        name: (*name).to_owned(),
    })
}

/// Whether the trust policy of the role governs an action; what begins like one of them, too.
pub fn is_assumption(action: &Action) -> bool {
    let name = action.name.as_str();
    let begins = if is_point(name) { "assume" } else { "assumerole" };
    action.service == "sts" && (name.starts_with(begins) || TRUSTED.contains(&name))
}

impl<'a, 'r> Evaluation<'a, 'r> {
    /// Prepares a request. `session`: the policies that the session was made with; `endpoint`: those of the VPC endpoint it passes.
    pub fn new(request: &'r Request<'a>, target: Target<'a>, session: &'a [Attached], endpoint: &'a [Attached]) -> Self {
        Self {
            request,
            target,
            session,
            endpoint,
            only: None,
            hits: Vec::new(),
        }
    }

    /// Counts only this statement as grant.
    #[must_use]
    pub fn granted_by(mut self, policy: &'a Attached, statement: &'a Statement) -> Self {
        self.only = Some((policy, statement));
        self
    }

    /// Evaluates.
    pub fn run(mut self) -> Outcome<'a> {
        let action = &self.request.action;
        if action.service == "sts" && FREE.contains(&action.name.as_str()) {
            // They need no permission, but a signature, and a federation session gets no further session (W9).
            let refused = match self.request.caller.kind {
                CallerKind::Anonymous => true,
                CallerKind::FederatedUser { .. } => action.name != "getcalleridentity",
                _ => false,
            };
            return if refused {
                self.by_service(Formula::False, "no-grant")
            } else {
                self.by_service(Formula::True, "grant")
            };
        }
        if let Some(code) = self.never() {
            return self.by_service(Formula::False, code);
        }
        let assumption = is_assumption(action);
        let identity = self.identity();
        let boundary = self.limit(
            layer::BOUNDARY,
            self.request.caller.subject().and_then(|subject| subject.boundary.as_ref()),
        );
        let session = self.sessions();
        let mut resource = if assumption { self.trust() } else { self.resource_policy() };
        if self.only.is_some() {
            // What a resource policy grants by itself is not what the statement grants.
            resource = Granted {
                account: resource.any(),
                itself: Formula::False,
                behind: Formula::False,
                ..resource
            };
        }
        let control = self.service_control();
        let resource_control = self.resource_control();
        let endpoint = self.endpoint();
        let deny = [
            &identity.deny,
            &boundary.deny,
            &session.deny,
            &resource.deny,
            &control.deny,
            &resource_control,
            &endpoint.deny,
        ]
        .into_iter()
        .filter(|deny| !deny.is_false())
        .fold(Formula::False, |all, deny| all.or(deny.clone()));
        let limits = boundary.allow.clone().and(session.allow.clone());
        let caller_side = identity.allow.clone().and(limits.clone());
        let required = assumption || self.needs_policy();
        let grant = if self.by_resource_alone() {
            resource.itself.clone()
        } else if self.same_account() {
            let own = if required {
                caller_side.and(resource.account.clone())
            } else {
                caller_side
            };
            own.or(resource.itself.clone()).or(resource.behind.clone().and(limits))
        } else {
            resource.any().and(caller_side)
        };
        let given = grant.clone().and(control.allow.clone()).and(endpoint.allow.clone());
        let formula = given.clone().and(deny.clone().negated()).simplified();
        let code = match formula.verdict() {
            Verdict::Allowed => "grant",
            Verdict::Conditional => "condition-unresolved",
            Verdict::Unknown => self.unknown_code(),
            Verdict::Denied => {
                let never = |formula: Formula<Leaf>| formula.simplified().is_false();
                let by_resource = resource.any();
                let offered = identity.allow.or(resource.itself).or(resource.behind);
                if deny.simplified().is_true() || !never(given) {
                    "explicit-deny"
                } else if assumption && never(by_resource.clone()) {
                    "trust-policy"
                } else if never(offered) && !self.by_resource_alone() || required && never(by_resource) {
                    "no-grant"
                } else if never(boundary.allow) {
                    "permissions-boundary"
                } else if never(session.allow) {
                    "session-policy"
                } else if never(grant) {
                    "no-grant"
                } else if never(control.allow) {
                    "service-control-policy"
                } else {
                    "vpc-endpoint-policy"
                }
            }
        };
        let unread = self.unread(assumption);
        Outcome {
            formula,
            code: ReasonCode::new(code),
            hits: self.hits,
            unread,
        }
    }

    /// What keeps the answer from being known: the first that was met.
    fn unknown_code(&self) -> &'static str {
        let Some(hit) = self.hits.iter().find(|hit| hit.verdict == Verdict::Unknown) else {
            return "not-evaluable";
        };
        match (hit.layer, hit.policy, hit.statement) {
            (_, _, Some(_)) => "statement-not-evaluable",
            (_, Some(policy), None) if policy.document.is_some() => "policy-not-evaluable",
            (layer::BOUNDARY, Some(_), None) => "boundary-not-read",
            (_, Some(_), None) => "policy-not-read",
            (layer::IDENTITY, None, None) => "group-not-read",
            (layer::TRUST, None, None) => "role-not-found",
            (layer::RESOURCE, None, None) => "resource-policy-not-read",
            _ => "not-evaluable",
        }
    }

    fn same_account(&self) -> bool {
        self.request.caller.account.is_some() && self.request.caller.account == self.request.resource_account
    }

    fn by_service(mut self, formula: Formula<Leaf>, code: &'static str) -> Outcome<'a> {
        let verdict = formula.verdict();
        self.hits.push(Hit {
            layer: layer::SERVICE,
            policy: None,
            statement: None,
            verdict,
        });
        Outcome {
            formula,
            code: ReasonCode::new(code),
            hits: self.hits,
            unread: Vec::new(),
        }
    }

    /// What no policy can give.
    fn never(&self) -> Option<&'static str> {
        let action = &self.request.action;
        match self.request.caller.kind {
            // Federation sessions call neither IAM nor STS; root assumes no roles (W6, W9).
            CallerKind::FederatedUser { .. } if action.service == "iam" || action.service == "sts" => Some("no-grant"),
            CallerKind::Root if is_assumption(action) => Some("no-grant"),
            _ if self.kms_refuses() => Some("no-grant"),
            _ => None,
        }
    }

    /// Services, token holders and anonymous callers have no identity side (W24, W6).
    fn by_resource_alone(&self) -> bool {
        matches!(
            self.request.caller.kind,
            CallerKind::Service(_) | CallerKind::Provider(_) | CallerKind::Anonymous | CallerKind::Somebody
        )
    }

    /// Identity policies. Root is not limited by any (W9); a federation session without session policy has nothing from them (W4).
    fn identity(&mut self) -> Sides {
        let caller = self.request.caller;
        if let Some((policy, statement)) = self.only {
            let subject = caller.subject();
            let policies = subject.map_or(&[][..], |subject| &subject.policies);
            let mut deny = self.gather(layer::IDENTITY, policies, true).deny;
            if subject.is_some_and(|subject| !subject.missing_groups.is_empty()) {
                deny = deny.or(Formula::Unknown);
            }
            let allow = statement.applies(self.request, Role::Identity);
            self.hit(layer::IDENTITY, policy, statement, &allow);
            return Sides { allow, deny };
        }
        match &caller.kind {
            CallerKind::Root => Sides {
                allow: Formula::True,
                deny: Formula::False,
            },
            CallerKind::FederatedUser { .. } if self.session.is_empty() => Sides {
                allow: Formula::False,
                deny: Formula::False,
            },
            CallerKind::FederatedUser { user: None, .. } => Sides {
                allow: Formula::Unknown,
                deny: Formula::Unknown,
            },
            _ => caller.subject().map_or(
                Sides {
                    allow: Formula::False,
                    deny: Formula::False,
                },
                |subject| {
                    let mut sides = self.statements(layer::IDENTITY, &subject.policies);
                    if !subject.missing_groups.is_empty() {
                        sides.allow = sides.allow.or(Formula::Unknown);
                        sides.deny = sides.deny.or(Formula::Unknown);
                        self.hits.push(Hit {
                            layer: layer::IDENTITY,
                            policy: None,
                            statement: None,
                            verdict: Verdict::Unknown,
                        });
                    }
                    sides
                },
            ),
        }
    }

    /// A layer that only limits: absent, it allows everything.
    fn limit(&mut self, name: &'static str, policy: Option<&'a Attached>) -> Sides {
        match policy {
            None => Sides {
                allow: Formula::True,
                deny: Formula::False,
            },
            Some(policy) => self.statements(name, std::slice::from_ref(policy)),
        }
    }

    /// Session policies: one of them has to allow.
    fn sessions(&mut self) -> Sides {
        if self.session.is_empty() {
            Sides {
                allow: Formula::True,
                deny: Formula::False,
            }
        } else {
            self.statements(layer::SESSION, self.session)
        }
    }

    /// What the statements of identity-like policies allow and deny.
    fn statements(&mut self, name: &'static str, policies: &'a [Attached]) -> Sides {
        let sides = self.gather(name, policies, false);
        if sides.allow.is_false() {
            self.silent(name, policies);
        }
        sides
    }

    /// Notes that a layer allows nothing here.
    fn silent(&mut self, name: &'static str, policies: &'a [Attached]) {
        let policy = if let [single] = policies { Some(single) } else { None };
        self.hits.push(Hit {
            layer: name,
            policy,
            statement: None,
            verdict: Verdict::Denied,
        });
    }

    /// What statements allow and deny; `denials`: only of those that deny, or may.
    fn gather(&mut self, name: &'static str, policies: &'a [Attached], denials: bool) -> Sides {
        let mut sides = Sides {
            allow: Formula::False,
            deny: Formula::False,
        };
        for policy in policies {
            let Some(document) = policy.document.as_deref().filter(|document| !document.unreadable) else {
                sides.allow = sides.allow.or(Formula::Unknown);
                sides.deny = sides.deny.or(Formula::Unknown);
                self.hits.push(Hit {
                    layer: name,
                    policy: Some(policy),
                    statement: None,
                    verdict: Verdict::Unknown,
                });
                continue;
            };
            let all = (!denials).then(|| document.statements.iter()).into_iter().flatten();
            let some = denials.then(|| document.denials()).into_iter().flatten();
            for statement in all.chain(some) {
                let applies = statement.applies(self.request, Role::Identity);
                if applies.is_false() {
                    continue;
                }
                self.hit(name, policy, statement, &applies);
                if statement.effect != Effect::Deny {
                    sides.allow = sides.allow.or(applies.clone());
                }
                if statement.effect != Effect::Allow {
                    sides.deny = sides.deny.or(applies);
                }
            }
        }
        sides
    }

    fn hit(&mut self, name: &'static str, policy: &'a Attached, statement: &'a Statement, applies: &Formula<Leaf>) {
        let verdict = match (applies.verdict(), statement.effect) {
            (Verdict::Allowed, Effect::Deny) => Verdict::Denied,
            (verdict, _) => verdict,
        };
        self.hits.push(Hit {
            layer: name,
            policy: Some(policy),
            statement: Some(statement),
            verdict,
        });
    }
}
