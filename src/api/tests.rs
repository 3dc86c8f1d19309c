//! The kinds as data: `crds/` is what the types say, and the schemas keep the conventions.

use super::*;

/// Folder of the generated definitions.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
/// First line of each generated file.
const HEADER: &str = "# Generated from src/model and src/api by `make crds`; do not edit.\n";

#[test]
fn crds_on_disk_are_what_the_types_say() {
    // `make crds` sets it.
    let update = std::env::vars().any(|(key, value)| key == "UPDATE_CRDS" && value == "1");
    for crd in crds().unwrap() {
        let path = format!("{FOLDER}/{}.yaml", crd.spec.names.plural);
        let made = format!("{HEADER}{}", crd_yaml(&crd).unwrap());
        if update {
            std::fs::create_dir_all(FOLDER).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "{path} differs from the types: run `make crds` and commit the result");
    }
}
