//! The allow statements that reach an identity, as written and as they work out.

use super::action::{ActionPattern, ActionSet};
use super::decide::{Evaluation, layer};
use super::organization::Organization;
use super::pattern::Pattern;
use super::question::Asked;
use super::statement::{Effect, Scope, Statement};
use super::subject::{Attached, Caller, CallerKind, Subject};
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
                        let parts = parts(&statement.actions).into_iter();
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
        let action = part.widest.point();
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
                Scope::AllBut(set) => vec![Breadth::AllBut(set.written().map(str::to_owned).collect())],
                Scope::Missing | Scope::Unreadable => Vec::new(),
            },
            effective: formula.as_ref().map_or(Verdict::Unknown, |formula| formula.verdict()),
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

/// The actions of a statement that one answer is given for.
struct Part {
    actions: Vec<Breadth>,
    /// `NotAction` reaches services that nobody has heard of.
    widest: ActionPattern,
}

/// Each service that is named whole by itself, and the rest together.
fn parts(actions: &Scope<ActionSet>) -> Vec<Part> {
    const EVERYTHING: ActionPattern = ActionPattern {
        service: Pattern::Anything,
        name: Pattern::Anything,
    };
    let set = match actions {
        Scope::Only(set) => set,
        Scope::AllBut(set) => {
            return vec![Part {
                actions: vec![Breadth::AllBut(set.written().map(str::to_owned).collect())],
                widest: EVERYTHING,
            }];
        }
        Scope::Missing | Scope::Unreadable => {
            return vec![Part {
                actions: Vec::new(),
                widest: EVERYTHING,
            }];
        }
    };
    let mut parts = Vec::new();
    let mut rest: Option<Part> = None;
    for (breadth, pattern) in set.breadths().into_iter().zip(set.patterns()) {
        match &mut rest {
            _ if matches!(breadth, Breadth::Service(_)) => parts.push(Part {
                actions: vec![breadth],
                widest: pattern,
            }),
            Some(rest) => {
                rest.actions.push(breadth);
                if narrowness_of_action(&pattern) < narrowness_of_action(&rest.widest) {
                    rest.widest = pattern;
                }
            }
            None => {
                rest = Some(Part {
                    actions: vec![breadth],
                    widest: pattern,
                })
            }
        }
    }
    parts.extend(rest);
    parts
}

fn narrowness_of_action(pattern: &ActionPattern) -> [(bool, usize); 2] {
    [narrowness(&pattern.service), narrowness(&pattern.name)]
}

fn widest(patterns: Vec<Pattern>) -> Pattern {
    patterns.into_iter().min_by_key(narrowness).unwrap_or(Pattern::Anything)
}

/// Exact texts are the narrowest; among patterns, the more is written the narrower.
fn narrowness(pattern: &Pattern) -> (bool, usize) {
    (pattern.exact().is_some(), pattern.text().trim_matches('*').len())
}
