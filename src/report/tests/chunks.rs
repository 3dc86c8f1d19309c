//! Sharding, names, reading back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{ChunkDocument, ChunkEncoding};
use crate::report::canonical;
use crate::report::{DecodeError, JoinError, decode};

/// As a multiset: sorted by canonical JSON.
fn multiset(findings: &[Finding]) -> Vec<String> {
    let mut texts: Vec<String> = findings.iter().map(|finding| canonical(finding).expect("json")).collect();
    texts.sort();
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_fast_writer_is_the_canonical_one(finding in any_finding()) {
        prop_assert_eq!(canonical(&finding).expect("json"), serde_json_canonicalizer::to_string(&finding).expect("json"));
    }

    #[test]
    fn chunks_join_back_into_the_same_findings(findings in prop::collection::vec(any_finding(), 0..40), compress in any::<bool>(), buckets in 0..8_u32) {
        let mut given = Given::new(findings.clone());
        if compress {
            given.compress_above = 0;
        }
        let mut previous = first(&[]).document;
        previous.manifest.buckets = 1 << buckets;
        let plan = given.plan(Some(&previous));
        prop_assert_eq!(plan.document.truncation.as_ref(), None);
        prop_assert_eq!(multiset(&read(&plan)), multiset(&findings));
        assert_bounds(&plan);
    }

    #[test]
    fn the_order_of_findings_has_no_meaning(findings in prop::collection::vec(any_finding(), 0..30), seed in any::<u64>()) {
        let mut shuffled = findings.clone();
        shuffled.sort_by_key(|finding| id(&format!("{seed} {}", finding.discriminator)));
        prop_assert_eq!(first(&findings), first(&shuffled));
    }

    #[test]
    fn data_is_the_canonical_json_of_the_document(findings in prop::collection::vec(any_finding(), 1..20)) {
        for chunk in first(&findings).chunks {
            let document: ChunkDocument = serde_json::from_str(&chunk.data).expect("a document");
            prop_assert_eq!(canonical(&document).expect("json"), chunk.data);
        }
    }

    #[test]
    fn one_identity_more_or_less_changes_one_chunk(roles in 1..60_u32, each in 1..4_u32, buckets in 0..7_u32, gone in any::<prop::sample::Index>()) {
        let all = account(roles, each);
        let name = role(&format!("service-{:05}", gone.index(roles as usize)));
        let without: Vec<Finding> = all.iter().filter(|finding| finding.identity.as_ref() != Some(&name)).cloned().collect();
        let mut previous = first(&[]).document;
        previous.manifest.buckets = 1 << buckets;
        let (full, less) = (Given::new(all).plan(Some(&previous)), Given::new(without).plan(Some(&previous)));
        // Inserted: one chunk is written. Removed: one goes, and one is written unless its bucket is empty now.
        prop_assert_eq!(written(&less.document.manifest, &full.chunks).len(), 1);
        prop_assert!(written(&full.document.manifest, &less.chunks).len() <= 1);
        let bucket = written(&less.document.manifest, &full.chunks)[0].reference.bucket;
        prop_assert!(written(&full.document.manifest, &less.chunks).iter().all(|chunk| chunk.reference.bucket == bucket));
    }
}

#[test]
fn a_second_run_gives_the_same_chunks() {
    let findings = account(300, 3);
    let before = first(&findings);
    let again = Given::new(findings).plan(Some(&before.document));
    assert!(again.unchanged && !before.unchanged);
    assert_eq!(again.chunks, before.chunks);
    assert_eq!(again.document.manifest, before.document.manifest);
}

#[test]
fn one_changed_finding_changes_one_chunk() {
    let mut findings = account(1_000, 5);
    let before = first(&findings);
    assert!(before.chunks.len() > 10, "{} chunks", before.chunks.len());
    findings[4_321].severity = Severity::Critical;
    findings[4_321].evidence.summary.push_str(" and more");
    let after = Given::new(findings).plan(Some(&before.document));
    assert_eq!(written(&before.document.manifest, &after.chunks).len(), 1);
    assert!(!after.unchanged);
}

#[test]
fn buckets_split_only_when_a_chunk_would_be_too_large_and_never_join_again() {
    let mut previous: Option<ReportDocument> = None;
    for roles in (0..200).step_by(10).chain([300, 400, 10]) {
        let given = Given::new(account(roles, 2));
        let plan = given.plan_within(&SMALL, previous.as_ref());
        assert_within(&SMALL, &plan);
        let before = previous.as_ref().map_or(1, |document| document.manifest.buckets);
        let after = plan.document.manifest.buckets;
        assert!(after >= before, "{roles} roles: {after} buckets after {before}");
        if after > before {
            // With half as many some chunk would have been too large: two buckets that are one then do not fit.
            let size = |bucket: u32| {
                let halves = plan.chunks.iter().filter(|chunk| chunk.reference.bucket % (after / 2) == bucket);
                halves.map(|chunk| crate::report::stored_length(&chunk.data)).sum::<usize>()
            };
            assert!(
                (0..after / 2).any(|bucket| size(bucket) > SMALL.data - 200),
                "{roles} roles: {after} buckets after {before}"
            );
        }
        previous = Some(plan.document);
    }
    assert!(previous.expect("a run").manifest.buckets >= 16);
}

#[test]
fn findings_without_identity_stand_with_their_resource_and_else_with_the_account() {
    let mut of_account = finding("a", 0);
    of_account.identity = None;
    let mut of_resource = finding("b", 1);
    of_resource.identity = None;
    of_resource.resource = Some(ResourceRef {
        provider: Provider::Aws,
        scope: ACCOUNT.to_owned(),
        id: "arn:aws:s3:::logs".to_owned(),
    });
    let of_identity = Finding {
        resource: of_resource.resource.clone(),
        ..finding("c", 2)
    };
    let plan = first(&[of_identity.clone(), of_resource.clone(), of_account.clone()]);
    let groups = decode(plan.chunks[0].encoding, &plan.chunks[0].data).expect("groups");
    let owners: Vec<_> = groups
        .iter()
        .map(|group| (group.identity.clone(), group.resource.clone(), group.findings.clone()))
        .collect();
    assert_eq!(
        owners,
        [
            (None, None, vec![of_account]),
            (None, of_resource.resource.clone(), vec![of_resource]),
            (of_identity.identity.clone(), None, vec![of_identity]),
        ]
    );
}

#[test]
fn names_are_valid_and_bounded() {
    let findings = account(3, 1);
    let given = Given::new(findings);
    let long = format!("{}.a-{}", "x".repeat(37), "y".repeat(200));
    let cut_at_a_dot = format!("{}.{}", "x".repeat(39), "y".repeat(200));
    for report in ["r", long.as_str(), cut_at_a_dot.as_str()] {
        let plan = plan(None, &ReportInput { report, ..given.input() }).expect("a plan");
        for chunk in &plan.chunks {
            let name = &chunk.reference.name;
            assert!(name.len() <= 253);
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'),
                "{name}"
            );
            assert!(
                name.split('.')
                    .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')),
                "{name}"
            );
        }
        assert!(join(report, &plan.document.manifest, plan.chunks.iter().map(StoredChunk::from)).is_ok());
    }
    // Reports with one beginning do not share names, whatever they hold.
    let name = |report: &str| {
        plan(None, &ReportInput { report, ..given.input() }).expect("a plan").chunks[0]
            .reference
            .name
            .clone()
    };
    assert_ne!(name(&format!("{}a", "x".repeat(60))), name(&format!("{}b", "x".repeat(60))));
}

#[test]
fn settings_filter_chunks_and_leave_counts_whole() {
    let mut findings = account(20, 5);
    findings[0].state = FindingState::Exempted;
    findings[5].state = FindingState::Unverified;
    let mut given = Given::new(findings);
    given.settings.min_severity = Some(Severity::High);
    given.settings.include = vec![FindingState::Open];
    let plan = given.plan(None);
    assert_bounds(&plan);
    let held = read(&plan);
    assert!(
        held.iter()
            .all(|finding| finding.severity >= Severity::High && finding.state == FindingState::Open)
    );
    assert_eq!(held.len(), 38);
    assert_eq!(plan.document.manifest.filtered, 62);
    assert_eq!(
        plan.document.counts.open.total() + plan.document.counts.exempted.total() + plan.document.counts.unverified.total(),
        100
    );
    assert_eq!(plan.document.truncation, None);
}

#[test]
fn gzip_comes_by_size_and_does_not_flap() {
    let mut given = Given::new(account(200, 3));
    let json = given.plan(None);
    let size: usize = json.chunks.iter().map(|chunk| chunk.data.len()).sum();
    given.compress_above = size / 2;
    let gzip = given.plan(Some(&json.document));
    assert_eq!(gzip.document.manifest.encoding, ChunkEncoding::Gzip);
    assert!(gzip.chunks.iter().all(|chunk| chunk.encoding == ChunkEncoding::Gzip));
    assert_eq!(read(&gzip), read(&json));
    assert_eq!(gzip.document.truncation, None);
    // A little below the threshold it stays gzip.
    given.outcome.findings.truncate(250);
    let less = given.plan(Some(&gzip.document));
    assert_eq!(less.document.manifest.encoding, ChunkEncoding::Gzip);
    given.outcome.findings.truncate(100);
    assert_eq!(given.plan(Some(&less.document)).document.manifest.encoding, ChunkEncoding::Json);
}

#[test]
fn orphans_are_left_aside_and_what_is_missing_torn_or_mixed_is_an_error() {
    let findings = account(900, 2);
    let plan = first(&findings);
    assert!(plan.chunks.len() >= 2);
    let manifest = &plan.document.manifest;
    let mut other = findings.clone();
    other[0].evidence.summary.push('!');
    let next = Given::new(other).plan(Some(&plan.document));
    let rewritten = written(manifest, &next.chunks)[0];

    let all: BTreeMap<&str, StoredChunk<'_>> = plan
        .chunks
        .iter()
        .map(|chunk| (chunk.reference.name.as_str(), StoredChunk::from(chunk)))
        .collect();
    let with_orphan = all.values().copied().chain([StoredChunk::from(rewritten)]);
    assert_eq!(join(REPORT, manifest, with_orphan).expect("whole"), sorted(findings));

    let replaced = plan
        .chunks
        .iter()
        .find(|chunk| chunk.reference.bucket == rewritten.reference.bucket)
        .expect("its bucket");
    let name = replaced.reference.name.as_str();
    let rest = || all.values().copied().filter(move |chunk| chunk.name != name);
    assert!(matches!(join(REPORT, manifest, rest()), Err(JoinError::Missing { name: missing }) if missing == name));
    let mixed = join(REPORT, manifest, rest().chain([StoredChunk::from(rewritten)]));
    assert!(matches!(mixed, Err(JoinError::MixedGenerations { name: old, found }) if old == name && found == rewritten.reference.name));

    let torn = StoredChunk {
        data: &rewritten.data,
        ..all[name]
    };
    assert!(matches!(join(REPORT, manifest, rest().chain([torn])), Err(JoinError::Torn { name: torn, .. }) if torn == name));
    assert!(matches!(
        join("another", manifest, rest().chain([all[name]])),
        Err(JoinError::Torn { .. })
    ));
    let mut short = manifest.clone();
    short.chunks.pop();
    assert!(matches!(join(REPORT, &short, all.values().copied()), Err(JoinError::Generation)));
}

#[test]
fn bad_data_is_a_typed_error() {
    use base64::Engine as _;
    let gzip = |text: &str| crate::report::chunk::encode(ChunkEncoding::Gzip, text).expect("gzip");
    assert!(matches!(decode(ChunkEncoding::Json, "{"), Err(DecodeError::Json(_))));
    assert!(
        matches!(decode(ChunkEncoding::Json, r#"{"schema":"ciem.dev/findings/v9","people":[]}"#), Err(DecodeError::Schema(schema)) if schema.ends_with("v9"))
    );
    assert!(matches!(decode(ChunkEncoding::Gzip, "not base64!"), Err(DecodeError::Base64(_))));
    let half: String = gzip(r#"{"identities":[],"schema":"ciem.dev/findings/v1"}"#)
        .chars()
        .take(24)
        .collect();
    assert!(matches!(decode(ChunkEncoding::Gzip, &half), Err(DecodeError::Gzip(_))));
    assert!(matches!(
        decode(ChunkEncoding::Gzip, &base64::engine::general_purpose::STANDARD.encode("text")),
        Err(DecodeError::Gzip(_))
    ));
    assert!(matches!(
        decode(ChunkEncoding::Gzip, &gzip(&" ".repeat(crate::report::TEXT_LIMIT + 1))),
        Err(DecodeError::TooLarge)
    ));
    assert!(matches!(
        decode(ChunkEncoding::Json, &"[".repeat(200_000)),
        Err(DecodeError::Json(_))
    ));
    assert_eq!(
        decode(ChunkEncoding::Gzip, &gzip(r#"{"identities":[],"schema":"ciem.dev/findings/v1"}"#)).expect("a chunk"),
        []
    );
}
