//! Guards of the architecture (design §2): which crates the core pulls in, and which modules import which.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The rows of the table, in its order: a row imports only rows above it (and itself).
const ROWS: &[&str] = &[
    "model",
    "catalogue",
    "snapshot",
    "access",
    "graph",
    "audit",
    "change",
    "report",
    "store",
    "collect",
    "run",
    "api",
    "operator",
    "cli",
];
/// Rows that may use less than all above them.
const NARROWER: &[(&str, &[&str])] = &[
    ("catalogue", &["model"]),
    ("snapshot", &["model"]),
    (
        "collect",
        &["model", "catalogue", "snapshot", "access", "graph", "audit", "change", "report"],
    ),
    (
        "run",
        &[
            "model",
            "catalogue",
            "snapshot",
            "access",
            "graph",
            "audit",
            "change",
            "report",
            "store",
        ],
    ),
    ("api", &["model"]),
];
/// Directories below these modules are one provider each, and never import each other.
const PROVIDER_PARENTS: &[&str] = &["access", "collect"];
const PROVIDERS: &[&str] = &["aws", "azure", "gcp", "kubernetes"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The `a::b` or `a` that a text begins with.
fn two_words(text: &str) -> (String, Option<String>) {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let first = word(text);
    let rest = text.strip_prefix(&first).and_then(|rest| rest.strip_prefix("::"));
    let second = rest.map(word).filter(|second| !second.is_empty());
    (first, second)
}

/// Every `crate::a::b` that a file names, as `(a, Some(b))`. Braces after `crate::` give one entry each.
fn crate_paths(text: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let after = text.match_indices("crate::").filter_map(|(at, start)| text.get(at + start.len()..));
    for rest in after {
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut start = true;
            for (index, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => start = true,
                    c if start && c.is_alphabetic() => {
                        found.push(two_words(list.split_at(index).1));
                        start = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.push(two_words(rest));
        }
    }
    found
}

fn allowed(row: &str) -> Vec<&'static str> {
    if let Some((_, narrower)) = NARROWER.iter().find(|(name, _)| *name == row) {
        return narrower.to_vec();
    }
    ROWS.iter().take_while(|name| **name != row).copied().collect()
}

#[test]
fn imports_follow_the_table() {
    let source = root().join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&source).unwrap().to_owned();
        let parts: Vec<&str> = relative.iter().map(|part| part.to_str().unwrap()).collect();
        let row = parts[0].trim_end_matches(".rs");
        // Unit tests may reach further down, to test on real parts.
        if row == "lib" || row == "main" || parts.iter().any(|part| *part == "tests" || *part == "tests.rs") {
            continue;
        }
        assert!(ROWS.contains(&row), "src/{} is in no row of the table", relative.display());
        let text = std::fs::read_to_string(&file).unwrap();
        for (module, inner) in crate_paths(&text) {
            if ROWS.contains(&module.as_str()) && module != row && !allowed(row).contains(&module.as_str()) {
                wrong.push(format!("src/{}: crate::{module}", relative.display()));
            }
            let provider = (PROVIDER_PARENTS.contains(&row) && parts.len() > 1).then(|| parts[1].trim_end_matches(".rs"));
            if let (Some(own), Some(inner)) = (provider, &inner)
                && PROVIDERS.contains(&own)
                && PROVIDER_PARENTS.contains(&module.as_str())
                && PROVIDERS.contains(&inner.as_str())
                && inner != own
            {
                wrong.push(format!("src/{}: crate::{module}::{inner}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows against the table of the design: {wrong:#?}");
}

#[test]
fn the_reader_of_imports_sees_all_forms() {
    let found = crate_paths("use crate::{model::Finding, snapshot::{aws, Snapshot}, graph};\nlet x = crate::access::aws::f();");
    let found: Vec<(&str, Option<&str>)> = found.iter().map(|(a, b)| (a.as_str(), b.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("model", Some("Finding")),
            ("snapshot", None),
            ("graph", None),
            ("access", Some("aws"))
        ]
    );
}

/// `cargo tree` of one lane: crate names.
fn tree(arguments: &[&str]) -> Vec<String> {
    let out = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--locked", "-e", "normal", "--prefix", "none"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_core_pulls_in_no_cluster_cloud_async_or_http_crate() {
    let shell = |name: &str| {
        ["kube", "hyper", "aws-", "azure", "gcp_auth", "google-cloud", "rustls", "openssl"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
            || ["k8s-openapi", "tokio", "reqwest", "axum", "object_store", "futures"].contains(&name)
    };
    let core = tree(&["--no-default-features"]);
    assert!(core.iter().any(|name| name == "serde_json"), "the tree was not read");
    let wrong: Vec<&String> = core.iter().filter(|name| shell(name)).collect();
    assert!(wrong.is_empty(), "the core pulls in {wrong:?}");
}

#[test]
fn one_provider_of_cryptography() {
    let all = tree(&["--all-features"]);
    assert!(all.iter().any(|name| name == "aws-lc-rs"), "the tree was not read");
    let wrong: Vec<&String> = all
        .iter()
        .filter(|name| ["ring", "openssl", "openssl-sys", "native-tls"].contains(&name.as_str()))
        .collect();
    assert!(wrong.is_empty(), "a second provider of cryptography: {wrong:?}");
}
