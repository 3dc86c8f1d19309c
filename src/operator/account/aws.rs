//! An AWS CloudAccount as a source for the collector: credentials from its Secret, or the operator's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::collect::Reading;
use super::outcome::Failure;
use super::references;
use crate::api::CallerIdentity;
use crate::api::conditions::reason;
use crate::collect::aws::{CredentialSource, Endpoints, Source, StaticKeys, Target};
use crate::collect::{CollectError, Secret, missing_permissions};
use crate::model::{AwsAuthType, AwsSecretRef, CloudAccountSpec};
use crate::operator::Context;

/// Collects an AWS account.
pub async fn read(context: &Arc<Context>, namespace: &str, spec: &CloudAccountSpec, began: Timestamp) -> Result<Reading, Failure> {
    let Some(aws) = &spec.aws else {
        return Err(Failure::people(reason::INVALID_SPEC, "spec.aws is missing"));
    };
    let credentials = match (aws.auth.kind, &aws.auth.secret_ref) {
        (AwsAuthType::Ambient, _) => CredentialSource::Ambient,
        (AwsAuthType::SecretRef, Some(secret)) => CredentialSource::Static(keys(context, namespace, secret).await?),
        _ => {
            return Err(Failure::people(
                reason::INVALID_SPEC,
                "spec.aws.auth does not hold the member that its type names",
            ));
        }
    };
    let target = Target {
        account: aws.account_id.clone(),
        partition: aws.partition.clone(),
        regions: aws.regions.clone(),
    };
    let mut source = Source::new(target, credentials);
    if let Some(endpoint) = &context.settings.aws_endpoint {
        source.endpoints = Endpoints::every(endpoint).map_err(|error| failure(&error))?;
    }
    let collection = crate::collect::aws::collect(&source, began)
        .await
        .map_err(|error| failure(&error))?;
    context.metrics.cloud_calls("AWS", collection.calls);
    Ok(Reading {
        missing_permissions: missing_permissions(&collection.snapshot),
        identity: Some(CallerIdentity {
            id: collection.identity.id,
            account: collection.identity.scope,
        }),
        api_calls: collection.calls,
        snapshots: vec![collection.snapshot],
    })
}

/// The access keys in a labelled Secret.
async fn keys(context: &Arc<Context>, namespace: &str, reference: &AwsSecretRef) -> Result<StaticKeys, Failure> {
    let data = references::secret(&context.client, namespace, &reference.name).await?;
    let needed = |key: &str| {
        text(&data, key, &reference.name)?.ok_or_else(|| {
            let message = format!(
                "Secret '{}' has no entry '{key}': add it, or name another in spec.aws.auth.secretRef.keys",
                reference.name
            );
            Failure::credentials(reason::SECRET_INVALID, message)
        })
    };
    let (token_key, token_needed) = reference.session_token();
    let token = if token_needed {
        Some(needed(token_key)?)
    } else {
        text(&data, token_key, &reference.name)?
    };
    StaticKeys::new(needed(reference.access_key_id())?, needed(reference.secret_access_key())?, token)
        .map_err(|error| Failure::credentials(reason::SECRET_INVALID, format!("Secret '{}': {error}", reference.name)))
}

fn text(data: &BTreeMap<String, ByteString>, key: &str, name: &str) -> Result<Option<Secret>, Failure> {
    let Some(bytes) = data.get(key) else { return Ok(None) };
    match std::str::from_utf8(&bytes.0) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(_) => Err(Failure::credentials(
            reason::SECRET_INVALID,
            format!("entry '{key}' of Secret '{name}' is not text"),
        )),
    }
}

fn failure(error: &CollectError) -> Failure {
    Failure {
        reason: error.reason(),
        message: error.to_string(),
        needs_people: error.is_user_error(),
        about_credentials: error.is_credential_error(),
    }
}
