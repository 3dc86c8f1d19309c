//! What flags say. Trusted configuration: nothing here can be set by who may write CloudAccounts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of one operator process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    pub http_address: SocketAddr,
    /// Directory of the local store.
    pub store: PathBuf,
    /// The store ends with the pod (an emptyDir): said in a condition.
    pub store_ephemeral: bool,
    /// Namespaces whose CloudAccounts may use the operator's own cloud identity.
    pub ambient_namespaces: BTreeSet<String>,
    /// The only namespace that is watched; none: all.
    pub watch_namespace: Option<String>,
    /// No CloudAccount is collected more often than this.
    pub minimum_interval: Duration,
    /// How many collections run at once.
    pub collections: usize,
    /// How many audits run at once.
    pub audits: usize,
    /// Endpoint of every AWS service instead of the region's own; for private endpoints and tests.
    pub aws_endpoint: Option<String>,
    /// Name of this process in Events, e.g. the pod's name.
    pub instance: Option<String>,
}
