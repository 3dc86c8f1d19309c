//! Waiting for something to become true, and plain HTTP questions.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use axum::http::{Request, StatusCode};
use kube::client::Body;

/// Asks until there is an answer. An error of the question counts as "not yet" and is told when the time is over.
pub async fn eventually<T>(timeout: Duration, what: &str, mut question: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let answer = question().await;
        if let Ok(Some(found)) = answer {
            return Ok(found);
        }
        if begin.elapsed() > timeout {
            match answer {
                Err(error) => bail!("not within {timeout:?}: {what}: {error:#}"),
                Ok(_) => bail!("not within {timeout:?}: {what}"),
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// GET over plain HTTP, of `path` at `base` (such as `http://127.0.0.1:8080`).
pub async fn http_get(base: &str, path: &str) -> Result<(StatusCode, String)> {
    http_get_as(base, path, "*/*").await
}

/// GET over plain HTTP, of a content type.
pub async fn http_get_as(base: &str, path: &str, accept: &str) -> Result<(StatusCode, String)> {
    let mut config = kube::Config::new(base.parse()?);
    config.default_retry = false;
    let answer = kube::Client::try_from(config)?
        .send(Request::get(path).header("accept", accept).body(Body::empty())?)
        .await?;
    let status = answer.status();
    let bytes = answer.into_body().collect_bytes().await?;
    Ok((status, String::from_utf8(bytes.to_vec())?))
}
