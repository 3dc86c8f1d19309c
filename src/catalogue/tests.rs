//! The embedded files are whole, and broken files are refused with the rule's id and the reason.

use rstest::rstest;

use super::*;
use crate::model::Provider;

fn catalogue() -> Catalogue {
    Catalogue::load().unwrap()
}

/// A catalogue of one rule, written as YAML.
fn of(rule: &str) -> Result<Catalogue, CatalogueError> {
    Catalogue::read(COMMON_FILE, &[("rules/test.yaml", rule)], ISSUER_FILE)
}

const RULE: &str = "rules:
  - id: AWS-EXC-99
    title: A title
    description: A description
    rationale: A reason
    provider: AWS
    step: excess
    severity: Low
    check: everything-granted
    inputs: [roles, users]
    tags: [privilege]
    summary: '{identity} has {policies}'
    remediation: { kind: shrink, text: 'shrink {policies}' }
    references: [CIS-AWS/v5.0/1.15]
";

#[test]
fn the_built_rules_are_there_sorted_and_found_by_id() {
    let catalogue = catalogue();
    let ids: Vec<&str> = catalogue.rules().iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "AWS-EXC-01",
            "AWS-EXC-02",
            "AWS-EXC-03",
            "AWS-EXC-13",
            "AWS-MAP-01",
            "AWS-MAP-02",
            "AWS-MAP-04"
        ]
    );
    for id in ids {
        assert_eq!(catalogue.rule(id).unwrap().id, id);
    }
    assert!(catalogue.rule("AWS-EXC-99").is_none());
    assert!(!catalogue.version().is_empty());
}

/// Ids name provider, step and number, so that they say what their members say.
#[test]
fn an_id_agrees_with_provider_and_step() {
    for rule in catalogue().rules() {
        let step = match rule.step {
            Step::Inventory => "INV",
            Step::Map => "MAP",
            Step::Excess => "EXC",
            Step::Change => "CHG",
        };
        let provider = match rule.provider {
            Some(Provider::Aws) => "AWS",
            Some(Provider::Azure) => "AZ",
            Some(Provider::Gcp) => "GCP",
            Some(Provider::Kubernetes) => "K8S",
            None => "ALL",
        };
        let number = rule.id.strip_prefix(&format!("{provider}-{step}-")).unwrap();
        assert!(number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()), "{}", rule.id);
    }
}

/// catalogue.md §3.0: every access rule maps to these, and the version keys of CIS say which numbering is meant.
#[test]
fn references_hold_the_common_ones_and_the_moving_cis_numbers() {
    let catalogue = catalogue();
    for rule in catalogue.rules() {
        for common in ["GDPR/2016-679/Art.32(1)(b)", "ISO-27001/2022/A.5.15", "SOC-2/2017/CC6.1"] {
            assert!(rule.references.iter().any(|reference| reference == common), "{} {common}", rule.id);
        }
        assert!(rule.references.is_sorted(), "{}", rule.id);
    }
    let everything = catalogue.rule("AWS-EXC-01").unwrap();
    for reference in ["CIS-AWS/v3.0/1.16", "CIS-AWS/v5.0/1.15", "CIS-AWS/v7.0/2.14"] {
        assert!(everything.references.iter().any(|own| own == reference), "{reference}");
    }
}

#[test]
fn a_rule_that_is_whole_is_accepted() {
    let catalogue = of(RULE).unwrap();
    assert_eq!(catalogue.rule("AWS-EXC-99").unwrap().severity, crate::model::Severity::Low);
}

#[rstest]
#[case::empty_text("title: A title", "title: ' '", "the text of title is empty")]
#[case::unknown_name("has {policies}", "has {polices}", "names something that nothing fills")]
#[case::unsorted_inputs("[roles, users]", "[users, roles]", "inputs must be named, sorted, once each")]
#[case::unknown_framework("CIS-AWS/v5.0/1.15", "CIS/v5.0/1.15", "names an unknown framework")]
#[case::unknown_version("CIS-AWS/v5.0/1.15", "CIS-AWS/v5/1.15", "names an unknown version of CIS-AWS")]
#[case::no_id("CIS-AWS/v5.0/1.15", "CIS-AWS/v5.0", "is not framework/version/id")]
#[case::empty_id("CIS-AWS/v5.0/1.15", "CIS-AWS/v5.0/", "has no usable id")]
#[case::twice("[CIS-AWS/v5.0/1.15]", "[SOC-2/2017/CC6.1]", "stands twice")]
fn a_broken_rule_is_refused_with_its_id(#[case] from: &str, #[case] to: &str, #[case] reason: &str) {
    let broken = RULE.replacen(from, to, 1);
    assert_ne!(broken, RULE);
    let error = of(&broken).unwrap_err().to_string();
    assert!(
        error.starts_with("rule AWS-EXC-99 in the catalogue: ") && error.contains(reason),
        "{error}"
    );
}

#[test]
fn a_rule_that_stands_twice_is_refused() {
    let twice = format!("{RULE}{}", RULE.trim_start_matches("rules:\n"));
    assert!(of(&twice).unwrap_err().to_string().contains("the id stands twice"));
}

#[rstest]
#[case::unknown_member("step: excess", "stage: excess")]
#[case::unknown_step("step: excess", "step: other")]
#[case::unknown_kind("kind: shrink", "kind: burn")]
fn a_file_with_unknown_words_is_refused_with_its_name(#[case] from: &str, #[case] to: &str) {
    let error = of(&RULE.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(error.starts_with("catalogue file rules/test.yaml cannot be read: "), "{error}");
}

#[test]
fn facts_fill_names_once_and_leave_other_braces() {
    let facts = Facts {
        identity: "role {policies}",
        subject: "s",
        policies: "P",
    };
    assert_eq!(
        facts.fill("{identity} {subject}{policies} {other} {"),
        "role {policies} sP {other} {"
    );
}

#[rstest]
#[case(ParameterValue::Integer(1), " 45 ", Ok(ParameterValue::Integer(45)))]
#[case(ParameterValue::Integer(1), "x", Err("'x' is no whole number"))]
#[case(ParameterValue::List(vec![]), "s3, ec2,,", Ok(ParameterValue::List(vec!["s3".to_owned(), "ec2".to_owned()])))]
#[case(ParameterValue::Text(String::new()), " a ", Ok(ParameterValue::Text(" a ".to_owned())))]
fn parameters_are_read_as_the_kind_of_their_default(
    #[case] default: ParameterValue,
    #[case] text: &str,
    #[case] expected: Result<ParameterValue, &str>,
) {
    assert_eq!(default.parse_like(text), expected.map_err(str::to_owned));
}

const GITHUB: &str = "token.actions.githubusercontent.com";
const EKS: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF";

#[rstest]
// Owner and repository are fixed: only a wildcard behind `repo:owner/repository:` is good.
#[case(GITHUB, "sub", "repo:acme/shop:*", true)]
#[case(GITHUB, "sub", "repo:acme/shop:ref:refs/heads/*", true)]
#[case(GITHUB, "sub", "repo:acme/shop", true)]
#[case(GITHUB, "sub", "repo:acme/shop*", false)]
#[case(GITHUB, "sub", "repo:acme/sho?:*", false)]
#[case(GITHUB, "sub", "repo:acme/*", false)]
#[case(GITHUB, "sub", "repo:acme*", false)]
#[case(GITHUB, "sub", "repo:*/shop:*", false)]
#[case(GITHUB, "sub", "repo:*", false)]
#[case(GITHUB, "sub", "*", false)]
// A stranger's environment may be called so that it ends in the right text.
#[case(GITHUB, "sub", "*:repo:acme/shop:*", false)]
#[case(GITHUB, "sub", "*repo:acme/shop:*", false)]
// Customised subjects: every repository can produce the first.
#[case(GITHUB, "sub", "environment:production", false)]
#[case(GITHUB, "sub", "environment:production:repo:acme/shop:*", true)]
#[case(GITHUB, "sub", "repository_owner:acme:repository_id:17:*", true)]
#[case(GITHUB, "sub", "repository_owner:acme:*", false)]
#[case(GITHUB, "sub", "job_workflow_ref:acme/shop/.github/workflows/x.yml@main", false)]
// Claims that AWS reads as keys of their own.
#[case(GITHUB, "repository", "acme/shop", true)]
#[case(GITHUB, "repository", "acme/*", false)]
#[case(GITHUB, "repository_id", "17", true)]
#[case(GITHUB, "actor", "alice", false)]
#[case(GITHUB, "job_workflow_ref", "acme/shop/.github/workflows/x.yml@refs/heads/main", false)]
#[case("token.actions.githubusercontent.com/acme", "sub", "repo:acme/*", false)]
#[case("token.actions.githubusercontent.com.evil.example", "repository", "acme/shop", false)]
#[case("gitlab.com", "sub", "project_path:acme/shop:ref_type:branch:ref:*", true)]
#[case("gitlab.com", "sub", "project_path:acme/team/shop:*", true)]
#[case("gitlab.com", "sub", "project_path:acme/*", false)]
#[case("gitlab.com", "sub", "project_path:acme/*:ref_type:branch:ref:main", false)]
// Kubernetes: the namespace is the owner.
#[case(EKS, "sub", "system:serviceaccount:shop:web", true)]
#[case(EKS, "sub", "system:serviceaccount:shop:*", true)]
#[case(EKS, "sub", "system:serviceaccount:sho*:web", false)]
#[case(EKS, "sub", "system:serviceaccount:*:web", false)]
#[case(EKS, "sub", "system:serviceaccount:*", false)]
#[case(EKS, "sub", "system:*", false)]
#[case("api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc", "sub", "{0af3}*:*", true)]
#[case("api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc", "sub", "{0af*", false)]
#[case("oidc.circleci.com/org/1-2", "sub", "org/1-2/project/3-4/user/*", true)]
#[case("oidc.circleci.com/org/1-2", "sub", "org/1-2/project/*", false)]
#[case("app.terraform.io", "sub", "organization:acme:project:*:workspace:*:run_phase:*", true)]
#[case("app.terraform.io", "sub", "organization:*:workspace:shop:run_phase:*", false)]
#[case("api.pulumi.com", "sub", "pulumi:*:org:acme:*", true)]
#[case("api.pulumi.com", "sub", "pulumi:deploy:org:*", false)]
#[case("cognito-identity.amazonaws.com", "aud", "eu-west-1:17", true)]
#[case("cognito-identity.amazonaws.com", "aud", "eu-west-1:*", false)]
#[case("studio.datachain.ai/api", "sub", "credentials:acme/*", true)]
#[case("accounts.google.com", "oaud", "anything", false)]
// Issuers that are not listed: known forms are recognised, else two closed parts must stand before a wildcard.
#[case("github.example.org/_services/token", "sub", "repo:acme/*", false)]
#[case("github.example.org/_services/token", "sub", "repo:acme/shop:*", true)]
#[case("k8s.example.org", "sub", "system:serviceaccount:*:web", false)]
#[case("login.example.org", "sub", "team:blue:*", true)]
#[case("login.example.org", "sub", "auth0|*", false)]
#[case("login.example.org", "sub", "a*", false)]
#[case("login.example.org", "aud", "acme", false)]
fn a_pattern_fixes_the_owner_or_does_not(#[case] issuer: &str, #[case] claim: &str, #[case] value: &str, #[case] fixes: bool) {
    assert_eq!(catalogue().issuers().fixes_owner(issuer, claim, value, false), fixes);
}

/// With `StringEquals` a `*` is a character like any other (W18): no token has it.
#[test]
fn in_a_literal_value_a_wildcard_is_a_character() {
    let catalogue = catalogue();
    assert!(catalogue.issuers().fixes_owner(GITHUB, "sub", "repo:acme/*", true));
    assert!(catalogue.issuers().fixes_owner("login.example.org", "sub", "alice*", true));
    assert!(!catalogue.issuers().fixes_owner(GITHUB, "sub", "environment:production", true));
}
