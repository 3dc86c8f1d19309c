//! Two small accounts that tell a story, with problems planted for the first rules and sound neighbours beside each of them.

use serde_json::{Value, json};

use super::builder::{
    ADMINISTRATOR_ACCESS, AccountBuilder, allow, allow_statement, deny_statement, document, trust_aws, trust_aws_with_external_id,
    trust_everyone, trust_oidc, trust_saml, trust_service, with_condition,
};

/// The web shop; the demo seeds it into the local AWS endpoint.
pub const SHOP: &str = "111111111111";
/// The data platform; the demo reads it as a recorded account.
pub const DATA: &str = "222222222222";
/// A vendor's account, outside.
pub const VENDOR: &str = "999999999999";

const GITHUB: &str = "token.actions.githubusercontent.com";

/// What is planted: account, identity's name, rule. Sorted. The same identity may break several rules.
pub const PLANTED: [(&str, &str, &str); 17] = [
    // Through the group `developers`: groups act through their members.
    (SHOP, "ana", "AWS-EXC-02"),
    (SHOP, "break-glass", "AWS-EXC-01"),
    (SHOP, "break-glass", "AWS-EXC-13"),
    (SHOP, "ci-deployer", "AWS-EXC-01"),
    (SHOP, "ci-deployer", "AWS-MAP-04"),
    (SHOP, "deploy-legacy", "AWS-EXC-13"),
    (SHOP, "image-resizer", "AWS-EXC-02"),
    (SHOP, "support-engineer", "AWS-EXC-03"),
    (SHOP, "vendor-audit", "AWS-MAP-01"),
    (SHOP, "warehouse-sync", "AWS-MAP-02"),
    (DATA, "break-glass-admin", "AWS-EXC-01"),
    (DATA, "etl-runner", "AWS-EXC-02"),
    (DATA, "housekeeping", "AWS-EXC-03"),
    (DATA, "notebook", "AWS-MAP-04"),
    (DATA, "partner-feed", "AWS-MAP-01"),
    (DATA, "public-export", "AWS-MAP-02"),
    (DATA, "report-bot", "AWS-EXC-13"),
];

/// Both accounts, as account files: [`SHOP`], [`DATA`].
pub fn demo_accounts() -> [Value; 2] {
    [shop(), data_platform()]
}

fn shop() -> Value {
    let read_orders = allow(
        &["dynamodb:GetItem", "dynamodb:Query"],
        &["arn:aws:dynamodb:eu-west-1:111111111111:table/orders"],
    );
    let deploy = [
        ("StringEquals", "aud", "sts.amazonaws.com"),
        ("StringEquals", "sub", "repo:example-shop/catalog:environment:production"),
    ];
    AccountBuilder::new(SHOP)
        .named("shop-production")
        .administrator_access()
        .policy("deploy-everything", allow(&["*"], &["*"]))
        .policy(
            "deploy-catalog",
            allow(
                &["lambda:UpdateFunctionCode"],
                &["arn:aws:lambda:eu-west-1:111111111111:function:catalog-*"],
            ),
        )
        .policy(
            "developer",
            document(&[
                allow_statement(&["s3:*", "dynamodb:*"], &["*"]),
                deny_statement(&["s3:DeleteBucket"], &["*"]),
            ]),
        )
        .policy("inventory", allow(&["iam:List*", "iam:Get*", "ec2:Describe*"], &["*"]))
        .policy("read-orders", read_orders)
        .group("developers", |group| group.attach("developer"))
        .group("readers", |group| group.attach("read-orders"))
        // The emergency account hangs the widest policy on a person directly.
        .user("break-glass", |user| user.attach(ADMINISTRATOR_ACCESS).tag("purpose", "emergency"))
        .user("ana", |user| user.member_of("developers").tag("team", "catalog"))
        .user("ben", |user| user.member_of("readers").tag("team", "support"))
        // From before the pipeline: its rights sit on the user.
        .user("deploy-legacy", |user| {
            user.inline("upload", allow(&["s3:PutObject"], &["arn:aws:s3:::shop-artifacts/*"]))
                .created("2019-05-20T09:30:00Z")
        })
        // Any repository of the organization, also a new one, may take the widest role.
        .role(
            "ci-deployer",
            trust_oidc(
                SHOP,
                GITHUB,
                &[
                    ("StringEquals", "aud", "sts.amazonaws.com"),
                    ("StringLike", "sub", "repo:example-shop/*"),
                ],
            ),
            |role| role.attach("deploy-everything").last_used("2025-11-20T06:12:00Z", "eu-west-1"),
        )
        .role("ci-catalog", trust_oidc(SHOP, GITHUB, &deploy), |role| {
            role.attach("deploy-catalog")
        })
        // A vendor without external id: a confused deputy away from everybody else's customers.
        .role("vendor-audit", trust_aws(VENDOR), |role| {
            role.attach("inventory").last_used("2025-08-02T00:00:00Z", "us-east-1")
        })
        .role("vendor-billing", trust_aws_with_external_id(VENDOR, "shop-4711"), |role| {
            role.inline("costs", allow(&["ce:GetCostAndUsage"], &["*"]))
        })
        .role("warehouse-sync", trust_everyone(), |role| {
            role.inline(
                "queue",
                allow(&["sqs:SendMessage"], &["arn:aws:sqs:eu-west-1:111111111111:warehouse"]),
            )
        })
        .role("image-resizer", trust_service("lambda.amazonaws.com"), |role| {
            role.inline("images", allow(&["s3:*"], &["*"]))
        })
        .role("orders-api", trust_service("ecs-tasks.amazonaws.com"), |role| {
            role.attach("read-orders").last_used("2025-11-24T23:59:00Z", "eu-west-1")
        })
        .role("support-engineer", trust_saml(SHOP, "corporate"), |role| {
            role.inline(
                "all-but-billing",
                document(&[json!({"Effect": "Allow", "NotAction": ["aws-portal:*", "billing:*", "iam:*"], "Resource": "*"})]),
            )
        })
        .role_at(
            "/aws-service-role/ecs.amazonaws.com/",
            "AWSServiceRoleForECS",
            trust_service("ecs.amazonaws.com"),
            |role| role.inline("ecs", allow(&["ec2:*"], &["*"])),
        )
        .build()
}

fn data_platform() -> Value {
    let with_multi_factor = with_condition(trust_aws(DATA), &json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}));
    let cluster = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
    let reports = allow(&["s3:GetObject"], &["arn:aws:s3:::data-reports/*"]);
    let own_organization = with_condition(
        trust_aws("333333333333"),
        &json!({"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"}}),
    );
    let all_but_raw = json!({"Effect": "Allow", "Action": ["s3:DeleteObject", "s3:ListBucket"], "NotResource": ["arn:aws:s3:::data-raw", "arn:aws:s3:::data-raw/*"]});
    AccountBuilder::new(DATA)
        .named("data-platform")
        .administrator_access()
        .policy("read-reports", reports.clone())
        .group("analysts", |group| group.attach("read-reports"))
        .user("carla", |user| user.member_of("analysts").tag("team", "analytics"))
        .user("report-bot", |user| user.attach("read-reports").created("2021-02-11T11:00:00Z"))
        .role("break-glass-admin", with_multi_factor, |role| {
            role.attach(ADMINISTRATOR_ACCESS).tag("purpose", "emergency")
        })
        .role("etl-runner", trust_service("glue.amazonaws.com"), |role| {
            role.inline("lake", allow(&["glue:*", "s3:*"], &["*"]))
        })
        .role("lake-reader", trust_service("glue.amazonaws.com"), |role| {
            role.inline("lake", allow(&["s3:GetObject"], &["arn:aws:s3:::data-raw/*"]))
        })
        .role("housekeeping", trust_service("lambda.amazonaws.com"), |role| {
            role.inline("sweep", document(&[all_but_raw]))
        })
        // Any service account of the cluster: the token's subject is not looked at.
        .role(
            "notebook",
            trust_oidc(DATA, cluster, &[("StringEquals", "aud", "sts.amazonaws.com")]),
            |role| role.attach("read-reports"),
        )
        .role(
            "scheduler",
            trust_oidc(
                DATA,
                cluster,
                &[
                    ("StringEquals", "aud", "sts.amazonaws.com"),
                    ("StringEquals", "sub", "system:serviceaccount:jobs:scheduler"),
                ],
            ),
            |role| role.attach("read-reports"),
        )
        .role("partner-feed", trust_aws("888888888888"), |role| {
            role.inline("feed", allow(&["s3:PutObject"], &["arn:aws:s3:::data-inbox/partner/*"]))
        })
        .role("finance-feed", own_organization, |role| role.inline("feed", reports.clone()))
        .role("public-export", trust_everyone(), |role| {
            role.inline("export", allow(&["s3:GetObject"], &["arn:aws:s3:::data-export/*"]))
        })
        .resource(json!({"arn": "arn:aws:s3:::data-reports", "type": "AWS::S3::Bucket", "ownership": "BucketOwnerEnforced"}))
        .resource(json!({"arn": "arn:aws:s3:::data-raw", "type": "AWS::S3::Bucket", "ownership": "BucketOwnerEnforced"}))
        .build()
}
