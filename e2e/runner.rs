//! The operator's runner, tried with a small stand-in for the operator: what runs here is the way in which it is run.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};

use crate::control_plane::config_map;
use crate::harness::control_plane::{Options, Ports};
use crate::harness::operator::{NAMESPACE, Operator, OperatorOptions, SERVICE_ACCOUNT};
use crate::harness::proxy::{Proxy, Requests};
use crate::harness::suite::own;
use crate::harness::wait::http_get;
use crate::processes::write_script;

const SOON: Duration = Duration::from_secs(20);

/// The arguments of the stand-in, which its own (the test runner's) leave no room for.
const STAND_IN: &str = "CIEM_E2E_STAND_IN";

const MANIFESTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: ciem-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ciem-operator, namespace: ciem-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: stand-in}
rules:
- {apiGroups: [''], resources: [configmaps], verbs: [create, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: stand-in}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: stand-in}
subjects:
- {kind: ServiceAccount, name: ciem-operator, namespace: ciem-system}
";

/// Finds the cluster as the operator does, and serves what it found.
#[tokio::test(flavor = "multi_thread")]
async fn stand_in() -> Result<()> {
    let Some(arguments) = std::env::var_os(STAND_IN) else {
        return Ok(());
    };
    let arguments = arguments.into_string().unwrap();
    println!("arguments: {arguments}");
    let address = arguments.split(' ').nth(2).context("no address")?.to_owned();
    let client = Client::try_default().await?;
    let config_maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    config_maps
        .create(&PostParams::default(), &config_map(&format!("from-{}", std::process::id())))
        .await?;
    let secrets = Api::<Secret>::all(client)
        .list(&ListParams::default())
        .await
        .unwrap_err()
        .to_string();
    let router = Router::new()
        .route("/readyz", get(async || "ok"))
        .route("/secrets", get(async || (StatusCode::FORBIDDEN, secrets)));
    axum::serve(tokio::net::TcpListener::bind(address).await?, router).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_runs_under_its_service_account_and_through_a_proxy() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let taken = listener.local_addr()?.port();
    let options = Options {
        ports: Ports {
            etcd: taken,
            ..Ports::default()
        },
        ..Options::default()
    };
    let Some(own) = own(options).await? else { return Ok(()) };
    let plane = &own.plane;
    assert_ne!(plane.etcd_url(), format!("http://127.0.0.1:{taken}"));
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("manifests.yaml"), MANIFESTS)?;
    fs::write(folder.path().join("kustomization.yaml"), "resources: [manifests.yaml]\n")?;
    let binary = folder.path().join("operator");
    let test = std::env::current_exe()?;
    let script = format!(
        "#!/bin/sh\n{STAND_IN}=\"$*\" exec {} --exact runner::stand_in --nocapture\n",
        test.display()
    );
    write_script(&binary, &script)?;

    let proxy = Proxy::start(plane).await?;
    let mut operator = Operator::start(
        plane,
        OperatorOptions {
            binary,
            manifests: folder.path().to_owned(),
            server: Some(proxy.url().to_owned()),
            arguments: vec!["--given".to_owned()],
            environment: vec![("RUST_BACKTRACE".to_owned(), "0".into())],
        },
    )
    .await?;
    operator.ready(SOON).await?;
    let address = operator.url().replace("http://", "");
    assert!(
        operator
            .process()
            .log()?
            .contains(&format!("arguments: operator --http-address {address} --given\n"))
    );
    let (status, refusal) = http_get(operator.url(), "/secrets").await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let user = format!("system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}");
    assert!(
        refusal.contains(&format!("User \"{user}\" cannot list resource \"secrets\"")),
        "{refusal}"
    );
    assert_eq!(proxy.count(&Requests::writes()), 1);
    // The token is nobody else's.
    assert!(operator.token_file().is_file());
    assert_eq!(fs::metadata(operator.directory())?.permissions().mode() & 0o077, 0);

    let first = operator.process().identity();
    assert_eq!(operator.process().kill()?.signal(), Some(9));
    assert!(http_get(operator.url(), "/readyz").await.is_err());
    assert!(operator.ready(SOON).await.is_err());
    operator.restart()?;
    operator.ready(SOON).await?;
    assert_ne!(operator.process().identity(), first);
    assert_eq!(proxy.count(&Requests::writes()), 2);
    operator.process().signal("TERM")?;
    assert_eq!(operator.process().wait(SOON).await?.signal(), Some(15));

    operator.restart()?;
    operator.ready(SOON).await?;
    let third = operator.process().identity();
    let stop = operator.leave_running()?;
    let folder = operator.directory().to_owned();
    drop(operator);
    assert!(third.lives());
    assert!(Command::new("sh").arg(stop).status()?.success());
    assert!(!third.lives() && !folder.exists());
    Ok(())
}
