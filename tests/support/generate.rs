//! Large synthetic accounts, for scale: realistic in what policies look like, deterministic in the seed.

use serde_json::{Value, json};

use super::builder::{
    ADMINISTRATOR_ACCESS, AccountBuilder, Principal, allow_statement, deny_statement, document, trust_aws, trust_aws_with_external_id,
    trust_everyone, trust_oidc, trust_saml, trust_service, with_condition,
};

/// The account that is generated.
pub const ACCOUNT: &str = "123456789012";

const GROUPS: usize = 20;
const SERVICES: [(&str, &str, &[&str]); 12] = [
    (
        "s3",
        "arn:aws:s3:::",
        &["GetObject", "PutObject", "DeleteObject", "ListBucket", "GetBucketPolicy"],
    ),
    (
        "dynamodb",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/",
        &["GetItem", "PutItem", "Query", "Scan", "UpdateItem"],
    ),
    (
        "sqs",
        "arn:aws:sqs:eu-west-1:123456789012:",
        &["SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"],
    ),
    (
        "sns",
        "arn:aws:sns:eu-west-1:123456789012:",
        &["Publish", "Subscribe", "ListSubscriptionsByTopic"],
    ),
    (
        "lambda",
        "arn:aws:lambda:eu-west-1:123456789012:function:",
        &["InvokeFunction", "UpdateFunctionCode", "GetFunction"],
    ),
    (
        "ec2",
        "arn:aws:ec2:eu-west-1:123456789012:instance/",
        &["StartInstances", "StopInstances", "RebootInstances", "TerminateInstances"],
    ),
    (
        "kms",
        "arn:aws:kms:eu-west-1:123456789012:key/",
        &["Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey"],
    ),
    (
        "secretsmanager",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
        &["GetSecretValue", "DescribeSecret", "PutSecretValue"],
    ),
    (
        "logs",
        "arn:aws:logs:eu-west-1:123456789012:log-group:",
        &["CreateLogStream", "PutLogEvents", "DescribeLogStreams"],
    ),
    ("cloudwatch", "*", &["PutMetricData", "GetMetricData", "ListMetrics"]),
    (
        "iam",
        "arn:aws:iam::123456789012:role/",
        &["PassRole", "GetRole", "ListRoles", "CreatePolicyVersion"],
    ),
    (
        "ecr",
        "arn:aws:ecr:eu-west-1:123456789012:repository/",
        &["GetDownloadUrlForLayer", "BatchGetImage", "PutImage"],
    ),
];
const TEAMS: [&str; 8] = ["checkout", "catalog", "search", "payments", "data", "platform", "mobile", "support"];

/// An account of so many roles, users and customer policies. The same arguments give the same bytes.
pub fn generate(seed: u64, roles: usize, users: usize, policies: usize) -> Value {
    let mut numbers = Numbers::new(seed);
    let mut account = AccountBuilder::new(ACCOUNT).named("synthetic").administrator_access();
    for index in 0..policies {
        account = account.policy(&policy_name(index), policy_document(&mut numbers));
    }
    for index in 0..GROUPS {
        account = account.group(&format!("group-{index:02}"), |group| attached(group, &mut numbers, policies, 3));
    }
    for index in 0..users {
        let name = format!("user-{index:05}");
        account = account.user(&name, |user| {
            let user = user
                .member_of(&format!("group-{:02}", numbers.below(GROUPS)))
                .tag("team", numbers.pick(&TEAMS));
            if numbers.percent(10) {
                user.inline("own", policy_document(&mut numbers))
            } else {
                user
            }
        });
    }
    for index in 0..roles {
        let name = format!("{}-role-{index:05}", numbers.pick(&TEAMS));
        let (path, trust) = trust_document(&mut numbers);
        account = account.role_at(path, &name, trust, |role| role_policies(role, &mut numbers, policies));
    }
    account.build()
}

fn policy_name(index: usize) -> String {
    format!("policy-{index:05}")
}

fn role_policies(role: Principal, numbers: &mut Numbers, policies: usize) -> Principal {
    let mut role = attached(role, numbers, policies, 4)
        .tag("team", numbers.pick(&TEAMS))
        .tag("stage", numbers.pick(&["prod", "test"]));
    if numbers.percent(30) {
        role = role.inline("inline", policy_document(numbers));
    }
    if policies > 0 && numbers.percent(5) {
        role = role.boundary(&policy_name(numbers.below(policies)));
    }
    if numbers.percent(1) {
        role = role.attach(ADMINISTRATOR_ACCESS);
    }
    if numbers.percent(70) {
        let day = numbers.below(28) + 1;
        role = role.last_used(&format!("2025-10-{day:02}T12:00:00Z"), "eu-west-1");
    }
    role
}

/// Attaches between none and `most` different customer policies.
fn attached(mut principal: Principal, numbers: &mut Numbers, policies: usize, most: usize) -> Principal {
    let mut chosen: Vec<usize> = (0..numbers.below(most + 1))
        .filter(|_| policies > 0)
        .map(|_| numbers.below(policies))
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    for index in chosen {
        principal = principal.attach(&policy_name(index));
    }
    principal
}

fn trust_document(numbers: &mut Numbers) -> (&'static str, Value) {
    let other = format!("2000000000{:02}", numbers.below(20));
    match numbers.below(100) {
        0..60 => (
            "/",
            trust_service(numbers.pick(&["lambda.amazonaws.com", "ec2.amazonaws.com", "ecs-tasks.amazonaws.com"])),
        ),
        60..75 => ("/", trust_aws(ACCOUNT)),
        75..80 => ("/vendor/", trust_aws(&other)),
        80..86 => ("/vendor/", trust_aws_with_external_id(&other, "a-long-agreed-id")),
        86..92 => {
            let subject = format!("repo:example-org/{}:ref:refs/heads/main", numbers.pick(&TEAMS));
            let conditions = [
                ("StringEquals", "aud", "sts.amazonaws.com"),
                ("StringEquals", "sub", subject.as_str()),
            ];
            ("/ci/", trust_oidc(ACCOUNT, "token.actions.githubusercontent.com", &conditions))
        }
        92..94 => (
            "/ci/",
            trust_oidc(
                ACCOUNT,
                "token.actions.githubusercontent.com",
                &[("StringLike", "sub", "repo:example-org/*")],
            ),
        ),
        94..97 => ("/people/", trust_saml(ACCOUNT, "corporate")),
        97..99 => ("/aws-service-role/ecs.amazonaws.com/", trust_service("ecs.amazonaws.com")),
        _ => ("/", trust_everyone()),
    }
}

fn policy_document(numbers: &mut Numbers) -> Value {
    let mut statements: Vec<Value> = (0..=numbers.below(3)).map(|_| statement(numbers)).collect();
    match numbers.below(100) {
        0 => statements.push(allow_statement(&["*"], &["*"])),
        1 => statements.push(json!({"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"})),
        2..7 => statements.push(deny_statement(&["iam:*", "organizations:*"], &["*"])),
        _ => {}
    }
    document(&statements)
}

fn statement(numbers: &mut Numbers) -> Value {
    let Some((service, arn, names)) = SERVICES.get(numbers.below(SERVICES.len())) else {
        return Value::Null;
    };
    let mut actions: Vec<String> = (0..=numbers.below(4))
        .map(|_| format!("{service}:{}", numbers.pick(names)))
        .collect();
    actions.sort_unstable();
    actions.dedup();
    if numbers.percent(4) {
        actions = vec![format!("{service}:*")];
    } else if numbers.percent(10) {
        actions.push(format!("{service}:Get*"));
    }
    let resource = match (*arn, numbers.percent(15)) {
        ("*", _) | (_, true) => "*".to_owned(),
        (arn, false) => format!("{arn}{}-{:03}*", numbers.pick(&TEAMS), numbers.below(200)),
    };
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    let statement = document(&[allow_statement(&actions, &[&resource])]);
    let statement = match numbers.below(20) {
        0 => with_condition(statement, &json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
        1 => with_condition(statement, &json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        2 => with_condition(
            statement,
            &json!({"StringEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team}"}}),
        ),
        _ => statement,
    };
    statement.pointer("/Statement/0").cloned().unwrap_or_default()
}

/// A linear congruential generator (Knuth's MMIX constants); its upper bits are used.
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// A number below a bound; 0 where the bound is 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33)
            .unwrap_or_default()
            .checked_rem(bound)
            .unwrap_or_default()
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }
}
