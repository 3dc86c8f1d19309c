//! Objects in, plans out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::outcome::{Collected, Ended, Failure};
use super::plan::{Facts, Plan, plan};
use crate::api::conditions::{self, reason};
use crate::api::{CloudAccount, Digests, RUN_NOW_ANNOTATION};
use crate::model::Provider;
use crate::operator::jobs::JobState;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

fn account() -> CloudAccount {
    serde_json::from_value(json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount",
        "metadata": {"name": "production", "namespace": "security", "uid": "u-1", "generation": 1},
        "spec": {
            "provider": "AWS", "interval": "1h",
            "aws": {"accountId": "111111111111", "auth": {"type": "SecretRef", "secretRef": {"name": "reader", "type": "AwsKeys"}}},
        },
    }))
    .unwrap()
}

fn facts(account: &CloudAccount, now: Timestamp) -> Facts<'_> {
    Facts {
        account,
        now,
        minimum_interval: Duration::from_mins(1),
        store_ephemeral: false,
        refused: None,
        job: JobState::Idle,
        stored: true,
        wanted: None,
        source_changed: false,
    }
}

fn collected() -> Collected {
    Collected {
        provider: Some(Provider::Aws),
        account: "111111111111".into(),
        identity: None,
        digests: Digests {
            entitlements: "e".into(),
            usage: "u".into(),
        },
        counts: BTreeMap::from([("roles".to_owned(), 3)]),
        api_calls: 2,
        coverage: Vec::new(),
        missing_permissions: Vec::new(),
    }
}

fn ended(account: &CloudAccount, began: Timestamp, result: Result<Collected, Failure>) -> JobState<Ended> {
    JobState::Ended(Ended {
        began,
        took: Duration::from_secs(1),
        generation: account.metadata.generation,
        run_now: super::plan::run_now(account).map(str::to_owned),
        result,
    })
}

/// Takes a plan over into the object, as applying it does.
fn applied(account: &CloudAccount, plan: &Plan) -> CloudAccount {
    CloudAccount {
        status: Some(plan.status.clone()),
        ..account.clone()
    }
}

/// The account after a first collection at [`start`].
fn ready() -> CloudAccount {
    let account = account();
    let plan = plan(Facts {
        job: ended(&account, start(), Ok(collected())),
        ..facts(&account, start())
    });
    applied(&account, &plan)
}

fn condition(plan: &Plan, kind: &str) -> Option<(String, String)> {
    conditions::find(&plan.status.conditions, kind).map(|condition| (condition.status.clone(), condition.reason.clone()))
}

#[expect(clippy::unnecessary_wraps, reason = "to be compared with what `condition` finds")]
fn is(status: &str, reason: &str) -> Option<(String, String)> {
    Some((status.to_owned(), reason.to_owned()))
}

#[test]
fn a_new_account_is_collected_at_once_and_shows_every_condition() {
    let account = account();
    let plan = plan(facts(&account, start()));
    assert!(plan.start);
    assert_eq!(plan.status.observed_generation, Some(1));
    for kind in [
        conditions::READY,
        conditions::CREDENTIALS_VALID,
        conditions::PERMISSIONS_SUFFICIENT,
        conditions::CHANGE_FEED_CONNECTED,
    ] {
        assert_eq!(
            condition(&plan, kind).map(|(status, _)| status),
            Some("Unknown".to_owned()),
            "{kind}"
        );
    }
    assert_eq!(condition(&plan, conditions::RECONCILING), is("True", reason::PROGRESSING));
    assert_eq!(condition(&plan, conditions::STALLED), None);
}

#[test]
fn a_running_collection_is_waited_for() {
    let account = account();
    let plan = plan(Facts {
        job: JobState::Busy,
        ..facts(&account, start())
    });
    assert!(!plan.start);
    assert_eq!(plan.again, None);
}

#[test]
fn after_a_collection_it_rests_until_the_interval_is_over() {
    let account = ready();
    let rest = plan(facts(&account, start() + SignedDuration::from_mins(1)));
    assert!(!rest.start);
    assert_eq!(rest.again, Some(Duration::from_mins(59)));
    assert_eq!(Some(&rest.status), account.status.as_ref(), "nothing to write");
    assert!(rest.notes.is_empty());
    let due = plan(facts(&account, start() + SignedDuration::from_mins(60)));
    assert!(due.start);
}

#[test]
fn planning_twice_changes_nothing() {
    for account in [account(), ready()] {
        let first = plan(facts(&account, start()));
        let second = plan(Facts {
            job: if first.start { JobState::Busy } else { JobState::Idle },
            ..facts(&applied(&account, &first), start())
        });
        assert_eq!(first.status, second.status);
        assert!(second.notes.is_empty());
    }
}

#[test]
fn a_new_generation_a_run_now_a_lost_snapshot_and_a_wish_collect_at_once() {
    let soon = start() + SignedDuration::from_mins(1);
    let mut changed = ready();
    changed.metadata.generation = Some(2);
    assert!(plan(facts(&changed, soon)).start);

    let mut asked = ready();
    asked.metadata.annotations = Some(BTreeMap::from([(RUN_NOW_ANNOTATION.to_owned(), "1".to_owned())]));
    assert!(plan(facts(&asked, soon)).start);
    let done = plan(Facts {
        job: ended(&asked, soon, Ok(collected())),
        ..facts(&asked, soon)
    });
    assert_eq!(done.status.last_handled_run_now.as_deref(), Some("1"));
    assert!(!done.start, "a value is handled once");

    let account = ready();
    assert!(
        plan(Facts {
            stored: false,
            ..facts(&account, soon)
        })
        .start
    );
    assert!(
        plan(Facts {
            wanted: Some(soon),
            ..facts(&account, soon)
        })
        .start
    );
    assert!(
        !plan(Facts {
            wanted: Some(start()),
            ..facts(&account, soon)
        })
        .start,
        "the last collection is recent enough"
    );
}

#[test]
fn a_refused_credential_stalls_and_is_not_tried_again_before_the_interval_unless_the_secret_changes() {
    let account = account();
    let failure = Failure::credentials("CredentialsInvalid", "the key is not known");
    let stalled = plan(Facts {
        job: ended(&account, start(), Err(failure)),
        ..facts(&account, start())
    });
    assert_eq!(condition(&stalled, conditions::READY), is("False", "CredentialsInvalid"));
    assert_eq!(condition(&stalled, conditions::STALLED), is("True", "CredentialsInvalid"));
    assert_eq!(
        condition(&stalled, conditions::CREDENTIALS_VALID),
        is("False", "CredentialsInvalid")
    );
    assert_eq!(condition(&stalled, conditions::RECONCILING), None);
    assert!(!stalled.start);
    assert_eq!(stalled.notes.len(), 1);
    assert!(stalled.notes[0].warning);

    let account = applied(&account, &stalled);
    let later = start() + SignedDuration::from_mins(10);
    assert!(!plan(facts(&account, later)).start);
    assert!(
        plan(Facts {
            source_changed: true,
            ..facts(&account, later)
        })
        .start
    );
    assert!(plan(facts(&account, start() + SignedDuration::from_mins(61))).start);

    let recovered = plan(Facts {
        job: ended(&account, later, Ok(collected())),
        ..facts(&account, later)
    });
    assert_eq!(condition(&recovered, conditions::READY), is("True", reason::SUCCEEDED));
    assert_eq!(condition(&recovered, conditions::STALLED), None);
    assert_eq!(recovered.status.failures, None);
}

#[test]
fn a_transient_failure_backs_off_and_does_not_flip_ready() {
    let mut account = ready();
    let mut now = start() + SignedDuration::from_mins(60);
    let mut waits = Vec::new();
    for round in 1..=6 {
        let failure = Failure::transient("Throttled", "too many calls");
        let failed = plan(Facts {
            job: ended(&account, now, Err(failure)),
            ..facts(&account, now)
        });
        assert!(!failed.start, "round {round}");
        let ready = condition(&failed, conditions::READY).map(|(status, _)| status);
        assert_eq!(ready.as_deref(), Some(if round < 5 { "True" } else { "False" }), "round {round}");
        assert_eq!(condition(&failed, conditions::RECONCILING), is("True", "Throttled"));
        assert_eq!(condition(&failed, conditions::STALLED), None);
        let wait = failed.again.unwrap();
        waits.push(wait.as_secs());
        account = applied(&account, &failed);
        now += SignedDuration::try_from(wait).unwrap();
        assert!(plan(facts(&account, now)).start, "round {round}: tried again after the wait");
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160]);
}

#[test]
fn a_transient_failure_of_a_new_generation_backs_off_too() {
    let mut account = ready();
    account.metadata.generation = Some(2);
    let now = start() + SignedDuration::from_mins(5);
    let failed = plan(Facts {
        job: ended(&account, now, Err(Failure::transient("Timeout", "slow"))),
        ..facts(&account, now)
    });
    assert!(!failed.start);
    assert_eq!(failed.again, Some(Duration::from_secs(5)));
}

#[test]
fn what_is_not_built_yet_stalls_by_name_and_is_never_started() {
    for spec in [
        json!({"provider": "GCP", "gcp": {"scope": {"type": "Project", "id": "my-project"}, "auth": {"type": "Ambient"}}}),
        json!({"provider": "Kubernetes", "kubernetes": {"clusterName": "here"}}),
    ] {
        let provider = spec["provider"].as_str().unwrap().to_owned();
        let mut account = account();
        account.spec = serde_json::from_value(spec).unwrap();
        let plan = plan(facts(&account, start()));
        assert!(!plan.start);
        assert_eq!(plan.again, None);
        assert_eq!(condition(&plan, conditions::STALLED), is("True", reason::NOT_SUPPORTED));
        assert_eq!(condition(&plan, conditions::READY), is("False", reason::NOT_SUPPORTED));
        let message = &conditions::find(&plan.status.conditions, conditions::STALLED).unwrap().message;
        assert!(message.contains(&provider), "{message}");
    }
}

#[test]
fn an_interval_below_the_operators_minimum_stalls() {
    let account = account();
    let plan = plan(Facts {
        minimum_interval: Duration::from_hours(2),
        ..facts(&account, start())
    });
    assert_eq!(condition(&plan, conditions::STALLED), is("True", reason::INTERVAL_TOO_SHORT));
    assert!(!plan.start);
}

#[test]
fn a_namespace_that_may_not_use_the_operators_identity_stalls() {
    let account = account();
    let refused = Some(Failure::credentials(reason::AMBIENT_NOT_ALLOWED, "not here"));
    let plan = plan(Facts {
        refused,
        ..facts(&account, start())
    });
    assert_eq!(condition(&plan, conditions::STALLED), is("True", reason::AMBIENT_NOT_ALLOWED));
    assert_eq!(
        condition(&plan, conditions::CREDENTIALS_VALID),
        is("False", reason::AMBIENT_NOT_ALLOWED)
    );
    assert!(!plan.start);
}

#[test]
fn what_stalled_it_is_forgotten_when_the_spec_is_mended() {
    let account = account();
    let stalled = plan(Facts {
        minimum_interval: Duration::from_hours(2),
        ..facts(&account, start())
    });
    let mut mended = applied(&account, &stalled);
    mended.metadata.generation = Some(2);
    let again = plan(facts(&mended, start()));
    assert!(again.start);
    let done = plan(Facts {
        job: ended(&mended, start(), Ok(collected())),
        ..facts(&applied(&mended, &again), start())
    });
    assert_eq!(condition(&done, conditions::STALLED), None);
    assert_eq!(condition(&done, conditions::READY), is("True", reason::SUCCEEDED));
}

#[test]
fn a_suspended_account_rests() {
    let mut account = account();
    account.spec.0.suspend = true;
    let rest = plan(facts(&account, start()));
    assert!(!rest.start);
    assert_eq!(condition(&rest, conditions::READY), is("Unknown", reason::SUSPENDED));
    assert_eq!(condition(&rest, conditions::RECONCILING), None);
    let mut resumed = applied(&account, &rest);
    resumed.spec.0.suspend = false;
    resumed.metadata.generation = Some(2);
    assert!(plan(facts(&resumed, start())).start);
}

#[test]
fn missing_permissions_are_said_but_the_account_is_ready() {
    let account = account();
    let partial = Collected {
        missing_permissions: vec!["iam:GetAccountAuthorizationDetails".into()],
        ..collected()
    };
    let plan = plan(Facts {
        job: ended(&account, start(), Ok(partial)),
        ..facts(&account, start())
    });
    assert_eq!(condition(&plan, conditions::READY), is("True", reason::SUCCEEDED));
    assert_eq!(
        condition(&plan, conditions::PERMISSIONS_SUFFICIENT),
        is("False", reason::PERMISSIONS_MISSING)
    );
    assert!(!plan.status.coverage.as_ref().unwrap().complete);
}

#[test]
fn an_ephemeral_store_is_said() {
    let account = account();
    let plan = plan(Facts {
        store_ephemeral: true,
        ..facts(&account, start())
    });
    assert_eq!(
        condition(&plan, conditions::HISTORY_KEPT),
        is("False", reason::STORE_NOT_PERSISTENT)
    );
}

#[test]
fn transition_times_move_only_with_the_status() {
    let account = ready();
    let later = start() + SignedDuration::from_hours(1);
    let again = plan(Facts {
        job: ended(&account, later, Ok(collected())),
        ..facts(&account, later)
    });
    let since = |status: &crate::api::CloudAccountStatus| {
        conditions::find(&status.conditions, conditions::READY)
            .unwrap()
            .last_transition_time
            .clone()
    };
    assert_eq!(since(&again.status), since(account.status.as_ref().unwrap()));
}
