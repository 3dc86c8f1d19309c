//! Every write to the cluster: server-side apply with our own field manager, a timeout on every call, and Events that never fail a reconcile.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Owner of the fields that the operator writes.
pub const FIELD_MANAGER: &str = "ciem-operator";
/// The client repeats a refused call with growing delays, so that a call may hang for minutes: no call waits longer than this.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A call to the API server that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No answer in time.
    #[error("failed to {what}: no answer from the API server within {} s", TIMEOUT.as_secs())]
    Timeout {
        /// What the call is for, with the object's name.
        what: String,
    },
    /// A refusal or a broken connection.
    #[error("failed to {what}")]
    Api {
        /// What the call is for, with the object's name.
        what: String,
        /// What the API server or the connection said.
        #[source]
        source: Box<kube::Error>,
    },
}

impl ClusterError {
    /// The HTTP status of a refusal.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Timeout { .. } => None,
        }
    }

    /// The object changed or exists already: read again.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// The object is not there.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The API server refused for lack of rights.
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }
}

/// Runs a call under the timeout.
pub async fn bounded<T>(what: impl Into<String>, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ClusterError> {
    match tokio::time::timeout(TIMEOUT, call).await {
        Err(_) => Err(ClusterError::Timeout { what: what.into() }),
        Ok(Err(source)) => Err(ClusterError::Api {
            what: what.into(),
            source: Box::new(source),
        }),
        Ok(Ok(value)) => Ok(value),
    }
}

/// Writes a status by server-side apply. The resource version that was read goes along, so that a writer who read something older gets 409.
pub async fn apply_status<K>(api: &Api<K>, object: &K, status: &impl Serialize) -> Result<K, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let name = object.name_any();
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "resourceVersion": object.resource_version()},
        "status": to_value(status),
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    bounded(
        format!("write the status of {} '{name}'", K::kind(&())),
        api.patch_status(&name, &parameters, &Patch::Apply(&body)),
    )
    .await
}

/// JSON of a status; our status types have string keys only, so that this does not fail.
pub fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Deletes exactly this object (by UID); one that is gone already is no error.
pub async fn delete<K>(api: &Api<K>, name: &str, uid: Option<String>) -> Result<(), ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid,
            resource_version: None,
        }),
        ..DeleteParams::background()
    };
    match bounded(format!("delete {} '{name}'", K::kind(&())), api.delete(name, &parameters)).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// The owner reference of a child in the same namespace.
pub fn owned_by<K: Resource<DynamicType = ()>>(owner: &K) -> Option<OwnerReference> {
    owner.controller_owner_ref(&()).map(|reference| OwnerReference {
        block_owner_deletion: None,
        ..reference
    })
}

/// One Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether something is wrong.
    pub warning: bool,
    /// CamelCase.
    pub reason: &'static str,
    /// What was done or tried, CamelCase.
    pub action: &'static str,
    /// For people; holds no secret and nothing of another namespace.
    pub text: String,
}

/// Publishes Events; a failure is logged and forgotten.
#[derive(Clone)]
pub struct Notes {
    client: Client,
    reporter: Reporter,
}

impl Notes {
    /// `instance` tells operators apart, e.g. the pod's name.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        Self {
            client,
            reporter: Reporter {
                controller: "ciem.dev/operator".to_owned(),
                instance,
            },
        }
    }

    /// Publishes one Event about an object.
    pub async fn publish(&self, about: &ObjectReference, note: &Note) {
        // A recorder of its own for each Event: a shared one aggregates by everything but the text and repeats the first text for ever.
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason.to_owned(),
            note: Some(shortened(&note.text, 1000)),
            action: note.action.to_owned(),
            secondary: None,
        };
        match tokio::time::timeout(TIMEOUT, recorder.publish(&event, about)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason = note.reason, "failed to publish an event"),
            Err(_) => tracing::warn!(reason = note.reason, "failed to publish an event: no answer in time"),
        }
    }
}

/// At most `limit` bytes, cut at a character.
pub fn shortened(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub('…'.len_utf8());
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(shortened("short", 10), "short");
        assert_eq!(shortened("ääää", 7), "ää…");
        assert!(shortened(&"x".repeat(2000), 1000).len() <= 1000);
    }
}
