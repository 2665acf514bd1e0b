use crate::page::{blocks, document};
use paddock_e2e::paddock;

fn shown() -> String {
    blocks(&document("docs/configuration.md"), "toml").remove(0)
}

#[test]
fn the_page_is_a_valid_file() {
    let builder = paddock!();
    let anywhere = shown()
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8081", "127.0.0.1:0")
        .replace("llama-server", &builder.engine_path().display().to_string())
        .replace("\"model.gguf\"", "\"m.gguf\"");
    let path = builder.directory().join("shown.toml");
    std::fs::write(&path, anywhere).unwrap();
    let checked = builder.run(["check", "--config", &path.display().to_string()]);
    assert_eq!(checked.code, Some(0), "{checked:#?}");
}

#[test]
fn the_page_shows_the_example() {
    assert_eq!(shown(), paddock!().run(["config", "example"]).stdout);
}
