//! Control policies of an organization and policies of VPC endpoints (W1–W3), and which layers were not read.

use super::{Evaluation, Sides, layer};
use crate::access::aws::condition::Leaf;
use crate::access::aws::organization::Account;
use crate::access::aws::services;
use crate::access::aws::statement::Role;
use crate::access::aws::subject::Subject;
use crate::access::formula::Formula;

impl<'a> Evaluation<'a, '_> {
    /// Service control policies of the caller's account: an allow at every level (W2).
    pub(super) fn service_control(&mut self) -> Sides {
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
        let account = self.request.caller.home?;
        let exempt = account.management || self.request.caller.subject().is_some_and(Subject::service_linked);
        (!exempt).then_some(account)
    }

    /// What the resource control policies of the resource's account deny. A missing allow is a gap of what was read, never a deny (W3).
    pub(super) fn resource_control(&mut self) -> Formula<Leaf> {
        let Some(levels) = self.guarded_account().and_then(|account| account.resource_control.as_deref()) else {
            return Formula::False;
        };
        levels.iter().flat_map(|level| &level.policies).fold(Formula::False, |all, policy| {
            all.or(self.named(layer::RESOURCE_CONTROL, policy, Role::Resource).deny)
        })
    }

    /// The resource's account, where resource control policies count.
    fn guarded_account(&self) -> Option<&'a Account> {
        let account = self.request.owner?;
        let exempt = account.management
            || self.request.caller.subject().is_some_and(Subject::service_linked)
            || self.request.action.is("kms", "retiregrant")
            || !services::has_resource_control(&self.request.action.service);
        (!exempt).then_some(account)
    }

    /// The policies of the VPC endpoint: they have to allow too, and never grant (W1).
    pub(super) fn endpoint(&mut self) -> Sides {
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

    /// The layers that were not read, for this request.
    pub(super) fn unread(&self, assumption: bool) -> Vec<&'static str> {
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
