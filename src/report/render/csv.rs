//! Findings as CSV: RFC 4180 with a header, and safe to open in a spreadsheet.

use crate::model::{Finding, Residual};

/// Column and how it is filled.
type Column = (&'static str, fn(&Finding) -> String);

const COLUMNS: &[Column] = &[
    ("id", |finding| finding.id.0.clone()),
    ("rule", |finding| finding.rule.clone()),
    ("severity", |finding| finding.severity.as_str().to_owned()),
    ("state", |finding| format!("{:?}", finding.state)),
    ("exemption", |finding| finding.exemption.clone().unwrap_or_default()),
    ("provider", |finding| {
        of(
            finding.identity.as_ref().map(|identity| identity.provider.as_str()),
            finding.resource.as_ref().map(|resource| resource.provider.as_str()),
        )
    }),
    ("scope", |finding| {
        of(
            finding.identity.as_ref().map(|identity| identity.scope.as_str()),
            finding.resource.as_ref().map(|resource| resource.scope.as_str()),
        )
    }),
    ("identityKind", |finding| {
        finding
            .identity
            .as_ref()
            .map(|identity| format!("{:?}", identity.kind))
            .unwrap_or_default()
    }),
    ("identity", |finding| {
        of(finding.identity.as_ref().map(|identity| identity.id.as_str()), None)
    }),
    ("identityName", |finding| {
        of(finding.identity.as_ref().map(|identity| identity.name.as_str()), None)
    }),
    ("resource", |finding| {
        of(finding.resource.as_ref().map(|resource| resource.id.as_str()), None)
    }),
    ("discriminator", |finding| finding.discriminator.clone()),
    ("scoreLow", |finding| {
        finding.score.as_ref().map(|score| score.low.to_string()).unwrap_or_default()
    }),
    ("scoreHigh", |finding| {
        finding.score.as_ref().map(|score| score.high.to_string()).unwrap_or_default()
    }),
    ("summary", |finding| finding.evidence.summary.clone()),
    ("conditions", |finding| finding.conditions.as_ref().map(words).unwrap_or_default()),
    ("remediation", |finding| finding.remediation.kind.clone()),
    ("remediationSummary", |finding| finding.remediation.summary.clone()),
    ("references", |finding| finding.references.join(" ")),
    ("firstSeen", |finding| finding.first_seen.to_string()),
];

fn of(first: Option<&str>, second: Option<&str>) -> String {
    first.or(second).unwrap_or_default().to_owned()
}

/// One row for each finding, in the given order.
pub(super) fn render(findings: &[Finding]) -> String {
    let mut text = COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",") + "\r\n";
    for finding in findings {
        let row: Vec<String> = COLUMNS.iter().map(|(_, value)| cell(&value(finding))).collect();
        text.push_str(&row.join(","));
        text.push_str("\r\n");
    }
    text
}

/// One cell. A value that a spreadsheet would read as a formula gets an apostrophe in front (OWASP, CSV injection): names in a cloud are
/// chosen by whoever creates things there.
fn cell(value: &str) -> String {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let guard = if value.trim_start_matches(' ').starts_with(FORMULA) {
        "'"
    } else {
        ""
    };
    if value.contains(['"', ',', '\r', '\n', ';', '\t']) {
        format!("\"{guard}{}\"", value.replace('"', "\"\""))
    } else {
        format!("{guard}{value}")
    }
}

/// A condition in words.
fn words(residual: &Residual) -> String {
    let all = |parts: &[Residual], word: &str| parts.iter().map(words).collect::<Vec<_>>().join(word);
    match residual {
        Residual::And(parts) if parts.is_empty() => "always".to_owned(),
        Residual::Or(parts) if parts.is_empty() => "never".to_owned(),
        Residual::And(parts) => format!("({})", all(parts, " and ")),
        Residual::Or(parts) => format!("({})", all(parts, " or ")),
        Residual::Not(part) => format!("not {}", words(part)),
        Residual::Atom(atom) => atom.text.clone(),
    }
}
