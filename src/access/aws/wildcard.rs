//! Questions with wildcards (cases-format.md, "Verdicts, wildcards, layers"): reduced to requests at points that stand for whole
//! regions, so that one evaluator answers all questions.
//!
//! The patterns of all layers cut the asked actions and resources into regions inside which every statement applies alike. A region is
//! the intersection of the question with one allowing pattern of each layer; its point ([`Pattern::point`]) carries characters that no
//! policy names, so a pattern matches it exactly if it matches the whole region. Denies and `NotAction` therefore need no regions of
//! their own under `any`; under `all` the regions of denies count, and the question's own point is the least granted one.

use std::collections::BTreeSet;

use super::action::ActionPattern;
use super::decide::{Outcome, is_assumption};
use super::pattern::{LONG, Pattern};
use super::question::{Asked, Unplaced, nothing};
use super::statement::{Effect, Scope, Statement};
use super::subject::Attached;
use crate::access::Matching;
use crate::model::Verdict;

/// Points past this number are not evaluated; the answer then is `Unknown` unless a better one was found.
const MOST_POINTS: usize = 20_000;
/// Regions of one dimension.
const MOST_REGIONS: usize = 2_000;

/// Evaluates a question with wildcards. The flag is false where not all regions could be looked at.
pub fn evaluate<'a, 's: 'a>(
    asked: &'s Asked<'a>,
    action: &ActionPattern,
    resource: &Pattern,
    matching: Matching,
) -> Result<(Outcome<'s>, bool), Unplaced> {
    let layers = layers(asked, resource);
    let mut exact = true;
    let actions = regions(action, &layers, matching, &mut exact, |statement| {
        match (&statement.actions, allows(statement, matching)) {
            // Under `all`, what NotAction leaves out is the worst of it.
            (Scope::Only(set), true) | (Scope::AllBut(set), false) => set.patterns().cloned().collect(),
            _ => Vec::new(),
        }
    });
    let resources: Vec<Pattern> = resource_regions(asked, resource, &layers, matching, &mut exact);
    let lengths = if counts(asked, &layers) { &[LONG, 0, 1, 2, 3][..] } else { &[LONG] };
    let mut best: Option<Outcome<'s>> = None;
    let mut unplaced = false;
    let mut points = 0;
    for (action, resource, length) in actions.iter().flat_map(|action| {
        resources
            .iter()
            .flat_map(move |resource| lengths.iter().map(move |length| (action, resource, *length)))
    }) {
        points += 1;
        if points > MOST_POINTS {
            exact = false;
            break;
        }
        let action = action.point_of(length);
        // A role that does not exist trusts nobody: where all roles were read, only those that exist answer.
        if action.name.is_empty() || is_assumption(&action) && resource.exact().is_none() && asked.organization.all_roles_read() {
            continue;
        }
        match asked.evaluate(action, &resource.point_of(length)) {
            Ok(outcome) => {
                let better = best.as_ref().is_none_or(|best| {
                    let (new, old) = (rank(outcome.formula.verdict()), rank(best.formula.verdict()));
                    if matching == Matching::Any { new < old } else { new > old }
                });
                if better {
                    best = Some(outcome);
                }
            }
            Err(Unplaced::AccountNotRead) => unplaced = true,
        }
    }
    match best {
        Some(outcome) => Ok((outcome, exact)),
        None if unplaced => Err(Unplaced::AccountNotRead),
        None => Ok((nothing(), exact)),
    }
}

/// Whether some pattern tells lengths apart: points of several lengths are then asked.
fn counts(asked: &Asked<'_>, layers: &[Vec<&Attached>]) -> bool {
    let request = asked.place(Action::default_point(), "*").ok();
    layers.iter().flat_map(|layer| statements(layer)).any(|statement| {
        let actions = match &statement.actions {
            Scope::Only(set) | Scope::AllBut(set) => set.patterns().any(|pattern| pattern.name.counts()),
            Scope::Missing | Scope::Unreadable => false,
        };
        let resources = match (&statement.resources, &request) {
            (Scope::Only(set) | Scope::AllBut(set), Some((request, _))) => set.patterns(request).iter().any(Pattern::counts),
            _ => false,
        };
        actions || resources
    })
}

/// The order of answers: allowed, conditional, unknown, denied.
pub fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allowed => 0,
        Verdict::Conditional => 1,
        Verdict::Unknown => 2,
        Verdict::Denied => 3,
    }
}

/// Whether the statement's own list makes regions: what it allows under `any`, what it denies under `all`.
fn allows(statement: &Statement, matching: Matching) -> bool {
    match matching {
        Matching::Any => statement.effect != Effect::Deny,
        Matching::All => statement.effect != Effect::Allow,
    }
}

/// The policies that decide, one list for each layer.
fn layers<'s>(asked: &'s Asked<'_>, resource: &Pattern) -> Vec<Vec<&'s Attached>> {
    let subject = asked.caller.subject();
    let mut layers: Vec<Vec<&Attached>> = Vec::new();
    let mut granting: Vec<&Attached> = subject.map(|subject| subject.policies.iter().collect()).unwrap_or_default();
    let matched = asked
        .organization
        .resources
        .iter()
        .filter(|owned| resource.matches(&owned.arn) || Pattern::glob(&format!("{}/*", owned.arn)).intersects(resource));
    granting.extend(matched.filter_map(|owned| owned.policy.as_ref()));
    layers.push(granting);
    layers.extend(subject.and_then(|subject| subject.boundary.as_ref()).map(|boundary| vec![boundary]));
    layers.extend((!asked.session.is_empty()).then(|| asked.session.iter().collect()));
    layers
}

fn statements<'s>(layer: &[&'s Attached]) -> impl Iterator<Item = &'s Statement> {
    layer
        .iter()
        .filter_map(|policy| policy.document.as_deref())
        .flat_map(|document| &document.statements)
        .collect::<Vec<_>>()
        .into_iter()
}

fn regions(
    question: &ActionPattern,
    layers: &[Vec<&Attached>],
    matching: Matching,
    exact: &mut bool,
    patterns: impl Fn(&Statement) -> Vec<ActionPattern>,
) -> Vec<ActionPattern> {
    let mut all: BTreeSet<ActionPattern> = BTreeSet::from([question.clone()]);
    for layer in layers {
        let own: BTreeSet<ActionPattern> = statements(layer).flat_map(&patterns).collect();
        let mut new = Vec::new();
        for region in if matching == Matching::Any {
            all.iter().cloned().collect()
        } else {
            vec![question.clone()]
        } {
            for pattern in &own {
                match region.intersections(pattern) {
                    Some(found) => new.extend(found),
                    None => *exact = false,
                }
            }
            if new.len() > MOST_REGIONS {
                *exact = false;
                break;
            }
        }
        all.extend(new);
    }
    all.into_iter().collect()
}

fn resource_regions(
    asked: &Asked<'_>,
    question: &Pattern,
    layers: &[Vec<&Attached>],
    matching: Matching,
    exact: &mut bool,
) -> Vec<Pattern> {
    let mut all: BTreeSet<Pattern> = BTreeSet::from([question.clone()]);
    let any = Action::default_point();
    let Ok((request, _)) = asked.place(any, "*") else {
        return all.into_iter().collect();
    };
    for layer in layers {
        let own: BTreeSet<Pattern> = statements(layer)
            .flat_map(|statement| match (&statement.resources, allows(statement, matching)) {
                (Scope::Only(set), true) | (Scope::AllBut(set), false) => set.patterns(&request),
                _ => Vec::new(),
            })
            .collect();
        let mut new = Vec::new();
        for region in if matching == Matching::Any {
            all.iter().cloned().collect()
        } else {
            vec![question.clone()]
        } {
            for pattern in &own {
                match region.intersections(pattern) {
                    Some(found) => new.extend(found),
                    None => *exact = false,
                }
            }
            if new.len() > MOST_REGIONS {
                *exact = false;
                break;
            }
        }
        all.extend(new);
    }
    // What exists: roles have trust policies, resources their own.
    let known = asked
        .organization
        .subjects
        .iter()
        .map(|subject| &subject.arn)
        .chain(asked.organization.resources.iter().map(|owned| &owned.arn));
    for arn in known.filter(|arn| question.matches(arn)) {
        if all.len() >= MOST_REGIONS {
            *exact = false;
            break;
        }
        all.insert(Pattern::Exact((**arn).into()));
    }
    all.into_iter().collect()
}

use super::action::Action;

impl Action {
    /// An action that nothing names.
    fn default_point() -> Self {
        ActionPattern {
            service: Pattern::Anything,
            name: Pattern::Anything,
        }
        .point()
    }
}
