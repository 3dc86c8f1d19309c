//! What the tests of one binary share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::cluster::Cluster;
use super::control_plane::{ControlPlane, Options};
use super::namespace::Namespace;
use super::tools::Tools;
use super::wait::eventually;

/// The cluster that all tests share: the control plane of this binary, or what `E2E_KUBECONFIG` names.
pub enum Suite {
    Own(Box<ControlPlane>),
    External(Cluster),
}

impl Suite {
    pub fn cluster(&self) -> &Cluster {
        match self {
            Self::Own(plane) => plane,
            Self::External(cluster) => cluster,
        }
    }

    async fn start() -> Result<Self> {
        let crds = Some(repository().join("crds")).filter(|folder| folder.join("kustomization.yaml").is_file());
        let suite = match external_kubeconfig() {
            Some(kubeconfig) => {
                if !kubeconfig.is_file() {
                    bail!("E2E_KUBECONFIG names {}, which is not a file", kubeconfig.display());
                }
                let cluster = Cluster::new(Tools::locate().await?.path("kubectl"), kubeconfig, None);
                if let Some(crds) = &crds {
                    cluster.install(crds).await?;
                }
                Self::External(cluster)
            }
            None => Self::Own(Box::new(
                ControlPlane::start(Options {
                    crds,
                    ..Options::default()
                })
                .await?,
            )),
        };
        garbage_collector_ready(suite.cluster()).await?;
        Ok(suite)
    }
}

static SHARED: OnceCell<Result<Suite, String>> = OnceCell::const_new();

/// The shared cluster, with the CRDs of `crds/` and a garbage collector that knows them. The first caller starts it; when
/// that fails, every caller gets the reason. Its watchdog ends it when this binary ends.
pub async fn shared() -> Result<&'static Suite> {
    let started = SHARED
        .get_or_init(async || Suite::start().await.map_err(|error| format!("{error:#}")))
        .await;
    started.as_ref().map_err(|error| anyhow!("no cluster: {error}"))
}

/// Two at once: each takes a processor for its start and 430 MB.
static OWN: Semaphore = Semaphore::const_new(2);

/// A control plane of one test's own, to be disturbed. Nothing, with a line that says so, where `E2E_KUBECONFIG` forbids it.
pub async fn own(options: Options) -> Result<Option<OwnControlPlane>> {
    let Some(turn) = own_turn().await? else {
        return Ok(None);
    };
    Ok(Some(OwnControlPlane {
        plane: ControlPlane::start(options).await?,
        _turn: turn,
    }))
}

/// The right to run a control plane, for a test that starts it by other means.
pub async fn own_turn() -> Result<Option<SemaphorePermit<'static>>> {
    if external_kubeconfig().is_some() {
        eprintln!("skipped: this test disturbs a control plane of its own, and E2E_KUBECONFIG names a cluster to use instead");
        return Ok(None);
    }
    Ok(Some(OWN.acquire().await?))
}

/// Keeps the number of control planes bounded while it lives.
pub struct OwnControlPlane {
    pub plane: ControlPlane,
    _turn: SemaphorePermit<'static>,
}

/// Returns when the garbage collector works, and works for the kinds of `ciem.dev` where these are installed: it learns of
/// new kinds up to 40 s late.
pub async fn garbage_collector_ready(cluster: &Cluster) -> Result<()> {
    let namespace = Namespace::create(cluster, "garbage").await?;
    let kinds = cluster.kubectl(&["api-resources", "--api-group=ciem.dev", "-o", "name"]).await?;
    let (version, kind, spec) = if kinds.lines().any(|kind| kind == "auditpolicies.ciem.dev") {
        ("ciem.dev/v1alpha1", "AuditPolicy", json!({"accountSelector": {}}))
    } else {
        ("v1", "ConfigMap", Value::Null)
    };
    let apply = async |name: &str, owners: Value| {
        let mut manifest = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "ownerReferences": owners}});
        if let (Some(fields), false) = (manifest.as_object_mut(), spec.is_null()) {
            fields.insert("spec".to_owned(), spec.clone());
        }
        cluster.apply(namespace.name(), &manifest.to_string()).await
    };
    let kubectl = async |arguments: &[&str]| cluster.kubectl(&[&["-n", namespace.name()], arguments].concat()).await;
    apply("owner", json!([])).await?;
    let uid = kubectl(&["get", kind, "owner", "-o", "jsonpath={.metadata.uid}"]).await?;
    apply(
        "dependent",
        json!([{"apiVersion": version, "kind": kind, "name": "owner", "uid": uid}]),
    )
    .await?;
    kubectl(&["delete", kind, "owner"]).await?;
    eventually(Duration::from_secs(90), "collection of an object whose owner is gone", async || {
        Ok(kubectl(&["get", kind, "dependent", "--ignore-not-found", "-o", "name"])
            .await?
            .is_empty()
            .then_some(()))
    })
    .await
}

/// The checkout that this was compiled in.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn external_kubeconfig() -> Option<PathBuf> {
    std::env::var_os("E2E_KUBECONFIG").map(PathBuf::from)
}
