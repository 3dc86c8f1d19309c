//! Patterns with `*` and `?`, matched without regular expressions in time linear in practice and at worst the product of both lengths,
//! and the questions between patterns that wildcards in a question need.

#[cfg(test)]
mod tests;

/// One unit of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// This character.
    Char(char),
    /// One character, whichever.
    One,
    /// Any number of characters.
    Star,
    /// Any number of characters but `:` – a `*` in the middle of one of an ARN's first five parts (W14).
    PartStar,
}

impl Unit {
    /// Whether a star may take another unit.
    fn takes(self, unit: Self) -> bool {
        self == Self::Star || unit != Self::Char(':')
    }
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// `*`
    Anything,
    /// No wildcard.
    Exact(Box<str>),
    /// One `*`, at the end.
    Prefix(Box<str>),
    /// Anything else.
    Units(Box<[Unit]>),
}

/// Stands in a point for what a wildcard takes: a private-use character that no policy holds.
const POINT: char = '\u{e000}';
/// So many of them stand for a `*`: longer than any row of `?`.
pub const LONG: usize = 12;

/// Intersections of two patterns are a union of patterns; more than this many are not counted out.
const MOST_INTERSECTIONS: usize = 64;
/// Steps of one intersection.
const MOST_STEPS: usize = 20_000;

impl Pattern {
    /// A pattern in which `*` and `?` are wildcards wherever they stand.
    pub fn glob(text: &str) -> Self {
        if !text.contains(['*', '?']) {
            return Self::Exact(text.into());
        }
        Self::from_units(text.chars().map(|char| match char {
            '*' => Unit::Star,
            '?' => Unit::One,
            other => Unit::Char(other),
        }))
    }

    /// The shortest form of a row of units.
    pub fn from_units(units: impl IntoIterator<Item = Unit>) -> Self {
        let mut list: Vec<Unit> = Vec::new();
        for unit in units {
            if unit == Unit::Star && list.last() == Some(&Unit::Star) {
                continue;
            }
            list.push(unit);
        }
        let literal = |units: &[Unit]| -> Option<Box<str>> {
            let text: Option<String> = units
                .iter()
                .map(|unit| if let Unit::Char(char) = unit { Some(*char) } else { None })
                .collect();
            text.map(Into::into)
        };
        if let Some(text) = literal(&list) {
            return Self::Exact(text);
        }
        if let Some((Unit::Star, head)) = list.split_last() {
            if head.is_empty() {
                return Self::Anything;
            }
            if let Some(text) = literal(head) {
                return Self::Prefix(text);
            }
        }
        Self::Units(list.into())
    }

    /// Its units.
    pub fn units(&self) -> Vec<Unit> {
        match self {
            Self::Anything => vec![Unit::Star],
            Self::Exact(text) => text.chars().map(Unit::Char).collect(),
            Self::Prefix(text) => text.chars().map(Unit::Char).chain([Unit::Star]).collect(),
            Self::Units(units) => units.to_vec(),
        }
    }

    /// The same pattern where each `*` in the first five parts of a whole ARN stays inside its part: how people mean it. A resource
    /// whose id itself looks like an ARN is left out.
    #[must_use]
    pub fn by_parts(self) -> Self {
        let units = self.units();
        if units.iter().filter(|unit| **unit == Unit::Char(':')).count() < 5 {
            return self;
        }
        let mut colons = 0;
        Self::from_units(units.into_iter().map(|unit| {
            colons += usize::from(unit == Unit::Char(':'));
            if unit == Unit::Star && colons < 5 { Unit::PartStar } else { unit }
        }))
    }

    /// As text; wildcard characters that are meant literally look like wildcards.
    pub fn text(&self) -> String {
        self.units()
            .into_iter()
            .map(|unit| match unit {
                Unit::Char(char) => char,
                Unit::One => '?',
                Unit::Star | Unit::PartStar => '*',
            })
            .collect()
    }

    /// How many characters it names.
    pub fn written(&self) -> usize {
        match self {
            Self::Anything => 0,
            Self::Exact(text) | Self::Prefix(text) => text.len(),
            Self::Units(units) => units.iter().filter(|unit| matches!(unit, Unit::Char(_) | Unit::One)).count(),
        }
    }

    /// Whether it names exactly one text.
    pub fn exact(&self) -> Option<&str> {
        if let Self::Exact(text) = self { Some(text) } else { None }
    }

    /// Whether it matches.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Exact(own) => **own == *text,
            Self::Prefix(own) => text.starts_with(&**own),
            Self::Units(units) if units.contains(&Unit::PartStar) => matches_by_states(units, text),
            Self::Units(units) => matches_greedily(units, text),
        }
    }

    /// A text inside the pattern that only patterns matching all of it match: wildcards become characters that nothing names.
    /// Patterns with `?` may tell lengths apart; [`Pattern::point_of`] gives others.
    pub fn point(&self) -> String {
        self.point_of(LONG)
    }

    /// The point in which each `*` takes so many characters.
    pub fn point_of(&self, length: usize) -> String {
        let star = || std::iter::repeat_n(POINT, length);
        match self {
            Self::Anything => star().collect(),
            Self::Exact(text) => text.to_string(),
            Self::Prefix(text) => text.chars().chain(star()).collect(),
            Self::Units(units) => {
                let mut text = String::new();
                for unit in units {
                    match unit {
                        Unit::Char(char) => text.push(*char),
                        Unit::One => text.push(POINT),
                        Unit::Star | Unit::PartStar => text.extend(star()),
                    }
                }
                text
            }
        }
    }

    /// Whether it holds a `?`, and so tells lengths apart.
    pub fn counts(&self) -> bool {
        matches!(self, Self::Units(units) if units.contains(&Unit::One))
    }

    /// Whether it matches whatever the other matches. Says no where lengths would have to be compared.
    pub fn contains(&self, other: &Self) -> bool {
        matches!(self, Self::Anything) || self == other || ((!self.counts() || other.exact().is_some()) && self.matches(&other.point()))
    }

    /// Whether some text matches both; yes where that cannot be counted out.
    pub fn intersects(&self, other: &Self) -> bool {
        self.intersections(other).is_none_or(|found| !found.is_empty())
    }

    /// What both match, as a list of patterns; none where that is more than can be counted out.
    pub fn intersections(&self, other: &Self) -> Option<Vec<Self>> {
        if let Some(text) = self.exact() {
            return Some(if other.matches(text) { vec![self.clone()] } else { Vec::new() });
        }
        if let Some(text) = other.exact() {
            return Some(if self.matches(text) { vec![other.clone()] } else { Vec::new() });
        }
        if self.contains(other) {
            return Some(vec![other.clone()]);
        }
        if other.contains(self) {
            return Some(vec![self.clone()]);
        }
        if let (Self::Prefix(_), Self::Prefix(_)) = (self, other) {
            return Some(Vec::new());
        }
        let mut search = Intersection {
            left: &self.units(),
            right: &other.units(),
            found: Vec::new(),
            steps: 0,
        };
        search.run(0, 0, &mut Vec::new()).then_some(search.found)
    }
}

/// Whether a text holds characters of [`Pattern::point`]: it stands for many.
pub fn is_point(text: &str) -> bool {
    text.contains(POINT)
}

/// The classic walk: on a mismatch the last star takes one character more. Earlier stars never need to be tried again.
fn matches_greedily(units: &[Unit], text: &str) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let here = rest.clone();
        match (units.get(at), rest.next()) {
            (Some(Unit::Star | Unit::PartStar), _) => {
                rest = here.clone();
                retry = Some((at, here));
                at += 1;
                continue;
            }
            (Some(Unit::One), Some(_)) => {
                at += 1;
                continue;
            }
            (Some(Unit::Char(own)), Some(char)) if *own == char => {
                at += 1;
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((star, mut from)) = retry.take() else { return false };
        if from.next().is_none() {
            return false;
        }
        rest = from.clone();
        at = star + 1;
        retry = Some((star, from));
    }
}

/// For patterns with two kinds of star: all positions of the pattern at once.
fn matches_by_states(units: &[Unit], text: &str) -> bool {
    let mut states = vec![false; units.len() + 1];
    let close = |states: &mut Vec<bool>| {
        for (at, unit) in units.iter().enumerate() {
            let open = matches!(unit, Unit::Star | Unit::PartStar) && states.get(at) == Some(&true);
            if let (true, Some(next)) = (open, states.get_mut(at + 1)) {
                *next = true;
            }
        }
    };
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    close(&mut states);
    for char in text.chars() {
        let mut next = vec![false; units.len() + 1];
        for (at, unit) in units.iter().enumerate() {
            if states.get(at) != Some(&true) {
                continue;
            }
            let to = match unit {
                Unit::Char(own) if *own == char => at + 1,
                Unit::One => at + 1,
                Unit::Star => at,
                Unit::PartStar if char != ':' => at,
                Unit::Char(_) | Unit::PartStar => continue,
            };
            if let Some(slot) = next.get_mut(to) {
                *slot = true;
            }
        }
        close(&mut next);
        states = next;
    }
    states.last() == Some(&true)
}

struct Intersection<'a> {
    left: &'a [Unit],
    right: &'a [Unit],
    found: Vec<Pattern>,
    steps: usize,
}

impl Intersection<'_> {
    /// False where a bound was passed.
    fn run(&mut self, left: usize, right: usize, built: &mut Vec<Unit>) -> bool {
        self.steps += 1;
        if self.steps > MOST_STEPS || self.found.len() > MOST_INTERSECTIONS {
            return false;
        }
        let star = |unit: Option<&Unit>| matches!(unit, Some(Unit::Star | Unit::PartStar));
        match (self.left.get(left).copied(), self.right.get(right).copied()) {
            (None, None) => {
                let pattern = Pattern::from_units(built.iter().copied());
                if !self.found.contains(&pattern) {
                    self.found.push(pattern);
                }
                true
            }
            (None, Some(_)) => !star(self.right.get(right)) || self.run(left, right + 1, built),
            (Some(_), None) => !star(self.left.get(left)) || self.run(left + 1, right, built),
            (Some(a), Some(b)) => match (star(Some(&a)), star(Some(&b))) {
                // One of the two stars ends first.
                (true, true) => {
                    let narrow = if a == Unit::PartStar || b == Unit::PartStar {
                        Unit::PartStar
                    } else {
                        Unit::Star
                    };
                    built.push(narrow);
                    let done = self.run(left + 1, right, built) && self.run(left, right + 1, built);
                    built.pop();
                    done
                }
                (true, false) => self.run(left + 1, right, built) && (!a.takes(b) || self.step(b, left, right + 1, built)),
                (false, true) => self.run(left, right + 1, built) && (!b.takes(a) || self.step(a, left + 1, right, built)),
                (false, false) => match (a, b) {
                    (Unit::Char(x), Unit::Char(y)) if x != y => true,
                    (Unit::One, unit) | (unit, _) => self.step(unit, left + 1, right + 1, built),
                },
            },
        }
    }

    fn step(&mut self, unit: Unit, left: usize, right: usize, built: &mut Vec<Unit>) -> bool {
        built.push(unit);
        let done = self.run(left, right, built);
        built.pop();
        done
    }
}
