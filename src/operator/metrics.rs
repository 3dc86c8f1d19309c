//! Metrics (operator-conventions §3.2). Gauges about objects are made from the watch caches at each scrape, so that a deleted object has no
//! series. Labels hold names of Kubernetes objects, never cloud ids, principals or texts.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt as _;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::caches::Caches;
use super::policy::{Ended, Pair, ReportHead};
use crate::api::conditions;
use crate::model::{Delta, Severity};

/// Seconds: an audit of a small account to one of a very large one.
const AUDIT_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuditLabels {
    account: String,
    policy: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabels {
    provider: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    controller: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    change: &'static str,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Mutex<Registry>,
    audits: Family<AuditLabels, Counter>,
    audit_seconds: Family<ProviderLabels, Histogram>,
    report_writes: Family<OutcomeLabels, Counter>,
    findings_changed: Family<ChangeLabels, Counter>,
    cloud_requests: Family<ProviderLabels, Counter>,
    reconciles: Family<ReconcileLabels, Counter>,
}

impl Metrics {
    /// Registers everything; `caches` are read at each scrape.
    pub fn new(caches: Arc<Caches>) -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("ciem")),
            audits: Family::default(),
            audit_seconds: Family::new_with_constructor(|| Histogram::new(AUDIT_BUCKETS)),
            report_writes: Family::default(),
            findings_changed: Family::default(),
            cloud_requests: Family::default(),
            reconciles: Family::default(),
        };
        {
            let mut registry = metrics.registry();
            registry.register("audit_runs", "Audits of an account by a policy, by result", metrics.audits.clone());
            registry.register_with_unit(
                "audit_duration",
                "How long an audit took",
                Unit::Seconds,
                metrics.audit_seconds.clone(),
            );
            registry.register(
                "report_writes",
                "Writes of report statuses, and runs that needed none",
                metrics.report_writes.clone(),
            );
            registry.register(
                "findings_changed",
                "Findings that appeared or were resolved",
                metrics.findings_changed.clone(),
            );
            registry.register("cloud_api_requests", "Calls made to clouds", metrics.cloud_requests.clone());
            registry.register("reconcile", "Passes of the controllers, by result", metrics.reconciles.clone());
            registry.register_collector(Box::new(Objects { caches }));
        }
        metrics
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// OpenMetrics text.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut body = String::new();
        prometheus_client::encoding::text::encode(&mut body, &self.registry())?;
        Ok(body)
    }

    /// Counts calls to a cloud.
    pub fn cloud_calls(&self, provider: &'static str, calls: u32) {
        self.cloud_requests
            .get_or_create(&ProviderLabels { provider })
            .inc_by(u64::from(calls));
    }

    /// Counts an audit that ended.
    pub fn audit_ended(&self, pair: &Pair, ended: &Ended) {
        let result = if ended.result.is_ok() { "success" } else { "error" };
        let labels = AuditLabels {
            account: pair.account.path(),
            policy: pair.policy.path(),
            result,
        };
        self.audits.get_or_create(&labels).inc();
    }

    /// Notes how long the run itself took.
    pub fn audit_took(&self, provider: &'static str, took: Duration) {
        self.audit_seconds
            .get_or_create(&ProviderLabels { provider })
            .observe(took.as_secs_f64());
    }

    /// Counts a report that was written, or needed no write.
    pub fn report_written(&self, written: bool, delta: &Delta) {
        let outcome = if written { "written" } else { "unchanged" };
        self.report_writes.get_or_create(&OutcomeLabels { outcome }).inc();
        self.findings_changed
            .get_or_create(&ChangeLabels { change: "new" })
            .inc_by(u64::from(delta.new));
        self.findings_changed
            .get_or_create(&ChangeLabels { change: "resolved" })
            .inc_by(u64::from(delta.resolved));
    }

    /// Counts a report that could not be written.
    pub fn report_failed(&self) {
        self.report_writes.get_or_create(&OutcomeLabels { outcome: "failed" }).inc();
    }

    /// Counts a pass of a controller.
    pub fn reconciled(&self, controller: &'static str, succeeded: bool) {
        let result = if succeeded { "success" } else { "error" };
        self.reconciles.get_or_create(&ReconcileLabels { controller, result }).inc();
    }

    /// Removes the counters of a pair whose account or policy is gone.
    pub fn forget(&self, pair: &Pair) {
        for result in ["success", "error"] {
            self.audits.remove(&AuditLabels {
                account: pair.account.path(),
                policy: pair.policy.path(),
                result,
            });
        }
    }
}

/// Gauges about the objects in the caches.
struct Objects {
    caches: Arc<Caches>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Objects")
    }
}

type Labels<'a> = Vec<(&'static str, std::borrow::Cow<'a, str>)>;

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let version = vec![("version", env!("CARGO_PKG_VERSION").into())];
        gauge(&mut encoder, "build_info", "The version that runs", [(version, 1.0)])?;
        self.accounts(&mut encoder)?;
        self.reports(&mut encoder)
    }
}

impl Objects {
    fn accounts(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let accounts = self.caches.accounts();
        let labels = |account: &crate::api::CloudAccount| -> Labels<'static> {
            let path = format!("{}/{}", account.namespace().unwrap_or_default(), account.name_any());
            vec![("account", path.into()), ("provider", account.spec.provider.as_str().into())]
        };
        let ready = accounts.iter().map(|account| {
            let ready = account
                .status
                .as_ref()
                .is_some_and(|status| conditions::is_true(&status.conditions, conditions::READY));
            (labels(account), f64::from(u8::from(ready)))
        });
        gauge(
            encoder,
            "account_ready",
            "Whether the last collection of an account succeeded",
            ready,
        )?;
        let missing = accounts.iter().map(|account| {
            let coverage = account.status.as_ref().and_then(|status| status.coverage.as_ref());
            (
                labels(account),
                coverage.map_or(0.0, |coverage| count(coverage.missing_permissions.len())),
            )
        });
        gauge(
            encoder,
            "account_permissions_missing",
            "Read permissions that an account refuses",
            missing,
        )
    }

    fn reports(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let reports = self.caches.reports();
        let labels = |report: &ReportHead| -> Labels<'static> {
            let namespace = report.namespace().unwrap_or_default();
            vec![
                ("account", format!("{namespace}/{}", report.spec.account_ref.name).into()),
                ("policy", format!("{namespace}/{}", report.spec.policy_ref.name).into()),
            ]
        };
        let status = |report: &Arc<ReportHead>| report.status.clone().unwrap_or_default();
        let findings = reports.iter().filter(|report| report.status.is_some()).flat_map(|report| {
            let (status, own) = (status(report), labels(report));
            let provider = status.provider.map_or("unknown", crate::model::Provider::as_str);
            let by_state = [
                ("open", status.counts.open),
                ("exempted", status.counts.exempted),
                ("unverified", status.counts.unverified),
            ];
            let mut series = Vec::new();
            for (state, counts) in by_state {
                for severity in Severity::WORST_FIRST {
                    let mut labels = own.clone();
                    labels.extend([
                        ("provider", provider.into()),
                        ("severity", severity.as_str().to_ascii_lowercase().into()),
                        ("state", state.into()),
                    ]);
                    series.push((labels, f64::from(counts.get(severity))));
                }
            }
            series
        });
        gauge(encoder, "findings", "Findings by severity and state", findings)?;

        type Read = fn(&super::policy::HeadStatus) -> Option<f64>;
        let gauges: [(&str, &str, Read); 6] = [
            ("audit_last_attempt_timestamp_seconds", "Start of the last audit", |status| {
                status.last_run_time.map(seconds)
            }),
            (
                "audit_last_success_timestamp_seconds",
                "Start of the last audit that read everything",
                |status| status.last_successful_run_time.map(seconds),
            ),
            ("audit_next_run_timestamp_seconds", "When the next audit is due", |status| {
                status.next_run_time.map(seconds)
            }),
            ("report_chunks", "Chunks of a report", |status| {
                Some(count(status.manifest.chunks.len()))
            }),
            ("report_bytes", "Bytes of findings in the chunks of a report", |status| {
                Some(status.manifest.chunks.iter().map(|chunk| f64::from(chunk.bytes)).sum())
            }),
            (
                "report_dropped_findings",
                "Findings that are counted but in no chunk, to bound the report's size",
                |status| {
                    Some(
                        status
                            .truncation
                            .as_ref()
                            .map_or(0.0, |truncation| f64::from(truncation.findings_dropped.total())),
                    )
                },
            ),
        ];
        for (name, help, read) in gauges {
            let series = reports
                .iter()
                .filter_map(|report| Some((labels(report), read(report.status.as_ref()?)?)));
            gauge(encoder, name, help, series)?;
        }
        Ok(())
    }
}

/// One gauge with its series; none at all where there is no series.
fn gauge<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = (Labels<'a>, f64)>,
) -> fmt::Result {
    let mut series = series.into_iter().peekable();
    if series.peek().is_none() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in series {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Counts stay far below 2^52.
fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 are exact in a double for longer than the calendar goes"
)]
fn seconds(time: jiff::Timestamp) -> f64 {
    time.as_second() as f64
}
