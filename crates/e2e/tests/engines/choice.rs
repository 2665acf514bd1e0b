//! Which build is installed.

use std::fs;

use crate::support::User;

#[test]
fn a_requested_backend_gets_a_name_of_its_own() {
    let user = User::new();
    user.release("b1");
    user.succeeds("engine install --backend vulkan");
    user.succeeds("engine install --backend cpu");
    assert_eq!(user.names(), ["b1", "b1-vulkan", "current", "digests.json"]);
    let error = user.fails("engine install b1 --backend rocm");
    assert!(
        error.contains("b1: the release has no rocm build for this system; it has: vulkan, cpu"),
        "{error}"
    );
}

#[test]
fn the_reason_for_the_build_is_stated() {
    let user = User::new();
    user.release("b1");
    let output = user.types("engine install");
    assert_eq!(output.code, Some(0), "{output:#?}");
    let first = output.stderr.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("b1 ") && first.contains(": "),
        "{output:#?}"
    );
    let list = user.succeeds("engine list");
    assert_eq!(list.lines().count(), 1);
    assert!(list.starts_with("*\tb1"), "{list}");
    let current = fs::read_link(user.engines().join("current")).unwrap();
    assert!(current.to_str().unwrap().starts_with("b1"));
}
