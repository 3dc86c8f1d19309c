//! `/healthz`, `/readyz` and `/metrics`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::metrics::Metrics;

/// The content type without which Prometheus marks the target down.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The older text format, for clients that ask for nothing newer.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What readiness waits for. It never depends on a cloud.
#[derive(Debug, Default)]
pub struct Readiness {
    crds: AtomicBool,
    caches: AtomicBool,
}

impl Readiness {
    /// The CRDs are established.
    pub fn crds_are_there(&self) {
        self.crds.store(true, Ordering::Relaxed);
    }

    /// The first listing of every watched kind is in.
    pub fn caches_are_filled(&self) {
        self.caches.store(true, Ordering::Relaxed);
    }

    /// What is still missing; empty when ready.
    fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if !self.crds.load(Ordering::Relaxed) {
            missing.push("the CRDs of ciem.dev are not established: apply crds/");
        }
        if !self.caches.load(Ordering::Relaxed) {
            missing.push("the first listing of the watched kinds is not in");
        }
        missing
    }
}

/// What the endpoints show.
#[derive(Clone)]
pub struct Endpoints {
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
}

/// The routes.
pub fn router(endpoints: Endpoints) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(endpoints)
}

async fn readyz(State(endpoints): State<Endpoints>) -> (StatusCode, String) {
    let missing = endpoints.readiness.missing();
    if missing.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n")
    }
}

/// OpenMetrics, unless the client accepts only the older text format (promtool's linter, old agents).
async fn metrics(State(endpoints): State<Endpoints>, headers: HeaderMap) -> Response {
    let Ok(body) = endpoints.metrics.render() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "failed to encode the metrics\n").into_response();
    };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    let only_text = accept.contains("text/plain") && !accept.contains("application/openmetrics-text");
    if only_text {
        ([(header::CONTENT_TYPE, TEXT)], as_text(&body)).into_response()
    } else {
        ([(header::CONTENT_TYPE, OPEN_METRICS)], body).into_response()
    }
}

/// The same series in the text format 0.0.4: a counter's family carries the suffix of its samples there, and there is no end mark.
fn as_text(body: &str) -> String {
    let counters: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(body.len());
    for line in body.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let mut words = line.splitn(4, ' ');
        let family = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(&name) => Some((what, name, rest)),
            _ => None,
        };
        // Writing to a string does not fail.
        let _ = match family {
            Some((what, name, rest)) => writeln!(text, "# {what} {name}_total {rest}"),
            None => writeln!(text, "{line}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing().len(), 2);
        readiness.crds_are_there();
        readiness.caches_are_filled();
        assert!(readiness.missing().is_empty());
    }

    #[test]
    fn the_text_format_names_counters_by_their_samples() {
        let text = as_text(
            "# HELP ciem_runs Runs.\n# TYPE ciem_runs counter\nciem_runs_total{a=\"b\"} 1\n# HELP ciem_x X.\n# TYPE ciem_x gauge\nciem_x 2\n# EOF\n",
        );
        assert_eq!(
            text,
            "# HELP ciem_runs_total Runs.\n# TYPE ciem_runs_total counter\nciem_runs_total{a=\"b\"} 1\n# HELP ciem_x X.\n# TYPE ciem_x gauge\nciem_x 2\n"
        );
    }
}
