//! An account of 10,000 roles and 50,000 findings: what its report takes.

use super::*;
use crate::model::ChunkEncoding;
use crate::report::{canonical, stored_length};

/// Prints sizes, for `--nocapture`.
fn show(name: &str, plan: &ReportPlan) {
    let bytes: usize = plan.chunks.iter().map(|chunk| chunk.data.len()).sum();
    let largest = plan.chunks.iter().map(|chunk| stored_length(&chunk.data)).max().unwrap_or_default();
    println!(
        "{name}: {} chunks in {} buckets, {bytes} bytes of data, largest stored {largest}, status {} bytes, {} findings left out",
        plan.chunks.len(),
        plan.document.manifest.buckets,
        status_length(&plan.document),
        plan.document
            .truncation
            .as_ref()
            .map_or(0, |truncation| truncation.findings_dropped.total()),
    );
}

#[test]
fn ten_thousand_roles_with_fifty_thousand_findings() {
    let mut given = Given::new(account(10_000, 5));
    let json: usize = given
        .outcome
        .findings
        .iter()
        .take(1_000)
        .map(|finding| canonical(finding).expect("json").len())
        .sum();
    println!("findings: {} bytes of JSON each", json / 1_000);

    let default = given.plan(None);
    assert_bounds(&default);
    show("default", &default);
    assert_eq!(default.document.truncation, None, "nothing is left out");
    assert_eq!(default.document.manifest.encoding, ChunkEncoding::Gzip);
    assert_eq!(default.chunks.iter().map(|chunk| chunk.reference.findings).sum::<u32>(), 50_000);

    given.settings.min_severity = Some(Severity::Medium);
    given.compress_above = usize::MAX;
    let json = given.plan(None);
    assert_bounds(&json);
    show("medium and worse, as JSON", &json);
    assert_eq!(json.document.manifest.encoding, ChunkEncoding::Json);
    assert_eq!(json.document.truncation, None);
}
