//! Findings as a table for people. Whatever was not evaluated stands below it: a short table is no pass.

use std::fmt::Write as _;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};

use super::Style;
use crate::model::{Finding, FindingState, Severity, SeverityCounts};
use crate::report::AuditDocument;

/// Lines of coverage that are printed; `-o json` has all.
const COVERAGE_LINES: usize = 20;

pub(super) fn render(document: &AuditDocument, style: Style) -> String {
    let mut text = String::new();
    if !document.findings.is_empty() {
        let _ = writeln!(text, "{}\n", table(document, style));
    }
    summary(&mut text, document);
    text
}

fn table(document: &AuditDocument, style: Style) -> String {
    let mut table = Table::new();
    // Nothing of it asks the terminal: the caller has.
    table.load_preset(comfy_table::presets::NOTHING).force_no_tty();
    if style.color {
        table.enforce_styling();
    }
    match style.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(["SEVERITY", "RULE", "IDENTITY OR RESOURCE", "FINDING", "SINCE", "STATE"].map(|title| bold(Cell::new(title), style)));
    let mut findings: Vec<&Finding> = document.findings.iter().collect();
    findings.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| (&a.rule, &a.identity, &a.id).cmp(&(&b.rule, &b.identity, &b.id)))
    });
    for finding in findings {
        table.add_row([
            severity(finding.severity, style),
            Cell::new(printable(&finding.rule)),
            Cell::new(printable(subject(finding))),
            Cell::new(printable(&finding.evidence.summary)),
            Cell::new(finding.first_seen.strftime("%Y-%m-%d").to_string()),
            Cell::new(state(finding)),
        ]);
    }
    table.trim_fmt()
}

fn summary(text: &mut String, document: &AuditDocument) {
    let count = |state| {
        let mut counts = SeverityCounts::default();
        document
            .findings
            .iter()
            .filter(|finding| finding.state == state)
            .for_each(|finding| counts.add(finding.severity));
        counts
    };
    let open = count(FindingState::Open);
    let by_severity: Vec<String> = Severity::WORST_FIRST
        .into_iter()
        .filter(|severity| open.get(*severity) > 0)
        .map(|severity| format!("{} {}", open.get(severity), severity.as_str().to_lowercase()))
        .collect();
    let _ = write!(text, "{} open", plural(open.total(), "finding"));
    if !by_severity.is_empty() {
        let _ = write!(text, ": {}", by_severity.join(", "));
    }
    let (exempted, unverified) = (count(FindingState::Exempted).total(), count(FindingState::Unverified).total());
    let _ = writeln!(text, "; {exempted} exempted, {unverified} unverified");
    if let Some(delta) = &document.delta {
        let _ = writeln!(
            text,
            "since the previous audit: {} new, {} resolved, {} unchanged",
            delta.new, delta.resolved, delta.unchanged
        );
    }
    for rule in &document.not_evaluated {
        let _ = writeln!(
            text,
            "not evaluated: {} for {}: {}",
            printable(&rule.rule),
            printable(&rule.scope),
            printable(&rule.reason)
        );
    }
    for entry in document.coverage.iter().take(COVERAGE_LINES) {
        let place = if entry.place.is_empty() {
            String::new()
        } else {
            format!(", {}", printable(&entry.place))
        };
        let _ = writeln!(
            text,
            "not read or used: {}: {}{place}: {}",
            printable(&entry.source),
            printable(&entry.entity),
            printable(&entry.reason)
        );
    }
    if let Some(more @ 1..) = document.coverage.len().checked_sub(COVERAGE_LINES) {
        let _ = writeln!(text, "not read or used: {more} more, listed by -o json");
    }
}

fn plural(count: u32, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

fn subject(finding: &Finding) -> &str {
    let resource = finding.resource.as_ref().map(|resource| resource.id.as_str());
    finding
        .identity
        .as_ref()
        .map(|identity| identity.id.as_str())
        .or(resource)
        .unwrap_or("(account)")
}

fn state(finding: &Finding) -> String {
    match (&finding.state, &finding.exemption) {
        (FindingState::Exempted, Some(name)) => format!("Exempted ({})", printable(name)),
        (state, _) => format!("{state:?}"),
    }
}

fn severity(severity: Severity, style: Style) -> Cell {
    let cell = Cell::new(severity.as_str());
    if !style.color {
        return cell;
    }
    match severity {
        Severity::Critical => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Severity::High => cell.fg(Color::Red),
        Severity::Medium => cell.fg(Color::Yellow),
        Severity::Low => cell.fg(Color::Blue),
        Severity::Info => cell,
    }
}

fn bold(cell: Cell, style: Style) -> Cell {
    if style.color { cell.add_attribute(Attribute::Bold) } else { cell }
}

/// The text with control characters spelled out: names come from a cloud and must not speak to the terminal.
pub fn printable(text: &str) -> String {
    // Bidirectional controls reorder what is shown around them.
    let hidden = |character: char| {
        character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|character| {
            if hidden(character) {
                character.escape_default().to_string()
            } else {
                character.to_string()
            }
        })
        .collect()
}
