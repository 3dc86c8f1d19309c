//! The outcome does not depend on the order in which anything is listed.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::access::{Attachment, Decision, Grant, Listing, Membership, Question, Resource, Trust};

/// Entitlements that list the same in another order.
struct Reordered {
    inner: Universe,
    seed: u64,
}

impl Reordered {
    fn own(&self) -> &dyn Entitlements {
        self.inner.covering(Provider::Aws, ACCOUNT).unwrap()
    }

    fn mixed<'a, T: 'a>(&self, listing: impl IntoIterator<Item = T>) -> Listing<'a, T> {
        let mut items: Vec<T> = listing.into_iter().collect();
        shuffle(&mut items, self.seed);
        Box::new(items.into_iter())
    }
}

/// Fisher and Yates with a small generator: the same seed gives the same order.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for at in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
    }
}

impl Entitlements for Reordered {
    fn provider(&self) -> Provider {
        Provider::Aws
    }

    fn scopes(&self) -> Vec<String> {
        self.own().scopes()
    }

    fn organization(&self, scope: &str) -> Option<Membership> {
        self.own().organization(scope)
    }

    fn identities(&self) -> Listing<'_, Identity> {
        self.mixed(self.own().identities())
    }

    fn resources(&self) -> Listing<'_, Resource> {
        self.mixed(self.own().resources())
    }

    fn decide(&self, question: &Question) -> Decision {
        self.own().decide(question)
    }

    fn grants<'a>(&'a self, identity: &str) -> Listing<'a, Grant> {
        self.mixed(self.own().grants(identity))
    }

    fn attachments<'a>(&'a self, identity: &str) -> Listing<'a, Attachment> {
        self.mixed(self.own().attachments(identity))
    }

    fn trusts<'a>(&'a self, identity: &str) -> Listing<'a, Trust> {
        self.mixed(self.own().trusts(identity))
    }

    fn source(&self, scope: &str, source: &str) -> Result<(), String> {
        self.own().source(scope, source)
    }

    fn unusable(&self, identity: &str) -> Vec<CoverageEntry> {
        self.mixed(self.own().unusable(identity)).collect()
    }

    fn coverage(&self) -> Vec<CoverageEntry> {
        self.mixed(self.own().coverage()).collect()
    }
}

/// Several ways to each problem, conditions, groups, and documents that cannot be used.
fn account() -> Value {
    let mut account = super::golden::account();
    let mfa = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let network = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
    let wide = document(json!([
        when(allow(json!("*"), json!("*")), mfa.clone()),
        when(allow(json!("*"), json!("*")), network.clone()),
        allow(json!(["s3:*", "ec2:*"]), json!("*")),
    ]));
    let more = [
        role("many", &[("one", wide.clone()), ("two", wide.clone())], &[&managed_policy("wide")]),
        role(
            "broken",
            &[("one", json!("{")), ("two", wide.clone())],
            &["arn:aws:iam::aws:policy/Unread"],
        ),
        trusting(
            "trusts",
            &json!([
                trust(json!({"AWS": ["444455556666", "arn:aws:iam::444455556666:role/a", "777788889999"]})),
                when(trust(json!({"AWS": ["444455556666", "*"]})), mfa),
                when(trust(json!("*")), network),
                federated("gitlab.com", json!({})),
                federated("token.actions.githubusercontent.com", json!({})),
            ]),
        ),
    ];
    account["RoleDetailList"].as_array_mut().unwrap().extend(more);
    account["UserDetailList"].as_array_mut().unwrap().extend([
        user("bob", &[], &[&managed_policy("wide")], &["g", "h"]),
        user("carol", &[], &[&managed_policy("wide")], &["h", "g"]),
    ]);
    account["GroupDetailList"] = json!([
        group("g", &[("one", wide.clone())], &[]),
        group("h", &[], &[&managed_policy("wide")])
    ]);
    account["Policies"] = json!([managed("wide", wide)]);
    account
}

fn outcome_of(universe: &Universe, policy: &AuditPolicySpec, previous: &[Finding]) -> AuditOutcome {
    audit(&AuditInput {
        universe,
        provider: Provider::Aws,
        scope: ACCOUNT,
        policy,
        catalogue: &Catalogue::load().unwrap(),
        now: now(),
        previous: Some(previous),
    })
}

fn mixed(list: &mut Value, seed: u64) {
    shuffle(list.as_array_mut().unwrap(), seed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Neither that of the engine's listings, nor that of the file, the policy and the earlier findings.
    #[test]
    fn the_outcome_does_not_depend_on_order(seed: u64) {
        let exemption = |name: &str| json!({
            "name": name, "rules": ["AWS-EXC-*"], "identity": {"names": ["m*", "b*"]}, "reason": "r", "approvedBy": "b",
            "expiresAt": "2027-01-01T00:00:00Z",
        });
        let mut spec = json!({
            "rules": {"include": ["map", "excess"], "exclude": ["AWS-EXC-13", "nonsense"]},
            "exemptions": [exemption("a"), exemption("b"), exemption("c")],
        });
        let mut account = account();
        let expected = outcome_of(&Universe::build(&snapshots(&account)), &policy(spec.clone()), &[]);
        let again = outcome_of(&Universe::build(&snapshots(&account)), &policy(spec.clone()), &expected.findings);
        prop_assert_eq!(&expected, &again);

        for list in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"] {
            mixed(&mut account[list], seed);
        }
        mixed(&mut spec["rules"]["include"], seed);
        mixed(&mut spec["exemptions"], seed);
        let mut previous = expected.findings.clone();
        shuffle(&mut previous, seed);
        let inner = Universe::build(&snapshots(&account));
        let reordered = Universe::of(vec![Box::new(Reordered { inner, seed })]);
        prop_assert_eq!(&outcome_of(&reordered, &policy(spec), &previous), &expected);
    }
}

/// The property above compares something: the account has findings of every shape.
#[test]
fn the_account_of_the_property_is_rich() {
    let outcome = outcome_of(&Universe::build(&snapshots(&account())), &policy(json!({})), &[]);
    assert!(outcome.findings.len() > 20 && !outcome.groups.is_empty() && !outcome.not_evaluated.is_empty());
    let joined = outcome
        .findings
        .iter()
        .filter(|finding| matches!(finding.conditions, Some(crate::model::Residual::Or(_))))
        .count();
    assert!(joined > 0);
}
