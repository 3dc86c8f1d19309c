//! Reading and writing of AuditPolicy specs. What the schema refuses is shown against a real API server (`e2e/manifests.rs`).

use jiff::Timestamp;

use super::*;
use crate::model::FindingState;

#[test]
fn the_least_policy_has_defaults() {
    let policy: AuditPolicySpec = serde_json::from_str(r#"{"accountSelector": {}}"#).unwrap();
    assert_eq!(policy, AuditPolicySpec::default());
    assert_eq!(policy.report.history.limit, 10);
    assert_eq!(policy.report.min_severity(), Severity::Info);
    assert!(policy.report.includes(FindingState::Exempted));
    assert_eq!(serde_json::to_string(&policy).unwrap(), r#"{"accountSelector":{}}"#);
}

#[test]
fn schedules_are_in_utc_unless_they_say_otherwise() {
    let mut schedule = Schedule {
        cron: CronExpression::new("0 5 * * 1-5"),
        time_zone: None,
    };
    assert_eq!(schedule.time_zone(), "Etc/UTC");
    schedule.time_zone = Some(TimeZoneName::new("Europe/Berlin"));
    assert_eq!(schedule.time_zone(), "Europe/Berlin");
}

#[test]
fn an_exemption_ends_at_its_time() {
    let exemption: Exemption = serde_json::from_str(
        r#"{"name": "a", "rules": ["AWS-EXC-13"], "reason": "r", "approvedBy": "b", "expiresAt": "2027-03-31T02:00:00+02:00"}"#,
    )
    .unwrap();
    assert!(!exemption.is_expired("2027-03-30T23:59:59Z".parse().unwrap()));
    assert!(exemption.is_expired("2027-03-31T00:00:00Z".parse().unwrap()));
}

/// What the schema accepts as `expiresAt` must be readable: the extremes of its pattern are.
#[test]
fn every_accepted_expiry_is_readable() {
    for text in [
        "2000-01-01T00:00:00Z",
        "2999-12-31T23:59:59.999999999-14:00",
        "2999-12-31T23:59:59+14:59",
        "2026-12-31T00:00:00-00:00",
    ] {
        assert!(text.parse::<Timestamp>().is_ok(), "{text}");
    }
}
