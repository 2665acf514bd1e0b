//! The version, with and without a feed of newer ones.

use paddock_e2e::mirror::releases::MirrorRelease;
use serde_json::Value;

use crate::support::User;

fn release(tag: &str) -> MirrorRelease {
    MirrorRelease {
        tag: tag.to_owned(),
        ..MirrorRelease::default()
    }
}

#[test]
fn the_feed_is_asked_only_on_request() {
    let user = User::new();
    let feed = user.mirror.feed();
    let user = User {
        paddock: user.paddock.env("PADDOCK_RELEASES", &feed),
        ..user
    };
    let shown = user.succeeds("version");
    assert!(
        shown.starts_with("paddock ") && shown.lines().count() == 1,
        "{shown}"
    );
    user.succeeds("version --json");
    assert_eq!(user.mirror.requests().len(), 0);

    user.mirror.add(release("v0.0.1"));
    let shown = user.succeeds("version --check");
    assert!(shown.ends_with("\nthis is the newest version\n"), "{shown}");
    user.mirror.add(release("v999.1.0"));
    let shown = user.succeeds("version --check");
    assert!(
        shown.ends_with("\nversion 999.1.0 is available\n"),
        "{shown}"
    );
    let json: Value = serde_json::from_str(&user.succeeds("version --check --json")).unwrap();
    assert_eq!(
        (&json["latest"], &json["newer"]),
        (&"999.1.0".into(), &true.into())
    );

    user.mirror.add(release("nightly"));
    let error = user.fails("version --check");
    assert!(
        error.contains("the tag `nightly`, which is no version"),
        "{error}"
    );
}

#[test]
fn without_a_feed_nothing_can_be_checked() {
    let user = User::new();
    let error = user.fails("version --check");
    assert!(error.contains("no releases feed is configured"), "{error}");
    assert!(error.contains("--feed URL"), "{error}");
}

#[test]
fn the_engine_in_use_is_shown() {
    let user = User::new();
    user.release("b1");
    user.succeeds("engine install --backend cpu");
    let shown = user.succeeds("version");
    let program = user.engines().join("b1/llama-b1/llama-server");
    assert!(
        shown.ends_with(&format!("\nengine b1, {}\n", program.display())),
        "{shown}"
    );
}
