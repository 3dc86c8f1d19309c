//! What the tests of the operator share: a namespace with an operator of its own, and readable questions about what it wrote.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ciem::api::{AuditPolicy, AuditReport, AuditReportChunk, CloudAccount, RUN_NOW_ANNOTATION};
use ciem::model::Finding;
use ciem::report::{StoredChunk, join};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::harness::cluster::Cluster;
use crate::harness::namespace::Namespace;
use crate::harness::operator::{Operator, OperatorOptions};
use crate::harness::suite::repository;
use crate::harness::wait::eventually;

/// Long enough for a busy machine with two cores.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A namespace, an operator that watches it alone, and the operator's store.
pub struct World<'a> {
    pub cluster: &'a Cluster,
    pub namespace: Namespace,
    pub operator: Operator,
    pub client: Client,
    store: tempfile::TempDir,
}

/// How the operator is started.
#[derive(Default)]
pub struct Start {
    pub aws_endpoint: Option<String>,
    pub server: Option<String>,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, std::ffi::OsString)>,
    /// The namespace counts as the operator's own: ambient credentials are allowed in it.
    pub own_namespace: bool,
}

impl<'a> World<'a> {
    pub async fn start(cluster: &'a Cluster, prefix: &str, start: Start) -> Result<Self> {
        let namespace = Namespace::create(cluster, prefix).await?;
        let store = tempfile::tempdir()?;
        let mut arguments: Vec<String> = [
            "--store",
            &store.path().display().to_string(),
            "--watch-namespace",
            namespace.name(),
            "--log-format",
            "text",
        ]
        .map(str::to_owned)
        .to_vec();
        if let Some(endpoint) = start.aws_endpoint {
            arguments.extend(["--aws-endpoint".to_owned(), endpoint]);
        }
        if start.own_namespace {
            arguments.extend(["--namespace".to_owned(), namespace.name().to_owned()]);
        }
        arguments.extend(start.arguments);
        let options = OperatorOptions {
            binary: env!("CARGO_BIN_EXE_ciem").into(),
            manifests: repository().join("config/default"),
            server: start.server,
            arguments,
            environment: start.environment,
        };
        let mut operator = Operator::start(cluster, options).await?;
        operator.ready(PATIENCE).await?;
        let client = cluster.client().await?;
        Ok(Self {
            cluster,
            namespace,
            operator,
            client,
            store,
        })
    }

    /// The folder below which `storeRef` paths of this namespace are.
    pub fn store_folder(&self) -> PathBuf {
        self.store.path().join(self.namespace.name())
    }

    pub async fn apply(&self, manifests: &str) -> Result<()> {
        self.cluster.apply(self.namespace.name(), manifests).await.map(drop)
    }

    pub fn accounts(&self) -> Api<CloudAccount> {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    pub fn policies(&self) -> Api<AuditPolicy> {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    pub fn reports(&self) -> Api<AuditReport> {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    pub fn chunks(&self) -> Api<AuditReportChunk> {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    /// A CloudAccount that reads a recorded account from a ConfigMap of the same name.
    pub async fn recorded_account(&self, name: &str, content: &Value) -> Result<()> {
        let map =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"account.json": content.to_string()}});
        self.apply(&map.to_string()).await?;
        let account = json!({
            "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name},
            "spec": {"provider": "Snapshot", "snapshot": {"type": "ConfigMapRef", "configMapRef": {"name": name}}},
        });
        self.apply(&account.to_string()).await
    }

    /// An AuditPolicy that selects every account.
    pub async fn policy(&self, name: &str) -> Result<()> {
        let policy = json!({
            "apiVersion": "ciem.dev/v1alpha1", "kind": "AuditPolicy", "metadata": {"name": name}, "spec": {"accountSelector": {}},
        });
        self.apply(&policy.to_string()).await
    }

    /// Sets a new value of the run-now annotation of an account.
    pub async fn run_now(&self, account: &str, value: &str) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {RUN_NOW_ANNOTATION: value}}});
        self.accounts()
            .patch(account, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Takes the parts out, to join them with another borrow of the cluster.
    pub fn into_parts(self) -> (Namespace, Operator, tempfile::TempDir) {
        (self.namespace, self.operator, self.store)
    }

    /// Puts the parts together again.
    pub async fn join(cluster: &'a Cluster, (namespace, operator, store): (Namespace, Operator, tempfile::TempDir)) -> Result<Self> {
        Ok(Self {
            cluster,
            namespace,
            operator,
            client: cluster.client().await?,
            store,
        })
    }

    /// Waits for a condition of an account: status and reason.
    pub async fn account_condition(&self, account: &str, kind: &str, status: &str, reason: &str) -> Result<CloudAccount> {
        let accounts = self.accounts();
        eventually(PATIENCE, &format!("{account}: {kind}={status} ({reason})"), async || {
            let found = accounts.get(account).await?;
            let conditions = found.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
            let holds = conditions
                .iter()
                .any(|condition| condition.type_ == kind && condition.status == status && condition.reason == reason);
            ensure!(
                holds,
                "{:?}",
                conditions
                    .iter()
                    .map(|c| format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message))
                    .collect::<Vec<_>>()
            );
            Ok(Some(found))
        })
        .await
    }

    /// Waits until the only report of an account fulfils a condition.
    pub async fn report_when(&self, account: &str, what: &str, holds: impl Fn(&AuditReport) -> bool) -> Result<AuditReport> {
        let reports = self.reports();
        eventually(PATIENCE, &format!("the report of {account}: {what}"), async || {
            let found = reports
                .list(&ListParams::default().fields(&format!("spec.accountRef.name={account}")))
                .await?;
            ensure!(found.items.len() <= 1, "{} reports of {account}", found.items.len());
            Ok(found
                .items
                .into_iter()
                .find(|report| report.status.as_ref().is_some_and(|status| status.document.is_some()) && holds(report)))
        })
        .await
    }

    /// Waits for the first report of an account.
    pub async fn report(&self, account: &str) -> Result<AuditReport> {
        self.report_when(account, "appears", |_| true).await
    }

    /// Waits for the report of a run after the one that `before` shows.
    pub async fn next_report(&self, before: &AuditReport) -> Result<AuditReport> {
        let run = |report: &AuditReport| report.status.as_ref().and_then(|status| status.collected_at);
        let last = run(before);
        self.report_when(&before.spec.account_ref.name, "is of a newer snapshot", |report| run(report) > last)
            .await
    }

    /// The findings of a report, joined from its chunks; an error where they are not one whole generation.
    pub async fn findings(&self, report: &AuditReport) -> Result<Vec<Finding>> {
        let document = report
            .status
            .as_ref()
            .and_then(|status| status.document.as_ref())
            .context("the report has no document")?;
        let mut chunks = Vec::new();
        for reference in &document.manifest.chunks {
            chunks.push(self.chunks().get(&reference.name).await?);
        }
        let names: Vec<String> = chunks.iter().map(kube::ResourceExt::name_any).collect();
        let stored = chunks.iter().zip(&names).map(|(chunk, name)| StoredChunk {
            name,
            bucket: chunk.spec.bucket,
            encoding: chunk.spec.encoding,
            data: &chunk.spec.data,
        });
        Ok(join(&report.name_any(), &document.manifest, stored)?)
    }

    /// Name and resourceVersion of every chunk in the namespace.
    pub async fn chunk_versions(&self) -> Result<BTreeMap<String, String>> {
        let found = self.chunks().list_metadata(&ListParams::default()).await?;
        Ok(found
            .items
            .into_iter()
            .map(|chunk| (chunk.name_any(), chunk.resource_version().unwrap_or_default()))
            .collect())
    }

    /// The names of chunks that the manifest of a report lists.
    pub fn listed(report: &AuditReport) -> Vec<String> {
        let document = report.status.as_ref().and_then(|status| status.document.as_ref());
        document
            .map(|document| document.manifest.chunks.iter().map(|chunk| chunk.name.clone()).collect())
            .unwrap_or_default()
    }

    /// Waits until exactly the listed chunks of a report are there.
    pub async fn only_listed_chunks(&self, report: &AuditReport) -> Result<()> {
        let mut listed = Self::listed(report);
        listed.sort();
        eventually(PATIENCE, "only the listed chunks", async || {
            let own = ListParams::default().fields(&format!("spec.reportRef.name={}", report.name_any()));
            let mut there: Vec<String> = self
                .chunks()
                .list_metadata(&own)
                .await?
                .items
                .iter()
                .map(kube::ResourceExt::name_any)
                .collect();
            there.sort();
            ensure!(there == listed, "there are {there:?}, listed are {listed:?}");
            Ok(Some(()))
        })
        .await
    }

    /// The requests that wrote objects of a kind in this namespace, as the API server's audit log has them: verb and subresource.
    pub fn writes(&self, resource: &str) -> Result<Vec<String>> {
        let events = self.cluster.audit_events()?;
        let own = events.iter().filter(|event| {
            event["stage"] == "ResponseComplete"
                && event["objectRef"]["namespace"] == self.namespace.name()
                && event["objectRef"]["resource"] == resource
                && event["user"]["username"] == "system:serviceaccount:ciem-system:ciem-operator"
                && ["create", "update", "patch", "delete"].contains(&event["verb"].as_str().unwrap_or_default())
        });
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(own
            .map(|event| {
                format!("{} {}", text(&event["verb"]), text(&event["objectRef"]["subresource"]))
                    .trim_end()
                    .to_owned()
            })
            .collect())
    }
}
