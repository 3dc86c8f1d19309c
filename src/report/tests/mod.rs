//! Tests of reports. This file makes findings; each other file tests one thing.

mod chunks;
mod degradation;
mod documents;
mod scale;
mod status;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;

use super::bounds::Bounds;
use super::plan::plan_within;
use super::{COMPRESS_ABOVE, Chunk, DATA_LIMIT, MAX_BUCKETS, ReportInput, ReportPlan, StoredChunk, TOTAL_LIMIT, join, plan};
use crate::audit::AuditOutcome;
use crate::catalogue::Catalogue;
use crate::model::{
    Atom, Delta, Evidence, EvidenceClass, Finding, FindingId, FindingState, IdentityKind, IdentityRef, Manifest, Provider, Remediation,
    ReportDocument, ReportSettings, Residual, ResourceRef, Score, Severity, StatementRef,
};

pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REPORT: &str = "baseline-production";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) fn now() -> Timestamp {
    at("2026-11-25T06:00:00Z")
}

pub(super) fn role(name: &str) -> IdentityRef {
    IdentityRef {
        provider: Provider::Aws,
        scope: ACCOUNT.to_owned(),
        id: format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        kind: IdentityKind::Role,
        name: name.to_owned(),
    }
}

/// A finding of a usual size: number `number` of the role `name`.
pub(super) fn finding(name: &str, number: u32) -> Finding {
    let severity = Severity::WORST_FIRST[number as usize % 5];
    let policy = format!("arn:aws:iam::{ACCOUNT}:policy/team/{name}-access-{number}");
    Finding {
        id: id(&format!("{name} {number}")),
        rule: format!("AWS-EXC-{:02}", number % 7),
        severity,
        score: Some(Score {
            low: 40,
            high: 60,
            factors: BTreeMap::from([("privilege".to_owned(), 640), ("exposure".to_owned(), 200)]),
        }),
        identity: Some(role(name)),
        resource: None,
        discriminator: policy.clone(),
        evidence: Evidence {
            class: EvidenceClass::Configuration,
            source: "roles".to_owned(),
            summary: format!("role {name} may do s3:* on every resource through policy {name}-access-{number}"),
            statements: vec![StatementRef {
                layer: "identity".to_owned(),
                policy: policy.clone(),
                statement: 0,
                sid: Some("All".to_owned()),
                via: None,
            }],
            truncated: false,
        },
        conditions: None,
        remediation: Remediation {
            kind: "shrink".to_owned(),
            summary: format!("replace s3:* in policy {name}-access-{number} by the actions that role {name} uses"),
            artefacts: BTreeMap::new(),
        },
        references: vec!["NIST-800-53/r5/AC-6".to_owned(), "ISO-27001/2022/A.8.2".to_owned()],
        first_seen: at("2026-11-01T00:00:00Z"),
        state: FindingState::Open,
        exemption: None,
    }
}

pub(super) fn id(text: &str) -> FindingId {
    use sha2::Digest as _;
    FindingId(super::chunk::hex(&sha2::Sha256::digest(text)[..16]))
}

/// `each` findings for each of `roles` roles.
pub(super) fn account(roles: u32, each: u32) -> Vec<Finding> {
    (0..roles)
        .flat_map(|role| (0..each).map(move |number| finding(&format!("service-{role:05}"), number)))
        .collect()
}

pub(super) fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| a.id.cmp(&b.id));
    findings
}

pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::load().expect("the catalogue"));

/// An input around findings, to be changed by the test.
pub(super) struct Given {
    pub(super) outcome: AuditOutcome,
    pub(super) settings: ReportSettings,
    pub(super) compress_above: usize,
    pub(super) delta: Delta,
}

impl Given {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        let identities = BTreeMap::from([("Role".to_owned(), 3), ("User".to_owned(), 1)]);
        Self {
            outcome: AuditOutcome {
                findings,
                identities,
                ..AuditOutcome::default()
            },
            settings: ReportSettings::default(),
            compress_above: COMPRESS_ABOVE,
            delta: Delta::default(),
        }
    }

    pub(super) fn input(&self) -> ReportInput<'_> {
        ReportInput {
            report: REPORT,
            provider: Provider::Aws,
            scope: ACCOUNT,
            engine: "0.1.0",
            catalogue: &CATALOGUE,
            outcome: &self.outcome,
            delta: &self.delta,
            complete: true,
            missing_permissions: &[],
            snapshots: &[],
            now: now(),
            next_run: Some(at("2026-11-25T12:00:00Z")),
            history_lost: false,
            settings: &self.settings,
            compress_above: self.compress_above,
        }
    }

    pub(super) fn plan(&self, previous: Option<&ReportDocument>) -> ReportPlan {
        plan(previous, &self.input()).expect("a plan")
    }

    pub(super) fn plan_within(&self, bounds: &Bounds, previous: Option<&ReportDocument>) -> ReportPlan {
        plan_within(bounds, previous, &self.input()).expect("a plan")
    }
}

pub(super) fn first(findings: &[Finding]) -> ReportPlan {
    Given::new(findings.to_vec()).plan(None)
}

/// Reads a plan back as a reader of the cluster would.
pub(super) fn read(plan: &ReportPlan) -> Vec<Finding> {
    join(REPORT, &plan.document.manifest, plan.chunks.iter().map(StoredChunk::from)).expect("a whole generation")
}

/// Names in the second that are not in the first: what would be written.
pub(super) fn written<'a>(before: &Manifest, after: &'a [Chunk]) -> Vec<&'a Chunk> {
    after
        .iter()
        .filter(|chunk| !before.chunks.iter().any(|known| known.name == chunk.reference.name))
        .collect()
}

/// A sixteenth of the real bounds.
pub(super) const SMALL: Bounds = Bounds {
    data: DATA_LIMIT / 16,
    total: TOTAL_LIMIT / 64,
    buckets: MAX_BUCKETS / 4,
};

/// The bounds that hold whatever the input is.
pub(super) fn assert_bounds(plan: &ReportPlan) {
    assert_within(&Bounds::REPORT, plan);
}

pub(super) fn assert_within(bounds: &Bounds, plan: &ReportPlan) {
    let mut total = 0;
    for chunk in &plan.chunks {
        // The object as the API server stores it; the rest of it has CHUNK_OVERHEAD.
        let stored = super::stored_length(&chunk.data);
        assert!(stored <= bounds.data, "chunk {} has {stored} bytes", chunk.reference.name);
        assert_eq!(chunk.reference.bytes as usize, chunk.data.len());
        total += stored;
    }
    assert!(total <= bounds.total, "the chunks have {total} bytes");
    assert!(plan.document.manifest.buckets.is_power_of_two() && plan.document.manifest.buckets <= bounds.buckets);
    assert!(
        status_length(&plan.document) <= super::DOCUMENT_LIMIT,
        "the status has {} bytes",
        status_length(&plan.document)
    );
    // Every finding is in a chunk, filtered, or counted as dropped.
    let counts = &plan.document.counts;
    let all = counts.open.total() + counts.exempted.total() + counts.unverified.total();
    let in_chunks: u32 = plan.chunks.iter().map(|chunk| chunk.reference.findings).sum();
    let dropped = plan
        .document
        .truncation
        .as_ref()
        .map_or(0, |truncation| truncation.findings_dropped.total());
    assert_eq!(in_chunks + dropped + plan.document.manifest.filtered, all);
}

/// Bytes of the status as the API server stores it: JSON as Go writes it.
pub(super) fn status_length(document: &ReportDocument) -> usize {
    let json = serde_json::to_string(document).expect("json");
    json.chars()
        .map(|character| match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
            other => other.len_utf8(),
        })
        .sum()
}

/// Any text, with what JSON, HTML and spreadsheets treat specially.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9:/*_-]{0,40}",
        1 => "[=+@\"',;<>&\\\\\n\r\t\u{0}\u{7f}\u{2028}é漢🦀 -]{0,40}",
        1 => any::<String>(),
    ]
}

fn residual() -> impl Strategy<Value = Residual> {
    let atom = (text(), text(), prop::collection::vec(text(), 0..3), text(), any::<bool>()).prop_map(
        |(key, operator, values, text, caller_controlled)| {
            Residual::Atom(Atom {
                key,
                operator,
                values,
                text,
                caller_controlled,
            })
        },
    );
    atom.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Residual::And),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Residual::Or),
            inner.prop_map(|part| Residual::Not(Box::new(part))),
        ]
    })
}

fn owner() -> impl Strategy<Value = (Option<IdentityRef>, Option<ResourceRef>)> {
    let resource = ("[0-9]{1,3}", text()).prop_map(|(scope, id)| ResourceRef {
        provider: Provider::Aws,
        scope,
        id,
    });
    // Few identities, so that they share findings.
    let identity = prop_oneof![
        3 => (0..6_u32).prop_map(|number| role(&number.to_string())),
        1 => (text(), text(), text()).prop_map(|(scope, id, name)| IdentityRef { provider: Provider::Gcp, scope, id, kind: IdentityKind::ServiceAccount, name }),
    ];
    (prop::option::weighted(0.7, identity), prop::option::of(resource))
}

/// Any finding; ids may collide.
pub(super) fn any_finding() -> impl Strategy<Value = Finding> {
    let head = (0..40_u32, text(), 0..5_usize, owner(), text(), 0..3_usize);
    let evidence = (
        text(),
        text(),
        prop::collection::vec((text(), text(), any::<u32>(), prop::option::of(text())), 0..4),
    );
    let tail = (
        prop::option::of(residual()),
        text(),
        prop::collection::btree_map(text(), text(), 0..2),
        prop::collection::vec(text(), 0..3),
        0..1_000_000_000_i64,
    );
    (head, evidence, tail).prop_map(
        |(
            (number, rule, severity, (identity, resource), discriminator, state),
            (source, summary, statements),
            (conditions, fix, artefacts, references, time),
        )| {
            let state = [FindingState::Open, FindingState::Exempted, FindingState::Unverified][state];
            Finding {
                id: id(&number.to_string()),
                rule,
                severity: Severity::WORST_FIRST[severity],
                score: None,
                identity,
                resource,
                discriminator,
                evidence: Evidence {
                    class: EvidenceClass::None,
                    source,
                    summary,
                    statements: statements
                        .into_iter()
                        .map(|(layer, policy, statement, sid)| StatementRef {
                            layer,
                            policy,
                            statement,
                            sid,
                            via: None,
                        })
                        .collect(),
                    truncated: false,
                },
                conditions,
                remediation: Remediation {
                    kind: "review".to_owned(),
                    summary: fix,
                    artefacts,
                },
                references,
                first_seen: Timestamp::from_second(time).expect("a time"),
                state,
                exemption: (state == FindingState::Exempted).then(|| "legacy".to_owned()),
            }
        },
    )
}
