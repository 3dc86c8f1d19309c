use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::model::{Evidence, EvidenceClass, Finding, FindingId, FindingState, Provider, Remediation, RunRecord, Severity, SeverityCounts};
use crate::snapshot::{SCHEMA, Section, SectionKind, sha256};

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().join("store")).unwrap();
    (directory, store)
}

fn account() -> AccountKey {
    AccountKey::new("team-a", "prod").unwrap()
}

fn policy() -> Name {
    Name::new("baseline").unwrap()
}

fn snapshot(number: u32) -> Snapshot {
    let section = Section::read("x", None, SectionKind::Entitlements, &json!([number])).unwrap();
    Snapshot {
        collected_at: None,
        collector: "test".to_owned(),
        provider: Provider::Aws,
        schema: SCHEMA.to_owned(),
        scope: "111111111111".to_owned(),
        sections: [("users".to_owned(), section)].into(),
    }
}

fn content(snapshots: &[Snapshot]) -> &str {
    snapshots[0].sections["users"].content.get()
}

fn run(number: u32) -> CompleteRun {
    CompleteRun {
        provider: Provider::Aws,
        scope: "111111111111".to_owned(),
        record: record(number),
        findings: Vec::new(),
    }
}

fn record(number: u32) -> RunRecord {
    RunRecord {
        time: "2025-11-25T06:00:00Z".parse().unwrap(),
        open: SeverityCounts::default(),
        new: number,
        resolved: 0,
        generation: String::new(),
        findings_digest: String::new(),
        engine: "0.1.0".to_owned(),
        rule_catalogue: "1".to_owned(),
        exemptions: Vec::new(),
        snapshots: Vec::new(),
        snapshots_total: 0,
    }
}

/// The files of a series, oldest first.
fn files(store: &Store, directory: &str) -> Vec<PathBuf> {
    let mut files = list(&store.root.join(directory)).unwrap();
    files.sort();
    files
}

const SNAPSHOTS: &str = "team-a/prod/snapshots";

#[test]
fn nothing_kept_is_nothing_found() {
    let (_directory, store) = store();
    assert!(store.snapshots(&account()).unwrap().is_none());
    assert!(store.findings(&account(), &policy()).unwrap().is_none());
    assert!(store.runs(&account(), &policy()).unwrap().is_empty());
    assert!(store.accounts().unwrap().is_empty() && store.policies(&account()).unwrap().is_empty());
    store.remove_account(&account()).unwrap();
    store.remove_policy(&account().namespace, &policy()).unwrap();
}

#[test]
fn the_newest_snapshot_is_found_and_a_few_before_it_stay() {
    let (_directory, store) = store();
    for number in 1..=12 {
        let reference = store.put_snapshots(&account(), &[snapshot(number)]).unwrap();
        let found = store.snapshots(&account()).unwrap().unwrap();
        assert_eq!(
            (content(&found.value), found.reference.as_str()),
            (format!("[{number}]").as_str(), reference.as_str())
        );
        assert!(found.passed_over.is_empty());
        assert_eq!(content(&store.get(&reference).unwrap()), format!("[{number}]"));
    }
    assert_eq!(files(&store, SNAPSHOTS).len(), KEEP);
    // Another store on the same directory sees the same: nothing is in memory alone.
    let again = Store::open(&store.root).unwrap();
    assert_eq!(content(&again.snapshots(&account()).unwrap().unwrap().value), "[12]");
}

#[test]
fn equal_content_is_not_written_twice() {
    let (_directory, store) = store();
    let first = store.put_snapshots(&account(), &[snapshot(1)]).unwrap();
    assert_eq!(store.put_snapshots(&account(), &[snapshot(1)]).unwrap(), first);
    assert_eq!(files(&store, SNAPSHOTS).len(), 1);
    // But damage is mended.
    fs::write(store.root.join(&first), "torn").unwrap();
    let mended = store.put_snapshots(&account(), &[snapshot(1)]).unwrap();
    assert_ne!(mended, first);
    assert_eq!(content(&store.snapshots(&account()).unwrap().unwrap().value), "[1]");
}

#[rstest]
#[case::torn(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2))]
#[case::empty(|bytes: &mut Vec<u8>| bytes.clear())]
#[case::flipped(|bytes: &mut Vec<u8>| bytes[9] ^= 1)]
#[case::longer(|bytes: &mut Vec<u8>| bytes.push(0))]
fn damage_is_reported_and_the_one_before_is_used(#[case] damage: fn(&mut Vec<u8>)) {
    let (_directory, store) = store();
    store.put_snapshots(&account(), &[snapshot(1)]).unwrap();
    let newest = store.root.join(store.put_snapshots(&account(), &[snapshot(2)]).unwrap());
    let mut bytes = fs::read(&newest).unwrap();
    damage(&mut bytes);
    fs::write(&newest, bytes).unwrap();
    let found = store.snapshots(&account()).unwrap().unwrap();
    assert_eq!(content(&found.value), "[1]");
    assert!(
        matches!(&found.passed_over[..], [StoreError::Damaged { path }] if *path == newest),
        "{:?}",
        found.passed_over
    );
    // Where nothing is left to use, that is an error and not "nothing kept".
    for file in files(&store, SNAPSHOTS) {
        fs::write(file, "").unwrap();
    }
    assert!(matches!(store.snapshots(&account()), Err(StoreError::Damaged { path }) if path == newest));
}

#[test]
fn findings_and_runs_are_kept_by_policy() {
    let (_directory, store) = store();
    for number in 1..=5 {
        store.put_findings(&account(), &policy(), &run(number)).unwrap();
        store
            .put_run(
                &account(),
                &policy(),
                &StoredRun {
                    complete: number != 4,
                    record: record(number),
                },
            )
            .unwrap();
    }
    assert_eq!(store.findings(&account(), &policy()).unwrap().unwrap().value, run(5));
    let runs: Vec<StoredRun> = store.runs(&account(), &policy()).unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(
        runs.iter().map(|run| (run.record.new, run.complete)).collect::<Vec<_>>(),
        [(5, true), (4, false), (3, true), (2, true), (1, true)]
    );
    assert_eq!(store.policies(&account()).unwrap(), [policy()]);
    let other = Name::new("strict").unwrap();
    assert!(store.findings(&account(), &other).unwrap().is_none());
}

fn finding(id: &str) -> Finding {
    Finding {
        id: FindingId(id.to_owned()),
        rule: "AWS-EXC-01".to_owned(),
        severity: Severity::Critical,
        score: None,
        identity: None,
        resource: None,
        discriminator: "ü\n".to_owned(),
        evidence: Evidence {
            class: EvidenceClass::Configuration,
            source: "roles".to_owned(),
            summary: String::new(),
            statements: Vec::new(),
            truncated: false,
        },
        conditions: None,
        remediation: Remediation {
            kind: "shrink".to_owned(),
            summary: String::new(),
            artefacts: BTreeMap::new(),
        },
        references: Vec::new(),
        first_seen: "2025-11-25T06:00:00Z".parse().unwrap(),
        state: FindingState::Open,
        exemption: None,
    }
}

#[test]
fn findings_have_the_digest_of_their_run_record() {
    let (_directory, store) = store();
    let mut complete = run(1);
    complete.findings = vec![finding("0a"), finding("0b")];
    let lines: String = complete
        .findings
        .iter()
        .map(|finding| serde_json_canonicalizer::to_string(finding).unwrap() + "\n")
        .collect();
    complete.record.findings_digest = sha256(lines.as_bytes());
    let reference = store.put_findings(&account(), &policy(), &complete).unwrap();
    assert_eq!(store.findings(&account(), &policy()).unwrap().unwrap().value, complete);
    // The file is JSON Lines: head, then exactly what was digested.
    let file = zstd::decode_all(fs::File::open(store.root.join(reference)).unwrap()).unwrap();
    let (_, rest) = std::str::from_utf8(&file).unwrap().split_once('\n').unwrap();
    assert_eq!(rest, lines);
    complete.findings.pop();
    let error = store.put_findings(&account(), &policy(), &complete).unwrap_err();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
}

#[test]
fn a_document_of_another_version_is_named_and_passed_over() {
    let (_directory, store) = store();
    store.put_findings(&account(), &policy(), &run(1)).unwrap();
    let series = Series::new(store.root.join(findings(&account(), &policy())));
    let newer = zstd::encode_all(br#"{"schema":"ciem.dev/findings-of-run/v9"}"#.as_slice(), 1).unwrap();
    series.put(&newer, KEEP).unwrap();
    let found = store.findings(&account(), &policy()).unwrap().unwrap();
    assert_eq!(found.value, run(1));
    assert!(
        found.passed_over[0]
            .to_string()
            .contains("its schema is 'ciem.dev/findings-of-run/v9'"),
        "{}",
        found.passed_over[0]
    );
}

#[test]
fn accounts_and_policies_are_listed_and_forgotten() {
    let (_directory, store) = store();
    let other = AccountKey::new("team-b", "prod").unwrap();
    store.put_snapshots(&account(), &[snapshot(1)]).unwrap();
    store.put_findings(&account(), &policy(), &run(1)).unwrap();
    store.put_findings(&other, &policy(), &run(1)).unwrap();
    fs::create_dir_all(store.root.join("team-a/uploads")).unwrap();
    fs::create_dir_all(store.root.join("Not-A-Name/prod/snapshots")).unwrap();
    assert_eq!(store.accounts().unwrap(), [account(), other.clone()]);
    store.remove_policy(&account().namespace, &policy()).unwrap();
    assert!(store.findings(&account(), &policy()).unwrap().is_none());
    assert!(store.findings(&other, &policy()).unwrap().is_some() && store.snapshots(&account()).unwrap().is_some());
    store.remove_account(&account()).unwrap();
    assert_eq!(store.accounts().unwrap(), [other]);
}

#[rstest]
#[case("", false)]
#[case("..", false)]
#[case(".hidden", false)]
#[case("a/b", false)]
#[case("a\0b", false)]
#[case("Upper", false)]
#[case("-a", false)]
#[case("a-", false)]
#[case("a.b-c.4", true)]
#[case("111111111111", true)]
fn names_are_safe_as_directories(#[case] name: &str, #[case] good: bool) {
    assert_eq!(Name::new(name).is_ok(), good);
    assert!(Name::new(&"a".repeat(253)).is_ok() && Name::new(&"a".repeat(254)).is_err());
}

#[test]
fn files_that_people_put_there_are_read_in_any_form() {
    let (_directory, store) = store();
    let namespace = account().namespace;
    fs::create_dir_all(store.root.join("team-a/uploads")).unwrap();
    fs::write(
        store.root.join("team-a/uploads/account.json"),
        r#"{"AccountId":"111111111111","UserDetailList":[]}"#,
    )
    .unwrap();
    assert_eq!(
        store.get_below(&namespace, "uploads/account.json").unwrap()[0].scope,
        "111111111111"
    );
    fs::write(store.root.join("team-a/uploads/bad.json"), r#"{"UserDetailList":[5]}"#).unwrap();
    let error = store.get_below(&namespace, "uploads/bad.json").unwrap_err().to_string();
    assert!(
        error.contains("uploads/bad.json cannot be used: UserDetailList[0] (line 1, column 20): expected an object, found a number"),
        "{error}"
    );
}

#[test]
fn references_stay_in_their_folder() {
    let (directory, store) = store();
    let namespace = account().namespace;
    let outside = directory.path().join("outside.json");
    fs::write(&outside, r#"{"AccountId":"111111111111"}"#).unwrap();
    fs::create_dir_all(store.root.join("team-a/sub")).unwrap();
    fs::create_dir_all(store.root.join("team-b")).unwrap();
    fs::write(store.root.join("team-b/secret.json"), r#"{"AccountId":"222222222222"}"#).unwrap();
    symlink(&outside, store.root.join("team-a/link.json")).unwrap();
    symlink("../team-b/secret.json", store.root.join("team-a/neighbour.json")).unwrap();
    symlink(directory.path(), store.root.join("team-a/up")).unwrap();
    for path in [
        "../team-b/secret.json",
        "sub/../../team-b/secret.json",
        "/etc/passwd",
        "",
        ".",
        "./x",
        "link.json",
        "neighbour.json",
        "up/outside.json",
    ] {
        assert!(matches!(store.get_below(&namespace, path), Err(StoreError::Outside(_))), "{path}");
    }
    assert!(matches!(store.get_below(&namespace, "none.json"), Err(StoreError::NotFound(_))));
    assert!(matches!(store.get("none.json"), Err(StoreError::NotFound(_))));
    assert!(matches!(store.get("../outside.json"), Err(StoreError::Name(_))));
    assert!(matches!(store.get_below(&namespace, "sub"), Err(StoreError::Unusable { .. })));
    // A whole namespace, or an account, that is a link is not followed either.
    symlink(directory.path(), store.root.join("linked")).unwrap();
    assert!(matches!(store.get("linked/outside.json"), Err(StoreError::Outside(_))));
    symlink(directory.path(), store.root.join("team-a/prod")).unwrap();
    assert!(matches!(store.put_snapshots(&account(), &[snapshot(1)]), Err(StoreError::Outside(_))));
    assert!(store.accounts().unwrap().is_empty());
}

#[test]
fn what_a_dead_writer_left_is_never_taken_and_swept_later() {
    let (_directory, store) = store();
    store.put_snapshots(&account(), &[snapshot(1)]).unwrap();
    let folder = store.root.join(SNAPSHOTS);
    let (old, young) = (folder.join(".new-1-0"), folder.join(".new-2-0"));
    fs::write(&old, "half").unwrap();
    fs::write(&young, "half").unwrap();
    let written = fs::metadata(&young).unwrap().modified().unwrap();
    fs::File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(written - Duration::from_hours(2))
        .unwrap();
    assert_eq!(content(&store.snapshots(&account()).unwrap().unwrap().value), "[1]");
    store.put_snapshots(&account(), &[snapshot(2)]).unwrap();
    assert!(!old.exists() && young.exists());
    assert_eq!(content(&store.snapshots(&account()).unwrap().unwrap().value), "[2]");
}

#[test]
fn writers_at_the_same_time_lose_no_reader() {
    let (_directory, store) = store();
    store.put_snapshots(&account(), &[snapshot(0)]).unwrap();
    std::thread::scope(|scope| {
        for writer in 1..=4 {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    store.put_snapshots(&account(), &[snapshot(writer * 100 + number)]).unwrap();
                }
            });
        }
        for _ in 0..50 {
            // A file may be gone between listing and reading; another one is there.
            assert!(store.snapshots(&account()).unwrap().is_some());
        }
    });
    let found = store.snapshots(&account()).unwrap().unwrap();
    assert!(found.passed_over.is_empty());
    assert!(
        files(&store, SNAPSHOTS)
            .iter()
            .all(|file| file.extension().is_some_and(|extension| extension == "zst"))
    );
}

#[test]
fn an_unwritable_place_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(file.join("store")).unwrap_err();
    assert!(error.to_string().starts_with("store: cannot create"), "{error}");
    let store = Store::open(directory.path().join("store")).unwrap();
    fs::write(store.root.join("team-a"), "").unwrap();
    assert!(matches!(store.put_snapshots(&account(), &[snapshot(1)]), Err(StoreError::Outside(path)) if path == "team-a"));
    assert!(matches!(store.snapshots(&account()), Err(StoreError::Io { action: "list", .. })));
}
