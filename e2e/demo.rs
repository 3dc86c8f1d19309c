//! `make demo`: a control plane, a local AWS endpoint and the operator, with two accounts: one is collected from the endpoint, the other is a
//! recorded snapshot of the project's own builder. Ends with `kubectl get ciem` and the worst findings.

#[path = "harness/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod harness;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ciem::api::AuditReport;
use ciem::model::{Finding, FindingState};
use ciem::report::{StoredChunk, join};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use harness::aws::AwsEndpoint;
use harness::control_plane::{ControlPlane, Options};
use harness::operator::{Operator, OperatorOptions};
use harness::suite::repository;
use harness::wait::eventually;
use support::builder::{AccountBuilder, allow};
use support::demo::{DATA, SHOP, demo_accounts};

const NAMESPACE: &str = "security";
const PATIENCE: Duration = Duration::from_mins(2);
/// The keys of the demo's reader; they open nothing but the local endpoint.
const KEY_ID: &str = "AKIAEXAMPLEDEMO00001";
const KEY: &str = "demo-key-of-the-local-endpoint-0000000001";

#[tokio::main]
async fn main() -> Result<()> {
    let keep = std::env::var_os("KEEP").is_some_and(|keep| keep == "1");
    let begin = Instant::now();
    say("starting a Kubernetes control plane (the first time it is built, which takes some minutes)");
    let options = Options {
        crds: Some(repository().join("crds")),
        ..Options::default()
    };
    let mut plane = ControlPlane::start(options).await?;
    say("starting a local AWS endpoint");
    let mut endpoint = AwsEndpoint::start().await?;
    let [shop, data] = demo_accounts();
    endpoint.seed(&with_reader(shop)).await?;

    say("starting the operator under the ServiceAccount and RBAC of config/default");
    let store = plane.directory().join("store");
    let mut operator = Operator::start(
        &plane,
        OperatorOptions {
            binary: binary()?,
            manifests: repository().join("config/default"),
            server: None,
            arguments: [
                "--store",
                &store.display().to_string(),
                "--aws-endpoint",
                endpoint.url(),
                "--log-format",
                "text",
            ]
            .map(str::to_owned)
            .to_vec(),
            environment: Vec::new(),
        },
    )
    .await?;
    operator.ready(PATIENCE).await?;

    say("applying two CloudAccounts and an AuditPolicy");
    plane.kubectl(&["create", "namespace", NAMESPACE]).await?;
    for manifest in manifests(&data) {
        plane.apply(NAMESPACE, &manifest.to_string()).await?;
    }
    let client = plane.client().await?;
    let reports = reports(&client).await?;
    println!("\n$ kubectl get ciem -n {NAMESPACE}");
    println!("{}", plane.kubectl(&["get", "ciem", "-n", NAMESPACE]).await?);
    for report in &reports {
        print_worst(&client, report).await?;
    }
    say(&format!("done in {} s", begin.elapsed().as_secs()));
    if keep {
        leave_running(&mut plane, &mut endpoint, &mut operator)?;
    }
    Ok(())
}

fn say(what: &str) {
    println!("== {what}");
}

/// The product, built beside this program.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own
        .parent()
        .and_then(std::path::Path::parent)
        .context("this program has no folder")?;
    let binary = folder.join("ciem");
    ensure!(
        binary.is_file(),
        "{} is not there: build it with `cargo build --bin ciem`",
        binary.display()
    );
    Ok(binary)
}

/// The account with a user who may read what the operator reads, and that user's key.
#[expect(clippy::indexing_slicing, reason = "JSON of the project's own builder")]
fn with_reader(mut account: Value) -> Value {
    let policy = allow(&["iam:GetAccountAuthorizationDetails"], &["*"]);
    let built = AccountBuilder::new(SHOP)
        .user("ciem-reader", |user| user.inline("read-entitlements", policy))
        .build();
    if let Some(users) = account["UserDetailList"].as_array_mut() {
        users.push(built["UserDetailList"][0].clone());
    }
    account["accessKeys"] = json!([{"UserName": "ciem-reader", "AccessKeyId": KEY_ID, "SecretAccessKey": KEY}]);
    account
}

fn manifests(recorded: &Value) -> Vec<Value> {
    let meta = |name: &str| json!({"name": name, "labels": {"environment": "production"}});
    vec![
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-reader", "labels": {"ciem.dev/credential": "true"}},
            "stringData": {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY},
        }),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "data-platform"}, "data": {"account.json": recorded.to_string()}}),
        json!({
            "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": meta("shop"),
            "spec": {"provider": "AWS", "interval": "1h", "aws": {"accountId": SHOP, "auth": {"type": "SecretRef", "secretRef": {"name": "shop-reader", "type": "AwsKeys"}}}},
        }),
        json!({
            "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": meta("data-platform"),
            "spec": {"provider": "Snapshot", "interval": "1h", "snapshot": {"type": "ConfigMapRef", "configMapRef": {"name": "data-platform"}}},
        }),
        json!({
            "apiVersion": "ciem.dev/v1alpha1", "kind": "AuditPolicy", "metadata": {"name": "baseline"},
            "spec": {"accountSelector": {"matchLabels": {"environment": "production"}}},
        }),
    ]
}

/// The reports of both accounts, once each has been audited.
async fn reports(client: &Client) -> Result<Vec<AuditReport>> {
    let api: Api<AuditReport> = Api::namespaced(client.clone(), NAMESPACE);
    eventually(PATIENCE, "a report of both accounts", async || {
        let found = api.list(&ListParams::default()).await?.items;
        let ready = found
            .iter()
            .all(|report| report.status.as_ref().is_some_and(|status| status.document.is_some()));
        Ok((found.len() == 2 && ready).then_some(found))
    })
    .await
}

/// The open findings of one report, worst first, as joined from its chunks.
async fn print_worst(client: &Client, report: &AuditReport) -> Result<()> {
    let document = report
        .status
        .as_ref()
        .and_then(|status| status.document.as_ref())
        .context("the report has no document")?;
    let chunks: Api<ciem::api::AuditReportChunk> = Api::namespaced(client.clone(), NAMESPACE);
    let mut read = Vec::new();
    for reference in &document.manifest.chunks {
        read.push((reference.name.clone(), chunks.get(&reference.name).await?));
    }
    let stored = read.iter().map(|(name, chunk)| StoredChunk {
        name,
        bucket: chunk.spec.bucket,
        encoding: chunk.spec.encoding,
        data: &chunk.spec.data,
    });
    let mut findings: Vec<Finding> = join(&report.name_any(), &document.manifest, stored)?;
    findings.retain(|finding| finding.state == FindingState::Open);
    findings.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.rule.cmp(&other.rule)));
    let what = if document.scope == DATA { "recorded" } else { "collected" };
    println!(
        "Worst findings of {} (account {}, {what}), {} open:",
        report.spec.account_ref.name,
        document.scope,
        findings.len()
    );
    for finding in findings.iter().take(8) {
        println!(
            "  {:<8} {:<10} {}",
            finding.severity.as_str(),
            finding.rule,
            finding.evidence.summary
        );
    }
    println!();
    Ok(())
}

/// Everything goes on running after this program; says how to use and to end it.
fn leave_running(plane: &mut ControlPlane, endpoint: &mut AwsEndpoint, operator: &mut Operator) -> Result<()> {
    let kubeconfig = plane.kubeconfig().display().to_string();
    let operator = operator.leave_running()?;
    let endpoint = endpoint.leave_running()?;
    let plane = plane.leave_running()?;
    println!("It goes on running. Use it:\n  export KUBECONFIG={kubeconfig}\n  kubectl get ciem -n {NAMESPACE}");
    println!(
        "End it:\n  sh {} && sh {} && sh {}",
        operator.display(),
        endpoint.display(),
        plane.display()
    );
    Ok(())
}
