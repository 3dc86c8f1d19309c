//! A namespace for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace as KubernetesNamespace;
use kube::Api;
use kube::api::PostParams;

use super::cluster::{Cluster, Kubectl};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A namespace that no other test uses. Dropping it asks for its deletion and does not wait.
pub struct Namespace {
    name: String,
    kubectl: Kubectl,
}

impl Namespace {
    /// Makes `PREFIX-PID-NUMBER`.
    pub async fn create(cluster: &Cluster, prefix: &str) -> Result<Self> {
        let api: Api<KubernetesNamespace> = Api::all(cluster.client().await?);
        loop {
            let name = format!("{prefix}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
            let mut namespace = KubernetesNamespace::default();
            namespace.metadata.name = Some(name.clone());
            match api.create(&PostParams::default(), &namespace).await {
                Ok(_) => {
                    return Ok(Self {
                        name,
                        kubectl: cluster.kubectl_command().clone(),
                    });
                }
                // Left over in a cluster of E2E_KUBECONFIG.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = self
            .kubectl
            .run_blocking(&["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"], "")
        {
            eprintln!("namespace {} stays: {error:#}", self.name);
        }
    }
}
