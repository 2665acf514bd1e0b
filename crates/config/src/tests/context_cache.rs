//! Defaults, directories and key files of `[context_cache]`.

use super::*;

fn problems(fixture: &Fixture, keys: &str) -> String {
    fixture.problems(&format!("[context_cache]\n{keys}\n{MODEL}"))
}

#[test]
fn contexts_are_kept_by_default_in_the_state_directory() {
    let fixture = Fixture::new();
    let config = fixture.config(MODEL, &Overrides::default()).unwrap();
    assert!(config.models[0].context_cache);
    assert_eq!(config.context_cache, ContextCache::default());
    let expected = fixture.path(".local/state/paddock/contexts");
    assert_eq!(config.context_dir(), expected);
}

#[test]
fn a_model_overrides_the_default_of_context_cache() {
    let fixture = Fixture::new();
    let text = "[defaults]\ncontext_cache = false\n\
        [models.a]\npath = 'model.gguf'\n\
        [models.b]\npath = 'model.gguf'\ncontext_cache = true\n";
    let config = fixture.config(text, &Overrides::default()).unwrap();
    let switches = config.models.iter().map(|model| model.context_cache);
    assert_eq!(switches.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn invalid_values_are_explained() {
    let fixture = Fixture::new();
    for (keys, message) in [
        (
            "quota = \"8\"",
            "context_cache.quota: expected a size such as \"100MiB\", found `8`",
        ),
        (
            "max_age = \"0s\"",
            "context_cache.max_age: must be longer than 0",
        ),
        (
            "dir = \"model.gguf\"",
            "context_cache.dir: DIR/model.gguf is not a directory",
        ),
        (
            "dir = \"$STATE/x\"",
            "context_cache.dir: there is no directory DIR/$STATE/x",
        ),
        ("size = \"8GiB\"", "context_cache: unknown key `size`\n"),
    ] {
        let shown = problems(&fixture, keys);
        assert!(shown.contains(message), "{keys}: {shown}");
    }
}

#[test]
fn the_key_file_must_be_private_and_hold_a_key() {
    let fixture = Fixture::new();
    fixture.write("key", "0f".repeat(32).as_bytes());
    fixture.write("short", &[7; 31]);
    fixture.set_mode("short", 0o600);
    let create = "create it with a random key: (umask 077; head -c 32 /dev/urandom > DIR/";
    for (file, mode, message, help) in [
        (
            "gone",
            None,
            "cannot read the key file: No such file",
            create,
        ),
        ("bin", None, "the key file is not a regular file", create),
        (
            "short",
            None,
            "the key file must contain 32 bytes, or 64 hexadecimal digits",
            create,
        ),
        (
            "key",
            Some(0o640),
            "other users have access to the key file (mode 640)",
            "chmod 600 DIR/key",
        ),
        (
            "key",
            Some(0o604),
            "other users have access to the key file (mode 604)",
            "chmod 600 DIR/key",
        ),
        ("key", Some(0o400), "", ""),
        ("key", Some(0o600), "", ""),
    ] {
        if let Some(mode) = mode {
            fixture.set_mode(file, mode);
        }
        let keys = format!("[context_cache]\nencryption_key_file = \"{file}\"\n{MODEL}");
        match fixture.config(&keys, &Overrides::default()) {
            Ok(config) => {
                let key_file = config.context_cache.encryption_key_file;
                assert_eq!(key_file, Some(fixture.path(file)));
                assert_eq!(message, "", "{file} {mode:?}");
            }
            Err(problems) => {
                let shown = fixture.hide(&problems);
                let message = format!("context_cache.encryption_key_file: {message}");
                assert!(shown.contains(&message) && shown.contains(help), "{shown}");
            }
        }
    }
}

#[test]
fn a_key_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let fixture = Fixture::new();
    fixture.write("key", &[7; 32]);
    fixture.set_mode("key", 0o600);
    std::os::unix::fs::chown(fixture.path("key"), Some(65534), None).unwrap();
    let shown = problems(&fixture, "encryption_key_file = \"key\"");
    let message = "the key file belongs to user 65534, but paddock runs as user 0";
    assert!(shown.contains(message), "{shown}");
    assert!(shown.contains("chown 0 DIR/key"), "{shown}");
}
