//! What the real API server makes of manifests: a table of valid ones, read back as written, and a table of invalid ones, each
//! refused with the field and the message that it should name. The tables are in `e2e/manifests/`.

mod tables;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use axum::http::{Method, Request, header};
use ciem::api::{AuditPolicy, AuditReport, AuditReportChunk, CloudAccount, GROUP, VERSION};
use kube::core::Status;
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::harness::cluster::Cluster;
use crate::harness::namespace::Namespace;
use crate::harness::suite::{repository, shared};
use tables::{FILES, FieldError, Invalid, Table, agree, changed, manifest, missing_members, normal, read, stored_form, valid};

/// The API of one kind in one namespace, with strict validation of unknown members, as kubectl asks for it.
struct Manifests {
    client: Client,
    namespace: String,
}

impl Manifests {
    async fn send(&self, method: Method, kind: &str, place: &str, object: &Value) -> Result<Value, kube::Error> {
        let plural = match kind {
            "CloudAccount" => "cloudaccounts",
            "AuditPolicy" => "auditpolicies",
            "AuditReport" => "auditreports",
            _ => "auditreportchunks",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("/apis/{GROUP}/{VERSION}/namespaces/{}/{plural}{place}", self.namespace))
            .header(header::CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(object).map_err(kube::Error::SerdeError)?)
            .map_err(kube::Error::HttpError)?;
        self.client.request(request).await
    }

    async fn create(&self, object: &Value, dry_run: bool) -> Result<Value, kube::Error> {
        let place = format!("?fieldValidation=Strict{}", if dry_run { "&dryRun=All" } else { "" });
        self.send(Method::POST, kind_of(object), &place, object).await
    }

    /// Replaces an object, or its status.
    async fn replace(&self, object: &Value, subresource: &str, dry_run: bool) -> Result<Value, kube::Error> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let place = format!(
            "/{name}{subresource}?fieldValidation=Strict{}",
            if dry_run { "&dryRun=All" } else { "" }
        );
        self.send(Method::PUT, kind_of(object), &place, object).await
    }

    async fn get(&self, kind: &str, name: &str) -> Result<Value, kube::Error> {
        self.send(Method::GET, kind, &format!("/{name}"), &Value::Null).await
    }
}

fn kind_of(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

async fn namespace_for(prefix: &str) -> Result<(&'static Cluster, Namespace, Manifests)> {
    let cluster = shared().await?.cluster();
    let namespace = Namespace::create(cluster, prefix).await?;
    let manifests = Manifests {
        client: cluster.client().await?,
        namespace: namespace.name().to_owned(),
    };
    Ok((cluster, namespace, manifests))
}

/// What the API server said against an object.
fn errors_of(error: kube::Error) -> Result<Vec<FieldError>> {
    let kube::Error::Api(status) = error else {
        return Err(error.into());
    };
    let Status { message, details, .. } = *status;
    // Unknown members are refused before validation, in one sentence.
    if let Some(unknown) = message.split("strict decoding error: ").nth(1) {
        let fields = unknown.split(", ").map(|text| FieldError {
            field: text.split('"').nth(1).unwrap_or_default().to_owned(),
            message: text.to_owned(),
        });
        return Ok(fields.collect());
    }
    let causes = details.map(|details| details.causes).unwrap_or_default();
    ensure!(!causes.is_empty(), "refused for another reason: {message}");
    let errors = causes.into_iter().map(|cause| FieldError {
        field: cause.field,
        message: cause.message,
    });
    // Beside the error that kept it from checking more.
    Ok(errors.filter(|error| error.field != "<nil>").collect())
}

/// Every CEL rule has a case that breaks it, with the field that the rule names.
#[test]
fn every_rule_is_broken_by_a_case() -> Result<()> {
    let mut broken: BTreeSet<(String, String)> = BTreeSet::new();
    for file in FILES {
        let table: Table<Invalid> = read(&format!("invalid/{file}"))?;
        let errors = table.cases.iter().flat_map(|case| &case.errors);
        broken.extend(errors.map(|error| (format!("{}.{}", table.kind, without_indexes(&error.field)), error.message.clone())));
    }
    let mut unbroken = Vec::new();
    for crd in ciem::api::crds()? {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema)?;
        for (field, message) in tables::rules(&schema["openAPIV3Schema"], &crd.spec.names.kind) {
            if !broken.iter().any(|(at, text)| *at == field && message.contains(text.as_str())) {
                unbroken.push(format!("{field}: {message}"));
            }
        }
    }
    assert!(unbroken.is_empty(), "{unbroken:#?}");
    Ok(())
}

/// `a[0].b[12]` → `a[].b[]`.
fn without_indexes(field: &str) -> String {
    field
        .split('[')
        .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join("[")
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_manifests_are_refused_where_they_are_wrong() -> Result<()> {
    let (_, _namespace, manifests) = namespace_for("invalid").await?;
    let (mut count, mut disagreements) = (0, Vec::new());
    for (file, valid) in FILES.iter().zip(valid()?) {
        let table: Table<Invalid> = read(&format!("invalid/{file}"))?;
        assert_eq!(table.kind, valid.kind);
        for case in &table.cases {
            count += 1;
            let title = format!("{}: {}", table.kind, case.about);
            let from = valid.cases.iter().find(|valid| valid.name == case.from);
            let from = from.with_context(|| format!("{title}: no valid manifest {}", case.from))?;
            let name = format!("case-{count}");
            let good = manifest(&table.kind, &name, &from.spec);
            let bad = changed(good.clone(), case).with_context(|| title.clone())?;
            let answer = if case.update {
                let mut stored = manifests.create(&good, false).await.with_context(|| title.clone())?;
                stored["spec"] = bad["spec"].clone();
                manifests.replace(&stored, "", true).await
            } else {
                manifests.create(&bad, true).await
            };
            match answer.map_err(errors_of) {
                Ok(_) => disagreements.push(format!("{title}: accepted")),
                Err(errors) => {
                    let errors = errors.with_context(|| title.clone())?;
                    if !agree(&case.errors, &errors) {
                        disagreements.push(format!("{title}: refused with {errors:#?}"));
                    }
                }
            }
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert!(count >= 60, "only {count} invalid manifests");
    println!("{count} invalid manifests refused");
    Ok(())
}

/// What the operator's types make of an object: nothing may be lost or added.
fn through_types<K: Resource + DeserializeOwned + Serialize>(object: &Value) -> Result<Value> {
    let typed: K = serde_json::from_value(object.clone())?;
    Ok(serde_json::to_value(&typed)?)
}

fn typed(object: &Value) -> Result<Value> {
    match kind_of(object) {
        "CloudAccount" => through_types::<CloudAccount>(object),
        "AuditPolicy" => through_types::<AuditPolicy>(object),
        "AuditReport" => through_types::<AuditReport>(object),
        _ => through_types::<AuditReportChunk>(object),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_manifests_are_read_back_as_written() -> Result<()> {
    let (_, _namespace, manifests) = namespace_for("valid").await?;
    let mut count = 0;
    for Table { kind, cases } in valid()? {
        for case in cases {
            count += 1;
            let title = format!("{kind} {}: {}", case.name, case.about);
            let sent = manifest(&kind, &case.name, &case.spec);
            manifests.create(&sent, false).await.with_context(|| title.clone())?;
            let stored = manifests.get(&kind, &case.name).await?;
            let expected = stored_form(&kind, &sent)?;
            assert_eq!(stored["spec"], expected["spec"], "{title}");
            if kind == "AuditReportChunk" {
                assert_eq!(stored.get("status"), None, "{title}");
            } else {
                // kstatus: not judged before the operator has seen it.
                assert_eq!(stored["status"], json!({"observedGeneration": -1}), "{title}");
            }
            let read = typed(&stored).with_context(|| title.clone())?;
            assert_eq!(
                normal(&kind, &read).get("spec"),
                normal(&kind, &stored).get("spec"),
                "{title}: through the operator's types"
            );
        }
    }
    println!("{count} valid manifests read back");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_read_back_as_written() -> Result<()> {
    let (cluster, namespace, manifests) = namespace_for("status").await?;
    let statuses: Map<String, Value> = read("statuses.yaml")?;
    assert_eq!(statuses.len(), 3);
    for crd in ciem::api::crds()? {
        if let Some(status) = statuses.get(&crd.spec.names.kind) {
            let schema = serde_json::to_value(&crd.spec.versions[0].schema)?;
            let missing = missing_members(&schema["openAPIV3Schema"]["properties"]["status"], status);
            assert!(missing.is_empty(), "statuses.yaml lacks {missing:?} of {}", crd.spec.names.kind);
        }
    }
    for Table { kind, cases } in valid()? {
        let Some(status) = statuses.get(&kind) else { continue };
        let case = cases.first().context("no valid manifest")?;
        let mut object = manifests.create(&manifest(&kind, "object", &case.spec), false).await?;
        object["status"] = status.clone();
        manifests.replace(&object, "/status", false).await.with_context(|| kind.clone())?;
        let stored = manifests.get(&kind, "object").await?;
        assert_eq!(&stored["status"], status, "{kind}");
        let read = typed(&stored).with_context(|| kind.clone())?;
        assert_eq!(read["status"], stored["status"], "{kind}: through the operator's types");
        // The generation counts changes of the spec alone.
        assert_eq!(stored["metadata"]["generation"], 1, "{kind}");
    }
    let ns = namespace.name();
    let printed = cluster.kubectl(&["get", "cacct,apol,arep", "-n", ns]).await?;
    for cells in ["AWS 111122223333 True Succeeded", "2 True Succeeded", "baseline production 1 2 3 4"] {
        assert!(in_one_blank(&printed).contains(cells), "{cells}\n{printed}");
    }
    Ok(())
}

fn in_one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One byte more than 400 KiB of findings is refused, 400 KiB are not.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_has_at_most_400_kib() -> Result<()> {
    let (_, _namespace, manifests) = namespace_for("large").await?;
    let chunk = |length: usize| {
        let spec = json!({"reportRef": {"name": "r", "uid": "u"}, "bucket": 0, "encoding": "json", "data": "x".repeat(length)});
        manifest("AuditReportChunk", "large", &spec)
    };
    let refused = manifests.create(&chunk(400 * 1024 + 1), true).await.unwrap_err();
    let errors = errors_of(refused)?;
    assert!(errors.len() == 1 && errors[0].field == "spec.data", "{errors:?}");
    let stored = manifests.create(&chunk(400 * 1024), false).await?;
    // Immutable at its largest too: the cost of the comparison is within CEL's budget.
    let mut other = stored.clone();
    other["spec"]["data"] = json!("y".repeat(400 * 1024));
    let errors = errors_of(manifests.replace(&other, "", false).await.unwrap_err())?;
    assert!(errors.len() == 1 && errors[0].field == "spec", "{errors:?}");
    let mut labelled = stored;
    labelled["metadata"]["labels"] = json!({"a": "b"});
    manifests.replace(&labelled, "", false).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_explains_every_depth() -> Result<()> {
    let cluster = shared().await?.cluster();
    for (path, text) in [
        ("cloudaccount", "A cloud account whose entitlements are read"),
        ("auditpolicy", "What is checked in the CloudAccounts that it selects"),
        ("auditreport", "The result of auditing one CloudAccount by one AuditPolicy"),
        ("auditreportchunk", "A part of the findings of an AuditReport"),
        ("cloudaccount.spec", "What to read, with which identity, and how often"),
        ("cacct.spec.provider", "It names the one member that must be there with it"),
        ("cloudaccount.spec.aws.accountId", "Quote them: YAML drops leading zeros"),
        (
            "cloudaccount.spec.aws.auth.assumeRoleChain.externalId",
            "there the operator derives it",
        ),
        ("cloudaccount.spec.azure.scope.type", "the whole tenant"),
        (
            "cloudaccount.spec.gcp.auth.workloadIdentity.audience",
            "Full resource name of the pool's provider",
        ),
        (
            "cloudaccount.spec.snapshot.storeRef.path",
            "relative to the folder of the CloudAccount's namespace",
        ),
        ("cloudaccount.status.conditions", "only while they hold"),
        (
            "cloudaccount.status.lastCollection.digests.entitlements",
            "it changes only when somebody changes something",
        ),
        ("apol.spec.exemptions", "Findings that are accepted for a time"),
        ("auditpolicy.spec.exemptions.expiresAt", "in RFC 3339 with a time zone"),
        ("auditpolicy.spec.guardrails.who.federated.subject", "Pattern of the subject"),
        (
            "auditpolicy.spec.report.openReports.minSeverity",
            "The least severity that is written",
        ),
        ("arep.status.counts.open.critical", "critical"),
        ("auditreport.status.manifest.chunks.name", "Name of the AuditReportChunk"),
        ("auditreportchunk.spec.data", "The findings"),
    ] {
        let explained = cluster.kubectl(&["explain", path]).await?;
        let explained = in_one_blank(&explained);
        assert!(explained.to_lowercase().contains(&text.to_lowercase()), "{path}: {explained}");
        assert!(!explained.contains("<empty>"), "{path}: {explained}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_category_and_selectable_fields_work() -> Result<()> {
    let (cluster, namespace, manifests) = namespace_for("names").await?;
    let ns = namespace.name();
    for Table { kind, cases } in valid()? {
        for case in cases {
            manifests.create(&manifest(&kind, &case.name, &case.spec), false).await?;
        }
    }
    let names = async |arguments: &[&str]| -> Result<Vec<String>> {
        let mut all = vec!["get", "-n", ns, "-o", "name"];
        all.extend(arguments);
        Ok(cluster.kubectl(&all).await?.lines().map(str::to_owned).collect())
    };
    for (short, long) in [
        ("cacct", "cloudaccounts"),
        ("apol", "auditpolicies"),
        ("arep", "auditreports"),
        ("arepchunk", "auditreportchunks"),
    ] {
        let found = names(&[short]).await?;
        assert!(!found.is_empty() && found == names(&[long]).await?, "{short}");
    }
    let listed = names(&["ciem"]).await?;
    for kind in ["cloudaccount", "auditpolicy", "auditreport"] {
        assert!(listed.iter().any(|name| name.starts_with(&format!("{kind}.ciem.dev/"))), "{kind}");
    }
    assert!(!listed.iter().any(|name| name.contains("chunk")), "{listed:?}");

    for (kind, selector, found) in [
        ("cacct", "spec.provider=Kubernetes", "kubernetes"),
        ("cacct", "spec.aws.accountId=000011112222", "aws-secret"),
        (
            "cacct",
            "spec.azure.tenantId=11111111-2222-3333-4444-555555555555,spec.azure.scope.id=Platform.Prod_(EU)",
            "azure-workload-identity",
        ),
        ("cacct", "spec.gcp.scope.id=example-project-1", "gcp-ambient"),
        ("cacct", "spec.kubernetes.clusterName=production-eu", "kubernetes"),
        ("arep", "spec.policyRef.name=baseline,spec.accountRef.name=production", "report"),
        ("arepchunk", "spec.reportRef.name=baseline-staging", "chunk-gzip"),
    ] {
        let names = names(&[kind, "--field-selector", selector]).await?;
        assert!(
            names.len() == 1 && names[0].ends_with(&format!("/{found}")),
            "{selector}: {names:?}"
        );
    }
    let none = names(&["arep", "--field-selector", "spec.policyRef.name=other"]).await?;
    assert!(none.is_empty(), "{none:?}");

    for (kind, columns) in [
        (
            "cacct",
            "NAME PROVIDER ACCOUNT READY REASON COLLECTED INTERVAL SUSPENDED MESSAGE AGE",
        ),
        (
            "apol",
            "NAME ACCOUNTS SCHEDULE READY REASON LAST RUN NEXT RUN SUSPENDED MESSAGE AGE",
        ),
        (
            "arep",
            "NAME POLICY ACCOUNT CRITICAL HIGH MEDIUM LOW LAST RUN READY STALE SCOPE COMPLETE TRUNCATED MESSAGE AGE",
        ),
        ("arepchunk", "NAME REPORT BUCKET ENCODING AGE"),
    ] {
        let printed = cluster.kubectl(&["get", kind, "-n", ns, "-o", "wide"]).await?;
        assert_eq!(in_one_blank(printed.lines().next().unwrap_or_default()), columns);
    }
    Ok(())
}

/// What a `GitOps` tool sees: applying the same again changes nothing, neither the definitions nor objects with defaults.
#[tokio::test(flavor = "multi_thread")]
async fn applying_again_is_no_change() -> Result<()> {
    let (cluster, namespace, _) = namespace_for("again").await?;
    let crds = repository().join("crds");
    // kubectl diff ends with 1 where something differs, which is an error here.
    let diff = cluster
        .kubectl(&[
            "diff",
            "--server-side",
            "--field-manager=e2e",
            "--force-conflicts",
            "-k",
            &crds.to_string_lossy(),
        ])
        .await?;
    assert_eq!(diff, "");

    let ns = namespace.name();
    for sample in samples()? {
        let sample = sample.to_string_lossy().into_owned();
        let applied = cluster.kubectl(&["apply", "-n", ns, "-f", &sample]).await?;
        assert!(applied.contains("created"), "{applied}");
        let generation = async || {
            cluster
                .kubectl(&["get", "ciem", "-n", ns, "-o", "jsonpath={.items[*].metadata.generation}"])
                .await
        };
        let before = generation().await?;
        assert_eq!(cluster.kubectl(&["diff", "-n", ns, "-f", &sample]).await?, "", "{sample}");
        let again = cluster.kubectl(&["apply", "-n", ns, "-f", &sample]).await?;
        assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
        assert_eq!(generation().await?, before, "{sample}");
    }
    Ok(())
}

/// The samples of the kinds, without what kustomize alone reads.
fn samples() -> Result<Vec<std::path::PathBuf>> {
    let folder = repository().join("config/samples");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml") && !path.ends_with("kustomization.yaml"));
    files.sort();
    ensure!(files.len() >= 4, "only {} samples", files.len());
    Ok(files)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folders_of_config_build() -> Result<()> {
    let cluster = shared().await?.cluster();
    for folder in ["config/crd", "config/samples"] {
        let path: &Path = &repository().join(folder);
        let built = cluster.kubectl(&["kustomize", &path.to_string_lossy()]).await?;
        assert!(built.contains("ciem.dev"), "{folder}");
    }
    Ok(())
}

/// The recorded account among the samples is one that the audit reads.
#[test]
fn the_recorded_sample_is_a_snapshot() -> Result<()> {
    let text = std::fs::read_to_string(repository().join("config/samples/cloudaccount_snapshot.yaml"))?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text)?;
    let config_map = objects.first().context("no ConfigMap")?;
    let recorded = config_map["data"]["snapshot.json"].as_str().context("no snapshot")?;
    let snapshots = ciem::snapshot::read(recorded.as_bytes(), "sample")?;
    assert!(snapshots.len() == 1 && snapshots[0].scope == "999900001111", "{snapshots:?}");
    Ok(())
}
