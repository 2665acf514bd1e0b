//! A configuration of an earlier version is valid.

use std::fs;

use crate::support::versions;

#[test]
fn configurations_of_earlier_versions_are_valid() {
    for version in versions() {
        let builder = paddock_e2e::paddock!();
        let file = builder.directory().join("earlier.toml");
        fs::copy(version.join("paddock.toml"), &file).unwrap();
        fs::copy(builder.model_path(), builder.directory().join("model.gguf")).unwrap();
        builder.link_engine("llama-server");
        // Something else may listen on the ports of the example.
        let path = builder.directory().display().to_string();
        let checked = builder.env("PATH", &path).run([
            "check",
            "--config",
            "earlier.toml",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ]);
        assert_eq!(checked.code, Some(0), "{}: {checked:#?}", version.display());
    }
}
