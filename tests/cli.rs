//! The command line as scripts see it: exit codes, where errors point, same bytes (command-line.md).

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::builder::{AccountBuilder, allow, allow_statement, deny_statement, document, trust_service, with_condition};

const ACCOUNT: &str = "111111111111";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn account(&self) -> PathBuf {
        let start = "ec2:StartInstances";
        let role = |builder: AccountBuilder, name: &str, policy: Value| {
            builder.role(name, trust_service("ec2.amazonaws.com"), |role| role.inline("p", policy))
        };
        let mut builder = AccountBuilder::new(ACCOUNT);
        builder = role(builder, "yes", allow(&[start], &["*"]));
        builder = role(builder, "no", allow(&["s3:GetObject"], &["*"]));
        builder = role(
            builder,
            "denied",
            document(&[allow_statement(&[start], &["*"]), deny_statement(&[start], &["*"])]),
        );
        let office = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
        builder = role(builder, "office", with_condition(allow(&[start], &["*"]), &office));
        builder = role(builder, "admin", allow(&["*"], &["*"]));
        self.file("account.json", builder.build().to_string())
    }
}

fn ciem(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ciem"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments does not read.
    drop(child.stdin.take().unwrap().write_all(input));
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn can_answers_by_exit_code() {
    let folder = Folder::new();
    let account = folder.account();
    let ask = |role: &str, more: &[&str]| {
        let principal = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
        let instance = format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0");
        let mut arguments = vec![
            "can",
            "--snapshot",
            account.to_str().unwrap(),
            &principal,
            "ec2:StartInstances",
            &instance,
        ];
        arguments.extend(more);
        code(&ciem(&arguments, b""))
    };
    assert_eq!(ask("yes", &[]), 0);
    assert_eq!(ask("no", &[]), 1);
    assert_eq!(ask("denied", &[]), 1);
    assert_eq!(ask("office", &[]), 2);
    assert_eq!(ask("office", &["--context", "aws:SourceIp=10.1.2.3"]), 0);
    assert_eq!(ask("office", &["--context", "aws:SourceIp=192.0.2.1"]), 1);
    assert_eq!(ask("office", &["--context-complete"]), 1);
    assert_eq!(ask("nobody", &[]), 3);
    assert_eq!(ask("yes", &["--context", "no-equals-sign"]), 64);
    assert_eq!(ask("yes", &["--no-such-flag"]), 64);
}

#[test]
fn can_prints_the_members_of_the_contract() {
    let folder = Folder::new();
    let account = folder.account();
    let principal = format!("arn:aws:iam::{ACCOUNT}:role/office");
    let arguments = [
        "can",
        "--snapshot",
        account.to_str().unwrap(),
        &principal,
        "ec2:StartInstances",
        "*",
        "-o",
        "json",
    ];
    let answer: Value = serde_json::from_slice(&ciem(&arguments, b"").stdout).unwrap();
    for member in ["verdict", "reasonCode", "reason", "layers", "residual", "unreadLayers"] {
        assert!(answer.get(member).is_some(), "{member}: {answer}");
    }
    assert_eq!(answer["verdict"], "conditional");
}

#[test]
fn malformed_unreadable_and_misused_have_their_codes_and_name_the_file() {
    let folder = Folder::new();
    for (name, content) in [
        ("cut.json", &b"[1,2"[..]),
        ("empty.json", b""),
        ("foreign.json", b"{\"unrelated\": true}"),
    ] {
        let path = folder.file(name, content);
        let output = ciem(&["audit", "--snapshot", path.to_str().unwrap()], b"");
        assert_eq!(code(&output), 65, "{name}");
        assert!(said(&output).contains(name), "{}", said(&output));
    }
    assert_eq!(code(&ciem(&["audit", "--snapshot", "/no/such/file"], b"")), 66);
    assert_eq!(code(&ciem(&["audit"], b"")), 64);
    assert_eq!(code(&ciem(&["no-such-command"], b"")), 64);
    assert_eq!(code(&ciem(&["--help"], b"")), 0);
    assert_eq!(code(&ciem(&["audit", "--snapshot", "-"], b"[1,2")), 65);
}

#[test]
fn audit_finds_fails_on_demand_and_gives_the_same_bytes() {
    let folder = Folder::new();
    let account = folder.account();
    let path = account.to_str().unwrap();
    let audit = |more: &[&str]| {
        let mut arguments = vec!["audit", "--snapshot", path, "--now", "2026-03-01T00:00:00Z"];
        arguments.extend(more);
        ciem(&arguments, b"")
    };
    let first = audit(&["-o", "json"]);
    assert_eq!(code(&first), 0);
    assert_eq!(first.stdout, audit(&["-o", "json"]).stdout);
    let from_input = ciem(
        &["audit", "--snapshot", "-", "--now", "2026-03-01T00:00:00Z", "-o", "json"],
        &std::fs::read(&account).unwrap(),
    );
    assert_eq!(first.stdout, from_input.stdout);
    let printed: Value = serde_json::from_slice(&first.stdout).unwrap();
    for member in ["snapshots", "engine", "now", "coverage", "identities", "findings", "groups"] {
        assert!(printed.get(member).is_some(), "{member}");
    }
    assert_eq!(printed["findings"].as_array().unwrap().len(), 1);
    assert_eq!(code(&audit(&["--fail-on", "critical"])), 1);
    for format in ["table", "yaml", "jsonl", "csv"] {
        assert_eq!(code(&audit(&["-o", format])), 0, "{format}");
    }
    assert_eq!(code(&audit(&["-o", "html"])), 64);

    let previous = folder.file("previous.json", &first.stdout);
    let later = ciem(
        &[
            "audit",
            "--snapshot",
            path,
            "--now",
            "2026-04-01T00:00:00Z",
            "--previous",
            previous.to_str().unwrap(),
            "-o",
            "json",
        ],
        b"",
    );
    let later: Value = serde_json::from_slice(&later.stdout).unwrap();
    assert_eq!(later["findings"][0]["firstSeen"], "2026-03-01T00:00:00Z");
    assert_eq!((&later["delta"]["new"], &later["delta"]["unchanged"]), (&json!(0), &json!(1)));
    assert_eq!(code(&audit(&["--previous", path])), 65);
}

#[test]
fn a_policy_excuses_and_one_that_says_something_unknown_is_refused() {
    let folder = Folder::new();
    let account = folder.account();
    let manifest = |spec: Value| json!({"apiVersion": "ciem.dev/v1alpha1", "kind": "AuditPolicy", "metadata": {"name": "p"}, "spec": spec});
    let audit = |name: &str, content: &str, now: &str| {
        let policy = folder.file(name, content);
        ciem(
            &[
                "audit",
                "--snapshot",
                account.to_str().unwrap(),
                "--policy",
                policy.to_str().unwrap(),
                "--now",
                now,
                "-o",
                "json",
            ],
            b"",
        )
    };
    let exemption =
        json!({"name": "known", "rules": ["AWS-EXC-01"], "reason": "r", "approvedBy": "a", "expiresAt": "2026-06-01T00:00:00Z"});
    let spec = json!({"accountSelector": {}, "exemptions": [exemption]});
    let state = |now: &str| {
        let output = audit("policy.yaml", &manifest(spec.clone()).to_string(), now);
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        printed["findings"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("2026-05-31T23:59:59Z"), "Exempted");
    assert_eq!(state("2026-06-01T00:00:00Z"), "Open");

    let mut mistyped = spec.clone();
    mistyped["exemptons"] = json!([]);
    for (name, content, named) in [
        ("mistyped.yaml", manifest(mistyped).to_string(), "spec.exemptons"),
        ("cut.yaml", "spec: [".to_owned(), "cut.yaml"),
        ("kind.yaml", manifest(spec.clone()).to_string().replace("AuditPolicy", "Pod"), "Pod"),
        (
            "later.yaml",
            manifest(json!({"accountSelector": {}, "scoring": {"tables": {"t": {"a": 1}}}})).to_string(),
            "spec.scoring.tables",
        ),
    ] {
        let output = audit(name, &content, "2026-03-01T00:00:00Z");
        assert_eq!(code(&output), 65, "{name}");
        assert!(said(&output).contains(named), "{}", said(&output));
    }
}

#[test]
fn two_states_of_one_account_are_refused() {
    let folder = Folder::new();
    let (one, other) = (
        folder.account(),
        folder.file("other.json", AccountBuilder::new(ACCOUNT).build().to_string()),
    );
    for (first, second) in [(&one, &other), (&other, &one)] {
        let output = ciem(
            &[
                "audit",
                "--snapshot",
                first.to_str().unwrap(),
                "--snapshot",
                second.to_str().unwrap(),
            ],
            b"",
        );
        assert_eq!(code(&output), 65);
        assert!(
            said(&output).contains("other.json") && said(&output).contains(ACCOUNT),
            "{}",
            said(&output)
        );
    }
    assert_eq!(code(&ciem(&["audit", "--snapshot", "-", "--snapshot", "-"], b"{}")), 64);
}

#[test]
fn exemptions_that_the_api_server_refuses_are_refused_here() {
    let folder = Folder::new();
    let account = folder.account();
    let good = json!({"name": "e", "rules": ["AWS-EXC-01"], "reason": "r", "approvedBy": "a", "expiresAt": "2999-01-01T00:00:00Z"});
    let audit = |exemptions: Value, version: &str| {
        let spec = json!({"accountSelector": {}, "exemptions": exemptions});
        let manifest = json!({"apiVersion": version, "kind": "AuditPolicy", "metadata": {"name": "p"}, "spec": spec});
        let policy = folder.file("policy.yaml", manifest.to_string());
        code(&ciem(
            &[
                "audit",
                "--snapshot",
                account.to_str().unwrap(),
                "--policy",
                policy.to_str().unwrap(),
            ],
            b"",
        ))
    };
    let version = "ciem.dev/v1alpha1";
    assert_eq!(audit(json!([good]), version), 0);
    assert_eq!(audit(json!([good]), "ciem.dev/v9"), 65);
    assert_eq!(audit(json!([good, good]), version), 65);
    for (member, value) in [
        ("reason", json!(" ")),
        ("approvedBy", json!("")),
        ("name", json!("")),
        ("identity", json!({})),
        ("rules", json!([])),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert_eq!(audit(json!([bad]), version), 65, "{member}");
    }
}

#[test]
fn names_from_a_cloud_do_not_speak_to_the_terminal() {
    let folder = Folder::new();
    let mut statement = allow_statement(&["s3:GetObject"], &["*"]);
    statement["Sid"] = json!("x\u{1b}[31m\nallowed");
    let account = AccountBuilder::new(ACCOUNT)
        .role("r", trust_service("ec2.amazonaws.com"), |role| {
            role.inline("p", document(&[statement]))
        })
        .build();
    let path = folder.file("account.json", account.to_string());
    let principal = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let output = ciem(
        &[
            "can",
            "--snapshot",
            path.to_str().unwrap(),
            &principal,
            "s3:GetObject",
            "arn:aws:s3:::b/k",
        ],
        b"",
    );
    assert!(!output.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn what_is_built_in_is_printed() {
    let rules: Value = serde_json::from_slice(&ciem(&["rules", "-o", "json"], b"").stdout).unwrap();
    assert!(rules.as_array().unwrap().len() >= 7);
    for what in ["snapshot", "audit", "chunk", "decision"] {
        let schema: Value = serde_json::from_slice(&ciem(&["schema", what], b"").stdout).unwrap();
        assert!(schema.is_object(), "{what}");
    }
    assert_eq!(code(&ciem(&["schema", "nonsense"], b"")), 64);
}
