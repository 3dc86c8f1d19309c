//! Questions with wildcards (cases-format.md, "Verdicts, wildcards, layers"): reduced to requests at points that stand for whole
//! regions, so that one evaluator answers all questions.
//!
//! The patterns of all layers cut the asked actions and resources into regions inside which every statement applies alike. A region's
//! point ([`Pattern::point`]) carries characters that no policy names, so a pattern matches it exactly if it matches the whole region. To
//! find the best answer it is enough to look at the intersections of the question with one pattern that each layer allows and one that
//! each `Deny` with `NotAction` or `NotResource` leaves out; for the worst, at those with what is denied and what each `Allow` leaves out.

use std::collections::BTreeSet;

use super::action::{Action, ActionPattern};
use super::decide::{Outcome, assumptions, is_assumption};
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
    let assumes = assumptions().any(|assumption| action.matches(&assumption));
    let layers = layers(asked, resource, assumes);
    let (request, _) = asked.place(ActionPattern::everything().point(), "*")?;
    let mut search = Search {
        asked,
        matching,
        best: None,
        unplaced: false,
        exact: true,
        left: MOST_POINTS,
    };
    let mut actions = regions(action, &groups(&layers, matching, actions_of), &mut search.exact);
    actions.extend(
        assumptions()
            .filter(|assumption| action.matches(assumption))
            .map(|assumption| ActionPattern::exactly(&assumption)),
    );
    let mut resources = regions(
        resource,
        &groups(&layers, matching, |statement| resources_of(statement, &request)),
        &mut search.exact,
    );
    resources.extend(
        asked
            .organization
            .resources
            .iter()
            .filter(|owned| resource.matches(&owned.arn))
            .map(|owned| Pattern::Exact((*owned.arn).into())),
    );
    // A role that does not exist trusts nobody: where all roles were read, only those that exist answer for taking on a role.
    let all_read = asked.organization.all_roles_read();
    let mut roles: BTreeSet<Pattern> = if all_read { BTreeSet::new() } else { resources.clone() };
    if assumes {
        let named = asked
            .organization
            .subjects
            .iter()
            .filter(|subject| subject.trust.is_some() && resource.matches(&subject.arn));
        roles.extend(named.map(|role| Pattern::Exact((*role.arn).into())));
    }
    let lengths = if counts(&layers, &request) {
        &[LONG, 0, 1, 2, 3][..]
    } else {
        &[LONG]
    };
    for action in &actions {
        for length in lengths {
            let action = action.point_of(*length);
            if action.name.is_empty() {
                continue;
            }
            let targets = if is_assumption(&action) { &roles } else { &resources };
            for resource in targets {
                if search.settles(&action, &resource.point_of(*length)) {
                    return search.finish();
                }
            }
        }
    }
    search.finish()
}

/// The best or worst answer on the way.
struct Search<'s, 'a> {
    asked: &'s Asked<'a>,
    matching: Matching,
    best: Option<Outcome<'s>>,
    /// Some resource belongs to an account that was not read.
    unplaced: bool,
    /// Everything was looked at.
    exact: bool,
    /// How many more points may be.
    left: usize,
}

impl<'a, 's: 'a> Search<'s, 'a> {
    /// Asks about one point; true where no other can change the answer, or no more may be asked.
    fn settles(&mut self, action: &Action, resource: &str) -> bool {
        let Some(left) = self.left.checked_sub(1) else {
            self.exact = false;
            return true;
        };
        self.left = left;
        let Ok(outcome) = self.asked.evaluate(action.clone(), resource) else {
            self.unplaced = true;
            return false;
        };
        let new = outcome.formula.verdict();
        let better = self.best.as_ref().is_none_or(|best| {
            let old = rank(best.formula.verdict());
            if self.matching == Matching::Any {
                rank(new) < old
            } else {
                rank(new) > old
            }
        });
        if better {
            self.best = Some(outcome);
        }
        new == certain(self.matching)
    }

    fn finish(self) -> Result<(Outcome<'s>, bool), Unplaced> {
        match self.best {
            // What is known of other resources says nothing of one whose account was not read.
            Some(best) if self.unplaced && rank(best.formula.verdict()) > rank(Verdict::Unknown) && self.matching == Matching::Any => {
                Err(Unplaced::AccountNotRead)
            }
            Some(best) if self.unplaced && rank(best.formula.verdict()) < rank(Verdict::Unknown) && self.matching == Matching::All => {
                Err(Unplaced::AccountNotRead)
            }
            Some(best) => Ok((best, self.exact)),
            None if self.unplaced => Err(Unplaced::AccountNotRead),
            None => Ok((nothing(), self.exact)),
        }
    }
}

/// The answer that no other match can change.
pub fn certain(matching: Matching) -> Verdict {
    match matching {
        Matching::Any => Verdict::Allowed,
        Matching::All => Verdict::Denied,
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

/// The statements of each layer that decides. `assumes`: the trust policies of roles count.
fn layers<'s>(asked: &'s Asked<'_>, resource: &Pattern, assumes: bool) -> Vec<Vec<&'s Statement>> {
    let subject = asked.caller.subject();
    let home = asked.caller.home;
    let organization = asked.organization;
    let meant = |arn: &str| resource.matches(arn) || Pattern::glob(&format!("{arn}/*")).intersects(resource);
    let owned = organization
        .resources
        .iter()
        .filter(|owned| owned.policy.is_some() && meant(&owned.arn));
    let roles = organization.subjects.iter().filter(|role| assumes && resource.matches(&role.arn));
    let own = subject.iter().flat_map(|subject| &subject.policies);
    let granting = own
        .chain(owned.filter_map(|owned| owned.policy.as_ref()))
        .chain(roles.filter_map(|role| role.trust.as_ref()));
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
            let (grants, refuses) = (statement.effect != Effect::Deny, statement.effect != Effect::Allow);
            match (matching, element(statement)) {
                (Matching::Any, Some(Element::Only(own))) if grants => allowed.extend(own),
                (Matching::All, Some(Element::Only(own))) if refuses => denied.extend(own),
                (Matching::Any, Some(Element::AllBut(own))) if refuses => groups.push(own.into_iter().collect()),
                (Matching::All, Some(Element::AllBut(own))) if grants => groups.push(own.into_iter().collect()),
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
        for (region, cut) in all.iter().flat_map(|region| group.iter().map(move |cut| (region, cut))) {
            if all.len() + new.len() > MOST_REGIONS {
                *exact = false;
                break;
            }
            match region.intersections(cut) {
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
