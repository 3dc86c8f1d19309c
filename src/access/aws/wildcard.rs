//! Questions with wildcards (cases-format.md, "Verdicts, wildcards, layers"): reduced to requests at points that stand for whole
//! regions, so that one evaluator answers all questions.
//!
//! The patterns of all layers cut the asked actions and resources into regions inside which every statement applies alike. A region's
//! point ([`Pattern::point`]) carries characters that no policy names, so a pattern matches it exactly if it matches the whole region. To
//! find the best answer it is enough to look at the intersections of the question with one pattern that each layer allows and one that
//! each `Deny` with `NotAction` or `NotResource` leaves out; for the worst, at those with what is denied and what each `Allow` leaves out.

use std::collections::BTreeSet;

use super::action::ActionPattern;
use super::decide::{Outcome, is_assumption};
use super::organization::Level;
use super::pattern::{LONG, Pattern};
use super::question::{Asked, Unplaced, nothing};
use super::request::Request;
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
    let actions = regions(action, &groups(&layers, matching, actions_of), &mut exact);
    let (request, _) = asked.place(ActionPattern::everything().point(), "*")?;
    let mut resources = regions(
        resource,
        &groups(&layers, matching, |statement| resources_of(statement, &request)),
        &mut exact,
    );
    known(asked, resource, &mut resources, &mut exact);
    let counted = counts(&layers, &request);
    let lengths = if counted { &[LONG, 0, 1, 2, 3][..] } else { &[LONG] };
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
                    let last = if matching == Matching::Any {
                        Verdict::Allowed
                    } else {
                        Verdict::Denied
                    };
                    let settled = outcome.formula.verdict() == last;
                    best = Some(outcome);
                    if settled {
                        break;
                    }
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
fn counts(layers: &[Vec<&Statement>], request: &Request<'_>) -> bool {
    layers.iter().flatten().any(|statement| {
        let actions = match actions_of(statement) {
            Some(Element::Only(own) | Element::AllBut(own)) => own.iter().any(|pattern| pattern.name.counts()),
            None => false,
        };
        let resources = match resources_of(statement, request) {
            Some(Element::Only(own) | Element::AllBut(own)) => own.iter().any(Pattern::counts),
            None => false,
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

/// The statements of each layer that decides.
fn layers<'s>(asked: &'s Asked<'_>, resource: &Pattern) -> Vec<Vec<&'s Statement>> {
    let subject = asked.caller.subject();
    let home = asked.caller.home;
    let meant = |arn: &str| resource.matches(arn) || Pattern::glob(&format!("{arn}/*")).intersects(resource);
    let organization = asked.organization;
    let owned = organization
        .resources
        .iter()
        .filter(|owned| meant(&owned.arn))
        .filter_map(|owned| owned.policy.as_ref());
    let roles = organization
        .subjects
        .iter()
        .filter(|subject| meant(&subject.arn))
        .filter_map(|subject| subject.trust.as_ref());
    let granting: Vec<&Attached> = subject
        .iter()
        .flat_map(|subject| &subject.policies)
        .chain(owned)
        .chain(roles)
        .collect();
    let mut layers = vec![statements(granting)];
    layers.extend(
        subject
            .and_then(|subject| subject.boundary.as_ref())
            .map(|boundary| statements([boundary])),
    );
    for own in [&asked.session, &asked.endpoint] {
        layers.extend((!own.is_empty()).then(|| statements(own)));
    }
    let levels = |levels: Option<&'s Vec<Level>>| levels.into_iter().flatten().map(|level| statements(&level.policies));
    layers.extend(levels(home.and_then(|account| account.service_control.as_ref())));
    layers.extend(levels(home.and_then(|account| account.resource_control.as_ref())));
    layers
}

fn statements<'s>(policies: impl IntoIterator<Item = &'s Attached>) -> Vec<&'s Statement> {
    policies
        .into_iter()
        .filter_map(|policy| policy.document.as_deref())
        .flat_map(|document| &document.statements)
        .collect()
}

/// What has regions: actions, resources.
trait Region: Ord + Clone {
    /// What both match; none where that cannot be counted out.
    fn intersections(&self, other: &Self) -> Option<Vec<Self>>;
}

impl Region for ActionPattern {
    fn intersections(&self, other: &Self) -> Option<Vec<Self>> {
        Self::intersections(self, other)
    }
}

impl Region for Pattern {
    fn intersections(&self, other: &Self) -> Option<Vec<Self>> {
        Self::intersections(self, other)
    }
}

/// An element of a statement.
enum Element<R> {
    Only(Vec<R>),
    AllBut(Vec<R>),
}

/// The patterns that cut the question, grouped so that the answer may need one of each group. Under `any`: what each layer allows, and
/// what each Deny leaves out. Under `all`: what is denied, and what each Allow leaves out.
fn groups<R: Region>(
    layers: &[Vec<&Statement>],
    matching: Matching,
    element: impl Fn(&Statement) -> Option<Element<R>>,
) -> Vec<BTreeSet<R>> {
    let mut groups = Vec::new();
    let mut denied = BTreeSet::new();
    for layer in layers {
        let mut allowed = BTreeSet::new();
        for statement in layer {
            let (allows, denies) = (statement.effect != Effect::Deny, statement.effect != Effect::Allow);
            match (matching, element(statement)) {
                (Matching::Any, Some(Element::Only(own))) if allows => allowed.extend(own),
                (Matching::All, Some(Element::Only(own))) if denies => denied.extend(own),
                (Matching::Any, Some(Element::AllBut(own))) if denies => groups.push(own.into_iter().collect()),
                (Matching::All, Some(Element::AllBut(own))) if allows => groups.push(own.into_iter().collect()),
                _ => {}
            }
        }
        groups.push(allowed);
    }
    groups.push(denied);
    groups
}

/// The question and its intersections with the patterns of all groups. `exact` becomes false where they are too many.
fn regions<R: Region>(question: &R, groups: &[BTreeSet<R>], exact: &mut bool) -> BTreeSet<R> {
    let mut all = BTreeSet::from([question.clone()]);
    for group in groups {
        let mut new = Vec::new();
        for (region, pattern) in all.iter().flat_map(|region| group.iter().map(move |pattern| (region, pattern))) {
            if all.len() + new.len() > MOST_REGIONS {
                *exact = false;
                break;
            }
            match region.intersections(pattern) {
                Some(found) => new.extend(found),
                None => *exact = false,
            }
        }
        all.extend(new);
    }
    all
}

fn actions_of(statement: &Statement) -> Option<Element<ActionPattern>> {
    match &statement.actions {
        Scope::Only(set) => Some(Element::Only(set.patterns().cloned().collect())),
        Scope::AllBut(set) => Some(Element::AllBut(set.patterns().cloned().collect())),
        Scope::Missing | Scope::Unreadable => None,
    }
}

fn resources_of(statement: &Statement, request: &Request<'_>) -> Option<Element<Pattern>> {
    match &statement.resources {
        Scope::Only(set) => Some(Element::Only(set.patterns(request))),
        Scope::AllBut(set) => Some(Element::AllBut(set.patterns(request))),
        Scope::Missing | Scope::Unreadable => None,
    }
}

/// What exists and is asked about: roles have trust policies, resources their own.
fn known(asked: &Asked<'_>, question: &Pattern, regions: &mut BTreeSet<Pattern>, exact: &mut bool) {
    let organization = asked.organization;
    let arns = organization
        .subjects
        .iter()
        .map(|subject| &subject.arn)
        .chain(organization.resources.iter().map(|owned| &owned.arn));
    for arn in arns.filter(|arn| question.matches(arn)) {
        if regions.len() > MOST_POINTS {
            *exact = false;
            return;
        }
        regions.insert(Pattern::Exact((**arn).into()));
    }
}
