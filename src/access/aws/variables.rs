//! Policy variables (W16): `${key}`, `${key, 'default'}`, `${*}`, `${?}`, `${$}`. Only in documents of Version 2012-10-17; in older
//! ones the same text is literal.

use super::key::Key;
use super::pattern::{Pattern, Unit};

/// A piece of a text with variables.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As in patterns.
    Unit(Unit),
    /// `${key}` or `${key, 'default'}`.
    Variable(Key, Option<Box<str>>),
}

/// A text that holds variables; texts without are plain patterns.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// As written.
    pub text: Box<str>,
    pieces: Box<[Piece]>,
}

/// What stands for a variable in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// This value, literally.
    Value(String),
    /// The key is absent from the request.
    Absent,
    /// Not known.
    Unknown,
}

/// A template with the values of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filled {
    /// All variables have values.
    Pattern(Pattern),
    /// A variable has no value and no default: the pattern matches nothing.
    Nothing,
    /// A variable is not known: the pattern with `*` in its place, which matches at least what the right one does.
    Open(Pattern),
}

/// How `*` and `?` are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wildcards {
    /// As wildcards.
    Yes,
    /// As themselves (`StringEquals`).
    No,
}

/// A text of a policy: a plain pattern or a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// Without variables.
    Plain(Pattern),
    /// With variables.
    Template(Template),
}

impl Text {
    /// Reads a text. `variables`: the document's version knows them.
    pub fn read(text: &str, wildcards: Wildcards, variables: bool) -> Self {
        Self::from_pieces(text, pieces(text, wildcards, variables))
    }

    /// Reads a resource: variables and free wildcards stand after the fifth colon only (W14, W16).
    pub fn resource(text: &str, variables: bool) -> Self {
        Self::from_pieces(text, resource_pieces(pieces(text, Wildcards::Yes, variables)))
    }

    fn from_pieces(text: &str, pieces: Vec<Piece>) -> Self {
        if pieces.iter().any(|piece| matches!(piece, Piece::Variable(..))) {
            return Self::Template(Template {
                text: text.into(),
                pieces: pieces.into(),
            });
        }
        Self::Plain(Pattern::from_units(
            pieces
                .into_iter()
                .filter_map(|piece| if let Piece::Unit(unit) = piece { Some(unit) } else { None }),
        ))
    }
}

impl Template {
    /// The variables.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.pieces
            .iter()
            .filter_map(|piece| if let Piece::Variable(key, _) = piece { Some(key) } else { None })
    }

    /// Puts values in.
    pub fn fill(&self, mut value: impl FnMut(&Key) -> Bound) -> Filled {
        let mut units = Vec::new();
        let mut open = false;
        for piece in &self.pieces {
            match piece {
                Piece::Unit(unit) => units.push(*unit),
                Piece::Variable(key, default) => match (value(key), default) {
                    (Bound::Value(text), _) => units.extend(text.chars().map(Unit::Char)),
                    (Bound::Absent, Some(text)) => units.extend(text.chars().map(Unit::Char)),
                    (Bound::Absent, None) => return Filled::Nothing,
                    (Bound::Unknown, _) => {
                        open = true;
                        units.push(Unit::Star);
                    }
                },
            }
        }
        let pattern = Pattern::from_units(units);
        if open { Filled::Open(pattern) } else { Filled::Pattern(pattern) }
    }
}

fn pieces(text: &str, wildcards: Wildcards, variables: bool) -> Vec<Piece> {
    let plain = |char: char| {
        Piece::Unit(match (char, wildcards) {
            ('*', Wildcards::Yes) => Unit::Star,
            ('?', Wildcards::Yes) => Unit::One,
            (other, _) => Unit::Char(other),
        })
    };
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let braces = if variables {
            rest.strip_prefix("${").and_then(braced)
        } else {
            None
        };
        if let Some((piece, after)) = braces.and_then(|(inside, after)| Some((variable(inside)?, after))) {
            result.push(piece);
            rest = after;
            continue;
        }
        result.push(plain(char));
        rest = rest.strip_prefix(char).unwrap_or_default();
    }
    result
}

/// Names of variables are shorter: a text full of `${` is not searched to its end each time.
const LONGEST_VARIABLE: usize = 1_024;

/// Splits at the closing brace.
fn braced(inner: &str) -> Option<(&str, &str)> {
    let (at, _) = inner.char_indices().take(LONGEST_VARIABLE).find(|(_, char)| *char == '}')?;
    inner
        .split_at_checked(at)
        .map(|(inside, rest)| (inside, rest.strip_prefix('}').unwrap_or_default()))
}

/// What stands between `${` and `}`; none where that is no variable, so that the text stays literal.
fn variable(inside: &str) -> Option<Piece> {
    match inside {
        "*" => return Some(Piece::Unit(Unit::Char('*'))),
        "?" => return Some(Piece::Unit(Unit::Char('?'))),
        "$" => return Some(Piece::Unit(Unit::Char('$'))),
        _ => {}
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''))?;
            (key.trim(), Some(quoted.into()))
        }
        None => (inside.trim(), None),
    };
    if key.is_empty() || key.contains(['{', '$']) {
        return None;
    }
    Some(Piece::Variable(Key::new(key), default))
}

/// Before the fifth colon variables are literal text, and a `*` that does not end its part stays inside it.
fn resource_pieces(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut colons = 0;
    let mut result: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut coming = pieces.into_iter().peekable();
    while let Some(piece) = coming.next() {
        if colons >= 5 {
            result.push(piece);
            continue;
        }
        match piece {
            Piece::Unit(Unit::Char(':')) => {
                colons += 1;
                result.push(Piece::Unit(Unit::Char(':')));
            }
            Piece::Unit(Unit::Star) => {
                let ends = matches!(coming.peek(), None | Some(Piece::Unit(Unit::Char(':') | Unit::Star)));
                result.push(Piece::Unit(if ends { Unit::Star } else { Unit::PartStar }));
            }
            Piece::Unit(unit) => result.push(Piece::Unit(unit)),
            Piece::Variable(key, _) => {
                result.extend(format!("${{{}}}", key.as_str()).chars().map(|char| Piece::Unit(Unit::Char(char))));
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, value: &Bound) -> Filled {
        match Text::resource(text, true) {
            Text::Plain(pattern) => Filled::Pattern(pattern),
            Text::Template(template) => template.fill(|_| value.clone()),
        }
    }

    fn glob(text: &str) -> Filled {
        Filled::Pattern(Pattern::glob(text))
    }

    #[test]
    fn w16_values_defaults_and_escapes() {
        let value = Bound::Value("x*".to_owned());
        assert_eq!(
            fill("arn:aws:s3:::b/${aws:username}/*", &Bound::Value("x".to_owned())),
            glob("arn:aws:s3:::b/x/*")
        );
        let Filled::Pattern(literal) = fill("arn:aws:s3:::b/${aws:username}", &value) else {
            panic!("a pattern")
        };
        assert!(literal.matches("arn:aws:s3:::b/x*") && !literal.matches("arn:aws:s3:::b/xy"));
        assert_eq!(fill("arn:aws:s3:::b/${k, 'd, e'}", &Bound::Absent), glob("arn:aws:s3:::b/d, e"));
        assert_eq!(fill("arn:aws:s3:::b/${k}", &Bound::Absent), Filled::Nothing);
        assert_eq!(
            fill("arn:aws:s3:::b/${k}/x", &Bound::Unknown),
            Filled::Open(Pattern::glob("arn:aws:s3:::b/*/x"))
        );
        let Filled::Pattern(escaped) = fill("arn:aws:s3:::b/${*}${?}${$}", &value) else {
            panic!("a pattern")
        };
        assert_eq!(escaped, Pattern::Exact("arn:aws:s3:::b/*?$".into()));
    }

    #[test]
    fn w16_what_is_no_variable_stays_as_it_is() {
        for text in [
            "arn:aws:s3:::b/${",
            "arn:aws:s3:::b/${}",
            "arn:aws:s3:::b/$x",
            "arn:aws:s3:::b/${k, d}",
            "arn:aws:s3:::b/${${x",
        ] {
            assert_eq!(Text::resource(text, true), Text::Plain(Pattern::Exact(text.into())), "{text}");
        }
        let early = "arn:aws:sqs:eu-west-1:${aws:PrincipalAccount}:q";
        assert_eq!(Text::resource(early, true), Text::Plain(Pattern::Exact(early.into())));
        assert_eq!(
            Text::resource("arn:aws:s3:::${k}", false),
            Text::Plain(Pattern::Exact("arn:aws:s3:::${k}".into()))
        );
    }

    #[test]
    fn w14_a_star_inside_an_earlier_part_stays_inside() {
        let Text::Plain(pattern) = Text::resource("arn:aws:s*s:eu-west-1:*:q*x", false) else {
            panic!("a pattern")
        };
        assert!(pattern.matches("arn:aws:sqs:eu-west-1:1:q:a/x"));
        assert!(!pattern.matches("arn:aws:s:s:eu-west-1:1:qx"));
    }
}
