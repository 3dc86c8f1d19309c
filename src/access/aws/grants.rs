//! The allow statements that reach an identity, as written and as they work out.

use std::borrow::Cow;
use std::sync::Arc;

use super::action::{ActionPattern, ActionSet, Part};
use super::decide::{Evaluation, layer};
use super::organization::Organization;
use super::pattern::Pattern;
use super::question::Asked;
use super::statement::{Effect, Scope, Statement};
use super::subject::{Attached, Caller, CallerKind, Subject};
use crate::access::formula::Formula;
use crate::access::{Breadth, Grant};
use crate::model::{IdentityKind, StatementRef, Verdict};

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
                statements
                    .iter()
                    .filter(|statement| statement.effect == Effect::Allow)
                    .flat_map(move |statement| {
                        let parts = parts(&statement.actions).into_owned().into_iter();
                        parts.map(move |part| self.grant(subject, policy, statement, part))
                    })
            })
        })
    }

    fn grant(&self, subject: &Subject, policy: &Attached, statement: &Statement, part: Part) -> Grant {
        let kind = match subject.kind {
            IdentityKind::Role => CallerKind::Role(subject, None),
            IdentityKind::Group => CallerKind::Group(subject),
            _ => CallerKind::User(subject),
        };
        let asked = Asked::plain(
            self,
            Caller {
                kind,
                account: Some(&subject.owner),
                asked: &subject.arn,
            },
        );
        let action = part.point;
        let request = asked.place(action.clone(), "*").ok();
        let resource = request.map_or(Pattern::Anything, |(request, _)| match &statement.resources {
            Scope::Only(set) => widest(set.patterns(&request)),
            Scope::AllBut(_) | Scope::Missing | Scope::Unreadable => Pattern::Anything,
        });
        let formula = asked.place(action, &resource.point()).map(|(request, target)| {
            Evaluation::new(self, &request, target, &[], &[])
                .granted_by(policy, statement)
                .run()
                .formula
        });
        Grant {
            statement: reference(layer::IDENTITY, policy, statement),
            direct: policy.via.is_none(),
            actions: part.actions,
            resources: match &statement.resources {
                Scope::Only(set) => set.breadths(),
                Scope::AllBut(set) => Arc::from([Breadth::AllBut(set.written().map(str::to_owned).collect())]),
                Scope::Missing | Scope::Unreadable => Arc::from([]),
            },
            effective: formula.as_ref().map_or(Verdict::Unknown, Formula::verdict),
            residual: formula.ok().and_then(|formula| formula.residual()),
        }
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

/// What of a statement one answer is given for.
fn parts(actions: &Scope<ActionSet>) -> Cow<'_, [Part]> {
    match actions {
        Scope::Only(set) => Cow::Borrowed(set.parts()),
        Scope::AllBut(set) => Cow::Owned(vec![set.left_out()]),
        Scope::Missing | Scope::Unreadable => Cow::Owned(vec![Part {
            actions: Arc::from([]),
            point: ActionPattern::everything().point(),
        }]),
    }
}

fn widest(patterns: Vec<Pattern>) -> Pattern {
    patterns.into_iter().min_by_key(Pattern::narrowness).unwrap_or(Pattern::Anything)
}
