//! The proxy between operator and API server disturbs exactly what it is told to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::http::{Method, StatusCode};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};

use crate::control_plane::config_map;
use crate::harness::namespace::Namespace;
use crate::harness::proxy::{Fault, Proxy, Requests, SeenRequest, Turn};
use crate::harness::suite::shared;

const SOON: Duration = Duration::from_secs(10);

/// The config maps of a fresh namespace, as seen through a fresh proxy and directly.
struct Scene {
    proxy: Proxy,
    through: Api<ConfigMap>,
    direct: Api<ConfigMap>,
    _namespace: Namespace,
}

impl Scene {
    async fn new() -> Result<Self> {
        let cluster = shared().await?.cluster();
        let namespace = Namespace::create(cluster, "proxy").await?;
        let proxy = Proxy::start(cluster).await?;
        let mut config = cluster.config().await?;
        config.cluster_url = proxy.url().parse()?;
        config.default_retry = false;
        let through = Api::namespaced(Client::try_from(config)?, namespace.name());
        let direct = Api::namespaced(cluster.client().await?, namespace.name());
        Ok(Self {
            proxy,
            through,
            direct,
            _namespace: namespace,
        })
    }

    async fn create(&self, name: &str) -> kube::Result<ConfigMap> {
        self.through.create(&PostParams::default(), &config_map(name)).await
    }

    /// The write goes on while the test does other things.
    fn begin_to_create(&self, name: &'static str) -> tokio::task::JoinHandle<kube::Result<ConfigMap>> {
        let api = self.through.clone();
        tokio::spawn(async move { api.create(&PostParams::default(), &config_map(name)).await })
    }

    async fn exists(&self, name: &str) -> Result<bool> {
        Ok(self.direct.get_opt(name).await?.is_some())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_watches_pass_and_are_counted() -> Result<()> {
    let scene = Scene::new().await?;
    let list = scene.through.list(&ListParams::default()).await?;
    let version = list.metadata.resource_version.context("no resourceVersion")?;
    let mut events = scene
        .through
        .watch(&WatchParams::default().fields("metadata.name=later"), &version)
        .await?
        .boxed();
    scene.create("earlier").await?;
    // Only now: the event has to come through an open stream.
    scene.direct.create(&PostParams::default(), &config_map("later")).await?;
    let event = tokio::time::timeout(SOON, events.try_next())
        .await??
        .context("the watch has ended")?;
    assert!(
        matches!(&event, WatchEvent::Added(object) if object.metadata.name.as_deref() == Some("later")),
        "{event:?}"
    );

    // The answer of the API server itself, not of the proxy.
    let conflict = scene.create("earlier").await.unwrap_err();
    assert!(
        matches!(&conflict, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists"),
        "{conflict}"
    );

    let path = scene.through.resource_url();
    let seen = scene.proxy.seen();
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.iter().all(|request| request.path.starts_with(path)), "{seen:?}");
    assert_eq!(scene.proxy.count(&Requests::of(Method::GET).on("watch=true")), 1);
    assert_eq!(scene.proxy.count(&Requests::writes()), 2);
    assert_eq!(scene.proxy.count(&Requests::any().on("/configmaps")), 4);
    assert_eq!(scene.proxy.count(&Requests::writes().on("/secrets")), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_write_is_held_and_released() -> Result<()> {
    let scene = Scene::new().await?;
    let second = scene.proxy.intercept(Requests::writes(), Turn::Only(2), Fault::Hold);
    scene.create("first").await?;
    let pending = scene.begin_to_create("second");
    let arrived: SeenRequest = second.arrived(SOON).await?;
    assert_eq!(arrived.method, Method::POST);
    scene.create("third").await?;
    assert!(scene.exists("first").await? && scene.exists("third").await? && !scene.exists("second").await?);
    assert!(!pending.is_finished());
    second.release();
    pending.await??;
    assert!(scene.exists("second").await?);
    assert_eq!(second.chosen().len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_write_of_a_dead_client_is_never_made() -> Result<()> {
    let scene = Scene::new().await?;
    let boundary = scene.proxy.intercept(Requests::writes(), Turn::From(2), Fault::Hold);
    scene.create("first").await?;
    let second = scene.begin_to_create("second");
    boundary.arrived(SOON).await?;
    let third = scene.begin_to_create("third");
    while boundary.chosen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Reads are not held.
    assert_eq!(scene.through.list(&ListParams::default()).await?.items.len(), 2);

    second.abort();
    third.abort();
    assert!(second.await.is_err() && third.await.is_err());
    // Time for the proxy to see the closed connections.
    tokio::time::sleep(Duration::from_millis(300)).await;
    boundary.release();
    scene.create("fourth").await?;
    assert!(!scene.exists("second").await? && !scene.exists("third").await? && scene.exists("fourth").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_withheld_after_the_write_was_made() -> Result<()> {
    let scene = Scene::new().await?;
    let held = scene
        .proxy
        .intercept(Requests::writes().on("configmaps"), Turn::Only(1), Fault::HoldAnswer);
    let pending = scene.begin_to_create("written");
    held.arrived(SOON).await?;
    assert!(scene.exists("written").await?);
    assert!(!pending.is_finished());
    held.release();
    assert_eq!(pending.await??.metadata.name.as_deref(), Some("written"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_delayed_refused_and_cut() -> Result<()> {
    let scene = Scene::new().await?;
    let delay = Duration::from_millis(300);
    scene.proxy.intercept(Requests::writes(), Turn::Only(1), Fault::Delay(delay));
    scene
        .proxy
        .intercept(Requests::writes(), Turn::Only(2), Fault::Status(StatusCode::TOO_MANY_REQUESTS));
    scene.proxy.intercept(Requests::writes(), Turn::Only(3), Fault::Cut);
    scene.proxy.intercept(Requests::writes(), Turn::Only(4), Fault::CutAnswer);

    let begin = Instant::now();
    scene.create("delayed").await?;
    assert!(begin.elapsed() >= delay);

    let refused = scene.create("refused").await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 429 && status.reason == "TooManyRequests"),
        "{refused}"
    );
    assert!(!scene.exists("refused").await?);

    let cut = scene.create("cut").await.unwrap_err();
    assert!(!matches!(cut, kube::Error::Api(_)), "{cut}");
    assert!(!scene.exists("cut").await?);

    let lost = scene.create("lost").await.unwrap_err();
    assert!(!matches!(lost, kube::Error::Api(_)), "{lost}");
    assert!(scene.exists("lost").await?);

    scene.create("fifth").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_fails_as_told_until_the_fault_is_over() -> Result<()> {
    let scene = Scene::new().await?;
    let gone = scene
        .proxy
        .intercept(Requests::any().on("watch=true"), Turn::From(1), Fault::Status(StatusCode::GONE));
    let watch = async || -> kube::Result<()> {
        let parameters = WatchParams::default().timeout(1);
        scene.through.watch(&parameters, "0").await?.try_collect::<Vec<_>>().await.map(drop)
    };
    for _ in 0..2 {
        let error = watch().await.unwrap_err();
        assert!(matches!(&error, kube::Error::Api(status) if status.code == 410), "{error}");
    }
    gone.release();
    watch().await?;
    assert_eq!(gone.chosen().len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_ends_without_a_byte() -> Result<()> {
    let scene = Scene::new().await?;
    scene.proxy.intercept(Requests::any(), Turn::Only(1), Fault::Cut);
    let address = scene.proxy.url().strip_prefix("http://").context("no HTTP address")?.to_owned();
    let received = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(b"GET /version HTTP/1.1\r\nHost: test\r\n\r\n")?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).map(|_| received)
    })
    .await??;
    assert_eq!(String::from_utf8(received)?, "");
    Ok(())
}
