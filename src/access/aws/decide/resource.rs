//! What the resource's side says: resource policies, trust policies of roles, grants of keys (W4–W8, W24).

use super::{Evaluation, Hit, layer};
use crate::access::aws::condition::{Leaf, Test};
use crate::access::aws::pattern::is_point;
use crate::access::aws::principal::{Listed, Naming};
use crate::access::aws::services;
use crate::access::aws::statement::{Effect, Role, Scope};
use crate::access::aws::subject::{Attached, CallerKind};
use crate::access::formula::Formula;
use crate::model::Verdict;

/// What a resource or trust policy grants, by how it names the caller (W4), and denies.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) itself: Formula<Leaf>,
    pub(super) behind: Formula<Leaf>,
    pub(super) account: Formula<Leaf>,
    pub(super) deny: Formula<Leaf>,
}

impl Granted {
    pub(super) const NONE: Self = Self {
        itself: Formula::False,
        behind: Formula::False,
        account: Formula::False,
        deny: Formula::False,
    };
    pub(super) const UNKNOWN: Self = Self {
        itself: Formula::Unknown,
        behind: Formula::False,
        account: Formula::False,
        deny: Formula::Unknown,
    };

    pub(super) fn any(&self) -> Formula<Leaf> {
        self.itself.clone().or(self.behind.clone()).or(self.account.clone())
    }
}

impl<'a> Evaluation<'a, '_> {
    /// The trust policy of the role that is assumed (W6).
    pub(super) fn trust(&mut self) -> Granted {
        if let Some(trust) = self.target.role.and_then(|role| role.trust.as_ref()) {
            let granted = self.named(layer::TRUST, trust, Role::Trust);
            if granted.any().is_false() {
                self.silent(layer::TRUST, std::slice::from_ref(trust));
            }
            return granted;
        }
        self.hits.push(Hit {
            layer: layer::TRUST,
            policy: None,
            statement: None,
            verdict: Verdict::Unknown,
        });
        Granted::UNKNOWN
    }

    /// The resource's own policy. Where another account asks and it was not read, what it grants is unknown.
    pub(super) fn resource_policy(&mut self) -> Granted {
        let mut granted = if let Some(policy) = self.target.owned.and_then(|owned| owned.policy.as_ref()) {
            let granted = self.named(layer::RESOURCE, policy, Role::Resource);
            // In the same account a resource policy that is silent stops nobody.
            if !self.same_account() && granted.any().is_false() {
                self.silent(layer::RESOURCE, std::slice::from_ref(policy));
            }
            granted
        } else if self.same_account() {
            // A key whose policy was not read is taken to delegate to its account, as every key is made; the layer is listed as unread.
            Granted {
                account: Formula::True,
                ..Granted::NONE
            }
        } else if self.request.action.service == "iam" {
            // Nobody can be given another account's users and roles (W12): IAM has no resource policies but trust.
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
    pub(super) fn key_grants(&mut self, granted: &mut Granted) {
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
    pub(super) fn named(&mut self, name: &'static str, policy: &'a Attached, role: Role) -> Granted {
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
            let (naming, reached) = match &statement.principals {
                Scope::Only(principals) => (principals.names(self.request.caller), principals.denies(self.request.caller)),
                _ => (Naming::Perhaps, None),
            };
            let allowed = statement.effect != Effect::Deny && naming != Naming::Not;
            let denied = statement.effect != Effect::Allow && reached != Some(false);
            if !allowed && !denied {
                continue;
            }
            let doubt = if allowed && naming == Naming::Perhaps || denied && reached.is_none() {
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
    pub(super) fn kms_refuses(&self) -> bool {
        let action = &self.request.action;
        self.needs_policy()
            && !self.same_account()
            && self.request.caller.account.is_some()
            && !is_point(&action.name)
            && !services::kms_crosses_accounts(&action.name)
    }

    /// The root of a bucket's owner keeps the bucket policy in its hands, whatever that policy denies (W1).
    pub(super) fn keeps_bucket_policy(&self) -> bool {
        let action = &self.request.action;
        matches!(self.request.caller.kind, CallerKind::Root)
            && self.same_account()
            && action.service == "s3"
            && ["getbucketpolicy", "putbucketpolicy", "deletebucketpolicy"].contains(&action.name.as_str())
    }

    /// KMS keys: the key policy is always required (W7).
    pub(super) fn needs_policy(&self) -> bool {
        self.request.action.service == "kms" && self.request.resource.contains(":key/")
    }
}
