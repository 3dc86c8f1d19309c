//! What an allow statement offers, told apart where other layers may take away one part and leave another. Worked out once, when
//! the document is compiled.

use std::sync::Arc;

use super::action::{Action, ActionPattern, ActionSet};
use super::pattern::Pattern;
use super::resource::ResourceSet;
use super::statement::Scope;
use crate::access::Breadth;

/// Actions of a statement that one answer is given for.
#[derive(Debug, Clone)]
pub struct Offer {
    /// How wide each is.
    pub actions: Arc<[Breadth]>,
    /// An action inside the widest of them that no list can name. `NotAction` reaches services that nobody has heard of.
    pub action: Action,
}

/// Each service that is named whole by itself, and the rest together.
pub fn offers(actions: &Scope<ActionSet>) -> Box<[Offer]> {
    let whole = |breadths: Vec<Breadth>| {
        Box::from([Offer {
            actions: breadths.into(),
            action: ActionPattern::everything().point(),
        }])
    };
    let set = match actions {
        Scope::Only(set) => set,
        Scope::AllBut(set) => return whole(vec![Breadth::AllBut(set.written().map(str::to_owned).collect())]),
        Scope::Missing | Scope::Unreadable => return whole(Vec::new()),
    };
    let mut offers = Vec::new();
    let mut rest = Vec::new();
    let mut widest: Option<&ActionPattern> = None;
    for (breadth, pattern) in set.breadths().zip(set.patterns()) {
        if matches!(breadth, Breadth::Service(_)) {
            offers.push(Offer {
                actions: Arc::from([breadth]),
                action: pattern.point(),
            });
            continue;
        }
        rest.push(breadth);
        if widest.is_none_or(|widest| narrowness_of_action(pattern) < narrowness_of_action(widest)) {
            widest = Some(pattern);
        }
    }
    offers.extend(widest.map(|widest| Offer {
        actions: rest.into(),
        action: widest.point(),
    }));
    offers.into()
}

/// How wide the resources are.
pub fn resource_breadths(resources: &Scope<ResourceSet>) -> Arc<[Breadth]> {
    match resources {
        Scope::Only(set) => set.breadths(),
        Scope::AllBut(set) => Arc::from([Breadth::AllBut(set.written().map(str::to_owned).collect())]),
        Scope::Missing | Scope::Unreadable => Arc::from([]),
    }
}

/// A point in the widest resource; none where that depends on variables.
pub fn wide_resource(resources: &Scope<ResourceSet>) -> Option<String> {
    match resources {
        Scope::Only(set) => set.plain().map(|patterns| widest(patterns).point()),
        Scope::AllBut(_) | Scope::Missing | Scope::Unreadable => Some(Pattern::Anything.point()),
    }
}

/// The widest of some patterns.
pub fn widest(patterns: Vec<Pattern>) -> Pattern {
    patterns.into_iter().min_by_key(narrowness).unwrap_or(Pattern::Anything)
}

fn narrowness_of_action(pattern: &ActionPattern) -> [(bool, usize); 2] {
    [narrowness(&pattern.service), narrowness(&pattern.name)]
}

/// Exact texts are the narrowest; among patterns, the more is written the narrower.
fn narrowness(pattern: &Pattern) -> (bool, usize) {
    (pattern.exact().is_some(), pattern.written())
}
