//! Facts about services that decisions rest on.

/// Services some of whose resources have policies of their own (IAM User Guide, "AWS services that work with IAM"; read in November 2025).
const RESOURCE_POLICIES: &[&str] = &[
    "acm-pca",
    "aoss",
    "apigateway",
    "aps",
    "backup",
    "bedrock",
    "codeartifact",
    "codebuild",
    "dynamodb",
    "ecr",
    "ecr-public",
    "elasticfilesystem",
    "elasticmapreduce",
    "es",
    "events",
    "execute-api",
    "glacier",
    "glue",
    "iot",
    "kinesis",
    "kinesisvideo",
    "kms",
    "lambda",
    "lex",
    "license-manager",
    "logs",
    "mediastore",
    "mobiletargeting",
    "network-firewall",
    "organizations",
    "ram",
    "redshift",
    "redshift-serverless",
    "rekognition",
    "resource-explorer-2",
    "route53resolver",
    "s3",
    "s3-object-lambda",
    "s3-outposts",
    "s3express",
    "s3tables",
    "schemas",
    "secretsmanager",
    "serverlessrepo",
    "ses",
    "signer",
    "sns",
    "sqs",
    "ssm",
    "ssm-contacts",
    "ssm-incidents",
    "states",
    "verifiedpermissions",
    "vpc-lattice",
    "wafv2",
    "xray",
];

/// Whether resources of a service may have policies of their own.
pub fn has_resource_policies(service: &str) -> bool {
    RESOURCE_POLICIES.binary_search(&service).is_ok()
}

/// Services whose resources RCPs bind (Organizations User Guide, "Resource control policies"; read in November 2025). Actions of others
/// are not under RCPs.
const RESOURCE_CONTROL: &[&str] = &[
    "aoss",
    "cognito-idp",
    "dynamodb",
    "ecr",
    "kms",
    "logs",
    "s3",
    "secretsmanager",
    "sqs",
    "sts",
];

/// Whether resource control policies bind resources of a service (W3).
pub fn has_resource_control(service: &str) -> bool {
    RESOURCE_CONTROL.binary_search(&service).is_ok()
}

/// KMS operations that work on keys of another account (KMS Developer Guide, "Allowing users in other accounts to use a KMS key").
const KMS_ACROSS: &[&str] = &[
    "creategrant",
    "decrypt",
    "derivesharedsecret",
    "describekey",
    "encrypt",
    "generatedatakey",
    "generatedatakeypair",
    "generatedatakeypairwithoutplaintext",
    "generatedatakeywithoutplaintext",
    "generatemac",
    "getkeyrotationstatus",
    "getpublickey",
    "listgrants",
    "reencryptfrom",
    "reencryptto",
    "retiregrant",
    "revokegrant",
    "sign",
    "verify",
    "verifymac",
];

/// Whether a KMS operation works on a key of another account (W7).
pub fn kms_crosses_accounts(operation: &str) -> bool {
    KMS_ACROSS.binary_search(&operation).is_ok()
}

/// Actions that are checked on several kinds of resource at once, with the patterns of each (Service Authorization Reference; read in
/// November 2025). All of them must be granted, possibly by different statements (W14).
const SEVERAL: &[(&str, &str, &[&str])] = &[(
    "ec2",
    "runinstances",
    &[
        "arn:*:ec2:*:*:image/*",
        "arn:*:ec2:*:*:instance/*",
        "arn:*:ec2:*:*:network-interface/*",
        "arn:*:ec2:*:*:security-group/*",
        "arn:*:ec2:*:*:subnet/*",
        "arn:*:ec2:*:*:volume/*",
    ],
)];

/// The kinds of resource that an action is checked on at once; none: one kind, or not known.
pub fn required_resources(service: &str, name: &str) -> Option<&'static [&'static str]> {
    SEVERAL
        .iter()
        .find(|(own, action, _)| *own == service && *action == name)
        .map(|(_, _, patterns)| *patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_their_search() {
        for table in [RESOURCE_POLICIES, RESOURCE_CONTROL, KMS_ACROSS] {
            assert!(table.is_sorted());
        }
        assert!(has_resource_policies("s3") && !has_resource_policies("ec2"));
        assert!(has_resource_control("sts") && !has_resource_control("sns"));
    }
}
