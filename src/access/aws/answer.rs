//! Outcomes as decisions: verdict, reason, what each layer said, and what strictness makes of them.

use super::decide::{Hit, Outcome, layer};
use crate::access::{Decision, LayerAnswer, Question, describe};
use crate::model::{ReasonCode, Residual, Verdict};

/// An answer of which nothing more is known.
pub fn unknown(code: &'static str, reason: String) -> Decision {
    Decision {
        verdict: Verdict::Unknown,
        reason_code: ReasonCode::new(code),
        reason,
        layers: Vec::new(),
        residual: None,
        unread_layers: Vec::new(),
    }
}

/// An answer that an unread layer could change is unknown: a denial too, where a grant may stand in what was not read.
pub fn hold_strictly(decision: &mut Decision) {
    let unread = |name: &str| decision.unread_layers.iter().any(|own| own == name);
    let changes = match (decision.verdict, decision.reason_code.as_str()) {
        (Verdict::Allowed | Verdict::Conditional, _) => !decision.unread_layers.is_empty(),
        (Verdict::Denied, "no-grant" | "permissions-boundary" | "session-policy") => unread(layer::RESOURCE),
        _ => false,
    };
    if changes {
        decision.verdict = Verdict::Unknown;
        decision.reason_code = ReasonCode::new("layer-not-read");
        decision.reason = format!(
            "layers that were not read could change the answer: {}",
            decision.unread_layers.join(", ")
        );
    }
}

/// The decision of an outcome.
pub fn render(question: &Question, outcome: &Outcome<'_>) -> Decision {
    let verdict = outcome.formula.verdict();
    let residual = outcome.formula.residual();
    Decision {
        verdict,
        reason_code: outcome.code.clone(),
        reason: reason(question, outcome, verdict, residual.as_ref()),
        layers: outcome.hits.iter().map(answer).collect(),
        residual,
        unread_layers: outcome.unread.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn answer(hit: &Hit<'_>) -> LayerAnswer {
    LayerAnswer {
        layer: hit.layer.to_owned(),
        verdict: hit.verdict,
        policy: hit.policy.map(|policy| policy.name.to_string()),
        statement: hit.statement.map(|statement| statement.index),
        sid: hit.statement.and_then(|statement| statement.sid.as_deref()).map(str::to_owned),
    }
}

fn reason(question: &Question, outcome: &Outcome<'_>, verdict: Verdict, residual: Option<&Residual>) -> String {
    match (verdict, outcome.code.as_str()) {
        (Verdict::Allowed, _) => format!("allowed{}", by(outcome, Verdict::Allowed)),
        (Verdict::Conditional, _) => format!("allowed if {}", residual.map(describe).unwrap_or_default()),
        (Verdict::Unknown, "statement-not-evaluable" | "policy-not-evaluable") => {
            format!(
                "something that cannot be evaluated matters: it is decided{}",
                by(outcome, Verdict::Unknown)
            )
        }
        (Verdict::Unknown, "group-not-read") => "a group of the user was not read".to_owned(),
        (Verdict::Unknown, "role-not-found") => format!("'{}' is not in what was read", question.resource),
        (Verdict::Unknown, "resource-policy-not-read") => format!("the policy of '{}' was not read", question.resource),
        (Verdict::Unknown, _) => format!(
            "something that was not read matters: it is decided{}",
            by(outcome, Verdict::Unknown)
        ),
        (Verdict::Denied, "explicit-deny") => format!("denied{}", by(outcome, Verdict::Denied)),
        (Verdict::Denied, "trust-policy") => format!("the trust policy of '{}' does not let the principal in", question.resource),
        (Verdict::Denied, "permissions-boundary") => "the permissions boundary does not allow it".to_owned(),
        (Verdict::Denied, "session-policy") => "no session policy allows it".to_owned(),
        (Verdict::Denied, "service-control-policy") => {
            "a level of the account's path in the organization has no service control policy that allows it".to_owned()
        }
        (Verdict::Denied, "vpc-endpoint-policy") => "the policy of the VPC endpoint does not allow it".to_owned(),
        (Verdict::Denied, _) => "no statement that was read allows it".to_owned(),
    }
}

/// By what: the first statement that says so, else the first policy or layer.
fn by(outcome: &Outcome<'_>, wanted: Verdict) -> String {
    let said = || outcome.hits.iter().filter(|hit| hit.verdict == wanted);
    let Some(hit) = said().find(|hit| hit.statement.is_some()).or_else(|| said().next()) else {
        return String::new();
    };
    match (hit.policy, hit.statement) {
        (Some(policy), Some(statement)) => format!(" by statement {} of {}", statement.index, policy.name),
        (Some(policy), None) => format!(" by {}", policy.name),
        _ => format!(" by the {} layer", hit.layer),
    }
}
