//! From CloudAccount to AuditReport: what is written, how often, and what goes again.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ciem::model::{Finding, ReportDocument};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::harness::aws;
use crate::harness::suite::shared;
use crate::harness::wait::eventually;
use crate::support::builder::{AccountBuilder, allow, trust_service};
use crate::support::demo::{DATA, PLANTED, SHOP, demo_accounts};
use crate::support::generate::generate;
use crate::world::{PATIENCE, Start, World};

fn document(report: &ciem::api::AuditReport) -> &ReportDocument {
    report.status.as_ref().unwrap().document.as_ref().unwrap()
}

/// Rule and identity of each finding.
fn found(findings: &[Finding]) -> BTreeSet<(String, String)> {
    findings
        .iter()
        .map(|finding| {
            (
                finding.identity.as_ref().map(|identity| identity.name.clone()).unwrap_or_default(),
                finding.rule.clone(),
            )
        })
        .collect()
}

fn planted(account: &str) -> BTreeSet<(String, String)> {
    PLANTED
        .iter()
        .filter(|(of, _, _)| *of == account)
        .map(|(_, identity, rule)| ((*identity).to_owned(), (*rule).to_owned()))
        .collect()
}

/// The planted problems of an account that a real collection read, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_collected_from_the_cloud_and_its_report_lists_exactly_what_is_planted() -> Result<()> {
    let endpoint = aws::AwsEndpoint::start().await?;
    let [shop, _] = demo_accounts();
    let mut seed = shop.clone();
    seed["accessKeys"] =
        json!([{"UserName": "ana", "AccessKeyId": "AKIAEXAMPLEDEMO00001", "SecretAccessKey": "canary-secret-of-the-demo-user-000000001"}]);
    // The collector's own user.
    seed["UserDetailList"].as_array_mut().context("users")?.push(reader(SHOP));
    seed["accessKeys"] = json!([{"UserName": "ciem-reader", "AccessKeyId": "AKIAEXAMPLEREADER001", "SecretAccessKey": CANARY}]);
    endpoint.seed(&seed).await?;
    let cluster = shared().await?.cluster();
    let mut world = World::start(
        cluster,
        "collected",
        Start {
            aws_endpoint: Some(endpoint.url().to_owned()),
            ..Start::default()
        },
    )
    .await?;
    world.apply(&secret("reader", "AKIAEXAMPLEREADER001", CANARY)).await?;
    world.apply(&aws_account("shop", SHOP, "reader")).await?;
    world.policy("baseline").await?;

    let report = world.report("shop").await?;
    let account = world.account_condition("shop", "Ready", "True", "Succeeded").await?;
    let status = account.status.context("no status")?;
    assert_eq!(
        status.identity.as_ref().map(|identity| identity.id.clone()),
        Some(format!("arn:aws:iam::{SHOP}:user/ciem-reader"))
    );
    assert!(status.last_collection.as_ref().is_some_and(|collection| collection.api_calls >= 2));
    let findings = world.findings(&report).await?;
    let mut expected = planted(SHOP);
    // The reader's policy sits on the user: AWS-EXC-13 is right to say so.
    expected.insert(("ciem-reader".to_owned(), "AWS-EXC-13".to_owned()));
    assert_eq!(found(&findings), expected);
    assert!(document(&report).counts.open.total() as usize == findings.len());
    assert_eq!(document(&report).provider.as_str(), "AWS");
    assert_eq!(document(&report).scope, SHOP);

    // Nothing secret anywhere: the log, status, Events, metrics.
    let log = world.operator.process().log()?;
    let described = world
        .cluster
        .kubectl(&["describe", "ciem,events", "-n", world.namespace.name()])
        .await?;
    let (_, metrics) = crate::harness::wait::http_get(world.operator.url(), "/metrics").await?;
    for (what, text) in [
        ("the log", &log),
        ("what kubectl describe shows", &described),
        ("the metrics", &metrics),
    ] {
        assert!(!text.contains(CANARY), "the secret is in {what}");
    }
    // The rights of config/ suffice.
    assert!(!log.contains("403"), "{log}");
    Ok(())
}

pub const CANARY: &str = "canary-secret-0123456789abcdefghijklmnop";

/// A user who may read what the operator reads.
pub fn reader(account: &str) -> Value {
    let policy = allow(&["iam:GetAccountAuthorizationDetails"], &["*"]);
    let built = AccountBuilder::new(account)
        .user("ciem-reader", |user| user.inline("read-entitlements", policy))
        .build();
    built["UserDetailList"][0].clone()
}

pub fn secret(name: &str, id: &str, key: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": {"ciem.dev/credential": "true"}},
        "stringData": {"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": key},
    })
    .to_string()
}

pub fn aws_account(name: &str, account: &str, secret: &str) -> String {
    json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name},
        "spec": {"provider": "AWS", "aws": {"accountId": account, "auth": {"type": "SecretRef", "secretRef": {"name": secret, "type": "AwsKeys"}}}},
    })
    .to_string()
}

/// A second run over the same snapshot: chunks untouched, one write of the report's status.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_found_nothing_new_writes_one_status_and_no_chunk() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "unchanged", Start::default()).await?;
    let [_, data] = demo_accounts();
    world.recorded_account("data", &data).await?;
    world.policy("baseline").await?;
    let first = world.report("data").await?;
    assert_eq!(found(&world.findings(&first).await?), planted(DATA));
    let chunks = world.chunk_versions().await?;
    let (reports, chunk_writes) = (world.writes("auditreports")?.len(), world.writes("auditreportchunks")?.len());

    world.run_now("data", "again").await?;
    let second = world.next_report(&first).await?;
    println!(
        "report resourceVersion {:?} -> {:?}, chunks {chunks:?}",
        first.resource_version(),
        second.resource_version()
    );
    assert_eq!(world.chunk_versions().await?, chunks, "chunks are untouched");
    assert_eq!(document(&second).manifest, document(&first).manifest);
    assert_eq!(document(&second).delta.new + document(&second).delta.resolved, 0);
    assert_eq!(world.findings(&second).await?, world.findings(&first).await?, "firstSeen too");
    assert_eq!(world.writes("auditreportchunks")?.len(), chunk_writes);
    assert_eq!(world.writes("auditreports")?[reports..], ["patch status"], "one status write");
    Ok(())
}

/// One changed role among thousands rewrites one chunk.
#[tokio::test(flavor = "multi_thread")]
async fn one_changed_role_rewrites_one_chunk() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "changed", Start::default()).await?;
    std::fs::create_dir_all(world.store_folder().join("recorded"))?;
    let file = world.store_folder().join("recorded/large.json");
    let mut account = generate(7, 3_000, 100, 300);
    std::fs::write(&file, account.to_string())?;
    let object = json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "large"},
        "spec": {"provider": "Snapshot", "snapshot": {"type": "StoreRef", "storeRef": {"path": "recorded/large.json"}}},
    });
    world.apply(&object.to_string()).await?;
    world.policy("baseline").await?;
    let first = world.report("large").await?;
    let before = world.chunk_versions().await?;
    println!("{} findings in {} chunks", document(&first).counts.open.total(), before.len());
    ensure!(before.len() >= 4, "too few chunks to tell anything: {}", before.len());

    // A role that people can change and that has no finding yet.
    let named: BTreeSet<String> = world
        .findings(&first)
        .await?
        .iter()
        .filter_map(|finding| Some(finding.identity.as_ref()?.id.clone()))
        .collect();
    let quiet = |role: &&mut Value| {
        let plain = role["Path"] == "/" && role.get("PermissionsBoundary").is_none_or(Value::is_null);
        plain && !named.contains(role["Arn"].as_str().unwrap_or_default())
    };
    let role = account["RoleDetailList"]
        .as_array_mut()
        .and_then(|roles| roles.iter_mut().find(quiet))
        .context("no quiet role")?;
    role["RolePolicyList"] = json!([{"PolicyName": "everything", "PolicyDocument": allow(&["*"], &["*"])}]);
    role["AssumeRolePolicyDocument"] = trust_service("ec2.amazonaws.com");
    std::fs::write(&file, account.to_string())?;
    world.run_now("large", "again").await?;
    let second = world.next_report(&first).await?;
    world.only_listed_chunks(&second).await?;
    let after = world.chunk_versions().await?;
    let written = after.iter().filter(|(name, version)| before.get(*name) != Some(version)).count();
    println!("{written} of {} chunks written, delta {:?}", after.len(), document(&second).delta);
    assert_eq!(written, 1);
    assert!(document(&second).delta.new >= 1);
    Ok(())
}

/// The command line over the same bytes says the same, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_gives_the_same_findings_byte_for_byte() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "same", Start::default()).await?;
    let [_, data] = demo_accounts();
    world.recorded_account("data", &data).await?;
    world.policy("baseline").await?;
    let first = world.report("data").await?;
    world.run_now("data", "again").await?;
    let second = world.next_report(&first).await?;

    let folder = tempfile::tempdir()?;
    let (file, previous) = (folder.path().join("account.json"), folder.path().join("previous.json"));
    std::fs::write(&file, data.to_string())?;
    let audit = |now: String, previous: Option<&std::path::Path>| -> Result<Vec<u8>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ciem"));
        command.args(["audit", "-o", "json", "--now", &now, "--snapshot"]).arg(&file);
        if let Some(previous) = previous {
            command.arg("--previous").arg(previous);
        }
        let out = command.output()?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(out.stdout)
    };
    std::fs::write(&previous, audit(document(&first).last_run_time.to_string(), None)?)?;
    let text = String::from_utf8(audit(document(&second).last_run_time.to_string(), Some(&previous))?)?;
    let printed: Value = serde_json::from_str(&text)?;
    let findings = world.findings(&second).await?;
    assert_eq!(printed["findings"].as_array().map(Vec::len), Some(findings.len()));
    let mut chunks = String::new();
    for name in World::listed(&second) {
        chunks += &world.chunks().get(&name).await?.spec.data;
    }
    for finding in &findings {
        let bytes = serde_json_canonicalizer::to_string(finding)?;
        assert!(text.contains(&bytes), "not in the command line's answer: {bytes}");
        assert!(chunks.contains(&bytes), "not in the chunks: {bytes}");
    }
    Ok(())
}

/// A deleted policy takes its reports and chunks with it; a deleted or deselected account loses its report.
#[tokio::test(flavor = "multi_thread")]
async fn reports_go_with_their_policy_and_their_account() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "gone", Start::default()).await?;
    let [shop, data] = demo_accounts();
    world.recorded_account("shop", &shop).await?;
    world.recorded_account("data", &data).await?;
    world.policy("baseline").await?;
    world.report("shop").await?;
    world.report("data").await?;

    let reports_of = async |account: &str| -> Result<usize> {
        Ok(world
            .reports()
            .list_metadata(&ListParams::default().fields(&format!("spec.accountRef.name={account}")))
            .await?
            .items
            .len())
    };
    let chunks_of = async |account: &str| -> Result<usize> {
        Ok(world
            .chunks()
            .list_metadata(&ListParams::default().labels(&format!("ciem.dev/account={account}")))
            .await?
            .items
            .len())
    };
    assert!(chunks_of("shop").await? > 0);
    world.accounts().delete("shop", &DeleteParams::default()).await?;
    eventually(PATIENCE, "the report of the deleted account is gone", async || {
        Ok((reports_of("shop").await? == 0 && chunks_of("shop").await? == 0).then_some(()))
    })
    .await?;
    assert_eq!(reports_of("data").await?, 1);

    world.policies().delete("baseline", &DeleteParams::default()).await?;
    eventually(PATIENCE, "everything of the deleted policy is gone", async || {
        let chunks = world.chunk_versions().await?;
        Ok((reports_of("data").await? == 0 && chunks.is_empty()).then_some(()))
    })
    .await
}

/// A policy waits for its schedule; an exemption excuses, and is counted.
#[tokio::test(flavor = "multi_thread")]
async fn exemptions_overrides_and_a_run_on_demand() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "policy", Start::default()).await?;
    let [_, data] = demo_accounts();
    world.recorded_account("data", &data).await?;
    let policy = json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "AuditPolicy", "metadata": {"name": "strict"},
        "spec": {
            "accountSelector": {}, "schedule": {"cron": "0 3 1 1 *", "timeZone": "Europe/Berlin"},
            "rules": {"severityOverrides": [{"rule": "AWS-EXC-13", "severity": "High"}]},
            "exemptions": [
                {"name": "emergency", "rules": ["AWS-EXC-01"], "identity": {"names": ["break-glass-admin"]}, "reason": "sealed", "approvedBy": "security@example.com", "expiresAt": "2099-01-01T00:00:00Z"},
                {"name": "over", "rules": ["AWS-EXC-02"], "reason": "migration", "approvedBy": "security@example.com", "expiresAt": "2020-01-01T00:00:00Z"},
            ],
        },
    });
    world.apply(&policy.to_string()).await?;
    world.account_condition("data", "Ready", "True", "Succeeded").await?;
    assert!(
        world.reports().list(&ListParams::default()).await?.items.is_empty(),
        "the schedule has not come"
    );

    let patch = json!({"metadata": {"annotations": {"ciem.dev/run-now": "1"}}});
    world
        .policies()
        .patch("strict", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(patch))
        .await?;
    let report = world.report("data").await?;
    let findings = world.findings(&report).await?;
    let of = |rule: &str| findings.iter().find(|finding| finding.rule == rule).unwrap();
    assert_eq!(
        (format!("{:?}", of("AWS-EXC-01").state), of("AWS-EXC-01").exemption.as_deref()),
        ("Exempted".to_owned(), Some("emergency"))
    );
    assert_eq!(format!("{:?}", of("AWS-EXC-02").state), "Open");
    assert_eq!(of("AWS-EXC-13").severity.as_str(), "High");
    assert_eq!(document(&report).counts.exempted.total(), 1);
    let policy = eventually(PATIENCE, "the run is handled", async || {
        let policy = world.policies().get("strict").await?;
        let handled = policy
            .status
            .as_ref()
            .is_some_and(|status| status.last_handled_run_now.as_deref() == Some("1"));
        Ok(handled.then_some(policy))
    })
    .await?;
    let exemptions = policy
        .status
        .and_then(|status| status.exemptions)
        .context("no exemptions in status")?;
    assert_eq!((exemptions.active, exemptions.expired), (1, vec!["over".to_owned()]));
    Ok(())
}
