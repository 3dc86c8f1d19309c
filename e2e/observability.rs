//! Endpoints and metrics, as Prometheus and kubelet see them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use axum::http::StatusCode;
use kube::api::DeleteParams;
use serde_json::Value;

use crate::harness::ports::free_port;
use crate::harness::process::{Program, Supervisor};
use crate::harness::suite::{repository, shared};
use crate::harness::wait::{eventually, http_get, http_get_as};
use crate::support::demo::demo_accounts;
use crate::world::{PATIENCE, Start, World};

/// The folder with Debian's `prometheus` and `promtool`; none, with the reason printed, where they cannot be had.
fn prometheus() -> Result<Option<PathBuf>> {
    let out = Command::new(repository().join("e2e/tools/prometheus"))
        .stdin(Stdio::null())
        .output()?;
    match out.status.code() {
        Some(0) => Ok(Some(PathBuf::from(String::from_utf8(out.stdout)?.trim()))),
        // A machine without Debian's package client: said, and counted by who reads the log.
        Some(69) => {
            println!("skipped: {}", String::from_utf8_lossy(&out.stderr).trim());
            Ok(None)
        }
        _ => bail!("e2e/tools/prometheus failed: {}", String::from_utf8_lossy(&out.stderr)),
    }
}

async fn scraped(url: &str, query: &str) -> Result<Option<f64>> {
    let (status, body) = http_get(url, &format!("/api/v1/query?query={query}")).await?;
    if status != StatusCode::OK {
        bail!("{status}: {body}");
    }
    let answer: Value = serde_json::from_str(&body)?;
    Ok(answer["data"]["result"][0]["value"][1].as_str().map(str::parse).transpose()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_answer_and_series_go_with_their_objects() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "metrics", Start::default()).await?;
    let url = world.operator.url();
    assert_eq!(http_get(url, "/healthz").await?.0, StatusCode::OK);
    assert_eq!(http_get(url, "/readyz").await?.0, StatusCode::OK);
    let [_, data] = demo_accounts();
    world.recorded_account("data", &data).await?;
    world.policy("baseline").await?;
    world.report("data").await?;
    let series = format!("account=\"{}/data\"", world.namespace.name());
    let body = eventually(PATIENCE, "the report is in the metrics", async || {
        let (_, body) = http_get(url, "/metrics").await?;
        Ok((body.contains("\nciem_findings{") && body.contains(&series)).then_some(body))
    })
    .await?;
    assert!(body.ends_with("# EOF\n"));
    assert!(!body.contains("arn:aws"), "no cloud id in labels");
    assert!(
        body.contains(&format!("ciem_account_ready{{{series},provider=\"Snapshot\"}} 1")),
        "{body}"
    );
    world.accounts().delete("data", &DeleteParams::default()).await?;
    eventually(PATIENCE, "the series of the deleted account are gone", async || {
        let (_, body) = http_get(url, "/metrics").await?;
        let gauges = body
            .lines()
            .filter(|line| line.contains(&series) && !line.starts_with("ciem_audit_runs_total"))
            .count();
        Ok((gauges == 0).then_some(()))
    })
    .await
}

/// Debian's Prometheus scrapes the operator, and its linter has nothing to say.
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_and_promtool_has_nothing_to_say() -> Result<()> {
    let Some(tools) = prometheus()? else { return Ok(()) };
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "scrape", Start::default()).await?;
    let [_, data] = demo_accounts();
    world.recorded_account("data", &data).await?;
    world.policy("baseline").await?;
    let report = world.report("data").await?;
    let open = report
        .status
        .and_then(|status| status.document)
        .context("no document")?
        .counts
        .open
        .total();

    let address = world.operator.url().trim_start_matches("http://").to_owned();
    let mut supervisor = Supervisor::new()?;
    let config = supervisor.directory().join("prometheus.yml");
    std::fs::write(
        &config,
        format!("scrape_configs: [{{job_name: ciem, scrape_interval: 1s, static_configs: [{{targets: ['{address}']}}]}}]"),
    )?;
    let port = free_port()?;
    let data = supervisor.directory().join("data");
    let program = Program {
        name: "prometheus".to_owned(),
        binary: tools.join("prometheus"),
        arguments: [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", data.display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ]
        .map(Into::into)
        .to_vec(),
        environment: Vec::new(),
    };
    let process = supervisor.spawn(&program)?;
    let server = format!("http://127.0.0.1:{port}");
    let query = format!(
        "sum(ciem_findings%7Baccount%3D%22{}%2Fdata%22%2Cstate%3D%22open%22%7D)",
        world.namespace.name()
    );
    let findings = eventually(PATIENCE, "prometheus has scraped", async || {
        if let Some(found) = scraped(&server, &query).await? {
            return Ok(Some(found));
        }
        let (_, targets) = http_get(&server, "/api/v1/targets").await?;
        bail!("{targets}\n{}", process.last_lines(5))
    })
    .await?;
    assert!((findings - f64::from(open)).abs() < 0.5, "{findings} scraped, {open} in the report");
    assert_eq!(scraped(&server, "up").await?, Some(1.0));

    lint(&tools, world.operator.url()).await
}

/// The linter reads the older text format alone.
async fn lint(tools: &Path, url: &str) -> Result<()> {
    let (_, text) = http_get_as(url, "/metrics", "text/plain").await?;
    let mut promtool = Command::new(tools.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    std::io::Write::write_all(&mut promtool.stdin.take().context("no stdin")?, text.as_bytes())?;
    let out = promtool.wait_with_output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.trim().is_empty(), "promtool check metrics: {said}");
    Ok(())
}
