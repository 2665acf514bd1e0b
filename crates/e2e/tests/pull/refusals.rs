//! Tokens, refusals and hostile repositories.

use std::fs;

use paddock_e2e::harness::model;

use crate::support::{Q4_0, Scene, content, names};

const TOKEN: &str = "hf_SecretSecretSecretSecretSecretSecret1";

fn private_scene() -> Scene {
    let scene = Scene::new(&[
        ("m-Q4_0.gguf", content(41, 2 << 20)),
        ("m-Q8_0.gguf", model()),
    ]);
    scene.hub.behave(|hub| hub.token = Some(TOKEN.to_owned()));
    scene
}

#[test]
fn the_token_goes_to_the_hub_alone_and_is_never_shown() {
    let scene = private_scene();
    scene
        .pull(&[Q4_0])
        .failed_with("there is no repository org/model-GGUF, or it is private");
    for (args, code) in [
        (&["hf:org/model-GGUF"][..], 0),
        (&[Q4_0], 0),
        (&["--json", "hf:org/model-GGUF:Q8_0"], 0),
        (&["hf:org/absent:Q4_0"], 1),
    ] {
        let mut command = scene.command(args);
        command.env("HF_TOKEN", TOKEN);
        for (name, value) in [
            ("PADDOCK_LOG", "trace"),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "1"),
        ] {
            command.env(name, value);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        let shown = [output.stdout, output.stderr].concat();
        let shown = String::from_utf8(shown).unwrap();
        assert!(!shown.contains(TOKEN), "{args:?}: {shown}");
        // Signatures of the CDN are secret too.
        assert!(!shown.contains("Signature"), "{args:?}: {shown}");
    }
    let cdn = scene.hub.cdn_requests();
    assert!(!cdn.is_empty());
    for head in cdn {
        let head = head.to_lowercase();
        assert!(
            !head.contains("authorization") && !head.contains("hf_secret"),
            "{head}"
        );
    }
    for entry in walk(scene.home.path()) {
        let bytes = fs::read(&entry).unwrap_or_default();
        let found = bytes
            .windows(TOKEN.len())
            .any(|window| window == TOKEN.as_bytes());
        assert!(!found, "the token is in {}", entry.display());
    }
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = names(directory)
        .into_iter()
        .map(|name| directory.join(name));
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn a_token_file_is_read_and_a_redirect_to_the_hub_does_not_bring_the_token_back() {
    let scene = private_scene();
    let file = scene.home.path().join(".cache/huggingface/token");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("{TOKEN}\n")).unwrap();
    scene.pull(&[Q4_0]).succeeded();
    // The same address by another name is another origin, which redirects back to the first.
    let path = "org/model-GGUF/resolve/main/m-Q8_0.gguf";
    let here = format!("{}/{path}", scene.hub.endpoint());
    let elsewhere = here.replace("127.0.0.1", "localhost");
    scene
        .hub
        .behave(|hub| hub.locations = [elsewhere, here].into());
    let before = scene.hub.hub_requests().len();
    scene
        .pull(&["hf:org/model-GGUF:Q8_0"])
        .failed_with("whether the token's account may read it");
    let with_token: Vec<_> = scene
        .hub
        .hub_requests()
        .split_off(before)
        .into_iter()
        .map(|head| head.contains(TOKEN))
        .collect();
    assert_eq!(with_token, [true, true, false, false]);
}

#[test]
fn gated_repositories_are_explained() {
    let scene = Scene::new(&[("m-Q4_0.gguf", content(42, 1 << 20))]);
    scene.hub.behave(|hub| hub.is_gated = true);
    let outcome = scene
        .pull(&[Q4_0])
        .failed_with("https://huggingface.co/org/model-GGUF, then set HF_TOKEN");
    assert!(outcome.stderr.contains("accepted its terms"), "{outcome:?}");
    scene.assert_no_file();
}

#[test]
fn names_that_leave_the_cache_are_refused() {
    for name in [
        "../../../../evil.gguf",
        "/tmp/evil.gguf",
        "a/../../evil.gguf",
    ] {
        let scene = Scene::new(&[("m-Q4_0.gguf", content(43, 1000))]);
        scene
            .hub
            .behave(|hub| hub.extra_names = vec![name.to_owned()]);
        scene.pull(&[Q4_0]).failed_with("is refused");
        assert_eq!(
            walk(scene.home.path()),
            Vec::<std::path::PathBuf>::new(),
            "{name}"
        );
    }
}

#[test]
fn an_absent_hub_is_named() {
    let scene = Scene::new(&[]);
    let mut command = scene.command(&[Q4_0]);
    // A port that nothing listens on: the listener is gone.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    command.env("HF_ENDPOINT", format!("http://{address}"));
    let outcome = crate::support::Outcome::from(command.output().unwrap());
    let outcome = outcome.failed_with(&format!("cannot connect to {address}: "));
    assert!(outcome.stderr.contains("check the network"), "{outcome:?}");
}
