//! What a CloudAccount names in its own namespace: Secrets (with the opt-in label) and ConfigMaps. There is no reference with a namespace,
//! so that nobody reads another namespace's data through the operator.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, ResourceExt as _};

use super::outcome::Failure;
use crate::api::CREDENTIAL_LABEL;
use crate::api::conditions::reason;
use crate::operator::cluster::{ClusterError, bounded};

/// The object that a spec names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A Secret.
    Secret(&'a str),
    /// A ConfigMap.
    ConfigMap(&'a str),
}

/// Which state of the object was read: changes exactly when the object does.
pub type Version = String;

/// The version of an object that is not there.
const ABSENT: &str = "absent";

/// The present version, by metadata alone.
pub async fn version(client: &Client, namespace: &str, reference: &Reference<'_>) -> Result<Version, ClusterError> {
    let version = |uid: Option<String>, resource_version: Option<String>| {
        format!("{}/{}", uid.unwrap_or_default(), resource_version.unwrap_or_default())
    };
    let found = match reference {
        Reference::Secret(name) => {
            let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
            let found = bounded(format!("read the metadata of Secret '{name}'"), api.get_metadata_opt(name)).await?;
            found.map(|found| version(found.metadata.uid, found.metadata.resource_version))
        }
        Reference::ConfigMap(name) => {
            let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
            let found = bounded(format!("read the metadata of ConfigMap '{name}'"), api.get_metadata_opt(name)).await?;
            found.map(|found| version(found.metadata.uid, found.metadata.resource_version))
        }
    };
    Ok(found.unwrap_or_else(|| ABSENT.to_owned()))
}

/// The data of a labelled Secret.
pub async fn secret(client: &Client, namespace: &str, name: &str) -> Result<BTreeMap<String, ByteString>, Failure> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let found = bounded(format!("read Secret '{name}'"), api.get_opt(name))
        .await
        .map_err(|error| failure(&error, "Secret", name))?;
    let Some(secret) = found else {
        return Err(Failure::credentials(
            reason::SECRET_NOT_FOUND,
            format!("there is no Secret '{name}' in this namespace: create it, or name another"),
        ));
    };
    // The right to edit CloudAccounts is no right to read every Secret.
    if secret.labels().get(CREDENTIAL_LABEL).map(String::as_str) != Some("true") {
        let message = format!(
            "Secret '{name}' does not carry the label {CREDENTIAL_LABEL}: \"true\", so it is not read: add the label if it is meant for this"
        );
        return Err(Failure::credentials(reason::SECRET_NOT_LABELLED, message));
    }
    Ok(secret.data.unwrap_or_default())
}

/// One entry of a ConfigMap, text or binary.
pub async fn config_map(client: &Client, namespace: &str, name: &str, key: Option<&str>) -> Result<Vec<u8>, Failure> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = bounded(format!("read ConfigMap '{name}'"), api.get_opt(name))
        .await
        .map_err(|error| failure(&error, "ConfigMap", name))?;
    let Some(map) = found else {
        return Err(Failure::people(
            reason::SNAPSHOT_NOT_FOUND,
            format!("there is no ConfigMap '{name}' in this namespace: create it, or name another"),
        ));
    };
    let mut entries: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    entries.extend(map.data.unwrap_or_default().into_iter().map(|(key, text)| (key, text.into_bytes())));
    entries.extend(map.binary_data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0)));
    entry(entries, &format!("ConfigMap '{name}'"), key).map_err(|message| Failure::people(reason::SNAPSHOT_NOT_FOUND, message))
}

/// The entry that the spec names, or the only one.
pub fn entry(mut entries: BTreeMap<String, Vec<u8>>, whose: &str, key: Option<&str>) -> Result<Vec<u8>, String> {
    let known = entries.keys().cloned().collect::<Vec<_>>().join(", ");
    let found = match key {
        Some(key) => entries.remove(key),
        None if entries.len() == 1 => entries.pop_first().map(|(_, bytes)| bytes),
        None => {
            return Err(format!(
                "{whose} has {} entries ({known}): name the one that is meant by key",
                entries.len()
            ));
        }
    };
    found.ok_or_else(|| format!("{whose} has no entry '{}'; it has: {known}", key.unwrap_or_default()))
}

/// A failed read: lack of rights needs people, everything else may pass.
fn failure(error: &ClusterError, kind: &str, name: &str) -> Failure {
    if error.is_forbidden() {
        let message =
            format!("the operator may not read {kind} '{name}': bind the ClusterRole ciem-operator-credential-reader in this namespace");
        return Failure::people(reason::REFERENCE_FORBIDDEN, message);
    }
    Failure::transient(reason::CLUSTER_UNAVAILABLE, crate::operator::chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
        names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
    }

    #[test]
    fn the_only_entry_needs_no_key() {
        assert_eq!(entry(entries(&["a"]), "ConfigMap 'x'", None).unwrap(), b"a");
        assert_eq!(entry(entries(&["a", "b"]), "ConfigMap 'x'", Some("b")).unwrap(), b"b");
        assert!(entry(entries(&["a", "b"]), "ConfigMap 'x'", None).unwrap_err().contains("a, b"));
        assert!(
            entry(entries(&["a"]), "ConfigMap 'x'", Some("c"))
                .unwrap_err()
                .contains("no entry 'c'")
        );
        assert!(entry(entries(&[]), "ConfigMap 'x'", None).is_err());
    }
}
