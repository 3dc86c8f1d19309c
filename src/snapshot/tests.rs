use super::*;

#[test]
fn example_account() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/data/aws/accounts/cloudsplaining-example.json"
    );
    let bytes = std::fs::read(path).unwrap();
    let snapshots = read(&bytes, "x.json").unwrap();
    let (account, coverage) = aws::Account::decode(&snapshots[0]).unwrap();
    println!(
        "{} {} {} {:#?}",
        account.id,
        account.users.unwrap().len(),
        account.roles.unwrap().len(),
        coverage
    );
    for (name, section) in &snapshots[0].sections {
        println!("{name} {:?} {:?} {}", section.status, section.reason, section.content.get().len());
    }
    for text in [
        "",
        "null",
        "[1,2",
        "{\"unrelated\": true}",
        "{\"RoleDetailList\":[\n{\"Arn\":5}]}",
        "{\"RoleDetailList\":[{\"Arn\":\"x\",\"Tags\":[{\"Key\":\"a\",\"Key\":\"b\"}]}]}",
    ] {
        println!("{}", read(text.as_bytes(), "x.json").unwrap_err());
    }
}
