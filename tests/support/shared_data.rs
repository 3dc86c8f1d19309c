//! The team's data sets beside the checkout, where they are there.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of `../shared/data`, from the package's root. None where it is absent: the test says so and counts as skipped.
pub fn folder(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let found = root.join(name);
    found.exists().then_some(found)
}

/// The JSON files below a folder of the data, sorted; prints how many there are, or that they are skipped.
pub fn json_files(name: &str) -> Vec<PathBuf> {
    let Some(folder) = folder(name) else {
        println!("skipped: no ../shared/data/{name}, 0 files");
        return Vec::new();
    };
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    println!("../shared/data/{name}: {} files", files.len());
    files
}
