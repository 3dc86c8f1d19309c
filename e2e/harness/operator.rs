//! The operator as a process, under the service account and RBAC that it is delivered with.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::cluster::Cluster;
use super::ports::free_port;
use super::process::{Process, Program, Supervisor};
use super::wait::{eventually, http_get};

/// Where `config/` puts the operator.
pub const NAMESPACE: &str = "ciem-system";
/// The service account that `config/` gives its permissions to.
pub const SERVICE_ACCOUNT: &str = "ciem-operator";

/// How to start the operator.
pub struct OperatorOptions {
    /// The product's binary: `env!("CARGO_BIN_EXE_ciem")` in tests.
    pub binary: PathBuf,
    /// The kustomize folder with the namespace, the service account and its RBAC; applied once for each cluster.
    pub manifests: PathBuf,
    /// The API server's address to use instead of the cluster's own: a proxy.
    pub server: Option<String>,
    /// After `operator --http-address …`.
    pub arguments: Vec<String>,
    pub environment: Vec<(String, OsString)>,
}

/// A running `ciem operator`. Dropping it ends it, and in a test prints its log, which the test runner shows on failure.
pub struct Operator {
    // The order matters: the supervisor ends the process, then its remains are collected.
    supervisor: Supervisor,
    process: Process,
    program: Program,
    url: String,
}

impl Operator {
    /// Returns once the process is started; [`Self::ready`] waits for more.
    pub async fn start(cluster: &Cluster, options: OperatorOptions) -> Result<Self> {
        cluster.install(&options.manifests).await?;
        let mut supervisor = Supervisor::new()?;
        let token_file = supervisor.directory().join("token");
        fs::write(&token_file, cluster.service_account_token(NAMESPACE, SERVICE_ACCOUNT).await?)?;
        let kubeconfig = supervisor.directory().join("kubeconfig");
        fs::write(&kubeconfig, cluster.kubeconfig_for(&token_file, options.server.as_deref())?)?;

        let address = format!("127.0.0.1:{}", free_port()?);
        let arguments = ["operator", "--http-address", &address].map(OsString::from);
        let mut environment = vec![("KUBECONFIG".to_owned(), kubeconfig.into())];
        environment.extend(options.environment);
        let program = Program {
            name: "operator".to_owned(),
            binary: options.binary,
            arguments: arguments
                .into_iter()
                .chain(options.arguments.into_iter().map(OsString::from))
                .collect(),
            environment,
        };
        let process = supervisor.spawn(&program)?;
        Ok(Self {
            supervisor,
            process,
            program,
            url: format!("http://{address}"),
        })
    }

    /// `http://127.0.0.1:PORT` of `/healthz`, `/readyz`, `/metrics`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of its log, kubeconfig and token file; its HOME and working directory.
    pub fn directory(&self) -> &Path {
        self.supervisor.directory()
    }

    /// The token that it authenticates with, read by it again from time to time.
    pub fn token_file(&self) -> PathBuf {
        self.directory().join("token")
    }

    /// The process, to kill it, signal it, read its log, wait for its end.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until `/readyz` answers 200; an error at once when the operator has ended.
    pub async fn ready(&mut self, timeout: Duration) -> Result<()> {
        let Self { process, url, .. } = self;
        eventually(timeout, "readiness of the operator", async || {
            if let Err(error) = process.check_running() {
                return Ok(Some(Err(error)));
            }
            let (status, _) = http_get(url, "/readyz").await?;
            Ok(status.is_success().then_some(Ok(())))
        })
        .await?
    }

    /// Kills it (`kill -9`) if it still runs and starts it again, the same way, with the same folder and address.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = self.supervisor.spawn(&self.program).context("cannot start the operator again")?;
        Ok(())
    }

    /// Lets it run on after this program and returns the script (`sh SCRIPT`) that ends it.
    pub fn leave_running(&mut self) -> Result<PathBuf> {
        self.supervisor.leave_running()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if cfg!(test) || std::thread::panicking() {
            eprintln!("the end of the operator's log:\n{}", self.process.last_lines(200));
        }
    }
}
