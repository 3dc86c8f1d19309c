//! The control plane does what the other tests rely on.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use crate::harness::control_plane::{ControlPlane, Options, Ports};
use crate::harness::namespace::Namespace;
use crate::harness::process::ProcessIdentity;
use crate::harness::suite::{Suite, own, own_turn, repository, shared};
use crate::harness::tools::Tools;
use crate::harness::wait::eventually;
use crate::processes::write_script;

/// Set for the copy of this binary that [`a_killed_test_leaves_nothing_behind`] starts; names the file it reports to.
const TO_BE_KILLED: &str = "CIEM_E2E_TO_BE_KILLED";

pub fn config_map(name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_in_time() -> Result<()> {
    let Suite::Own(plane) = shared().await? else {
        return Ok(());
    };
    println!("started in {:?}", plane.started_in());
    assert!(plane.started_in() < Duration::from_secs(15), "{:?}", plane.started_in());
    if std::env::var_os("KUBEBUILDER_ASSETS").is_none() {
        let version: Value = serde_json::from_str(&plane.kubectl(&["version", "-o", "json"]).await?)?;
        assert_eq!(version["serverVersion"]["gitVersion"], "v1.37.2");
        assert_eq!(version["clientVersion"]["gitVersion"], "v1.37.2");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_may_do_what_rbac_says_and_nothing_else() -> Result<()> {
    let cluster = shared().await?.cluster();
    let namespace = Namespace::create(cluster, "rbac").await?;
    let ns = namespace.name();
    cluster.kubectl(&["create", "serviceaccount", "reader", "-n", ns]).await?;
    let token = cluster.service_account_token(ns, "reader").await?;
    let client = cluster.client_with_token(&token).await?;
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), ns);
    let secrets: Api<Secret> = Api::namespaced(client, ns);

    let refused = config_maps.list(&ListParams::default()).await.unwrap_err();
    let user = format!("system:serviceaccount:{ns}:reader");
    assert!(
        refused
            .to_string()
            .contains(&format!("User \"{user}\" cannot list resource \"configmaps\"")),
        "{refused}"
    );

    let subject = format!("--serviceaccount={ns}:reader");
    cluster
        .kubectl(&["create", "rolebinding", "reader", "-n", ns, "--clusterrole=view", &subject])
        .await?;
    eventually(Duration::from_secs(20), "the new permission", async || {
        Ok(Some(config_maps.list(&ListParams::default()).await?))
    })
    .await?;
    let refused = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");

    let stranger = cluster.client_with_token("no-such-token").await?;
    let refused = stranger.apiserver_version().await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 401), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_tells_who_did_what() -> Result<()> {
    let cluster = shared().await?.cluster();
    if cluster.audit_log().is_none() {
        eprintln!("skipped: the cluster of E2E_KUBECONFIG has its audit log elsewhere");
        return Ok(());
    }
    let namespace = Namespace::create(cluster, "audit").await?;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await?, namespace.name());
    api.create(&PostParams::default(), &config_map("noted")).await?;
    let event = eventually(Duration::from_secs(20), "the request in the audit log", async || {
        let mut events = cluster.audit_events()?.into_iter();
        Ok(events.find(|event| event["objectRef"]["namespace"] == namespace.name() && event["objectRef"]["name"] == "noted"))
    })
    .await?;
    assert_eq!(event["verb"], "create");
    assert_eq!(event["objectRef"]["resource"], "configmaps");
    assert_eq!(event["user"]["username"], "e2e-administrator");
    assert_eq!(event["responseStatus"]["code"], 201);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_with_its_owner_and_only_with_it() -> Result<()> {
    let cluster = shared().await?.cluster();
    let namespace = Namespace::create(cluster, "owner").await?;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await?, namespace.name());
    for owner in ["gone", "staying"] {
        let uid = api.create(&PostParams::default(), &config_map(owner)).await?.metadata.uid;
        let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid}]);
        let mut owned = config_map(&format!("owned-by-{owner}"));
        owned.metadata.owner_references = Some(serde_json::from_value(reference)?);
        api.create(&PostParams::default(), &owned).await?;
    }
    cluster.kubectl(&["delete", "configmap", "gone", "-n", namespace.name()]).await?;
    eventually(Duration::from_secs(20), "garbage collection", async || {
        Ok(api.get_opt("owned-by-gone").await?.is_none().then_some(()))
    })
    .await?;
    assert!(api.get_opt("owned-by-staying").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_disappears_with_what_is_in_it() -> Result<()> {
    let cluster = shared().await?.cluster();
    let namespace = Namespace::create(cluster, "short").await?;
    let name = namespace.name().to_owned();
    let other = Namespace::create(cluster, "short").await?;
    assert_ne!(other.name(), name);
    cluster.apply(&name, &serde_json::to_string(&config_map("inside"))?).await?;
    drop(namespace);
    eventually(Duration::from_secs(30), "the end of the namespace", async || {
        Ok(cluster
            .kubectl(&["get", "namespace", &name, "--ignore-not-found"])
            .await?
            .is_empty()
            .then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_says_why_it_failed() -> Result<()> {
    let cluster = shared().await?.cluster();
    let error = cluster
        .apply("default", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: UPPER}\n")
        .await
        .unwrap_err();
    assert!(
        format!("{error:#}").contains("metadata.name: Invalid value: \"UPPER\""),
        "{error:#}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_restarts_alone_on_its_port_and_data() -> Result<()> {
    let Some(mut own) = own(Options::default()).await? else {
        return Ok(());
    };
    let plane = &mut own.plane;
    plane.kubectl(&["create", "serviceaccount", "holder"]).await?;
    let token = plane.service_account_token("default", "holder").await?;
    let api: Api<ConfigMap> = Api::default_namespaced(plane.client().await?);
    let before = api.create(&PostParams::default(), &config_map("kept")).await?;
    let port = plane.url();

    let begin = Instant::now();
    plane.stop_api_server().await?;
    println!("stopped in {:?}", begin.elapsed());
    assert!(api.get("kept").await.is_err());
    assert!(plane.check_running().await.is_err());
    let begin = Instant::now();
    plane.start_api_server().await?;
    println!("started again in {:?}", begin.elapsed());
    plane.check_running().await?;

    assert_eq!(plane.url(), port);
    assert_eq!(api.get("kept").await?.metadata, before.metadata);
    // The keys are the same, so a token and the certificates from before are good.
    let authority = plane.certificate_authority();
    let holder = [
        "--server",
        &port,
        "--certificate-authority",
        &authority.to_string_lossy(),
        "--token",
        &token,
    ];
    let who = plane
        .kubectl(&[&holder[..], &["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]].concat())
        .await?;
    assert_eq!(who, "system:serviceaccount:default:holder");
    Ok(())
}

const WIDGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.e2e.ciem.dev}
spec:
  group: e2e.ciem.dev
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
";

fn widget(name: &str) -> Value {
    json!({"apiVersion": "e2e.ciem.dev/v1", "kind": "Widget", "metadata": {"name": name}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_left_alone_and_new_kinds_are_collected_at_once() -> Result<()> {
    let crds = tempfile::tempdir()?;
    fs::write(crds.path().join("widgets.yaml"), WIDGETS)?;
    fs::write(crds.path().join("kustomization.yaml"), "resources: [widgets.yaml]\n")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let taken = listener.local_addr()?.port();
    let ports = Ports {
        api_server: taken,
        ..Ports::default()
    };
    let options = Options {
        crds: Some(crds.path().to_owned()),
        ports,
        ..Options::default()
    };
    let Some(own) = own(options).await? else {
        return Ok(());
    };
    let plane = &own.plane;
    assert_ne!(plane.url(), format!("https://127.0.0.1:{taken}"));
    println!("started in {:?}", plane.started_in());
    let begin = Instant::now();

    plane.apply("default", &widget("owner").to_string()).await?;
    let uid = plane.kubectl(&["get", "widget", "owner", "-o", "jsonpath={.metadata.uid}"]).await?;
    let mut owned = widget("owned");
    owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "e2e.ciem.dev/v1", "kind": "Widget", "name": "owner", "uid": uid}]);
    plane.apply("default", &owned.to_string()).await?;
    plane.kubectl(&["delete", "widget", "owner"]).await?;
    // Had the garbage collector to find the kind first, it would be up to 40 s.
    eventually(Duration::from_secs(15), "collection of an object of the new kind", async || {
        Ok(plane.kubectl(&["get", "widgets", "-o", "name"]).await?.is_empty().then_some(()))
    })
    .await?;

    println!("collected in {:?}", begin.elapsed());
    let (processes, folder) = (plane.processes()?, plane.directory().to_owned());
    let stop = plane.leave_running()?;
    drop(own);
    assert_eq!(processes.iter().filter(|process| process.lives()).count(), 3);
    assert!(Command::new("sh").arg(stop).status()?.success());
    assert!(!processes.iter().any(|process| process.lives()) && !folder.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_start_says_which_part_and_why() -> Result<()> {
    let arguments = vec!["--no-such-flag".to_owned()];
    let Some(_turn) = own_turn().await? else {
        return Ok(());
    };
    let begin = Instant::now();
    let error = ControlPlane::start(Options {
        api_server_arguments: arguments,
        ..Options::default()
    })
    .await
    .err()
    .context("it started")?;
    let text = format!("{error:#}");
    assert!(
        text.contains("kube-apiserver has ended") && text.contains("unknown flag: --no-such-flag"),
        "{text}"
    );
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    Ok(())
}

/// Runs until it is killed, in a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn to_be_killed() -> Result<()> {
    let Some(report) = std::env::var_os(TO_BE_KILLED).map(PathBuf::from) else {
        return Ok(());
    };
    let plane = ControlPlane::start(Options::default()).await?;
    let mut lines = vec![plane.directory().display().to_string()];
    lines.extend(plane.processes()?.iter().map(|process| process.pid.to_string()));
    // Renamed, so that nobody reads half of it.
    fs::write(report.with_extension("new"), lines.join("\n"))?;
    fs::rename(report.with_extension("new"), report)?;
    tokio::time::sleep(Duration::from_mins(10)).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_test_leaves_nothing_behind() -> Result<()> {
    let Some(_turn) = own_turn().await? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report");
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "control_plane::to_be_killed"])
        .env(TO_BE_KILLED, &report)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let reported = eventually(Duration::from_secs(90), "the control plane of the other process", async || {
        if let Some(status) = victim.try_wait()? {
            return Ok(Some(Err(anyhow::anyhow!("it ended by itself: {status}"))));
        }
        Ok(report.is_file().then(|| Ok(fs::read_to_string(&report)?)))
    })
    .await??;
    let mut lines = reported.lines();
    let directory = PathBuf::from(lines.next().context("no folder")?);
    let processes: Vec<_> = lines.filter_map(|pid| ProcessIdentity::of(pid.parse().ok()?)).collect();
    // etcd, API server, controller manager, watchdog.
    assert_eq!(processes.len(), 4);
    assert!(directory.join("etcd").is_dir());

    victim.kill()?;
    victim.wait()?;
    eventually(Duration::from_secs(20), "the end of every process and of the folder", async || {
        let over = processes.iter().all(|process| !process.lives()) && !directory.exists();
        Ok(over.then_some(()))
    })
    .await
}

/// A PATH without Go, and with this in its place if given.
fn path_without_go(folder: &Path, go: Option<&str>) -> Result<()> {
    for name in [
        "bash",
        "sh",
        "cat",
        "cut",
        "dirname",
        "env",
        "flock",
        "head",
        "mkdir",
        "mktemp",
        "rm",
        "sed",
        "sha256sum",
        "sort",
    ] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|path| path.join(name))
            .find(|path| path.is_file());
        symlink(found.with_context(|| format!("no {name} on PATH"))?, folder.join(name))?;
    }
    if let Some(script) = go {
        write_script(&folder.join("go"), script)?;
    }
    Ok(())
}

#[test]
fn without_go_one_line_says_what_to_install() -> Result<()> {
    let old = "#!/bin/sh\necho go1.19.8\n";
    for (go, complaint) in [(None, "no Go toolchain on PATH"), (Some(old), "Go 1.19.8 is too old")] {
        let folder = tempfile::tempdir()?;
        path_without_go(folder.path(), go)?;
        let mut command = Command::new(repository().join("e2e/tools/build"));
        command.env("PATH", folder.path()).env("CIEM_CACHE", folder.path().join("cache"));
        let output = command.output()?;
        let stderr = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(69), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.contains(complaint) && stderr.contains("install Go 1.26.0 or newer"),
            "{stderr}"
        );
        assert!(output.stdout.is_empty());

        let error = format!("{:#}", Tools::build(&mut command).err().context("it found tools")?);
        assert!(error.contains(stderr.trim()), "{error}");
    }
    Ok(())
}

#[test]
fn ready_binaries_that_are_missing_are_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("etcd"), "")?;
    fs::write(folder.path().join("kubectl"), "")?;
    let error = Tools::in_folder(folder.path()).err().context("they are not there")?;
    assert!(
        error.to_string().ends_with("lacks kube-apiserver, kube-controller-manager"),
        "{error}"
    );
    Ok(())
}
