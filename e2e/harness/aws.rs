//! The local AWS endpoint: moto with what `e2e/README.md` lists, as a process on loopback.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use axum::http::{Method, Request};
use kube::client::Body;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::process::{Process, Program, Supervisor};
use super::wait::eventually;

/// A running endpoint. It checks signatures and permissions, so that only credentials of seeded accounts are of use.
/// It ends when it is dropped, and also when this program is killed.
pub struct AwsEndpoint {
    // The order matters: the supervisor ends the process, then its remains are collected.
    supervisor: Supervisor,
    process: Process,
    url: String,
}

/// What spoils a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum FaultKind {
    Throttling,
    AccessDenied,
    ExpiredToken,
    InvalidClientTokenId,
    ServiceFailure,
    ServiceUnavailable,
    /// A right answer, after [`Fault::delay_milliseconds`].
    Slow,
    /// The connection ends before there is an answer; the call is not carried out.
    Cut,
    /// The connection ends in the middle of the answer.
    HalfAnswer,
}

/// An order to spoil calls; only those that agree with every member that is given.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    pub kind: FaultKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The account of the caller's access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// So many calls are spoiled, after `skip` that pass.
    pub count: u32,
    pub skip: u32,
    pub delay_milliseconds: u64,
    /// Instead of the usual text of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A call that the endpoint received.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// RFC 3339.
    pub time: String,
    pub service: Option<String>,
    pub action: String,
    /// Nothing when the access key is nobody's.
    pub account: Option<String>,
    pub access_key_id: Option<String>,
    /// HTTP status; 0 when the connection was cut, nothing while the call is served.
    pub status: Option<u16>,
    /// AWS error code.
    pub error: Option<String>,
    pub fault: Option<String>,
}

#[cfg(test)]
mod tests;

static SHARED: OnceCell<Result<AwsEndpoint, String>> = OnceCell::const_new();

/// The endpoint that all tests of a binary share, each with accounts of its own. Its watchdog ends it when this binary ends.
pub async fn shared() -> Result<&'static AwsEndpoint> {
    let started = SHARED
        .get_or_init(async || AwsEndpoint::start().await.map_err(|error| format!("{error:#}")))
        .await;
    started.as_ref().map_err(|error| anyhow!("no AWS endpoint: {error}"))
}

impl AwsEndpoint {
    /// Installs moto where that has not been done yet (about 20 s, once), starts an empty endpoint and waits for it.
    pub async fn start() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/aws");
        let install = folder.join("install");
        let python = tokio::task::spawn_blocking(move || run(&mut Command::new(install))).await??;
        let mut supervisor = Supervisor::new()?;
        let port_file = supervisor.directory().join("port");
        let mut process = supervisor.spawn(&Program {
            name: "aws-endpoint".to_owned(),
            binary: python.into(),
            arguments: vec![
                "-B".into(),
                folder.join("endpoint.py").into(),
                "--port-file".into(),
                port_file.clone().into(),
            ],
            environment: vec![],
        })?;
        let port = eventually(Duration::from_mins(1), "the port of the AWS endpoint", async || {
            if let Err(error) = process.check_running() {
                return Ok(Some(Err(error)));
            }
            Ok(std::fs::read_to_string(&port_file).ok().map(Ok))
        })
        .await??;
        let endpoint = Self {
            supervisor,
            process,
            url: format!("http://127.0.0.1:{port}"),
        };
        endpoint.ask::<Value>(Method::GET, "/_ciem/healthy", None).await?;
        Ok(endpoint)
    }

    /// `http://127.0.0.1:PORT`: the endpoint of every service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Replaces the IAM content of the accounts in `accounts` (one account object or a list of them; the form is described
    /// in `e2e/README.md`) and says what was made. Refused input changes nothing.
    pub async fn seed(&self, accounts: &Value) -> Result<Value> {
        self.ask(Method::POST, "/_ciem/seed", Some(accounts)).await
    }

    /// Forgets all about one account, in every service.
    pub async fn reset(&self, account: &str) -> Result<()> {
        let _: Value = self.ask(Method::POST, "/_ciem/reset", Some(&json!({"account": account}))).await?;
        Ok(())
    }

    pub async fn inject(&self, fault: &Fault) -> Result<()> {
        let _: Value = self.ask(Method::POST, "/_ciem/faults", Some(&serde_json::to_value(fault)?)).await?;
        Ok(())
    }

    /// Withdraws the faults that were ordered for an account.
    pub async fn clear_faults(&self, account: &str) -> Result<()> {
        let path = format!("/_ciem/faults?account={account}");
        let _: Value = self.ask(Method::DELETE, &path, None).await?;
        Ok(())
    }

    /// Every call so far, the oldest first.
    pub async fn calls(&self) -> Result<Vec<Call>> {
        self.ask(Method::GET, "/_ciem/calls", None).await
    }

    /// The calls by access keys of one account, the oldest first.
    pub async fn calls_of(&self, account: &str) -> Result<Vec<Call>> {
        self.ask(Method::GET, &format!("/_ciem/calls?account={account}"), None).await
    }

    /// The process, to read its log or to kill it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Lets it run on after this program and returns the script (`sh SCRIPT`) that ends it.
    pub fn leave_running(&mut self) -> Result<PathBuf> {
        self.supervisor.leave_running()
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, value: Option<&Value>) -> Result<T> {
        let what = format!("{method} {path}");
        let body = value.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let mut config = kube::Config::new(self.url.parse()?);
        config.default_retry = false;
        let request = Request::builder().method(method).uri(path).body(Body::from(body))?;
        let answer = kube::Client::try_from(config)?.send(request).await.context(what.clone())?;
        let status = answer.status();
        let bytes = answer.into_body().collect_bytes().await?;
        if !status.is_success() {
            bail!("{what} to the AWS endpoint: {}", String::from_utf8_lossy(&bytes));
        }
        serde_json::from_slice(&bytes).with_context(|| format!("the AWS endpoint's answer to {what}"))
    }
}

impl Fault {
    /// The next call of an action.
    pub fn new(kind: FaultKind, action: &str) -> Self {
        Self {
            kind,
            service: None,
            action: Some(action.to_owned()),
            account: None,
            count: 1,
            skip: 0,
            delay_milliseconds: 0,
            message: None,
        }
    }
}

/// What a script prints; what it says on the way goes to standard error.
fn run(script: &mut Command) -> Result<String> {
    let output = script
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run e2e/aws/install")?;
    if !output.status.success() {
        bail!("no AWS endpoint to test with: e2e/aws/install has failed ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
