use ciem::snapshot::aws::Account;
use ciem::snapshot::read;

use crate::support::{builder, demo, generate, shared_data};

#[test]
fn tmp() {
    for account in demo::demo_accounts() {
        let snapshots = read(account.to_string().as_bytes(), "demo").unwrap();
        let (account, coverage) = Account::decode(&snapshots[0]).unwrap();
        println!("{} {:?}", account.id, coverage);
    }
    let start = std::time::Instant::now();
    let bytes = generate::generate(7, 10_000, 500, 2_000).to_string().into_bytes();
    println!("{} bytes {:?}", bytes.len(), start.elapsed());
    let start = std::time::Instant::now();
    let snapshots = read(&bytes, "generated").unwrap();
    println!("read {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let (account, _) = Account::decode(&snapshots[0]).unwrap();
    println!("decode {:?} {}", start.elapsed(), account.roles.unwrap().len());
    let start = std::time::Instant::now();
    let file = snapshots[0].write().unwrap();
    println!("write {:?} {}", start.elapsed(), file.len());
    let start = std::time::Instant::now();
    read(&file, "x").unwrap();
    println!("read {:?}", start.elapsed());
    println!("{}", shared_data::json_files("aws").len());
    let _ = builder::AccountBuilder::new("1");
}
