//! `ciem operator`: runs the controllers until SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure, OrExit as _};
use crate::operator::Settings;

/// Flags of `ciem operator`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    http_address: SocketAddr,
    /// Directory for snapshots, findings and history.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/ciem")]
    store: PathBuf,
    /// The store ends with the pod (an emptyDir): a condition says so.
    #[arg(long)]
    store_ephemeral: bool,
    /// Watch only this namespace; without it, all.
    #[arg(long, value_name = "NAMESPACE")]
    watch_namespace: Option<String>,
    /// A namespace whose CloudAccounts may use the operator's own cloud identity; repeatable. Default: the operator's own namespace.
    #[arg(long = "ambient-namespace", value_name = "NAMESPACE")]
    ambient_namespaces: Vec<String>,
    /// The operator's own namespace.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE", default_value = "ciem-system")]
    namespace: String,
    /// Name of this process in Events.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    instance: Option<String>,
    /// No CloudAccount is collected more often than this.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(60..))]
    minimum_interval_seconds: u64,
    /// How many collections run at once.
    #[arg(long, value_name = "N", default_value_t = 4)]
    collections: usize,
    /// How many audits run at once.
    #[arg(long, value_name = "N", default_value_t = 2)]
    audits: usize,
    /// Endpoint of every AWS service instead of the region's own: private endpoints, tests. Cannot be set by a CloudAccount.
    #[arg(long, value_name = "URL")]
    aws_endpoint: Option<String>,
    /// How logs are written, to standard error. RUST_LOG says which.
    #[arg(long, value_enum, default_value = "json")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Json,
    Text,
}

/// Runs the controllers.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    logs(arguments.log_format);
    let ambient = if arguments.ambient_namespaces.is_empty() {
        vec![arguments.namespace]
    } else {
        arguments.ambient_namespaces
    };
    let settings = Settings {
        http_address: arguments.http_address,
        store: arguments.store,
        store_ephemeral: arguments.store_ephemeral,
        watch_namespace: arguments.watch_namespace,
        ambient_namespaces: ambient.into_iter().collect(),
        minimum_interval: Duration::from_secs(arguments.minimum_interval_seconds),
        collections: arguments.collections,
        audits: arguments.audits,
        aws_endpoint: arguments.aws_endpoint,
        instance: arguments.instance,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")
        .or_exit(Exit::Internal)?;
    runtime.block_on(crate::operator::run(settings)).or_exit(Exit::Unreachable)?;
    // Jobs that were cut may still sit in blocking calls: the process does not wait for them.
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(Exit::Success)
}

fn logs(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,kube_client=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.init(),
    }
}
