//! How policies hang on identities.

use super::{Judgement, Problem, Setting, Subject, quoted_name, short_name};
use crate::access::Attachment;
use crate::audit::glob;
use crate::snapshot::aws::section;

/// AWS-EXC-13: inline or managed policies on the user itself. A boundary grants nothing, and what comes through a group is as it should be.
/// One finding for each user: the remedy is one move.
pub fn on_user(subject: &Subject<'_>, setting: &Setting<'_>) -> Judgement {
    let ignored = setting.list("ignoredPolicies");
    let counts = |attachment: &&Attachment| {
        let policy = attachment.policy.as_str();
        let names = |pattern: &String| glob::matches(pattern, policy) || glob::matches(pattern, short_name(policy));
        attachment.via.is_none() && matches!(attachment.form, "inline" | "managed") && !ignored.iter().any(names)
    };
    let own: Vec<&Attachment> = subject.attachments().iter().filter(counts).collect();
    if own.is_empty() {
        return Judgement::default();
    }
    let problem = Problem {
        source: section::USERS,
        policies: own.iter().map(|attachment| quoted_name(&attachment.policy)).collect(),
        causes: own.iter().map(|attachment| attachment.policy.clone()).collect(),
        ..Problem::default()
    };
    Judgement {
        problems: vec![problem],
        gaps: Vec::new(),
    }
}
