//! `paddock models` and `paddock rm`.

use crate::support::{Commands, home, hub};

#[test]
fn a_deleted_model_frees_its_bytes_and_leaves_the_others() {
    let hub = hub();
    let home = home(&hub.endpoint());
    for model in ["hf:u/r:Q4_K_M", "hf:u/r:Q8_0"] {
        let pulled = home.run(["pull", model]);
        assert_eq!(pulled.code, Some(0), "{pulled:#?}");
    }
    let refused = home.run(["rm", "hf:u/r:Q8_0"]);
    assert_eq!(refused.code, Some(2), "nobody can confirm: {refused:#?}");
    assert_eq!(home.run(["models"]).stdout.lines().count(), 2);
    let deleted = home.run(["rm", "hf:u/r:Q8_0", "--yes"]);
    assert_eq!(deleted.code, Some(0), "{deleted:#?}");
    let listed = home.run(["models"]).stdout;
    assert!(listed.starts_with("hf:u/r:Q4_K_M\t"), "{listed}");
    assert_eq!(listed.lines().count(), 1);
    let again = home.run(["rm", "hf:u/r:Q8_0", "--yes"]);
    assert_eq!(again.code, Some(1), "{again:#?}");
}

#[test]
fn files_of_the_user_and_loaded_models_are_not_deleted() {
    let hub = hub();
    let builder = home(&hub.endpoint()).config("models.s.source = 'hf:u/r:Q8_0'");
    assert_eq!(builder.run(["pull", "hf:u/r:Q8_0"]).code, Some(0));
    builder.write_config();
    let path = builder.model_path().display().to_string();
    for (model, words) in [(&*path, "is a file"), ("m", "by its file")] {
        let refused = builder.run(["rm", model, "--yes"]);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains(words), "{refused:#?}");
    }
    let (_paddock, commands) = Commands::start(builder);
    let loaded = commands.run(&["load", "s", "--wait"]);
    assert_eq!(loaded.code, Some(0), "{loaded:#?}");
    let refused = commands.run(&["rm", "hf:u/r", "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.stderr.contains("`paddock unload s`"),
        "{refused:#?}"
    );
    commands.run(&["unload", "s", "--wait"]);
    let deleted = commands.run(&["rm", "hf:u/r", "--yes"]);
    assert_eq!(deleted.code, Some(0), "{deleted:#?}");
}
