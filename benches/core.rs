//! Speed of the core on a generated account: compile, decide, list.

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "the support code of the tests holds more than benches use")]
mod support;

use std::hint::black_box;

use ciem::access::aws::Organization;
use ciem::access::{Entitlements, Question};
use ciem::snapshot::Snapshot;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The account of the scale target: 10,000 roles, 500 users, 2,000 customer policies.
fn account() -> Vec<Snapshot> {
    let text = support::generate::generate(1, 10_000, 500, 2_000).to_string();
    ciem::snapshot::read(text.as_bytes(), "generated").unwrap_or_default()
}

fn access(criterion: &mut Criterion) {
    let snapshots = account();
    assert_eq!(snapshots.len(), 1, "the generated account is well formed");
    let list: Vec<&Snapshot> = snapshots.iter().collect();
    let mut group = criterion.benchmark_group("aws");
    group.sample_size(10);
    group.bench_function("compile/10000", |bencher| bencher.iter(|| Organization::build(black_box(&list))));

    let organization = Organization::build(&list);
    let questions: Vec<Question> = organization
        .identities()
        .step_by(11)
        .zip(
            [
                ("s3:GetObject", "arn:aws:s3:::data-1/in/x.csv"),
                ("ec2:StartInstances", "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123"),
                ("iam:CreateUser", "arn:aws:iam::123456789012:user/new"),
            ]
            .into_iter()
            .cycle(),
        )
        .map(|(identity, (action, resource))| Question {
            principal: identity.key.id,
            action: action.to_owned(),
            resource: resource.to_owned(),
            ..Question::default()
        })
        .collect();
    group.throughput(Throughput::Elements(questions.len() as u64));
    group.bench_function("decide/mixed", |bencher| {
        bencher.iter(|| {
            questions
                .iter()
                .map(|question| organization.decide(black_box(question)).layers.len())
                .sum::<usize>()
        });
    });
    group.throughput(Throughput::Elements(organization.identities().count() as u64));
    group.bench_function("grants/10000", |bencher| {
        bencher.iter(|| {
            organization
                .identities()
                .map(|identity| organization.grants(&identity.key.id).count())
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, access);
criterion_main!(benches);
