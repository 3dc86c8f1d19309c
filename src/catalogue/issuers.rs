//! `OpenID` Connect issuers: which claim says whose token it is, and whether a condition's value fixes that.

use std::collections::BTreeMap;

use serde::Deserialize;

/// All issuers that are known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuers {
    issuers: Vec<Issuer>,
}

/// One issuer, or a family of issuers whose tokens read alike.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// Its name for people.
    pub name: String,
    /// Issuers without scheme; a `*` at the end stands for any text.
    #[serde(rename = "match")]
    pub patterns: Vec<String>,
    /// How values begin that read so at issuers which are not listed.
    #[serde(default)]
    pub recognise: Vec<String>,
    /// Claim → forms of a value that fixes the owner (see the head of `issuers.yaml`).
    pub claims: BTreeMap<String, Vec<String>>,
}

impl Issuers {
    /// The entry of an issuer (host and path, without scheme).
    pub fn find(&self, issuer: &str) -> Option<&Issuer> {
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => issuer.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
            None => issuer == pattern,
        };
        self.issuers.iter().find(|entry| entry.patterns.iter().any(matches))
    }

    /// All entries, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.iter()
    }

    /// Whether a token of `issuer` whose `claim` has the value is known to be of one owner. In `value`, `*` and `?` are wildcards where
    /// `literal` is false.
    ///
    /// For an issuer that is not listed only `sub` counts. A literal value is one subject; a wildcard is good behind two closed parts
    /// (`type:owner:`), since one part is commonly only the type of subject, and owners cannot be told from it.
    pub fn fixes_owner(&self, issuer: &str, claim: &str, value: &str, literal: bool) -> bool {
        let entry = self.find(issuer).or_else(|| {
            self.issuers
                .iter()
                .find(|entry| entry.recognise.iter().any(|start| value.starts_with(start)))
        });
        match entry {
            Some(entry) => {
                let forms = entry
                    .claims
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(claim))
                    .map(|(_, forms)| forms);
                forms.is_some_and(|forms| forms.iter().any(|form| has_form_somewhere(form, value, literal)))
            }
            None => claim.eq_ignore_ascii_case("sub") && (literal || closed_parts(value) >= 2),
        }
    }
}

/// Whether the value has the form at its start, or behind a `:` with nothing but literal text before it.
fn has_form_somewhere(form: &str, value: &str, literal: bool) -> bool {
    let mut rest = value;
    loop {
        if has_form(form, rest, literal) {
            return true;
        }
        match rest.split_once(':') {
            Some((part, behind)) if literal || !part.contains(['*', '?']) => rest = behind,
            _ => return false,
        }
    }
}

fn has_form(form: &str, value: &str, literal: bool) -> bool {
    let (mut form, mut value) = (form, value);
    while let Some(next) = form.chars().next() {
        let rest = form.strip_prefix(next).unwrap_or_default();
        match next {
            '<' => {
                form = rest.split_once('>').map_or("", |(_, behind)| behind);
                // The name reaches to what the form has next; at its end, to the end of the part.
                let end = form.chars().next().unwrap_or(':');
                let (name, behind) = value
                    .split_at_checked(value.find(end).unwrap_or(value.len()))
                    .unwrap_or((value, ""));
                if name.is_empty() || name.contains(':') || (!literal && name.contains(['*', '?'])) {
                    return false;
                }
                value = behind;
            }
            '*' => {
                form = rest;
                value = value
                    .find(':')
                    .and_then(|colon| value.split_at_checked(colon))
                    .map_or("", |(_, behind)| behind);
            }
            _ => {
                let Some(behind) = value.strip_prefix(next) else {
                    return false;
                };
                (form, value) = (rest, behind);
            }
        }
    }
    true
}

/// How many parts a pattern has, each closed by `:`, `/` or `|`, before its first wildcard.
fn closed_parts(pattern: &str) -> usize {
    let literal = pattern.split(['*', '?']).next().unwrap_or_default();
    literal
        .split_inclusive([':', '/', '|'])
        .filter(|part| part.len() > 1 && part.ends_with([':', '/', '|']))
        .count()
}
