//! Start, run and end of the operator process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::error_boundary::InvalidObject;
use kube::core::{CustomResourceExt as _, NamespaceResourceScope};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{PredicateConfig, WatchStreamExt as _, predicates};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::caches::{Caches, Filled, Guarded};
use super::cluster::{ClusterError, Notes, bounded};
use super::http::{Endpoints, Readiness, router};
use super::jobs::Jobs;
use super::memory::Memory;
use super::metrics::Metrics;
use super::policy::ReportHead;
use super::{Context, ObjectKey, Settings, account, chain, policy};
use crate::api::{AuditPolicy, AuditReport, AuditReportChunk, CloudAccount};
use crate::catalogue::Catalogue;
use crate::store::Store;

/// How long a failed pass waits before the next try.
const RETRY: Duration = Duration::from_secs(15);
/// Passes of one controller at once: they read and write the API server only.
const PASSES: u16 = 8;
/// How long missing CRDs are waited for between two looks.
const CRD_POLL: Duration = Duration::from_secs(2);

type Wake<K> = (UnboundedSender<ObjectRef<Guarded<K>>>, UnboundedReceiver<ObjectRef<Guarded<K>>>);

/// Runs until SIGTERM or SIGINT.
#[expect(clippy::too_many_lines, reason = "the parts in the order in which they start and stop")]
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    // First of all: crates that speak TLS take the process's provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping");
        // The receivers live as long as this process.
        let _ = stop.send(true);
    });

    let store = Arc::new(Store::open(&settings.store).with_context(|| format!("failed to open the store '{}'", settings.store.display()))?);
    let catalogue = Arc::new(Catalogue::load().context("failed to load the rule catalogue")?);
    let client = Client::try_default()
        .await
        .context("failed to find the API server: run in a cluster, or set KUBECONFIG")?;

    let (accounts, accounts_writer) = reflector::store();
    let (policies, policies_writer) = reflector::store();
    let (reports, reports_writer) = reflector::store();
    let caches = Arc::new(Caches {
        filled: Filled::new(3),
        accounts,
        policies,
        reports,
    });
    let readiness = Arc::new(Readiness::default());
    let metrics = Arc::new(Metrics::new(caches.clone()));

    let listener = tokio::net::TcpListener::bind(settings.http_address)
        .await
        .with_context(|| format!("failed to listen on {}", settings.http_address))?;
    tracing::info!(address = %settings.http_address, version = env!("CARGO_PKG_VERSION"), "serving /healthz, /readyz and /metrics");
    let endpoints = router(Endpoints {
        readiness: readiness.clone(),
        metrics: metrics.clone(),
    });
    let server = tokio::spawn(
        axum::serve(listener, endpoints)
            .with_graceful_shutdown(ended(stopped.clone()))
            .into_future(),
    );

    tokio::select! {
        () = crds(&client) => readiness.crds_are_there(),
        () = ended(stopped.clone()) => return Ok(()),
    }

    let (wake_accounts, woken_accounts): Wake<CloudAccount> = unbounded();
    let (wake_policies, woken_policies): Wake<AuditPolicy> = unbounded();
    let context = Arc::new(context(
        client.clone(),
        settings,
        catalogue,
        store,
        caches.clone(),
        metrics,
        &wake_accounts,
        &wake_policies,
    ));

    let namespace = context.settings.watch_namespace.as_deref();
    let filled = tokio::spawn({
        let (caches, readiness) = (caches.clone(), readiness.clone());
        async move {
            caches.filled.all().await;
            readiness.caches_are_filled();
            tracing::info!("the caches are filled");
        }
    });
    let owners = wake_policies.clone();
    let fill_reports = fill(
        scoped::<Guarded<ReportHead>>(&client, namespace),
        reports_writer,
        context.clone(),
        move |report| {
            if let (Some(namespace), Ok(good)) = (report.namespace(), &report.0) {
                // A closed channel means that the process is stopping.
                let _ = owners.unbounded_send(ObjectRef::new(&good.spec.policy_ref.name).within(&namespace));
            }
        },
    );
    let reports = tokio::spawn(fill_reports);
    let (changed, gone) = (context.clone(), context.clone());
    let accounts = Watched {
        name: "cloudaccount",
        api: scoped(&client, namespace),
        reader: caches.accounts.clone(),
        writer: accounts_writer,
        wakes: woken_accounts,
        // Every change of an account is looked at by the policies of its namespace: it may have a new snapshot, or be selected anew.
        changed: Box::new(move |namespace, _| {
            for policy in changed.caches.policies_in(namespace) {
                let _ = wake_policies.unbounded_send(policy);
            }
        }),
        gone: Box::new(move |namespace, name| account::forget(&gone, namespace, name)),
    };
    let gone = context.clone();
    let policies = Watched {
        name: "auditpolicy",
        api: scoped(&client, namespace),
        reader: caches.policies.clone(),
        writer: policies_writer,
        wakes: woken_policies,
        changed: Box::new(|_, _| {}),
        gone: Box::new(move |namespace, name| policy::forget(&gone, namespace, name)),
    };
    tokio::join!(
        accounts.control(context.clone(), stopped.clone(), |namespace, name, context| async move {
            account::reconcile(&namespace, &name, &context).await
        }),
        policies.control(context.clone(), stopped.clone(), |namespace, name, context| async move {
            policy::reconcile(&namespace, &name, &context).await
        }),
    );
    context.collections.abort_all();
    context.audits.abort_all();
    reports.abort();
    filled.abort();
    server
        .await
        .context("the HTTP server ended badly")?
        .context("the HTTP server failed")?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the one place where the parts meet")]
fn context(
    client: Client,
    settings: Settings,
    catalogue: Arc<Catalogue>,
    store: Arc<Store>,
    caches: Arc<Caches>,
    metrics: Arc<Metrics>,
    wake_accounts: &UnboundedSender<ObjectRef<Guarded<CloudAccount>>>,
    wake_policies: &UnboundedSender<ObjectRef<Guarded<AuditPolicy>>>,
) -> Context {
    let (collected, audited, wanted) = (wake_accounts.clone(), wake_policies.clone(), wake_accounts.clone());
    // A closed channel means that the process is stopping.
    let wake_account = move |key: &ObjectKey| {
        let _ = collected.unbounded_send(ObjectRef::new(&key.name).within(&key.namespace));
    };
    let wake_policy = move |pair: &policy::Pair| {
        let _ = audited.unbounded_send(ObjectRef::new(&pair.policy.name).within(&pair.policy.namespace));
    };
    Context {
        notes: Notes::new(client.clone(), settings.instance.clone()),
        collections: Jobs::new(settings.collections, wake_account),
        audits: Jobs::new(settings.audits, wake_policy),
        memory: Memory::default(),
        wake_account: Box::new(move |namespace, name| {
            let _ = wanted.unbounded_send(ObjectRef::new(name).within(namespace));
        }),
        client,
        settings,
        catalogue,
        store,
        caches,
        metrics,
    }
}

/// All namespaces, or the one that a flag names.
fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// Completes when the process is asked to stop.
async fn ended(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: the process is stopping as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Waits until the CRDs are established, and says what is missing.
async fn crds(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let names = [
        CloudAccount::crd_name(),
        AuditPolicy::crd_name(),
        AuditReport::crd_name(),
        AuditReportChunk::crd_name(),
    ];
    for name in names {
        let mut said = false;
        loop {
            match bounded(format!("read CustomResourceDefinition '{name}'"), api.get_opt(name)).await {
                Ok(Some(crd)) if established(&crd) => break,
                Ok(_) if !said => tracing::warn!(name, "waiting for a CustomResourceDefinition: apply crds/"),
                Ok(_) => {}
                Err(error) => tracing::warn!(error = chain(&error), "waiting for the API server"),
            }
            said = true;
            tokio::time::sleep(CRD_POLL).await;
        }
    }
}

fn established(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition.type_ == "Established" && condition.status == "True")
    })
}

/// Keeps a cache filled for ever; `seen` is called for each object that came, changed or went.
async fn fill<K>(
    api: Api<Guarded<K>>,
    writer: reflector::store::Writer<Guarded<K>>,
    context: Arc<Context>,
    seen: impl Fn(&Guarded<K>) + Send,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().page_size(50);
    let stream = watcher(api, config)
        .modify(|object: &mut Guarded<K>| object.meta_mut().managed_fields = None)
        .default_backoff()
        .reflect(writer);
    let mut stream = std::pin::pin!(stream);
    let mut first = Once::default();
    loop {
        match stream.try_next().await {
            Ok(Some(watcher::Event::Apply(object) | watcher::Event::InitApply(object) | watcher::Event::Delete(object))) => seen(&object),
            Ok(Some(watcher::Event::InitDone)) => first.then(|| context.caches.filled.one_more()),
            Ok(Some(watcher::Event::Init)) => {}
            Ok(None) => return,
            Err(error) => tracing::warn!(kind = %K::kind(&()), error = chain(&error), "a watch failed; it is started again"),
        }
    }
}

/// A watch lists again after an interruption; only the first listing fills the cache.
#[derive(Default)]
struct Once(bool);

impl Once {
    fn then(&mut self, act: impl FnOnce()) {
        if !std::mem::replace(&mut self.0, true) {
            act();
        }
    }
}

/// A hash over what people write: spec (by generation), annotations and labels.
#[expect(clippy::unnecessary_wraps, reason = "the filter of a watch takes functions that may find nothing")]
fn written_by_people<K: Resource>(object: &K) -> Option<u64> {
    let parts = [
        predicates::generation(object),
        predicates::annotations(object),
        predicates::labels(object),
    ];
    let mut hash = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&parts, &mut hash);
    Some(std::hash::Hasher::finish(&hash))
}

/// Called with the namespace and the name of an object.
type OnObject = Box<dyn Fn(&str, &str) + Send>;

/// One kind that a controller watches.
struct Watched<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    name: &'static str,
    api: Api<Guarded<K>>,
    reader: reflector::Store<Guarded<K>>,
    writer: reflector::store::Writer<Guarded<K>>,
    wakes: UnboundedReceiver<ObjectRef<Guarded<K>>>,
    /// Called with namespace and name whenever an object came or changed, its status too, or went.
    changed: OnObject,
    /// Called with namespace and name when an object is gone.
    gone: OnObject,
}

impl<K> Watched<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    /// Runs the controller until the process stops: by its watch (what people write) and by wakes.
    async fn control<R, F>(self, context: Arc<Context>, stopped: watch::Receiver<bool>, reconcile: R)
    where
        R: Fn(String, String, Arc<Context>) -> F + Send + Sync + Clone + 'static,
        F: Future<Output = Result<Action, ClusterError>> + Send + 'static,
    {
        let Self {
            name,
            api,
            reader,
            writer,
            wakes,
            changed,
            gone,
        } = self;
        let (filled, mut first) = (context.clone(), Once::default());
        let stream = watcher(api, watcher::Config::default().page_size(50))
            .modify(|object: &mut Guarded<K>| object.meta_mut().managed_fields = None)
            .default_backoff()
            .reflect(writer)
            .inspect_ok(move |event| {
                let (object, deleted) = match event {
                    watcher::Event::Apply(object) | watcher::Event::InitApply(object) => (object, false),
                    watcher::Event::Delete(object) => (object, true),
                    watcher::Event::InitDone => return first.then(|| filled.caches.filled.one_more()),
                    watcher::Event::Init => return,
                };
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                changed(&namespace, &name);
                if deleted {
                    gone(&namespace, &name);
                }
            });
        // Status writes are our own: only what people write wakes the controller by its watch.
        let stream = stream
            .applied_objects()
            .predicate_filter(written_by_people::<Guarded<K>>, PredicateConfig::default());
        let pass = move |object: Arc<Guarded<K>>, context: Arc<Context>| {
            let reconcile = reconcile.clone();
            async move {
                // Planning sees all kinds: not before their first listing.
                context.caches.filled.all().await;
                let (namespace, object_name) = (object.namespace().unwrap_or_default(), object.name_any());
                if let Err(InvalidObject { error, .. }) = &object.0 {
                    // It passed the schema of another version: it is left alone until it changes.
                    tracing::error!(namespace, name = object_name, error, kind = %K::kind(&()), "an object cannot be read");
                    context.metrics.reconciled(name, false);
                    return Ok(Action::await_change());
                }
                let result = reconcile(namespace, object_name, context.clone()).await;
                context.metrics.reconciled(name, result.is_ok());
                result
            }
        };
        let failed = move |object: Arc<Guarded<K>>, error: &ClusterError, _: Arc<Context>| {
            tracing::warn!(
                controller = name,
                object = object.name_any(),
                error = chain(error),
                "a pass failed; it is tried again"
            );
            Action::requeue(RETRY)
        };
        Controller::for_stream(stream, reader)
            .with_config(Config::default().concurrency(PASSES))
            .reconcile_on(wakes)
            .graceful_shutdown_on(ended(stopped))
            .run(pass, failed, context)
            .for_each(|passed| {
                // A failed pass has been logged with its object; what is left are failures of the watch itself.
                if let Err(kube::runtime::controller::Error::QueueError(error)) = &passed {
                    tracing::warn!(controller = name, error = chain(error), "a watch failed; it is started again");
                }
                std::future::ready(())
            })
            .await;
    }
}
