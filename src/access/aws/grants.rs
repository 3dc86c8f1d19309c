//! The allow statements that reach an identity, as written and as they work out.

use super::action::Action;
use super::decide::{Evaluation, layer};
use super::offer::Offer;
use super::organization::Organization;
use super::question::Asked;
use super::request::Request;
use super::statement::{Effect, Scope, Statement};
use super::subject::{Attached, Subject};
use crate::access::Grant;
use crate::access::formula::Formula;
use crate::model::{StatementRef, Verdict};

impl Organization {
    /// The allow statements of an identity's policies, in their order.
    pub(super) fn grants_of<'a>(&'a self, identity: &str) -> impl Iterator<Item = Grant> + use<'a> {
        let subject = self.subject(identity);
        subject.into_iter().flat_map(move |subject| {
            subject.policies.iter().flat_map(move |policy| {
                let statements = policy
                    .document
                    .as_deref()
                    .map_or(&[][..], |document| document.statements.as_slice());
                let allows = statements.iter().filter(|statement| statement.effect == Effect::Allow);
                allows.flat_map(move |statement| {
                    let offers = statement.offers.iter();
                    offers.map(move |offer| self.grant(subject, policy, statement, offer))
                })
            })
        })
    }

    fn grant(&self, subject: &Subject, policy: &Attached, statement: &Statement, offer: &Offer) -> Grant {
        let asked = Asked::plain(self, self.acting(subject, None, &subject.arn));
        let resource = statement.wide_resource.clone().or_else(|| {
            let (request, _) = asked.place(offer.action.clone(), "*").ok()?;
            Some(widest_resource(statement, &request))
        });
        let formula = resource.and_then(|resource| {
            let (request, target) = asked.place(Action::clone(&offer.action), &resource).ok()?;
            Some(
                Evaluation::new(&request, target, &[], &[])
                    .granted_by(policy, statement)
                    .run()
                    .formula,
            )
        });
        Grant {
            statement: reference(layer::IDENTITY, policy, statement),
            direct: policy.via.is_none(),
            actions: offer.actions.clone(),
            resources: statement.resource_breadths.clone(),
            effective: formula.as_ref().map_or(Verdict::Unknown, Formula::verdict),
            residual: formula.and_then(|formula| formula.residual()),
        }
    }
}

/// A point in the widest resource pattern, with the variables of a request.
fn widest_resource(statement: &Statement, request: &Request<'_>) -> String {
    match &statement.resources {
        Scope::Only(set) => super::offer::widest(set.patterns(request)).point(),
        Scope::AllBut(_) | Scope::Missing | Scope::Unreadable => super::pattern::Pattern::Anything.point(),
    }
}

/// Names a statement.
pub(super) fn reference(layer: &str, policy: &Attached, statement: &Statement) -> StatementRef {
    StatementRef {
        layer: layer.to_owned(),
        policy: policy.name.to_string(),
        statement: statement.index,
        sid: statement.sid.as_deref().map(str::to_owned),
        via: policy.via.as_deref().map(str::to_owned),
    }
}
