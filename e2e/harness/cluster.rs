//! Access to a cluster as its administrator.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::wait::eventually;

/// A cluster made for tests: the kubeconfig of its administrator and the kubectl to use with it.
pub struct Cluster {
    kubectl: Kubectl,
    /// Only of a control plane that this program started.
    audit_log: Option<PathBuf>,
    /// The kustomize folders that were applied already.
    installed: tokio::sync::Mutex<BTreeSet<PathBuf>>,
}

/// kubectl with the administrator's kubeconfig.
#[derive(Debug, Clone)]
pub struct Kubectl {
    binary: PathBuf,
    kubeconfig: PathBuf,
}

impl Cluster {
    pub fn new(kubectl: PathBuf, kubeconfig: PathBuf, audit_log: Option<PathBuf>) -> Self {
        Self {
            kubectl: Kubectl {
                binary: kubectl,
                kubeconfig,
            },
            audit_log,
            installed: tokio::sync::Mutex::default(),
        }
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubectl.kubeconfig
    }

    /// One JSON object a line (audit.k8s.io/v1 Event, level Metadata); nothing for a cluster of `E2E_KUBECONFIG`.
    pub fn audit_log(&self) -> Option<&Path> {
        self.audit_log.as_deref()
    }

    /// The finished requests of the audit log, oldest first.
    pub fn audit_events(&self) -> Result<Vec<Value>> {
        let path = self.audit_log().context("this cluster has no audit log here")?;
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        // The last line may be half written.
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(events.filter(|event| event["stage"] == "ResponseComplete").collect())
    }

    /// A client as administrator. Of the calling test's runtime: make one for each test.
    pub async fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.config().await?)?)
    }

    /// A client that has only this bearer token.
    pub async fn client_with_token(&self, token: &str) -> Result<Client> {
        let mut config = self.config().await?;
        config.auth_info = AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        };
        Ok(Client::try_from(config)?)
    }

    /// The address, certificate authority and credentials of the administrator.
    pub async fn config(&self) -> Result<Config> {
        let file = Kubeconfig::read_from(self.kubeconfig())?;
        Ok(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?)
    }

    /// A bearer token of a service account, by `TokenRequest`; valid for an hour.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = api.create_token_request(name, &kube::api::PostParams::default(), &request).await?;
        Ok(answer.status.context("the TokenRequest has no status")?.token)
    }

    /// A kubeconfig (JSON, which is YAML) for the holder of a token file, against `server` or else the API server itself.
    pub fn kubeconfig_for(&self, token_file: &Path, server: Option<&str>) -> Result<String> {
        let file = Kubeconfig::read_from(self.kubeconfig())?;
        let current = file.current_context.as_deref().unwrap_or_default();
        let context = file
            .contexts
            .iter()
            .find(|context| context.name == current)
            .and_then(|context| context.context.as_ref());
        let name = context.map(|context| context.cluster.as_str());
        let cluster = if let Some(server) = server {
            json!({"server": server})
        } else {
            let cluster = file.clusters.iter().find(|cluster| Some(cluster.name.as_str()) == name);
            serde_json::to_value(
                cluster
                    .context("the kubeconfig's current context names no cluster")?
                    .cluster
                    .as_ref(),
            )?
        };
        let text = kubeconfig(&cluster, &json!({"tokenFile": token_file}));
        Ok(serde_json::to_string_pretty(&text)?)
    }

    pub fn kubectl_command(&self) -> &Kubectl {
        &self.kubectl
    }

    /// Runs kubectl and returns what it printed; an error holds what it complained of.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl.run(arguments, "").await
    }

    /// Applies manifests (YAML or JSON, several documents) by server-side apply.
    pub async fn apply(&self, namespace: &str, manifests: &str) -> Result<String> {
        self.kubectl
            .run(
                &[
                    "apply",
                    "--server-side",
                    "--force-conflicts",
                    "--field-manager=e2e",
                    "-n",
                    namespace,
                    "-f",
                    "-",
                ],
                manifests,
            )
            .await
    }

    /// Applies a kustomize folder, once for each cluster, and waits until its CRDs are served.
    pub async fn install(&self, folder: &Path) -> Result<()> {
        let mut installed = self.installed.lock().await;
        if installed.contains(folder) {
            return Ok(());
        }
        let rendered = self.kubectl(&["kustomize", &folder.to_string_lossy()]).await?;
        let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=e2e", "-f", "-"];
        // Objects of kinds that the same folder defines are refused until these are served: hence more than one try.
        eventually(
            Duration::from_secs(30),
            &format!("kubectl apply -k {}", folder.display()),
            async || self.kubectl.run(&apply, &rendered).await.map(Some),
        )
        .await?;
        if rendered.contains("kind: CustomResourceDefinition") {
            self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"])
                .await?;
        }
        installed.insert(folder.to_owned());
        Ok(())
    }
}

impl Kubectl {
    /// Runs kubectl with this input and returns what it printed; an error holds what it complained of.
    pub async fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let command = self.clone();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let input = input.to_owned();
        tokio::task::spawn_blocking(move || {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            command.run_blocking(&arguments, &input)
        })
        .await?
    }

    /// As [`Self::run`], where nothing can be awaited.
    pub fn run_blocking(&self, arguments: &[&str], input: &str) -> Result<String> {
        // Its own home and environment: a plain KUBECONFIG may be production.
        let mut child = Command::new(&self.binary)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            .env_clear()
            .env("HOME", self.kubeconfig.parent().unwrap_or(Path::new("/")))
            // Where `kubectl diff` finds diff.
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // kubectl may refuse its arguments and leave without reading; its message says more than the broken pipe.
            drop(stdin.write_all(input.as_bytes()));
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "kubectl {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A kubeconfig with one cluster and one user.
pub fn kubeconfig(cluster: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": "e2e", "user": user}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        "current-context": "e2e",
    })
}
