//! SDK clients out of a [`Source`], and the limits around every call.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::identity::IdentityCache;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_sdk_iam::config::{SharedInterceptor, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::failure;
use super::source::{CredentialSource, Service, Source};
use crate::collect::{Budget, CollectError};

/// The clients of one collection and what is left of its budget.
pub(super) struct Session {
    pub sts: aws_sdk_sts::Client,
    pub iam: aws_sdk_iam::Client,
    pub budget: Budget,
    meter: Arc<Meter>,
    permits: Semaphore,
    deadline: Instant,
    endpoints: [(Service, String); 2],
}

impl Session {
    /// Checks the source and makes the clients. Sends nothing.
    pub async fn open(source: &Source) -> Result<Self, CollectError> {
        source.target.check()?;
        let home = source.target.home_region().unwrap_or_default();
        let sts_region = source.target.regions.first().map_or(home, String::as_str).to_owned();
        let budget = source.budget.clone();
        let meter = Arc::new(Meter {
            calls: AtomicU32::new(0),
            max_calls: budget.max_calls,
        });
        let shared = shared_config(source, Region::new(sts_region.clone())).await?;

        // Retry quota and rate limiter belong to this collection: the SDK's default shares them between all accounts of the process, so
        // that one throttled account would slow down the others.
        let partition = RetryPartition::custom("ciem").build();
        let mut sts = aws_sdk_sts::config::Builder::from(&shared)
            .retry_partition(partition.clone())
            .interceptor(SharedInterceptor::new(Wire(Arc::clone(&meter))))
            .retry_classifier(HalfAnswer);
        sts.set_endpoint_url(source.endpoints.of(Service::Sts).map(str::to_owned));
        let mut iam = aws_sdk_iam::config::Builder::from(&shared)
            .region(Region::from_static(home))
            .retry_partition(partition)
            .interceptor(SharedInterceptor::new(Wire(Arc::clone(&meter))))
            .retry_classifier(HalfAnswer);
        iam.set_endpoint_url(source.endpoints.of(Service::Iam).map(str::to_owned));
        let name = |service, own: String| (service, source.endpoints.of(service).map_or(own, str::to_owned));
        Ok(Self {
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            permits: Semaphore::new(usize::try_from(budget.concurrency.max(1)).unwrap_or(1)),
            deadline: Instant::now() + budget.deadline,
            endpoints: [
                name(Service::Sts, format!("STS in {sts_region}")),
                name(Service::Iam, format!("IAM of partition {}", source.target.partition)),
            ],
            budget,
            meter,
        })
    }

    /// Requests sent until now, repetitions included.
    pub fn calls(&self) -> u32 {
        self.meter.calls.load(Ordering::Relaxed)
    }

    /// Sends one request within the limits and gives its failure a name.
    pub async fn call<T, E>(
        &self,
        service: Service,
        call: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, CollectError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let limited = async {
            // The semaphore is never closed; were it, the call would go out without waiting.
            let _permit = self.permits.acquire().await.ok();
            request.await
        };
        match tokio::time::timeout_at(self.deadline, limited).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure::name(&error, &self.place(service, call))),
            Err(_) => Err(CollectError::DeadlineExceeded {
                call,
                limit: self.budget.deadline,
            }),
        }
    }

    /// An answer that the SDK took and that is still none.
    pub fn malformed(&self, service: Service, call: &'static str, detail: &str) -> CollectError {
        CollectError::MalformedAnswer {
            call,
            endpoint: self.endpoint(service).to_owned(),
            detail: detail.to_owned(),
        }
    }

    fn endpoint(&self, service: Service) -> &str {
        self.endpoints
            .iter()
            .find(|(known, _)| *known == service)
            .map_or("", |(_, endpoint)| endpoint)
    }

    fn place(&self, service: Service, call: &'static str) -> failure::Place<'_> {
        failure::Place {
            call,
            endpoint: self.endpoint(service),
            budget: &self.budget,
        }
    }
}

/// What all clients share. Built by hand instead of loaded: the SDK's loader would read `AWS_*` variables and profiles, and an endpoint
/// or region of the process must not leak into a tenant's collection.
async fn shared_config(source: &Source, region: Region) -> Result<SdkConfig, CollectError> {
    let budget = &source.budget;
    let app_name = AppName::new(source.user_agent.clone()).map_err(|_| CollectError::InvalidSource {
        what: format!("user agent '{}' may hold only letters, digits and -._", source.user_agent),
    })?;
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .app_name(app_name)
        .credentials_provider(credentials(&source.credentials, region.clone()).await)
        .identity_cache(IdentityCache::lazy().load_timeout(Duration::from_secs(20)).build())
        .region(region)
        .retry_config(
            RetryConfig::adaptive()
                .with_max_attempts(budget.attempts.max(1))
                .with_initial_backoff(budget.first_pause)
                .with_max_backoff(budget.longest_pause),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(10).min(budget.call_timeout))
                .operation_attempt_timeout(budget.call_timeout)
                .build(),
        )
        // The attempt's timeout covers the body too; stalled streams would end under another name.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build())
}

async fn credentials(source: &CredentialSource, region: Region) -> SharedCredentialsProvider {
    match source {
        CredentialSource::Ambient => SharedCredentialsProvider::new(DefaultCredentialsChain::builder().region(region).build().await),
        CredentialSource::Static(keys) => SharedCredentialsProvider::new(Credentials::new(
            keys.access_key_id.expose(),
            keys.secret_access_key.expose(),
            keys.session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "ciem",
        )),
    }
}

/// Counts requests and stops at the limit.
#[derive(Debug)]
struct Meter {
    calls: AtomicU32,
    max_calls: u32,
}

/// The limit of requests is reached.
#[derive(Debug, thiserror::Error)]
#[error("no requests left")]
pub(super) struct OutOfCalls;

/// The answer's last element is missing.
#[derive(Debug, thiserror::Error)]
#[error("the answer ends in the middle")]
pub(super) struct HalfAnswerError;

/// Stands at the wire: before each request and behind each answer.
#[derive(Debug)]
struct Wire(Arc<Meter>);

impl Intercept for Wire {
    fn name(&self) -> &'static str {
        "CiemWire"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let taken = self.0.calls.try_update(Ordering::Relaxed, Ordering::Relaxed, |calls| {
            (calls < self.0.max_calls).then(|| calls + 1)
        });
        taken.map(|_| ()).map_err(|_| OutOfCalls.into())
    }

    /// The SDK's XML reader takes a document that ends early for a whole one, with what follows missing: a page with half of the roles
    /// would pass for all of them. HTTP shows a cut only where the length was announced.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if is_half(context.response()) {
            Err(HalfAnswerError.into())
        } else {
            Ok(())
        }
    }
}

/// Has half an answer asked for again; the SDK repeats only what HTTP itself shows to be cut.
#[derive(Debug)]
struct HalfAnswer;

impl ClassifyRetry for HalfAnswer {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        if context.response().is_some_and(is_half) {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "CiemHalfAnswer"
    }
}

/// Whether a good answer of a query service lacks its end: all of them are `<…Response>` elements.
fn is_half(response: &HttpResponse) -> bool {
    let whole = |body: &[u8]| body.trim_ascii_end().ends_with(b"Response>");
    response.status().is_success() && response.body().bytes().is_some_and(|body| !whole(body))
}
