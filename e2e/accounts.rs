//! CloudAccounts that cannot be read, and how they come back.

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::harness::aws::AwsEndpoint;
use crate::harness::suite::shared;
use crate::reports::{CANARY, aws_account, reader, secret};
use crate::support::builder::AccountBuilder;
use crate::world::{Start, World};

const ACCOUNT: &str = "333333333333";
const KEY: &str = "AKIAEXAMPLEREADER003";

async fn endpoint() -> Result<AwsEndpoint> {
    let endpoint = AwsEndpoint::start().await?;
    let mut seed = AccountBuilder::new(ACCOUNT).build();
    seed["UserDetailList"] = json!([reader(ACCOUNT)]);
    seed["accessKeys"] = json!([{"UserName": "ciem-reader", "AccessKeyId": KEY, "SecretAccessKey": CANARY}]);
    endpoint.seed(&seed).await?;
    Ok(endpoint)
}

/// Wrong keys stall the account; the mended Secret is enough, without a restart and before the interval.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_stall_and_a_mended_secret_recovers() -> Result<()> {
    let endpoint = endpoint().await?;
    let cluster = shared().await?.cluster();
    let world = World::start(
        cluster,
        "wrong",
        Start {
            aws_endpoint: Some(endpoint.url().to_owned()),
            ..Start::default()
        },
    )
    .await?;
    world
        .apply(&secret("reader", KEY, "not-the-right-secret-canary-0000000000000"))
        .await?;
    world.apply(&aws_account("account", ACCOUNT, "reader")).await?;
    let stalled = world.account_condition("account", "Stalled", "True", "CredentialsInvalid").await?;
    let conditions = &stalled.status.as_ref().context("no status")?.conditions;
    assert!(
        conditions
            .iter()
            .any(|condition| condition.type_ == "CredentialsValid" && condition.status == "False")
    );
    let before = endpoint.calls_of(ACCOUNT).await?.len() + endpoint.calls().await?.iter().filter(|call| call.account.is_none()).count();

    world.apply(&secret("reader", KEY, CANARY)).await?;
    let ready = world.account_condition("account", "Ready", "True", "Succeeded").await?;
    let conditions = &ready.status.as_ref().context("no status")?.conditions;
    assert!(!conditions.iter().any(|condition| condition.type_ == "Stalled"));
    println!("{before} calls with wrong keys");
    assert!(before <= 4, "wrong keys are not tried again and again: {before} calls");

    let events: Api<Event> = Api::namespaced(world.client.clone(), world.namespace.name());
    let reasons: Vec<String> = events
        .list(&ListParams::default())
        .await?
        .items
        .into_iter()
        .filter_map(|event| event.reason)
        .collect();
    assert!(
        reasons.contains(&"Stalled".to_owned()) && reasons.contains(&"Collected".to_owned()),
        "{reasons:?}"
    );
    Ok(())
}

/// The keys of another account.
#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_another_account_are_a_mismatch() -> Result<()> {
    let endpoint = endpoint().await?;
    let cluster = shared().await?.cluster();
    let world = World::start(
        cluster,
        "mismatch",
        Start {
            aws_endpoint: Some(endpoint.url().to_owned()),
            ..Start::default()
        },
    )
    .await?;
    world.apply(&secret("reader", KEY, CANARY)).await?;
    world.apply(&aws_account("account", "444444444444", "reader")).await?;
    let stalled = world.account_condition("account", "Stalled", "True", "AccountMismatch").await?;
    let message = stalled
        .status
        .context("no status")?
        .conditions
        .into_iter()
        .find(|condition| condition.type_ == "Stalled")
        .context("gone")?
        .message;
    assert!(message.contains(ACCOUNT) && message.contains("444444444444"), "{message}");
    Ok(())
}

/// A Secret without the label is not read, whoever names it; with the label it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_without_the_label_is_refused() -> Result<()> {
    let endpoint = endpoint().await?;
    let cluster = shared().await?.cluster();
    let world = World::start(
        cluster,
        "label",
        Start {
            aws_endpoint: Some(endpoint.url().to_owned()),
            ..Start::default()
        },
    )
    .await?;
    world
        .apply(&secret("reader", KEY, CANARY).replace("ciem.dev/credential", "other"))
        .await?;
    world.apply(&aws_account("account", ACCOUNT, "reader")).await?;
    world.account_condition("account", "Stalled", "True", "SecretNotLabelled").await?;
    assert!(endpoint.calls_of(ACCOUNT).await?.is_empty(), "its keys were used");
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), world.namespace.name());
    let label = json!({"metadata": {"labels": {"ciem.dev/credential": "true"}}});
    secrets.patch("reader", &PatchParams::default(), &Patch::Merge(label)).await?;
    world.account_condition("account", "Ready", "True", "Succeeded").await?;
    Ok(())
}

/// The operator's own identity is for namespaces that a flag lists.
#[tokio::test(flavor = "multi_thread")]
async fn ambient_credentials_are_for_listed_namespaces() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "ambient", Start::default()).await?;
    let account = json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "account"},
        "spec": {"provider": "AWS", "aws": {"accountId": ACCOUNT, "auth": {"type": "Ambient"}}},
    });
    world.apply(&account.to_string()).await?;
    world.account_condition("account", "Stalled", "True", "AmbientNotAllowed").await?;
    Ok(())
}

/// In a listed namespace the operator's own identity is used: here, keys in its environment.
#[tokio::test(flavor = "multi_thread")]
async fn ambient_credentials_are_used_where_they_may() -> Result<()> {
    let endpoint = endpoint().await?;
    let cluster = shared().await?.cluster();
    let start = Start {
        aws_endpoint: Some(endpoint.url().to_owned()),
        own_namespace: true,
        environment: vec![
            ("AWS_ACCESS_KEY_ID".to_owned(), KEY.into()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), CANARY.into()),
        ],
        ..Start::default()
    };
    let world = World::start(cluster, "ambient-own", start).await?;
    let account = json!({
        "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "account"},
        "spec": {"provider": "AWS", "aws": {"accountId": ACCOUNT, "auth": {"type": "Ambient"}}},
    });
    world.apply(&account.to_string()).await?;
    let ready = world.account_condition("account", "Ready", "True", "Succeeded").await?;
    assert_eq!(
        ready.status.and_then(|status| status.identity).map(|identity| identity.account),
        Some(ACCOUNT.to_owned())
    );
    Ok(())
}

/// What the schema accepts and this version does not do is said by name, for every such provider and field.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_built_yet_is_not_supported() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "later", Start::default()).await?;
    let aws = |extra: serde_json::Value| {
        let mut spec = json!({"provider": "AWS", "aws": {"accountId": ACCOUNT, "auth": {"type": "SecretRef", "secretRef": {"name": "x", "type": "AwsKeys"}}}});
        spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        spec
    };
    let specs = [
        (
            "gcp",
            json!({"provider": "GCP", "gcp": {"scope": {"type": "Project", "id": "my-project-1"}, "auth": {"type": "Ambient"}}}),
            "GCP",
        ),
        (
            "kubernetes",
            json!({"provider": "Kubernetes", "kubernetes": {"clusterName": "here"}}),
            "Kubernetes",
        ),
        (
            "azure",
            json!({"provider": "Azure", "azure": {"tenantId": "11111111-2222-3333-4444-555555555555", "scope": {"type": "Tenant", "id": "11111111-2222-3333-4444-555555555555"}, "auth": {"type": "Ambient"}}}),
            "Azure",
        ),
        (
            "web-identity",
            json!({"provider": "AWS", "aws": {"accountId": ACCOUNT, "auth": {"type": "WebIdentity", "webIdentity": {"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/reader"), "serviceAccountRef": {"name": "reader"}}}}}),
            "WebIdentity",
        ),
        (
            "job",
            aws(json!({"execution": {"type": "Job", "serviceAccountName": "auditor"}})),
            "spec.execution",
        ),
    ];
    for (name, spec, _) in &specs {
        let account = json!({"apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name}, "spec": spec});
        world.apply(&account.to_string()).await?;
    }
    for (name, _, named) in &specs {
        let stalled = world.account_condition(name, "Stalled", "True", "NotSupported").await?;
        let condition = stalled
            .status
            .context("no status")?
            .conditions
            .into_iter()
            .find(|condition| condition.type_ == "Stalled")
            .context("gone")?;
        assert!(condition.message.contains(named), "{name}: {}", condition.message);
    }
    Ok(())
}

/// A recorded account that is malformed, missing, or holds bad documents.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_snapshot_names_its_place_and_a_mended_one_recovers() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "malformed", Start::default()).await?;
    let mut account = AccountBuilder::new(ACCOUNT).build();
    account["RoleDetailList"] = json!([{"Arn": 5}]);
    world.recorded_account("recorded", &account).await?;
    let stalled = world.account_condition("recorded", "Stalled", "True", "SnapshotInvalid").await?;
    let message = stalled
        .status
        .context("no status")?
        .conditions
        .into_iter()
        .find(|condition| condition.type_ == "Stalled")
        .context("gone")?
        .message;
    assert!(message.contains("RoleDetailList[0].Arn"), "{message}");

    world.recorded_account("recorded", &AccountBuilder::new(ACCOUNT).build()).await?;
    let ready = world.account_condition("recorded", "Ready", "True", "Succeeded").await?;
    assert_eq!(ready.status.as_ref().and_then(|status| status.account.as_deref()), Some(ACCOUNT));
    println!("{} recovered", ready.name_any());
    Ok(())
}

/// A recorded account in a Secret: read with the label alone, and the entry that is meant must be clear.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_in_a_secret_needs_the_label_and_a_clear_entry() -> Result<()> {
    let cluster = shared().await?.cluster();
    let world = World::start(cluster, "secret", Start::default()).await?;
    let content = AccountBuilder::new(ACCOUNT).build().to_string();
    let secret = |labels: serde_json::Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "recorded", "labels": labels},
            "stringData": {"account.json": content, "notes": "of May"},
        })
        .to_string()
    };
    let account = |reference: serde_json::Value| {
        json!({
            "apiVersion": "ciem.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "account"},
            "spec": {"provider": "Snapshot", "snapshot": {"type": "SecretRef", "secretRef": reference}},
        })
        .to_string()
    };
    world.apply(&secret(json!({}))).await?;
    world.apply(&account(json!({"name": "recorded"}))).await?;
    world.account_condition("account", "Stalled", "True", "SecretNotLabelled").await?;
    world.apply(&secret(json!({"ciem.dev/credential": "true"}))).await?;
    world.account_condition("account", "Stalled", "True", "SnapshotNotFound").await?;
    world.apply(&account(json!({"name": "recorded", "key": "account.json"}))).await?;
    let ready = world.account_condition("account", "Ready", "True", "Succeeded").await?;
    assert_eq!(ready.status.and_then(|status| status.account), Some(ACCOUNT.to_owned()));
    Ok(())
}
