//! The documents of `ciem audit`.

use proptest::prelude::*;

use super::*;
use crate::model::{CoverageEntry, FindingGroup, NotEvaluated, SnapshotRef};
use crate::report::{AuditDocument, Format, Style, canonical};

fn document(findings: Vec<Finding>) -> AuditDocument {
    AuditDocument {
        snapshots: vec![SnapshotRef {
            provider: Provider::Aws,
            scope: ACCOUNT.to_owned(),
            entitlements_digest: "e".repeat(64),
            usage_digest: "u".repeat(64),
        }],
        engine: "0.1.0".to_owned(),
        now: now(),
        coverage: vec![CoverageEntry {
            source: "credentialReport".to_owned(),
            entity: ACCOUNT.to_owned(),
            place: String::new(),
            reason: "was not read".to_owned(),
        }],
        not_evaluated: vec![NotEvaluated {
            rule: "AWS-EXC-09".to_owned(),
            scope: ACCOUNT.to_owned(),
            reason: "needs last-used data".to_owned(),
        }],
        identities: BTreeMap::from([("Role".to_owned(), 2)]),
        groups: vec![FindingGroup {
            rule: "AWS-EXC-00".to_owned(),
            cause: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(),
            severity: Severity::Critical,
            findings: findings.iter().take(2).map(|finding| finding.id.clone()).collect(),
        }],
        findings: sorted(findings),
        delta: None,
    }
}

/// Three findings: one plain, one exempted, one with everything that formats have to escape.
fn samples() -> Vec<Finding> {
    let mut findings = account(3, 1);
    findings[1].state = FindingState::Exempted;
    findings[1].exemption = Some("legacy".to_owned());
    findings[2].severity = Severity::Low;
    let name = "=HYPERLINK(\"x\")\u{1b}[2J, \"quoted\"\nnext";
    findings[2].identity = Some(IdentityRef {
        id: name.to_owned(),
        name: name.to_owned(),
        ..role("x")
    });
    findings[2].conditions = Some(Residual::And(vec![Residual::Not(Box::new(Residual::Atom(Atom {
        key: "aws:SourceIp".to_owned(),
        operator: "IpAddress".to_owned(),
        values: vec!["10.0.0.0/8".to_owned()],
        text: "aws:SourceIp in 10.0.0.0/8".to_owned(),
        caller_controlled: false,
    })))]));
    findings
}

fn render(document: &AuditDocument, format: Format) -> String {
    document
        .render(
            format,
            Style {
                width: Some(140),
                color: false,
            },
        )
        .expect("text")
}

#[test]
fn every_format_as_written() {
    let mut document = document(samples());
    document.delta = Some(Delta {
        new: 1,
        resolved: 2,
        unchanged: 2,
        ..Delta::default()
    });
    for (name, format) in Format::ALL {
        insta::assert_snapshot!(format!("format_{name}"), render(&document, format));
        assert_eq!(name.parse::<Format>(), Ok(format));
    }
}

#[test]
fn an_unknown_format_names_the_known_ones() {
    assert_eq!(
        "xml".parse::<Format>(),
        Err("'xml' is no output format: use table, json, yaml, jsonl, csv".to_owned())
    );
}

#[test]
fn the_command_line_and_the_chunks_hold_the_same_bytes() {
    let findings = account(40, 3);
    let json = render(&document(findings.clone()), Format::Json);
    let lines = render(&document(findings.clone()), Format::JsonLines);
    let plan = first(&findings);
    let from_chunks: String = read(&plan).iter().map(|finding| canonical(finding).expect("json") + "\n").collect();
    assert_eq!(from_chunks, lines);
    for line in lines.lines() {
        assert!(json.contains(line), "a finding stands in the document as it is");
        assert!(plan.chunks.iter().any(|chunk| chunk.data.contains(line)), "and in a chunk");
    }
    // And the digest in the run record is that of the lines.
    let digest = {
        use sha2::Digest as _;
        crate::report::chunk::hex(&sha2::Sha256::digest(&lines))
    };
    assert_eq!(plan.document.history[0].findings_digest, digest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn json_and_yaml_read_back(findings in prop::collection::vec(any_finding(), 0..10)) {
        let mut findings = findings;
        for (number, finding) in findings.iter_mut().enumerate() {
            finding.id = id(&format!("{number}"));
        }
        let document = document(findings);
        let json = render(&document, Format::Json);
        prop_assert_eq!(&AuditDocument::parse(json.as_bytes()).expect("a document"), &document);
        let yaml: AuditDocument = serde_saphyr::from_str(&render(&document, Format::Yaml)).expect("yaml");
        prop_assert_eq!(yaml, document);
    }

    #[test]
    fn csv_reads_back_and_holds_no_formula(findings in prop::collection::vec(any_finding(), 0..10)) {
        let rows = parse_csv(&render(&document(findings.clone()), Format::Csv));
        prop_assert_eq!(rows.len(), findings.len() + 1);
        let findings = document(findings).findings;
        for (row, finding) in rows[1..].iter().zip(&findings) {
            prop_assert_eq!(row.len(), rows[0].len());
            prop_assert!(!row.iter().any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])));
            let summary = &row[rows[0].iter().position(|name| name == "summary").expect("a column")];
            prop_assert_eq!(summary.strip_prefix('\'').filter(|_| !finding.evidence.summary.starts_with('\'')).unwrap_or(summary), &finding.evidence.summary);
        }
    }

    #[test]
    fn tables_hold_no_control_characters(findings in prop::collection::vec(any_finding(), 0..10), width in prop::option::of(20..200_u16)) {
        let text = document(findings).render(Format::Table, Style { width, color: false }).expect("text");
        prop_assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    }
}

/// A reader of RFC 4180, as strict as it.
fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let cell = rows.last_mut().expect("a row").last_mut().expect("a cell");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.push(characters.next().expect("a quote")),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            '"' => panic!("a quote inside of a bare cell"),
            ',' if !quoted => rows.last_mut().expect("a row").push(String::new()),
            '\r' if !quoted => {
                assert_eq!(characters.next(), Some('\n'));
                rows.push(vec![String::new()]);
            }
            other => cell.push(other),
        }
    }
    assert_eq!(rows.pop(), Some(vec![String::new()]), "the last line ends");
    rows
}

#[test]
fn the_table_lists_what_was_not_evaluated_even_without_findings() {
    let text = render(&document(Vec::new()), Format::Table);
    assert!(text.starts_with("0 findings open; 0 exempted, 0 unverified\n"), "{text}");
    assert!(text.contains("not evaluated: AWS-EXC-09"));
    assert!(text.contains("not read or used: credentialReport"));
}

#[test]
fn colours_add_nothing_but_colour() {
    let document = document(samples());
    let plain = document.render(Format::Table, Style { width: None, color: false }).expect("text");
    let colored = document.render(Format::Table, Style { width: None, color: true }).expect("text");
    assert!(!plain.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        stripped.push_str(before);
        rest = after.split_once('m').expect("a colour").1;
    }
    stripped.push_str(rest);
    // A coloured cell is padded before its colour ends.
    assert!(stripped.lines().map(str::trim_end).eq(plain.lines()), "{stripped}");
}

#[test]
fn a_malformed_previous_document_names_the_place() {
    let good = render(&document(account(2, 1)), Format::Json);
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1).into_bytes()
    };
    let ids: Vec<String> = sorted(account(2, 1)).into_iter().map(|finding| finding.id.0).collect();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            b"".to_vec(),
            "line 1, column 0: EOF while parsing a value; an audit document is what `ciem audit -o json` writes",
        ),
        (b"[]".to_vec(), "line 1, column 2: invalid length 0"),
        (b"{\"snapshots\": [\xff]}".to_vec(), "byte 15: is not UTF-8"),
        (with("\"engine\":\"0.1.0\",", ""), "missing field `engine`"),
        (
            with("\"severity\":\"Critical\",\"state\"", "\"severity\":\"Awful\",\"state\""),
            "findings[0]: unknown variant `Awful`",
        ),
        (with("\"discriminator\"", "\"other\""), "findings[0]: missing field `discriminator`"),
        (
            with("\"notEvaluated\":[{", "\"notEvaluated\":[7,{"),
            "notEvaluated[0]: invalid type: integer `7`",
        ),
        (with("\"now\":\"2026", "\"now\":\"x2026"), "line 1, column"),
        (vec![b'['; 200_000], "line 1, column"),
        (format!("{{\"findings\":{}", "[".repeat(200_000)).into_bytes(), "line 1, column"),
    ];
    for (bytes, expected) in cases {
        let error = AuditDocument::parse(&bytes).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error} should contain {expected}");
    }
    let twice = good.replace(&ids[1], &ids[0]);
    assert_eq!(
        AuditDocument::parse(twice.as_bytes()).expect_err("twice").to_string(),
        format!("findings[1].id: '{}' stands twice", ids[0])
    );
    let short = good.replace(&ids[1], "abc");
    assert_eq!(
        AuditDocument::parse(short.as_bytes()).expect_err("short").to_string(),
        "findings[1].id: 'abc' is not 32 hexadecimal digits in lower case"
    );
    // A later version may say more.
    let more = good.replacen("{\"coverage\"", "{\"comment\":{\"deep\":[1]},\"coverage\"", 1);
    assert_eq!(AuditDocument::parse(more.as_bytes()).expect("a document").findings.len(), 2);
}
