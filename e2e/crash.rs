//! The operator is killed at every write of a report, and the API server restarts: one whole generation is left each time.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::harness::control_plane::Options;
use crate::harness::proxy::{Fault, Proxy, Requests, Turn};
use crate::harness::suite::{own, repository};
use crate::support::builder::{AccountBuilder, allow, trust_service};
use crate::world::{PATIENCE, Start, World};

const ACCOUNT: &str = "555555555555";
/// More writes than any run below makes: create report, create chunks, patch status, delete chunks.
const MOST_WRITES: usize = 12;

/// An account whose roles are all administrators; the description of `round` changes what the findings of some of them say.
fn account(round: usize) -> Value {
    let mut builder = AccountBuilder::new(ACCOUNT);
    for number in 0..6 {
        // A new role each round changes the findings, and with them a chunk.
        let name = if number == 0 {
            format!("role-of-round-{round}")
        } else {
            format!("role-{number}")
        };
        builder = builder.role(&name, trust_service("ec2.amazonaws.com"), |role| {
            role.inline("everything", allow(&["*"], &["*"]))
        });
    }
    builder.build()
}

fn options() -> Options {
    Options {
        crds: Some(repository().join("crds")),
        ..Options::default()
    }
}

/// `kill -9` while the n-th write is held before it reaches the API server, or after it was carried out and before its answer comes, for every n.
async fn killed_at_every_write(fault: Fault, prefix: &str) -> Result<()> {
    let Some(plane) = own(options()).await? else { return Ok(()) };
    let cluster = &plane.plane;
    let proxy = Proxy::start(cluster).await?;
    let mut world = World::start(
        cluster,
        prefix,
        Start {
            server: Some(proxy.url().to_owned()),
            ..Start::default()
        },
    )
    .await?;
    world.recorded_account("account", &account(0)).await?;
    let mut boundaries = 0;
    let mut first_seen: Option<jiff::Timestamp> = None;
    for turn in 1..=MOST_WRITES {
        // The first round creates the report, the others change it.
        let held = proxy.intercept(Requests::writes().on("/auditreport"), Turn::From(turn), fault);
        if turn == 1 {
            world.policy("baseline").await?;
        } else {
            world.recorded_account("account", &account(turn)).await?;
            world.run_now("account", &format!("round-{turn}")).await?;
        }
        if held.arrived(Duration::from_secs(20)).await.is_err() {
            // The whole run has fewer writes: every boundary was tried.
            held.release();
            break;
        }
        boundaries += 1;
        // What a reader sees at this moment is one whole generation, or no report yet.
        if let Some(report) = world
            .reports()
            .list(&kube::api::ListParams::default())
            .await?
            .items
            .into_iter()
            .next()
        {
            if report.status.as_ref().is_some_and(|status| status.document.is_some()) {
                world.findings(&report).await.with_context(|| format!("held at write {turn}"))?;
            }
        }
        world.operator.process().kill()?;
        held.release();
        world.operator.restart()?;
        world.operator.ready(PATIENCE).await?;
        let expected = format!("role-of-round-{}", if turn == 1 { 0 } else { turn });
        let report = world
            .report_when("account", &format!("is right after the kill at write {turn}"), |report| {
                let document = report.status.as_ref().and_then(|status| status.document.as_ref());
                document.is_some_and(|document| document.worst.iter().any(|finding| finding.subject.ends_with(&expected)))
            })
            .await?;
        let findings = world
            .findings(&report)
            .await
            .with_context(|| format!("after the kill at write {turn}"))?;
        assert_eq!(findings.len(), 6, "write {turn}");
        world
            .only_listed_chunks(&report)
            .await
            .with_context(|| format!("after the kill at write {turn}"))?;
        // firstSeen of a role that stays never moves, whatever was killed.
        let seen = findings
            .iter()
            .find(|finding| finding.identity.as_ref().is_some_and(|identity| identity.name == "role-3"))
            .context("role-3")?
            .first_seen;
        assert_eq!(*first_seen.get_or_insert(seen), seen, "write {turn}");
        println!("killed at write {turn}: one generation of {} chunks", World::listed(&report).len());
    }
    ensure!(boundaries >= 4, "only {boundaries} write boundaries were met");
    println!("{boundaries} write boundaries");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_every_write_of_a_report_one_generation_is_left() -> Result<()> {
    killed_at_every_write(Fault::Hold, "kill-before").await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_every_write_of_a_report_one_generation_is_left() -> Result<()> {
    killed_at_every_write(Fault::HoldAnswer, "kill-after").await
}

/// The API server goes away and comes back: the operator goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_survives_a_restart_of_the_api_server() -> Result<()> {
    let Some(plane) = own(options()).await? else { return Ok(()) };
    let world = World::start(&plane.plane, "restart", Start::default()).await?;
    world.recorded_account("account", &account(0)).await?;
    world.policy("baseline").await?;
    world.report("account").await?;
    // The world borrows the control plane, which is about to be stopped.
    let mut parts = world.into_parts();
    plane.plane.stop_api_server().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    parts.1.process().check_running()?;
    plane.plane.start_api_server().await?;
    let world = World::join(&plane.plane, parts).await?;
    let before = world.report("account").await?;
    world.recorded_account("account", &account(1)).await?;
    world.run_now("account", "after").await?;
    let after = world.next_report(&before).await?;
    assert_eq!(world.findings(&after).await?.len(), 6);
    Ok(())
}

/// Refusals and conflicts of the API server in the middle of a run: tried again, and whole in the end.
#[tokio::test(flavor = "multi_thread")]
async fn refused_and_cut_writes_are_tried_again() -> Result<()> {
    let Some(plane) = own(options()).await? else { return Ok(()) };
    let cluster = &plane.plane;
    let proxy = Proxy::start(cluster).await?;
    let world = World::start(
        cluster,
        "refused",
        Start {
            server: Some(proxy.url().to_owned()),
            ..Start::default()
        },
    )
    .await?;
    world.recorded_account("account", &account(0)).await?;
    let faults = [
        proxy.intercept(
            Requests::writes().on("/auditreportchunks"),
            Turn::Only(1),
            Fault::Status(500.try_into()?),
        ),
        proxy.intercept(Requests::writes().on("/status"), Turn::Only(2), Fault::Cut),
        proxy.intercept(Requests::writes().on("/status"), Turn::Only(3), Fault::Status(409.try_into()?)),
    ];
    world.policy("baseline").await?;
    let report = world.report("account").await?;
    assert_eq!(world.findings(&report).await?.len(), 6);
    world.only_listed_chunks(&report).await?;
    assert!(faults.iter().all(|fault| !fault.chosen().is_empty()), "a fault was not met");
    Ok(())
}
