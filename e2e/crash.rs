//! The operator is killed at every write of a report, and the API server restarts: one whole generation is left each time.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ciem::model::Finding;
use jiff::Timestamp;
use kube::api::ListParams;
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

/// `kill -9` while the n-th write is held before it reaches the API server, or after it was carried out and before its answer comes: for
/// every n of a first run (report, chunk, status) and of a run that changes something (chunk, status, removal of the old chunk).
async fn killed_at_every_write(fault: Fault, prefix: &str) -> Result<()> {
    let Some(plane) = own(options()).await? else {
        return Ok(());
    };
    let proxy = Proxy::start(&plane.plane).await?;
    let start = Start {
        server: Some(proxy.url().to_owned()),
        ..Start::default()
    };
    let world = World::start(&plane.plane, prefix, start).await?;
    world.policy("baseline").await?;
    let mut killer = Killer { world, proxy, fault };

    let mut first = 0;
    while first < MOST_WRITES {
        // An account of its own for each, so that each is a first run.
        if !killer.kill(&format!("first-{first}"), 0, first + 1).await? {
            break;
        }
        first += 1;
    }
    let mut later = 0;
    while later < MOST_WRITES && killer.kill("first-0", later + 1, later + 1).await? {
        later += 1;
    }
    println!("{first} write boundaries of a first run, {later} of a later one");
    ensure!(first >= 3 && later >= 3, "too few write boundaries were met: {first} and {later}");
    Ok(())
}

struct Killer<'a> {
    world: World<'a>,
    proxy: Proxy,
    fault: Fault,
}

impl Killer<'_> {
    /// Brings a new state of an account, kills at the given write of the run that follows, starts again and looks at what is left. False where
    /// the run has fewer writes.
    async fn kill(&mut self, name: &str, round: usize, write: usize) -> Result<bool> {
        let world = &mut self.world;
        let place = format!("{name}, round {round}, killed at write {write}");
        let held = self
            .proxy
            .intercept(Requests::writes().on("/auditreport"), Turn::From(write), self.fault);
        let before = world
            .reports()
            .list(&ListParams::default().fields(&format!("spec.accountRef.name={name}")))
            .await?;
        let seen_before = match before.items.first() {
            Some(report) => Some(first_seen(&world.findings(report).await?)?),
            None => None,
        };
        world.recorded_account(name, &account(round)).await?;
        if !before.items.is_empty() {
            world.run_now(name, &format!("round-{round}")).await?;
        }
        if held.arrived(Duration::from_secs(15)).await.is_err() {
            held.release();
            return Ok(false);
        }
        // What a reader sees at this moment is one whole generation, or no report yet.
        for report in world.reports().list(&ListParams::default()).await?.items {
            if report.status.as_ref().is_some_and(|status| status.document.is_some()) {
                world.findings(&report).await.with_context(|| place.clone())?;
            }
        }
        world.operator.process().kill()?;
        held.release();
        world.operator.restart()?;
        world.operator.ready(PATIENCE).await?;

        let expected = format!("role-of-round-{round}");
        let report = world
            .report_when(name, &format!("is right: {place}"), |report| {
                let document = report.status.as_ref().and_then(|status| status.document.as_ref());
                document.is_some_and(|document| document.worst.iter().any(|finding| finding.subject.ends_with(&expected)))
            })
            .await?;
        let findings = world.findings(&report).await.with_context(|| place.clone())?;
        assert_eq!(findings.len(), 6, "{place}");
        // What a crash may leave is a chunk that nobody names; the next run removes it, and changes nothing else.
        world.run_now(name, &format!("after-{round}-{write}")).await?;
        let next = world.next_report(&report).await?;
        world.only_listed_chunks(&next).await.with_context(|| place.clone())?;
        assert_eq!(world.findings(&next).await?, findings, "{place}");
        // firstSeen of a role that stays never moves, whatever was killed.
        if let Some(seen) = seen_before {
            assert_eq!(first_seen(&findings)?, seen, "{place}");
        }
        println!("{place}: one generation of {} chunks", World::listed(&next).len());
        Ok(true)
    }
}

/// When the role that every round has was first seen.
fn first_seen(findings: &[Finding]) -> Result<Timestamp> {
    let role = |finding: &&Finding| finding.identity.as_ref().is_some_and(|identity| identity.name == "role-3");
    Ok(findings.iter().find(role).context("role-3")?.first_seen)
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
