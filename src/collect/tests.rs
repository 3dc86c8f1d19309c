use std::collections::BTreeMap;

use super::*;
use crate::model::Provider;
use crate::snapshot::{SCHEMA, Section, SectionKind, SectionStatus};

#[test]
fn missing_permissions_are_those_of_all_sections_once_and_sorted() {
    let section = |missing: &[&str]| {
        let mut section = Section::unread("x", SectionStatus::Denied, "AccessDenied", SectionKind::Entitlements);
        section.missing_permissions = missing.iter().map(|&permission| permission.to_owned()).collect();
        section
    };
    let sections = [
        ("roles", section(&["iam:B", "iam:A"])),
        ("users", section(&["iam:A"])),
        ("groups", section(&[])),
    ];
    let snapshot = Snapshot {
        schema: SCHEMA.to_owned(),
        provider: Provider::Aws,
        scope: "111122223333".to_owned(),
        collected_at: None,
        collector: String::new(),
        sections: sections
            .into_iter()
            .map(|(name, section)| (name.to_owned(), section))
            .collect::<BTreeMap<_, _>>(),
    };
    assert_eq!(missing_permissions(&snapshot), ["iam:A", "iam:B"]);
}

#[test]
fn errors_say_who_has_to_act() {
    let call = "iam:GetAccountAuthorizationDetails";
    let text = || "text".to_owned();
    let limit = std::time::Duration::from_secs(1);
    let of_credentials = [
        CollectError::CredentialsNotFound { detail: text() },
        CollectError::CredentialsInvalid { call, code: text() },
        CollectError::CredentialsExpired { call, code: text() },
        CollectError::AccountMismatch {
            expected: text(),
            actual: text(),
            caller: text(),
        },
    ];
    let of_the_declaration = [
        CollectError::InvalidSource { what: text() },
        CollectError::AccessDenied {
            permission: call,
            why: text(),
        },
        CollectError::Rejected {
            call,
            endpoint: text(),
            code: text(),
        },
    ];
    let transient = [
        CollectError::Throttled { call },
        CollectError::Unreachable {
            call,
            endpoint: text(),
            detail: text(),
        },
        CollectError::ConnectionCut { call, endpoint: text() },
        CollectError::IncompleteAnswer { call, endpoint: text() },
        CollectError::MalformedAnswer {
            call,
            endpoint: text(),
            detail: text(),
        },
        CollectError::Timeout {
            call,
            endpoint: text(),
            limit,
        },
        CollectError::DeadlineExceeded { call, limit },
        CollectError::BudgetExhausted { call, max_calls: 1 },
        CollectError::ClockSkew { call, code: text() },
        CollectError::ServiceFailed {
            call,
            endpoint: text(),
            code: text(),
        },
    ];
    assert!(
        of_credentials
            .iter()
            .all(|error| error.is_user_error() && error.is_credential_error())
    );
    assert!(
        of_the_declaration
            .iter()
            .all(|error| error.is_user_error() && !error.is_credential_error())
    );
    assert!(transient.iter().all(|error| !error.is_user_error() && !error.is_credential_error()));
    for error in of_credentials.iter().chain(&of_the_declaration).chain(&transient) {
        // The reason is the variant's name, and the text fits a condition on one line.
        assert!(format!("{error:?}").starts_with(&format!("{} {{", error.reason())));
        assert!(!error.to_string().contains('\n') && !error.to_string().ends_with('.'));
    }
}
