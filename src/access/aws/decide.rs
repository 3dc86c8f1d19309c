//! The evaluation of one request over all layers (W1–W11, W24).

use super::action::Action;
use super::condition::{Leaf, Test};
use super::organization::{Account, Organization, Owned};
use super::pattern::is_point;
use super::principal::{Listed, Naming};
use super::request::Request;
use super::services;
use super::statement::{Effect, Role, Scope, Statement};
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

/// What a resource or trust policy grants, by how it names the caller (W4), and denies.
#[derive(Debug, Clone)]
struct Granted {
    itself: Formula<Leaf>,
    behind: Formula<Leaf>,
    account: Formula<Leaf>,
    deny: Formula<Leaf>,
}

impl Granted {
    const NONE: Self = Self {
        itself: Formula::False,
        behind: Formula::False,
        account: Formula::False,
        deny: Formula::False,
    };
    const UNKNOWN: Self = Self {
        itself: Formula::Unknown,
        behind: Formula::False,
        account: Formula::False,
        deny: Formula::Unknown,
    };

    fn any(&self) -> Formula<Leaf> {
        self.itself.clone().or(self.behind.clone()).or(self.account.clone())
    }
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
    organization: &'a Organization,
    request: &'r Request<'a>,
    target: Target<'a>,
    session: &'a [Attached],
    endpoint: &'a [Attached],
    /// Only this statement grants: what it is worth after all other layers.
    only: Option<(&'a Attached, &'a Statement)>,
    hits: Vec<Hit<'a>>,
}

/// Actions that need nobody's permission, even against an explicit deny (W9).
const FREE: &[(&str, &str)] = &[("sts", "getcalleridentity"), ("sts", "getsessiontoken")];

/// Actions on a role that its trust policy governs (W6).
const TRUSTED: &[&str] = &[
    "assumerole",
    "assumerolewithwebidentity",
    "assumerolewithsaml",
    "tagsession",
    "setsourceidentity",
];

/// Whether the trust policy of the role governs an action.
pub fn is_assumption(action: &Action) -> bool {
    action.service == "sts" && TRUSTED.contains(&action.name.as_str())
}

impl<'a, 'r> Evaluation<'a, 'r> {
    /// Prepares a request. `session`: the policies that the session was made with; `endpoint`: those of the VPC endpoint it passes.
    pub fn new(
        organization: &'a Organization,
        request: &'r Request<'a>,
        target: Target<'a>,
        session: &'a [Attached],
        endpoint: &'a [Attached],
    ) -> Self {
        Self {
            organization,
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
        if FREE.iter().any(|(service, name)| action.is(service, name)) {
            return self.by_service(Formula::True, "grant");
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
            Verdict::Unknown => "not-evaluable",
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
            let deny = self
                .statements(layer::IDENTITY, caller.subject().map_or(&[], |subject| subject.policies.as_slice()))
                .deny;
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
            for statement in &document.statements {
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

    /// The trust policy of the role that is assumed (W6).
    fn trust(&mut self) -> Granted {
        match self.target.role.and_then(|role| role.trust.as_ref()) {
            Some(trust) => self.named(layer::TRUST, trust, Role::Trust),
            None => {
                self.hits.push(Hit {
                    layer: layer::TRUST,
                    policy: None,
                    statement: None,
                    verdict: Verdict::Unknown,
                });
                Granted::UNKNOWN
            }
        }
    }

    /// The resource's own policy. Where another account asks and it was not read, what it grants is unknown.
    fn resource_policy(&mut self) -> Granted {
        let mut granted = if let Some(policy) = self.target.owned.and_then(|owned| owned.policy.as_ref()) {
            self.named(layer::RESOURCE, policy, Role::Resource)
        } else if self.same_account() {
            // A key whose policy was not read is taken to delegate to its account, as every key is made; the layer is listed as unread.
            Granted {
                account: Formula::True,
                ..Granted::NONE
            }
        } else if self.request.action.service == "iam" {
            // Nobody can be given another account's users and roles: IAM has no resource policies but trust.
            Granted::NONE
        } else {
            self.hits.push(Hit {
                layer: layer::RESOURCE,
                policy: None,
                statement: None,
                verdict: Verdict::Unknown,
            });
            Granted {
                deny: Formula::False,
                ..Granted::UNKNOWN
            }
        };
        if self.keeps_bucket_policy() {
            granted.deny = Formula::False;
        }
        if self.needs_policy() {
            self.key_grants(&mut granted);
        }
        if !self.same_account() && self.target.owned.is_some_and(|owned| owned.outsiders_open) {
            let service = matches!(self.request.caller.kind, CallerKind::Service(_));
            if !service {
                self.hits.push(Hit {
                    layer: layer::SHARING,
                    policy: None,
                    statement: None,
                    verdict: Verdict::Unknown,
                });
                granted.account = granted.any().and(Formula::Unknown).or(Formula::Unknown);
                granted.itself = granted.account.clone();
                granted.behind = Formula::False;
            }
        }
        granted
    }

    /// Grants of a KMS key: grantee, operations, pairs of the encryption context (W7).
    fn key_grants(&mut self, granted: &mut Granted) {
        for grant in self.target.owned.and_then(|owned| owned.grants.as_deref()).unwrap_or_default() {
            if !grant
                .operations
                .iter()
                .any(|operation| operation.eq_ignore_ascii_case(&self.request.action.name))
            {
                continue;
            }
            let naming = Listed::grantee(&grant.grantee_principal).names(self.request.caller);
            if naming == Naming::Not {
                continue;
            }
            let constraints = grant.constraints.as_ref();
            let subset = constraints.and_then(|constraints| constraints.encryption_context_subset.as_ref());
            let equals = constraints.and_then(|constraints| constraints.encryption_context_equals.as_ref());
            let applies = subset
                .into_iter()
                .chain(equals)
                .flatten()
                .fold(Formula::True, |formula, (key, value)| {
                    let test = Test::equals(&format!("kms:EncryptionContext:{key}"), value);
                    formula.and(test.evaluate(self.request))
                });
            self.hits.push(Hit {
                layer: layer::KEY_GRANT,
                policy: None,
                statement: None,
                verdict: applies.verdict(),
            });
            let slot = match naming {
                Naming::Itself => &mut granted.itself,
                Naming::Behind => &mut granted.behind,
                Naming::Account | Naming::Perhaps | Naming::Not => &mut granted.account,
            };
            *slot = std::mem::replace(slot, Formula::False).or(applies);
        }
    }

    /// Statements with a Principal.
    fn named(&mut self, name: &'static str, policy: &'a Attached, role: Role) -> Granted {
        let Some(document) = policy.document.as_deref().filter(|document| !document.unreadable) else {
            self.hits.push(Hit {
                layer: name,
                policy: Some(policy),
                statement: None,
                verdict: Verdict::Unknown,
            });
            return Granted::UNKNOWN;
        };
        let mut granted = Granted::NONE;
        for statement in &document.statements {
            let applies = statement.applies(self.request, role);
            if applies.is_false() {
                continue;
            }
            let (naming, denies) = match &statement.principals {
                Scope::Only(principals) => (principals.names(self.request.caller), principals.denies(self.request.caller)),
                _ => (Naming::Perhaps, None),
            };
            let allowed = statement.effect != Effect::Deny && naming != Naming::Not;
            let denied = statement.effect != Effect::Allow && denies != Some(false);
            if !allowed && !denied {
                continue;
            }
            let doubt = if allowed && naming == Naming::Perhaps || denied && denies.is_none() {
                Formula::Unknown
            } else {
                Formula::True
            };
            let applies = applies.and(doubt);
            self.hit(name, policy, statement, &applies);
            if denied {
                granted.deny = granted.deny.or(applies.clone());
            }
            if allowed {
                let slot = match naming {
                    Naming::Itself => &mut granted.itself,
                    Naming::Behind => &mut granted.behind,
                    Naming::Account | Naming::Perhaps | Naming::Not => &mut granted.account,
                };
                *slot = std::mem::replace(slot, Formula::False).or(applies);
            }
        }
        granted
    }

    /// A key of another account takes only some operations (W7); a point stands for some of them.
    fn kms_refuses(&self) -> bool {
        let action = &self.request.action;
        self.needs_policy()
            && !self.same_account()
            && self.request.caller.account.is_some()
            && !is_point(&action.name)
            && !services::kms_crosses_accounts(&action.name)
    }

    /// The root of a bucket's owner keeps the bucket policy in its hands, whatever that policy denies (W1).
    fn keeps_bucket_policy(&self) -> bool {
        let action = &self.request.action;
        matches!(self.request.caller.kind, CallerKind::Root)
            && self.same_account()
            && action.service == "s3"
            && ["getbucketpolicy", "putbucketpolicy", "deletebucketpolicy"].contains(&action.name.as_str())
    }

    /// KMS keys: the key policy is always required (W7).
    fn needs_policy(&self) -> bool {
        self.request.action.service == "kms" && self.request.resource.contains(":key/")
    }

    /// Service control policies of the caller's account: an allow at every level (W2).
    fn service_control(&mut self) -> Sides {
        let open = Sides {
            allow: Formula::True,
            deny: Formula::False,
        };
        let Some(levels) = self.bound_account().and_then(|account| account.service_control.as_deref()) else {
            return open;
        };
        levels.iter().fold(open, |all, level| {
            let sides = self.statements(layer::SERVICE_CONTROL, &level.policies);
            Sides {
                allow: all.allow.and(sides.allow),
                deny: all.deny.or(sides.deny),
            }
        })
    }

    /// The caller's account, where control policies bind the caller.
    fn bound_account(&self) -> Option<&'a Account> {
        let account = self.organization.account(self.request.caller.account?)?;
        let exempt = account.management || self.request.caller.subject().is_some_and(Subject::service_linked);
        (!exempt).then_some(account)
    }

    /// What the resource control policies of the resource's account deny. A missing allow is a gap of what was read, never a deny (W3).
    fn resource_control(&mut self) -> Formula<Leaf> {
        let Some(levels) = self.guarded_account().and_then(|account| account.resource_control.as_deref()) else {
            return Formula::False;
        };
        levels.iter().flat_map(|level| &level.policies).fold(Formula::False, |all, policy| {
            all.or(self.named(layer::RESOURCE_CONTROL, policy, Role::Resource).deny)
        })
    }

    /// The resource's account, where resource control policies count.
    fn guarded_account(&self) -> Option<&'a Account> {
        let account = self.organization.account(self.request.resource_account?)?;
        let exempt = account.management
            || self.request.caller.subject().is_some_and(Subject::service_linked)
            || self.request.action.is("kms", "retiregrant")
            || !services::has_resource_control(&self.request.action.service);
        (!exempt).then_some(account)
    }

    /// The policies of the VPC endpoint: they have to allow too, and never grant (W1).
    fn endpoint(&mut self) -> Sides {
        if self.endpoint.is_empty() {
            return Sides {
                allow: Formula::True,
                deny: Formula::False,
            };
        }
        let sides = Sides {
            allow: Formula::False,
            deny: Formula::False,
        };
        self.endpoint.iter().fold(sides, |all, policy| {
            let granted = self.named(layer::ENDPOINT, policy, Role::Resource);
            Sides {
                allow: all.allow.or(granted.any()),
                deny: all.deny.or(granted.deny),
            }
        })
    }

    fn unread(&self, assumption: bool) -> Vec<&'static str> {
        let mut unread = Vec::new();
        let has_policy = services::has_resource_policies(&self.request.action.service);
        if !assumption && has_policy && self.target.owned.is_none_or(|owned| owned.policy.is_none()) {
            unread.push(layer::RESOURCE);
        }
        if self.guarded_account().is_some_and(|account| account.resource_control.is_none()) {
            unread.push(layer::RESOURCE_CONTROL);
        }
        if self.bound_account().is_some_and(|account| account.service_control.is_none()) {
            unread.push(layer::SERVICE_CONTROL);
        }
        if !assumption && !has_policy && !self.same_account() && self.request.action.service != "iam" {
            unread.push(layer::SHARING);
        }
        unread
    }
}
