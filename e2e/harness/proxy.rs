//! A reverse proxy between the operator and the API server that disturbs chosen requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use kube::Client;
use kube::config::AuthInfo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::cluster::Cluster;

/// More than the API server takes.
const LARGEST_BODY: usize = 16 << 20;

/// Plain HTTP on loopback, to the API server with the caller's own credentials. Answers are streamed, so watches pass.
/// What is not intercepted is passed on unchanged; a request whose client goes away is given up.
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    upstream: Client,
    seen: Mutex<Vec<SeenRequest>>,
    interceptions: Mutex<Vec<Arc<Rule>>>,
}

/// A request that arrived at the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    pub method: Method,
    /// With the query.
    pub path: String,
}

/// Which requests are meant.
#[derive(Debug, Clone)]
pub struct Requests {
    methods: Vec<Method>,
    path: String,
}

/// Which of the matching requests, counted from 1 from the moment of [`Proxy::intercept`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// This one alone.
    Only(usize),
    /// This one and all after it. Held so, the cluster stays exactly as the requests before left it.
    From(usize),
}

/// What happens to a chosen request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not forwarded until released.
    Hold,
    /// Forwarded at once, but the answer is withheld until released.
    HoldAnswer,
    /// Forwarded later.
    Delay(Duration),
    /// Not forwarded; answered with this code and a Kubernetes Status.
    Status(StatusCode),
    /// Not forwarded; the connection is closed without an answer.
    Cut,
    /// Forwarded, and then the connection is closed without an answer.
    CutAnswer,
}

/// A fault in place; dropping this changes nothing.
pub struct Interception {
    rule: Arc<Rule>,
}

struct Rule {
    requests: Requests,
    turn: Turn,
    fault: Fault,
    /// Matching requests so far, chosen or not.
    matched: Mutex<usize>,
    chosen: watch::Sender<Vec<SeenRequest>>,
    released: watch::Sender<bool>,
}

impl Requests {
    pub fn any() -> Self {
        Self {
            methods: Vec::new(),
            path: String::new(),
        }
    }

    pub fn of(method: Method) -> Self {
        Self {
            methods: vec![method],
            path: String::new(),
        }
    }

    /// POST, PUT, PATCH, DELETE.
    pub fn writes() -> Self {
        Self {
            methods: vec![Method::POST, Method::PUT, Method::PATCH, Method::DELETE],
            path: String::new(),
        }
    }

    /// Only those whose path and query contain this text.
    pub fn on(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    fn matches(&self, request: &SeenRequest) -> bool {
        (self.methods.is_empty() || self.methods.contains(&request.method)) && request.path.contains(&self.path)
    }
}

impl Proxy {
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let mut config = cluster.config().await?;
        config.auth_info = AuthInfo::default();
        // A retry of the proxy's own would hide from the operator what it has to deal with.
        config.default_retry = false;
        let shared = Arc::new(Shared {
            upstream: Client::try_from(config)?,
            seen: Mutex::default(),
            interceptions: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let service = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                eprintln!("the proxy has ended: {error}");
            }
        });
        Ok(Self { url, shared, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every request so far, in the order of arrival.
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn count(&self, requests: &Requests) -> usize {
        self.seen().iter().filter(|request| requests.matches(request)).count()
    }

    /// Puts a fault in place. Where several choose the same request, the oldest has it.
    pub fn intercept(&self, requests: Requests, turn: Turn, fault: Fault) -> Interception {
        let rule = Arc::new(Rule {
            requests,
            turn,
            fault,
            matched: Mutex::new(0),
            chosen: watch::Sender::new(Vec::new()),
            released: watch::Sender::new(false),
        });
        self.shared
            .interceptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&rule));
        Interception { rule }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Interception {
    /// Waits for the first chosen request: with [`Fault::Hold`] it is held by then, with [`Fault::HoldAnswer`] the API server
    /// has answered.
    pub async fn arrived(&self, timeout: Duration) -> Result<SeenRequest> {
        let mut chosen = self.rule.chosen.subscribe();
        let wait = tokio::time::timeout(timeout, chosen.wait_for(|chosen| !chosen.is_empty())).await;
        let chosen = wait.with_context(|| format!("no {:?} of {:?} within {timeout:?}", self.rule.turn, self.rule.requests))??;
        chosen.first().cloned().context("no request")
    }

    /// The chosen requests so far.
    pub fn chosen(&self) -> Vec<SeenRequest> {
        self.rule.chosen.borrow().clone()
    }

    /// Lets go what is held, and ends the fault.
    pub fn release(&self) {
        self.rule.released.send_replace(true);
    }
}

impl Rule {
    fn chooses(&self, request: &SeenRequest) -> bool {
        if *self.released.borrow() || !self.requests.matches(request) {
            return false;
        }
        let mut matched = self.matched.lock().unwrap_or_else(PoisonError::into_inner);
        *matched += 1;
        match self.turn {
            Turn::Only(number) => *matched == number,
            Turn::From(number) => *matched >= number,
        }
    }

    fn tell(&self, request: SeenRequest) {
        self.chosen.send_modify(|chosen| chosen.push(request));
    }

    async fn wait_for_release(&self) {
        // The sender is in self, so that the wait cannot fail.
        drop(self.released.subscribe().wait_for(|released| *released).await);
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let seen = SeenRequest {
        method: request.method().clone(),
        path,
    };
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    // Read to its end first: only then does the server notice that a held request's client has gone, and give it up.
    let (parts, body) = request.into_parts();
    let request = match to_bytes(body, LARGEST_BODY).await {
        Ok(body) => Request::from_parts(parts, body),
        Err(error) => return cut(&error.to_string()),
    };
    // Each rule counts the request, also where an older one has it already.
    let rules: Vec<_> = shared.interceptions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let choosing: Vec<_> = rules.into_iter().filter(|rule| rule.chooses(&seen)).collect();
    let Some(rule) = choosing.into_iter().next() else {
        return forward(&shared, request).await;
    };
    match rule.fault {
        Fault::Hold => {
            rule.tell(seen);
            rule.wait_for_release().await;
            forward(&shared, request).await
        }
        Fault::HoldAnswer => {
            let answer = forward(&shared, request).await;
            rule.tell(seen);
            rule.wait_for_release().await;
            answer
        }
        Fault::Delay(duration) => {
            rule.tell(seen);
            tokio::time::sleep(duration).await;
            forward(&shared, request).await
        }
        Fault::Status(code) => {
            rule.tell(seen);
            status(code)
        }
        Fault::Cut => {
            rule.tell(seen);
            cut("cut by the test")
        }
        Fault::CutAnswer => {
            drop(forward(&shared, request).await);
            rule.tell(seen);
            cut("cut by the test")
        }
    }
}

async fn forward(shared: &Shared, request: Request<Bytes>) -> Response<Body> {
    let answer = async {
        let (mut parts, body) = request.into_parts();
        remove_connection_headers(&mut parts.headers);
        let answer = shared.upstream.send(Request::from_parts(parts, body.into())).await?;
        let (mut parts, body) = answer.into_parts();
        remove_connection_headers(&mut parts.headers);
        Ok::<_, kube::Error>(Response::from_parts(parts, Body::new(body)))
    };
    // What a client sees of an API server that is not there.
    answer.await.unwrap_or_else(|error| cut(&error.to_string()))
}

/// These are about one connection, and the two sides have different ones.
fn remove_connection_headers(headers: &mut HeaderMap) {
    for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

/// A body that fails before its first byte makes the server close the connection before it has sent anything.
fn cut(reason: &str) -> Response<Body> {
    let reason = std::io::Error::other(reason.to_owned());
    Response::new(Body::from_stream(futures::stream::once(async { Err::<Bytes, _>(reason) })))
}

/// A failure as the API server itself words it.
fn status(code: StatusCode) -> Response<Body> {
    let reason = match code {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::GONE => "Expired",
        StatusCode::UNPROCESSABLE_ENTITY => "Invalid",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::GATEWAY_TIMEOUT => "Timeout",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "refused by the proxy of the test", "reason": reason, "code": code.as_u16(),
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/json"));
    response
}
