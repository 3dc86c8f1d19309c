//! The meaning of AWS policies: one file for each group of rules. Tests are named after the rules that they hold (W1–W24).
#![expect(clippy::needless_pass_by_value, reason = "policies are written as literals where they are used")]

mod bad_input;
mod conditions;
mod corpora;
mod elements;
mod entitlements;
mod layers;
mod properties;
mod special;
mod wildcards;

use ciem::access::aws::Organization;
use ciem::access::{ContextValue, Decision, Entitlements, Matching, Question};
use ciem::model::Verdict;
use ciem::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::support::builder::AccountBuilder;

pub const PROD: &str = "111111111111";
pub const DEV: &str = "222222222222";

/// An organization of account files.
pub fn organization(accounts: Vec<Value>) -> Organization {
    from_input(json!({ "accounts": accounts }))
}

/// An organization of an input in the form of cases-format.md.
pub fn from_input(input: Value) -> Organization {
    let snapshots = ciem::snapshot::read(input.to_string().as_bytes(), "input").unwrap();
    Organization::build(&snapshots.iter().collect::<Vec<&Snapshot>>())
}

/// User `a` of the account [`PROD`] with one inline policy of these statements.
pub fn user_with(statements: &[Value]) -> Organization {
    organization(vec![
        AccountBuilder::new(PROD)
            .user("a", |user| user.inline("p", policy(statements)))
            .build(),
    ])
}

pub fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

pub fn deny(action: &str, resource: &str) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": resource})
}

/// A statement with more members, or other values of those it has.
pub fn with(mut statement: Value, more: Value) -> Value {
    let members = statement.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    statement
}

pub fn user(name: &str) -> String {
    format!("arn:aws:iam::{PROD}:user/{name}")
}

pub fn role(name: &str) -> String {
    format!("arn:aws:iam::{PROD}:role/{name}")
}

pub fn session(role: &str, name: &str) -> String {
    format!("arn:aws:sts::{PROD}:assumed-role/{role}/{name}")
}

pub const QUEUE: &str = "arn:aws:sqs:eu-west-1:111111111111:orders";

/// A queue of the account [`PROD`] with a policy.
pub fn queue(statements: &[Value]) -> Value {
    json!({"arn": QUEUE, "type": "AWS::SQS::Queue", "policy": policy(statements)})
}

/// A question on its way.
#[derive(Debug, Clone, Default)]
pub struct Ask(pub Question);

pub fn ask(principal: &str, action: &str, resource: &str) -> Ask {
    Ask(Question {
        principal: principal.to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        ..Question::default()
    })
}

impl Ask {
    pub fn given(mut self, key: &str, value: &str) -> Self {
        self.0.context.insert(key.to_owned(), ContextValue::One(value.to_owned()));
        self
    }

    pub fn values(mut self, key: &str, values: &[&str]) -> Self {
        self.0.context.insert(
            key.to_owned(),
            ContextValue::Many(values.iter().map(|&value| value.to_owned()).collect()),
        );
        self
    }

    pub fn absent(mut self, key: &str) -> Self {
        self.0.context.insert(key.to_owned(), ContextValue::Absent);
        self
    }

    pub fn complete(mut self) -> Self {
        self.0.context_complete = true;
        self
    }

    pub fn strict(mut self) -> Self {
        self.0.strict = true;
        self
    }

    pub fn all(mut self) -> Self {
        self.0.matching = Matching::All;
        self
    }

    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.0.provider.insert(member.to_owned(), value);
        self
    }

    pub fn of(&self, organization: &Organization) -> Decision {
        organization.decide(&self.0)
    }

    /// Verdict and reason code.
    pub fn to(&self, organization: &Organization) -> (Verdict, String) {
        let decision = self.of(organization);
        (decision.verdict, decision.reason_code.as_str().to_owned())
    }

    #[track_caller]
    pub fn allowed(&self, organization: &Organization) {
        assert_eq!(self.of(organization).verdict, Verdict::Allowed, "{:?}", self.of(organization));
    }

    #[track_caller]
    pub fn denied(&self, organization: &Organization, code: &str) {
        assert_eq!(
            self.to(organization),
            (Verdict::Denied, code.to_owned()),
            "{:?}",
            self.of(organization)
        );
    }

    /// Conditional, with its residual in words.
    #[track_caller]
    pub fn conditional(&self, organization: &Organization, words: &str) {
        let decision = self.of(organization);
        assert_eq!(decision.verdict, Verdict::Conditional, "{decision:?}");
        assert_eq!(ciem::access::describe(decision.residual.as_ref().unwrap()), words);
    }

    #[track_caller]
    pub fn unknown(&self, organization: &Organization) {
        assert_eq!(self.of(organization).verdict, Verdict::Unknown, "{:?}", self.of(organization));
    }
}
