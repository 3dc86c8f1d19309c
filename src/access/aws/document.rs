//! Policy documents: JSON text in, compiled statements out, with the position and reason of everything that cannot be evaluated (W17).

use std::collections::HashSet;

use super::action::ActionSet;
use super::condition::{Operator, Test};
use super::json::Node;
use super::principal::{Principals, strings};
use super::resource::ResourceSet;
use super::statement::{Effect, Role, Scope, Statement};

/// A compiled document. Distinct texts are compiled once, however many identities share them.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// In the order of the text.
    pub statements: Vec<Statement>,
    /// Nothing of it can be evaluated: every answer that it could touch is unknown.
    pub unreadable: bool,
    /// Places of the statements that deny, or may.
    denials: Vec<usize>,
    problems: Vec<Problem>,
}

/// Something that could not be evaluated, or was read in a way that deserves a note.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// `Statement[3].Action[0]`; empty for the whole.
    pub place: String,
    /// Why.
    pub reason: String,
    /// A note: the statement is evaluated all the same.
    pub note: bool,
}

/// Elements of a statement.
const ELEMENTS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl Document {
    /// Compiles a document. Never fails: what cannot be used is in [`Document::problems`].
    pub fn compile(text: &str) -> Self {
        let mut reader = Reader::default();
        match Node::parse(text) {
            Ok(node) => reader.document(&node),
            Err(error) => reader.refuse("", format!("is no JSON: {error}")),
        }
        let Reader {
            statements,
            unreadable,
            mut problems,
        } = reader;
        problems.sort_unstable();
        let denies = |(at, statement): (usize, &Statement)| (statement.effect != Effect::Allow).then_some(at);
        Self {
            denials: statements.iter().enumerate().filter_map(denies).collect(),
            statements,
            unreadable,
            problems,
        }
    }

    /// The statements that deny, or may: what one grant is held against, however many others the document has.
    pub fn denials(&self) -> impl Iterator<Item = &Statement> {
        self.denials.iter().filter_map(|at| self.statements.get(*at))
    }

    /// What could not be evaluated, standing in such a policy.
    pub fn problems(&self, role: Role) -> impl Iterator<Item = Problem> + '_ {
        let misplaced = self
            .statements
            .iter()
            .filter(move |statement| !statement.fits(role))
            .map(move |statement| {
                let reason = match role {
                    Role::Identity if !matches!(statement.principals, Scope::Missing) => {
                        "has a Principal, which only resource and trust policies have: the statement is not evaluated"
                    }
                    Role::Identity => "has no Resource: the statement is not evaluated",
                    Role::Resource | Role::Trust => "has no Principal: the statement is not evaluated",
                };
                Problem {
                    place: format!("Statement[{}]", statement.index),
                    reason: reason.to_owned(),
                    note: false,
                }
            });
        self.problems.iter().cloned().chain(misplaced)
    }
}

#[derive(Default)]
struct Reader {
    statements: Vec<Statement>,
    unreadable: bool,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, place: impl Into<String>, reason: impl Into<String>) {
        self.problems.push(Problem {
            place: place.into(),
            reason: reason.into(),
            note: false,
        });
    }

    fn note(&mut self, place: impl Into<String>, reason: impl Into<String>) {
        self.problems.push(Problem {
            place: place.into(),
            reason: reason.into(),
            note: true,
        });
    }

    fn refuse(&mut self, place: &str, reason: impl Into<String>) {
        self.unreadable = true;
        self.statements.clear();
        self.problem(place, reason);
    }

    fn document(&mut self, node: &Node) {
        let Node::Object(members) = node else {
            return self.refuse("", format!("is {}, not a policy object", node.kind()));
        };
        let mut variables = false;
        let mut statement = None;
        let mut seen = HashSet::new();
        for (name, value) in members {
            if !seen.insert(name.as_str()) {
                return self.refuse(name, "is there twice: the document is not evaluated");
            }
            match (name.as_str(), value) {
                // The default is 2008-10-17 (W17).
                ("Version", Node::Text(version)) if version == "2012-10-17" => variables = true,
                ("Version", Node::Text(version)) if version == "2008-10-17" => {}
                ("Version", _) => return self.refuse("Version", "is neither 2012-10-17 nor 2008-10-17: the document is not evaluated"),
                ("Statement", _) => statement = Some(value),
                ("Id", _) => {}
                (other, _) => self.note(other, "is no element of a policy: ignored"),
            }
        }
        match statement {
            Some(Node::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.statement(index, item, variables);
                }
            }
            Some(single @ Node::Object(_)) => self.statement(0, single, variables),
            Some(other) => self.refuse("Statement", format!("is {}, neither a statement nor a list of them", other.kind())),
            None => self.refuse("", "has no Statement"),
        }
    }

    fn statement(&mut self, index: usize, node: &Node, variables: bool) {
        let place = format!("Statement[{index}]");
        let mut result = Statement::new(u32::try_from(index).unwrap_or(u32::MAX));
        let Node::Object(members) = node else {
            self.problem(&place, format!("is {}, not an object: it is not evaluated", node.kind()));
            result.sound = false;
            result.actions = Scope::Unreadable;
            result.resources = Scope::Unreadable;
            self.statements.push(result.finished());
            return;
        };
        let mut seen: HashSet<&str> = HashSet::new();
        for (name, value) in members {
            let here = format!("{place}.{name}");
            if !ELEMENTS.contains(&name.as_str()) {
                result.sound = false;
                self.problem(here, "is no element of a statement: the statement is not evaluated");
            } else if seen.insert(name) {
                self.element(&mut result, name, value, &here, variables);
            } else {
                result.sound = false;
                result.blur(name);
                self.problem(here, "is there twice: the statement is not evaluated");
            }
        }
        let pairs = [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")];
        for (plain, not) in pairs {
            if seen.contains(plain) && seen.contains(not) {
                result.sound = false;
                result.blur(plain);
                self.problem(&place, format!("has both {plain} and {not}: the statement is not evaluated"));
            }
        }
        if !seen.contains("Effect") {
            result.sound = false;
            self.problem(&place, "has no Effect: the statement is not evaluated");
        }
        if matches!(result.actions, Scope::Missing) {
            result.sound = false;
            self.problem(&place, "has neither Action nor NotAction: the statement is not evaluated");
        }
        self.statements.push(result.finished());
    }

    fn element(&mut self, result: &mut Statement, name: &str, value: &Node, place: &str, variables: bool) {
        let mut fault = None;
        match name {
            "Sid" => match value {
                Node::Text(text) => result.sid = Some(text.as_str().into()),
                other => self.note(place, format!("is {}, not a string: ignored", other.kind())),
            },
            "Effect" => self.effect(result, value, place),
            "Principal" | "NotPrincipal" => match Principals::parse(value, name == "NotPrincipal") {
                Ok((principals, bare)) => {
                    if bare {
                        self.note(place, "is a bare ARN: read as an AWS principal");
                    }
                    result.principals = Scope::Only(principals);
                }
                Err((below, reason)) => {
                    result.principals = Scope::Unreadable;
                    fault = Some((below, reason));
                }
            },
            "Action" | "NotAction" => {
                let read = strings(value).map_err(|reason| (String::new(), reason)).and_then(|texts| {
                    ActionSet::compile(&texts).map_err(|at| (index_of(value, at), "is no action: write service:Name, or *".to_owned()))
                });
                result.actions = match read {
                    Ok(set) if name == "Action" => Scope::Only(set),
                    Ok(set) => Scope::AllBut(set),
                    Err(error) => {
                        fault = Some(error);
                        Scope::Unreadable
                    }
                };
            }
            "Resource" | "NotResource" => {
                result.resources = match strings(value) {
                    Ok(texts) if name == "Resource" => Scope::Only(ResourceSet::compile(&texts, variables)),
                    Ok(texts) => Scope::AllBut(ResourceSet::compile(&texts, variables)),
                    Err(reason) => {
                        fault = Some((String::new(), reason));
                        Scope::Unreadable
                    }
                };
            }
            // `ELEMENTS` leaves only Condition.
            _ => self.conditions(result, value, place, variables),
        }
        if let Some((below, reason)) = fault {
            result.sound = false;
            self.problem(format!("{place}{below}"), format!("{reason}: the statement is not evaluated"));
        }
    }

    /// `Effect` counts by case; a lower-case deny is read as Deny, a lower-case allow is not evaluated (W17).
    fn effect(&mut self, result: &mut Statement, value: &Node, place: &str) {
        let text = if let Node::Text(text) = value { text.as_str() } else { "" };
        match text {
            "Allow" => result.effect = Effect::Allow,
            "Deny" => result.effect = Effect::Deny,
            other if other.eq_ignore_ascii_case("deny") => {
                result.effect = Effect::Deny;
                self.note(place, format!("is '{other}': read as Deny"));
            }
            other => {
                result.sound = false;
                if other.eq_ignore_ascii_case("allow") {
                    result.effect = Effect::Allow;
                }
                self.problem(place, "is neither Allow nor Deny: the statement is not evaluated");
            }
        }
    }

    fn conditions(&mut self, result: &mut Statement, value: &Node, place: &str, variables: bool) {
        let Node::Object(operators) = value else {
            result.sound = false;
            return self.problem(place, format!("is {}, not an object: the statement is not evaluated", value.kind()));
        };
        let mut seen = HashSet::new();
        for (name, keys) in operators {
            let here = format!("{place}.{name}");
            if !seen.insert(name) {
                result.sound = false;
                self.problem(here, "is there twice: the statement is not evaluated");
                continue;
            }
            let operator = Operator::parse(name);
            if operator.is_none() {
                self.problem(&here, "is no condition operator: the statement is not evaluated");
            }
            let Node::Object(keys) = keys else {
                result.sound = false;
                self.problem(here, format!("is {}, not an object: the statement is not evaluated", keys.kind()));
                continue;
            };
            let mut seen = HashSet::new();
            for (key, values) in keys {
                if !seen.insert(key) {
                    result.sound = false;
                    self.problem(format!("{here}.{key}"), "is there twice: the statement is not evaluated");
                    continue;
                }
                let compiled = match (operator, scalars(values)) {
                    (None, _) => Test::not_evaluable(key),
                    (Some(operator), Ok(values)) => Test::compile(operator, key, &values, variables).unwrap_or_else(|(at, reason)| {
                        self.problem(format!("{here}.{key}[{at}]"), format!("{reason}: the statement is not evaluated"));
                        Test::not_evaluable(key)
                    }),
                    (Some(_), Err(reason)) => {
                        self.problem(format!("{here}.{key}"), format!("{reason}: the statement is not evaluated"));
                        Test::not_evaluable(key)
                    }
                };
                result.conditions.push(compiled);
            }
            // An unknown operator with nothing below it still is one.
            if operator.is_none() && keys.is_empty() {
                result.conditions.push(Test::not_evaluable(name));
            }
        }
    }
}

impl Statement {
    /// Forgets an element that is written twice.
    fn blur(&mut self, name: &str) {
        match name {
            "Effect" => self.effect = Effect::Either,
            "Principal" | "NotPrincipal" => self.principals = Scope::Unreadable,
            "Action" | "NotAction" => self.actions = Scope::Unreadable,
            "Resource" | "NotResource" => self.resources = Scope::Unreadable,
            _ => {}
        }
    }
}

/// Where in a string-or-list an item stands.
fn index_of(node: &Node, at: usize) -> String {
    if matches!(node, Node::List(_)) {
        format!("[{at}]")
    } else {
        String::new()
    }
}

/// Values of a condition: strings, numbers, booleans, or a list of them.
fn scalars(node: &Node) -> Result<Vec<String>, String> {
    let scalar = |node: &Node| match node {
        Node::Text(text) | Node::Number(text) => Some(text.clone()),
        Node::Bool(value) => Some(value.to_string()),
        Node::Null | Node::List(_) | Node::Object(_) => None,
    };
    match node {
        Node::List(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| scalar(item).ok_or_else(|| format!("item {at} is {}, not a value", item.kind())))
            .collect(),
        other => scalar(other)
            .map(|value| vec![value])
            .ok_or_else(|| format!("is {}, not a value", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str, role: Role) -> Vec<String> {
        Document::compile(text).problems(role).map(|problem| problem.place).collect()
    }

    #[test]
    fn w17_problems_stand_at_their_place() {
        let text = r#"{"Version":"2012-10-17","Id":"x","Extra":1,"Statement":[{"Effect":"Allow","Action":["s3:*",{"a":1}],"Resource":"*","Oops":1},7]}"#;
        assert_eq!(
            places(text, Role::Identity),
            ["Extra", "Statement[0].Action", "Statement[0].Oops", "Statement[1]"]
        );
        assert!(Document::compile("{").unreadable);
        assert!(Document::compile(r#"{"Statement":[],"Statement":[]}"#).unreadable);
    }

    #[test]
    fn w15_a_principal_belongs_to_resource_and_trust_policies() {
        let with = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}"#;
        assert_eq!(places(with, Role::Resource), Vec::<String>::new());
        assert_eq!(places(with, Role::Identity), ["Statement[0]"]);
        let without = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        assert_eq!(places(without, Role::Identity), Vec::<String>::new());
        assert_eq!(places(without, Role::Trust), ["Statement[0]"]);
    }

    #[test]
    fn a_single_statement_and_an_empty_list_are_fine() {
        assert_eq!(
            Document::compile(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#)
                .statements
                .len(),
            1
        );
        let empty = Document::compile(r#"{"Statement":[]}"#);
        assert!(!empty.unreadable && empty.statements.is_empty());
    }
}
