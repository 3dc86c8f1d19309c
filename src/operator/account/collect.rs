//! The collection job: finds credentials, reads the cloud (or a recorded snapshot), puts the snapshot into the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::outcome::{Collected, Ended, Failure};
use super::plan::run_now;
use super::references::{self, Reference};
use crate::api::conditions::reason;
use crate::api::{CallerIdentity, CloudAccount, Digests};
use crate::model::{AccountProvider, CloudAccountSpec, CoverageEntry, Provider, SnapshotSource, SnapshotSourceType};
use crate::operator::{Context, clock};
use crate::snapshot::{SectionKind, SectionStatus, Snapshot, sha256};
use crate::store::{AccountKey, Name, StoreError};

/// What one read of the source gave.
pub struct Reading {
    /// One, or several of one organization.
    pub snapshots: Vec<Snapshot>,
    /// Who the cloud says we are.
    pub identity: Option<CallerIdentity>,
    /// Calls made to the cloud.
    pub api_calls: u32,
    /// Permissions that the cloud refused.
    pub missing_permissions: Vec<String>,
}

/// The object that must change before a failure about it can pass.
pub fn reference(spec: &CloudAccountSpec) -> Option<Reference<'_>> {
    if let Some(aws) = &spec.aws {
        return aws.auth.secret_ref.as_ref().map(|secret| Reference::Secret(&secret.name));
    }
    let source = spec.snapshot.as_ref()?;
    match source.kind {
        SnapshotSourceType::SecretRef => source.secret_ref.as_ref().map(|secret| Reference::Secret(&secret.name)),
        SnapshotSourceType::ConfigMapRef => source.config_map_ref.as_ref().map(|map| Reference::ConfigMap(&map.name)),
        SnapshotSourceType::StoreRef => None,
    }
}

/// Collects one account. Never fails: how it ended is the outcome.
pub async fn collect(context: Arc<Context>, account: CloudAccount) -> Ended {
    let began = clock::now();
    let started = std::time::Instant::now();
    let result = attempt(&context, &account, began).await;
    let took = Duration::from_millis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    let (name, namespace) = (account.name_any(), account.namespace().unwrap_or_default());
    match &result {
        Ok(collected) => tracing::info!(
            namespace,
            name,
            account = collected.account,
            calls = collected.api_calls,
            ?took,
            "collected"
        ),
        Err(failure) => tracing::warn!(
            namespace,
            name,
            reason = failure.reason,
            message = failure.message,
            "collection failed"
        ),
    }
    Ended {
        began,
        took,
        generation: account.metadata.generation,
        run_now: run_now(&account).map(str::to_owned),
        result,
    }
}

async fn attempt(context: &Arc<Context>, account: &CloudAccount, began: Timestamp) -> Result<Collected, Failure> {
    let namespace = account.namespace().unwrap_or_default();
    if let Some(reference) = reference(&account.spec) {
        // Noted before the read: a change in between is seen as a change.
        match references::version(&context.client, &namespace, &reference).await {
            Ok(version) => context.memory.note_source(&account.uid().unwrap_or_default(), version),
            Err(error) => return Err(Failure::transient(reason::CLUSTER_UNAVAILABLE, crate::operator::chain(&error))),
        }
    }
    let reading = match account.spec.provider {
        AccountProvider::Snapshot => recorded(context, &namespace, account.spec.snapshot.as_ref()).await?,
        _ => super::aws::read(context, &namespace, &account.spec, began).await?,
    };
    let collected = summary(&reading);
    let key = AccountKey::new(&namespace, &account.name_any()).map_err(|error| Failure::people(reason::INVALID_SPEC, error.to_string()))?;
    let (store, snapshots) = (context.store.clone(), reading.snapshots);
    let written = tokio::task::spawn_blocking(move || store.put_snapshots(&key, &snapshots)).await;
    match written {
        Ok(Ok(_)) => Ok(collected),
        Ok(Err(error)) => Err(Failure::transient(
            reason::WRITE_FAILED,
            format!("the snapshot could not be stored: {}", crate::operator::chain(&error)),
        )),
        Err(error) => Err(Failure::transient(
            reason::WRITE_FAILED,
            format!("the snapshot could not be stored: {error}"),
        )),
    }
}

/// Reads a recorded snapshot.
async fn recorded(context: &Arc<Context>, namespace: &str, source: Option<&SnapshotSource>) -> Result<Reading, Failure> {
    let missing = |what: &str| Failure::people(reason::INVALID_SPEC, format!("spec.snapshot does not hold {what}"));
    let source = source.ok_or_else(|| missing("a source"))?;
    let (bytes, name) = match source.kind {
        SnapshotSourceType::ConfigMapRef => {
            let reference = source.config_map_ref.as_ref().ok_or_else(|| missing("configMapRef"))?;
            let bytes = references::config_map(&context.client, namespace, &reference.name, reference.key.as_deref()).await?;
            (bytes, format!("ConfigMap '{}'", reference.name))
        }
        SnapshotSourceType::SecretRef => {
            let reference = source.secret_ref.as_ref().ok_or_else(|| missing("secretRef"))?;
            let entries: BTreeMap<String, Vec<u8>> = references::secret(&context.client, namespace, &reference.name)
                .await?
                .into_iter()
                .map(|(key, value)| (key, value.0))
                .collect();
            let whose = format!("Secret '{}'", reference.name);
            let bytes = references::entry(entries, &whose, reference.key.as_deref())
                .map_err(|message| Failure::people(reason::SNAPSHOT_NOT_FOUND, message))?;
            (bytes, whose)
        }
        SnapshotSourceType::StoreRef => {
            let path = source.store_ref.as_ref().ok_or_else(|| missing("storeRef"))?.path.clone();
            let namespace = Name::new(namespace).map_err(|error| Failure::people(reason::INVALID_SPEC, error.to_string()))?;
            let store = context.store.clone();
            return reading(
                tokio::task::spawn_blocking(move || store.get_below(&namespace, &path))
                    .await
                    .map(|read| {
                        read.map_err(|error| match error {
                            StoreError::NotFound(_) | StoreError::Outside(_) => {
                                Failure::people(reason::SNAPSHOT_NOT_FOUND, format!("spec.snapshot.storeRef: {error}"))
                            }
                            other => Failure::people(
                                reason::SNAPSHOT_INVALID,
                                format!("spec.snapshot.storeRef: {}", crate::operator::chain(&other)),
                            ),
                        })
                    }),
            );
        }
    };
    let parsed = tokio::task::spawn_blocking(move || crate::snapshot::read(&bytes, &name)).await;
    reading(parsed.map(|read| read.map_err(|error| Failure::people(reason::SNAPSHOT_INVALID, error.to_string()))))
}

/// Recorded snapshots as a reading.
fn reading(read: Result<Result<Vec<Snapshot>, Failure>, tokio::task::JoinError>) -> Result<Reading, Failure> {
    let snapshots = read.map_err(|error| Failure::transient(reason::COLLECTION_FAILED, error.to_string()))??;
    Ok(Reading {
        snapshots,
        identity: None,
        api_calls: 0,
        missing_permissions: Vec::new(),
    })
}

/// What goes into the status.
fn summary(reading: &Reading) -> Collected {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut coverage = Vec::new();
    for snapshot in &reading.snapshots {
        for (name, section) in &snapshot.sections {
            let items = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(section.content.get()).map_or(0, |items| items.len());
            if items > 0 {
                let count = counts.entry(name.clone()).or_default();
                *count = count.saturating_add(u32::try_from(items).unwrap_or(u32::MAX));
            }
            if matches!(section.status, SectionStatus::Partial | SectionStatus::Denied) {
                coverage.push(CoverageEntry {
                    source: section.source.clone(),
                    entity: snapshot.scope.clone(),
                    place: name.clone(),
                    reason: section.reason.clone().unwrap_or_else(|| "was not read whole".to_owned()),
                });
            }
        }
    }
    let providers: std::collections::BTreeSet<Provider> = reading.snapshots.iter().map(|snapshot| snapshot.provider).collect();
    let scopes: std::collections::BTreeSet<&str> = reading.snapshots.iter().map(|snapshot| snapshot.scope.as_str()).collect();
    Collected {
        provider: if providers.len() == 1 { providers.into_iter().next() } else { None },
        account: scopes.into_iter().collect::<Vec<_>>().join(","),
        identity: reading.identity.clone(),
        digests: Digests {
            entitlements: digest(&reading.snapshots, SectionKind::Entitlements),
            usage: digest(&reading.snapshots, SectionKind::Usage),
        },
        counts,
        api_calls: reading.api_calls,
        coverage,
        missing_permissions: reading.missing_permissions.clone(),
    }
}

/// The digest of one snapshot, or over those of several.
fn digest(snapshots: &[Snapshot], kind: SectionKind) -> String {
    if let [only] = snapshots {
        return only.digest(kind);
    }
    let mut digests: Vec<String> = snapshots
        .iter()
        .map(|snapshot| format!("{}={}", snapshot.scope, snapshot.digest(kind)))
        .collect();
    digests.sort_unstable();
    sha256(digests.join("\n").as_bytes())
}
