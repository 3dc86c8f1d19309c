//! etcd, kube-apiserver and kube-controller-manager as processes on loopback.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::client::Body;
use kube::{Api, Client};
use serde_json::json;

use super::cluster::{Cluster, kubeconfig};
use super::ports::{free_port, random};
use super::process::{Process, ProcessIdentity, Program, Supervisor};
use super::tools::Tools;
use super::wait::eventually;

/// How often other ports are tried when somebody was faster to take the chosen ones.
const ATTEMPTS: usize = 4;

const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";

/// What differs from an ordinary control plane.
#[derive(Default)]
pub struct Options {
    /// A kustomize folder of CRDs. Installed before the controller manager starts: its garbage collector, which looks for
    /// new kinds only now and then, knows them from the first moment.
    pub crds: Option<PathBuf>,
    pub etcd_arguments: Vec<String>,
    pub api_server_arguments: Vec<String>,
    /// Ports to try first.
    pub ports: Ports,
}

/// Ports on 127.0.0.1; 0 for any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ports {
    pub etcd: u16,
    pub api_server: u16,
}

/// A running control plane, and as [`Cluster`] the administrator's access to it. Dropping it ends its processes and removes
/// its folder.
pub struct ControlPlane {
    cluster: Cluster,
    // The order matters: the supervisor ends the processes, then their remains are collected.
    supervisor: std::sync::Mutex<Supervisor>,
    api_server: tokio::sync::Mutex<Process>,
    controller_manager: Process,
    etcd: Process,
    api_server_program: Program,
    directory: PathBuf,
    ports: Ports,
    started_in: Duration,
}

impl ControlPlane {
    /// Returns when `/readyz` says yes, the CRDs are served and the controllers work.
    pub async fn start(options: Options) -> Result<Self> {
        let tools = Tools::locate().await?;
        let mut ports = options.ports.or(Ports::free()?);
        for _ in 1..ATTEMPTS {
            match Self::start_on(&tools, &options, ports).await {
                Err(error) if format!("{error:#}").contains("address already in use") => ports = Ports::free()?,
                other => return other,
            }
        }
        Self::start_on(&tools, &options, ports).await
    }

    async fn start_on(tools: &Tools, options: &Options, ports: Ports) -> Result<Self> {
        let begin = Instant::now();
        let mut supervisor = Supervisor::new()?;
        let directory = supervisor.directory().to_owned();
        let administrator = random_token()?;
        let controllers = random_token()?;
        fs::write(
            directory.join("tokens.csv"),
            format!(
                "{administrator},e2e-administrator,1,system:masters\n\
                 {controllers},system:kube-controller-manager,2,\n"
            ),
        )?;
        fs::write(directory.join("audit-policy.yaml"), AUDIT_POLICY)?;

        let mut etcd = supervisor.spawn(&etcd_program(tools, options, ports))?;
        let api_server_program = api_server_program(tools, options, &directory, ports);
        let mut api_server = supervisor.spawn(&api_server_program)?;
        // The API server makes its key pair itself, the certificate first.
        wait_for("the certificate of the API server", &mut [&mut etcd, &mut api_server], async || {
            Ok(directory.join("pki/apiserver.key").is_file())
        })
        .await?;
        let authority = fs::read(directory.join("pki/apiserver.crt"))?;
        let url = format!("https://127.0.0.1:{}", ports.api_server);
        let address = json!({"server": url, "certificate-authority-data": STANDARD.encode(authority)});
        for (file, token) in [
            ("admin.kubeconfig", &administrator),
            ("controller-manager.kubeconfig", &controllers),
        ] {
            fs::write(
                directory.join(file),
                serde_json::to_string_pretty(&kubeconfig(&address, &json!({"token": token})))?,
            )?;
        }
        let cluster = Cluster::new(
            tools.path("kubectl"),
            directory.join("admin.kubeconfig"),
            Some(directory.join("audit.log")),
        );
        wait_until_ready(&cluster.client().await?, &mut [&mut etcd, &mut api_server]).await?;
        if let Some(crds) = &options.crds {
            cluster.install(crds).await?;
        }
        let mut controller_manager = supervisor.spawn(&controller_manager_program(tools, &directory))?;
        // It starts no controller before all are prepared, and gives up when the API server goes away before that.
        let accounts: Api<ServiceAccount> = Api::default_namespaced(cluster.client().await?);
        wait_for("the first work of the controllers", &mut [&mut controller_manager], async || {
            Ok(accounts.get_opt("default").await?.is_some())
        })
        .await?;
        Ok(Self {
            cluster,
            supervisor: std::sync::Mutex::new(supervisor),
            api_server: tokio::sync::Mutex::new(api_server),
            controller_manager,
            etcd,
            api_server_program,
            directory,
            ports,
            started_in: begin.elapsed(),
        })
    }

    /// How long the start took, without building the binaries.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Holds the logs, the audit log, the kubeconfigs and the data; removed at the end.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `https://127.0.0.1:PORT` of the API server.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    /// The certificates (PEM) to check the API server's with.
    pub fn certificate_authority(&self) -> PathBuf {
        self.directory.join("pki/apiserver.crt")
    }

    /// `http://127.0.0.1:PORT` of etcd, without authentication.
    pub fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.etcd)
    }

    /// All processes of this control plane, with the watchdog and those that have ended.
    pub fn processes(&self) -> Result<Vec<ProcessIdentity>> {
        Ok(self.supervisor.lock().map_err(poisoned)?.processes())
    }

    /// An error with the end of the log when a part has ended that should run.
    pub async fn check_running(&mut self) -> Result<()> {
        self.etcd.check_running()?;
        self.controller_manager.check_running()?;
        self.api_server.lock().await.check_running()
    }

    /// Ends the API server alone; etcd keeps the data.
    pub async fn stop_api_server(&self) -> Result<()> {
        let mut process = self.api_server.lock().await;
        process.signal("TERM")?;
        if process.wait(Duration::from_secs(10)).await.is_err() {
            process.kill()?;
        }
        Ok(())
    }

    /// Starts the API server again on its port and returns when it is ready.
    pub async fn start_api_server(&self) -> Result<()> {
        let mut process = self.api_server.lock().await;
        *process = self.supervisor.lock().map_err(poisoned)?.spawn(&self.api_server_program)?;
        wait_until_ready(&self.cluster.client().await?, &mut [&mut process]).await
    }

    /// Lets it run on after this program and returns the script (`sh SCRIPT`) that ends it.
    pub fn leave_running(&self) -> Result<PathBuf> {
        self.supervisor.lock().map_err(poisoned)?.leave_running()
    }
}

impl Deref for ControlPlane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Ports {
    fn or(self, other: Self) -> Self {
        let pick = |wanted, otherwise| if wanted == 0 { otherwise } else { wanted };
        Self {
            etcd: pick(self.etcd, other.etcd),
            api_server: pick(self.api_server, other.api_server),
        }
    }

    fn free() -> Result<Self> {
        Ok(Self {
            etcd: free_port()?,
            api_server: free_port()?,
        })
    }
}

fn etcd_program(tools: &Tools, options: &Options, ports: Ports) -> Program {
    let url = format!("http://127.0.0.1:{}", ports.etcd);
    let mut arguments = vec![
        "--data-dir=etcd".to_owned(),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        // One member: nobody needs to know this port.
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    arguments.extend(options.etcd_arguments.iter().cloned());
    program(tools, "etcd", arguments)
}

fn api_server_program(tools: &Tools, options: &Options, directory: &Path, ports: Ports) -> Program {
    let file = |name: &str| directory.join(name).display().to_string();
    let mut arguments = vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api_server),
        // Publishing a loopback address as an Endpoint is refused.
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        format!("--cert-dir={}", file("pki")),
        // The key that the server makes for TLS at its first start, before it looks for this one, also signs the
        // ServiceAccount tokens: no tool for keys is needed, and no key is kept in the repository.
        format!("--service-account-key-file={}", file("pki/apiserver.key")),
        format!("--service-account-signing-key-file={}", file("pki/apiserver.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", file("tokens.csv")),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        "--profiling=false".to_owned(),
        // Ends the watches at a stop, which would otherwise take a minute.
        "--shutdown-watch-termination-grace-period=1s".to_owned(),
    ];
    arguments.extend(options.api_server_arguments.iter().cloned());
    program(tools, "kube-apiserver", arguments)
}

fn controller_manager_program(tools: &Tools, directory: &Path) -> Program {
    let file = |name: &str| directory.join(name).display().to_string();
    // The last one fills the roles that others are aggregated into, such as `view`.
    let controllers = [
        "garbage-collector-controller",
        "namespace-controller",
        "serviceaccount-controller",
        "serviceaccount-token-controller",
        "root-ca-certificate-publisher-controller",
        "clusterrole-aggregation-controller",
    ];
    program(
        tools,
        "kube-controller-manager",
        vec![
            format!("--kubeconfig={}", file("controller-manager.kubeconfig")),
            format!("--controllers={}", controllers.join(",")),
            "--use-service-account-credentials=true".to_owned(),
            format!("--service-account-private-key-file={}", file("pki/apiserver.key")),
            format!("--root-ca-file={}", file("pki/apiserver.crt")),
            "--secure-port=0".to_owned(),
            "--leader-elect=false".to_owned(),
        ],
    )
}

fn program(tools: &Tools, name: &str, arguments: Vec<String>) -> Program {
    Program {
        name: name.to_owned(),
        binary: tools.path(name),
        arguments: arguments.into_iter().map(Into::into).collect(),
        environment: Vec::new(),
    }
}

async fn wait_until_ready(client: &Client, processes: &mut [&mut Process]) -> Result<()> {
    wait_for("readiness of the API server", processes, async || {
        Ok(client
            .send(Request::get("/readyz").body(Body::empty())?)
            .await?
            .status()
            .is_success())
    })
    .await
}

/// Waits no longer than these processes run: a failed start is told at once.
async fn wait_for(what: &str, processes: &mut [&mut Process], mut done: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    eventually(Duration::from_mins(1), what, async || {
        if let Some(error) = processes.iter_mut().find_map(|process| process.check_running().err()) {
            return Ok(Some(Err(error)));
        }
        // Somebody else's listener on the port may take the connection and never answer.
        let done = tokio::time::timeout(Duration::from_secs(2), done()).await?;
        Ok(done?.then_some(Ok(())))
    })
    .await?
}

fn random_token() -> Result<String> {
    Ok(format!("{:032x}", u128::from_le_bytes(random()?)))
}

fn poisoned<T>(_: std::sync::PoisonError<T>) -> anyhow::Error {
    anyhow::anyhow!("another test panicked in the supervisor")
}
