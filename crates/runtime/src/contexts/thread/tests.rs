//! The thread and its handle, and the pause after a full disk.

use std::time::Duration;

use super::super::store::tests::{Fixture, LIMITS, full_attention, other, saved};
use super::*;

#[tokio::test]
async fn a_restarted_thread_finds_a_committed_context() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.close();
    let (handle, thread) = start(fixture.place.clone(), LIMITS).await.unwrap();
    let staging = handle.create_staging(1).unwrap();
    let conversation = saved(&staging, "a", &full_attention(40));
    handle.commit(conversation).await.unwrap();
    handle.remove_staging(staging.clone()).await.unwrap();
    assert!(!staging.exists());
    drop(handle);
    thread.join().await;

    let (handle, thread) = start(fixture.place.clone(), LIMITS).await.unwrap();
    let listed = handle.list("same".to_owned()).await.unwrap();
    let staging = handle.create_staging(1).unwrap();
    let staged = handle.stage(listed[0].id, &staging).await.unwrap().unwrap();
    assert_eq!(staged.tokens, full_attention(40).tokens);
    assert_eq!(handle.report_usage().await.unwrap()["m"].contexts, 1);
    handle.delete(staged.id).await.unwrap();
    assert!(handle.report_usage().await.unwrap().is_empty());
    drop(handle);
    thread.join().await;
}

#[tokio::test]
async fn new_limits_apply_without_another_command() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.close();
    let (handle, thread) = start(fixture.place.clone(), LIMITS).await.unwrap();
    let staging = handle.create_staging(1).unwrap();
    let conversation = saved(&staging, "a", &full_attention(40));
    handle.commit(conversation).await.unwrap();
    assert_eq!(fixture.files(), ["1.slot"]);
    handle.set_limits(StoreLimits { quota: 0, ..LIMITS });
    drop(handle);
    thread.join().await;
    assert!(fixture.files().is_empty());
}

#[tokio::test]
async fn a_store_that_is_in_use_cannot_be_opened() {
    let fixture = Fixture::new(LIMITS);
    let error = start(fixture.place.clone(), LIMITS).await.unwrap_err();
    assert!(error.to_string().contains("is using it"), "{error}");
}

#[test]
fn a_full_disk_pauses_commits() {
    let mut fixture = Fixture::new(LIMITS);
    let mut pause = SpacePause::default();
    let full = Instant::now();
    // The tokens fill several pages of the database.
    let mut commit_at = |fixture: &mut Fixture, seconds: u64, conversation| {
        let saved = saved(&fixture.staging, "a", &conversation);
        let now = full + Duration::from_secs(seconds);
        commit(fixture.store(), &mut pause, &saved, now)
    };
    fixture.set_full(true);
    let refused = commit_at(&mut fixture, 0, full_attention(20_000));
    assert!(
        matches!(refused, Err(ContextsError::NoSpace)),
        "{refused:?}"
    );
    fixture.set_full(false);
    let refused = commit_at(&mut fixture, 59, other(40));
    assert!(
        matches!(refused, Err(ContextsError::NoSpace)),
        "{refused:?}"
    );
    assert!(fixture.ids().is_empty());
    commit_at(&mut fixture, 60, other(40)).unwrap();
    assert_eq!(fixture.ids(), [1]);
}
