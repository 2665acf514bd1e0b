//! Contexts without encryption.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

#[test]
fn a_staged_context_equals_the_saved_one() {
    let mut fixture = Fixture::new(LIMITS);
    let conversation = full_attention(40);
    fixture.commit(&conversation, 100).unwrap();
    assert_eq!(fixture.ids(), [1]);
    let listed = fixture.store().list("same", 100).unwrap();
    assert_eq!((listed[0].tokens, listed[0].age), (40, Duration::ZERO));
    let staged = fixture.stage(1).unwrap().unwrap();
    assert_eq!(staged.tokens, conversation.tokens);
    assert!(!staged.is_merged);
    let bytes = fs::read(fixture.staging.join(&staged.file)).unwrap();
    assert!(bytes == conversation.write());
    assert_eq!(staged.bytes, bytes.len() as u64);
    // A restarted child gets the context although the first child's link still exists.
    assert_eq!(fixture.stage(1).unwrap(), Some(staged));
    assert_eq!(fixture.stage(2).unwrap(), None);
}

#[test]
fn contexts_are_listed_and_replaced_only_within_their_identity() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    assert!(fixture.store().list("another", 100).unwrap().is_empty());
    // The same conversation of another identity replaces nothing.
    let mut another = saved(&fixture.staging, "b", &full_attention(50));
    another.identity = "another".to_owned();
    fixture.store().commit(&another, 100).unwrap();
    assert_eq!(fixture.ids(), [1]);
    assert_eq!(fixture.store().list("another", 100).unwrap()[0].id, 2);
}

#[test]
fn usage_is_counted_for_each_model() {
    let mut fixture = Fixture::new(LIMITS);
    assert!(fixture.store().report_usage(0).unwrap().is_empty());
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.commit(&other(40), 100).unwrap();
    let mut third = saved(&fixture.staging, "b", &full_attention(50));
    third.model = "n".to_owned();
    third.identity = "another".to_owned();
    fixture.store().commit(&third, 100).unwrap();
    let usage = fixture.store().report_usage(0).unwrap();
    let size = |id: &str| fs::metadata(fixture.file(id)).unwrap().len();
    let (one, two) = (size("1.slot"), size("3.slot"));
    let expected = [("m".to_owned(), (2, 2 * one)), ("n".to_owned(), (1, two))];
    let usage = usage.into_iter();
    let usage = usage.map(|(model, usage)| (model, (usage.contexts, usage.bytes)));
    assert_eq!(usage.collect::<Vec<_>>(), expected);
}

#[test]
fn only_paddocks_user_can_read_the_store() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    let mut checked = 0;
    for entry in fs::read_dir(&fixture.place.directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        // Empty files reveal nothing.
        if fs::metadata(&path).unwrap().len() > 0 {
            assert_eq!(mode, expected, "{}", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 4, "database, log, lock, context, staging");
    let directory = fs::metadata(&fixture.place.directory).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_longer_state_replaces_a_shorter_one_of_the_same_conversation() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.commit(&other(40), 100).unwrap();
    fixture.commit(&full_attention(50), 100).unwrap();
    assert_eq!(fixture.ids(), [2, 3]);
    assert_eq!(fixture.files(), ["2.slot", "3.slot"]);
}

#[test]
fn windows_of_two_states_are_merged() {
    let window = |len: u32| {
        Conversation::new(len)
            .attention(0, 2, Shape::default())
            .attention(len - 16, 3, Shape::default())
    };
    let mut fixture = Fixture::new(LIMITS);
    let mut conversation = saved(&fixture.staging, "later", &window(50));
    conversation.earlier = Some(write(&fixture.staging, "earlier", &window(40)));
    fixture.store().commit(&conversation, 100).unwrap();
    assert_eq!(fixture.staged_count(), 0, "the child's files are removed");
    let staged = fixture.stage(1).unwrap().unwrap();
    assert!(staged.is_merged);
    let path = fixture.staging.join(&staged.file);
    let file = SlotFile::read(File::open(path).unwrap(), staged.bytes).unwrap();
    let window = file.window_parts().next().unwrap();
    assert_eq!(window.first_position(), 40 - 16);
}

#[test]
fn the_quota_and_the_maximum_age_are_enforced() {
    let size = full_attention(40).write().len() as u64;
    let mut fixture = Fixture::new(StoreLimits {
        quota: 2 * size,
        max_age: Duration::from_secs(50),
    });
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.commit(&other(40), 120).unwrap();
    let mut third = full_attention(40);
    third.tokens[0] = 7;
    fixture.commit(&third, 130).unwrap();
    assert_eq!(
        fixture.ids(),
        [2, 3],
        "the oldest of three equally cheap contexts is deleted"
    );
    let mut fourth = full_attention(20);
    fourth.tokens[0] = 8;
    fixture.commit(&fourth, 171).unwrap();
    assert_eq!(fixture.ids(), [3, 4], "older than 50 s");
    let listed = fixture.store().list("same", 181).unwrap();
    assert_eq!(listed.len(), 1, "older than 50 s when listed");
    assert_eq!(fixture.files(), ["4.slot"]);
}

#[test]
fn new_limits_apply_at_once() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.commit(&other(40), 120).unwrap();
    let size = full_attention(40).write().len() as u64;
    let limits = |quota, max_age| StoreLimits {
        quota,
        max_age: Duration::from_secs(max_age),
    };
    fixture
        .store()
        .set_limits(limits(2 * size, 30), 130)
        .unwrap();
    assert_eq!(fixture.ids(), [1, 2]);
    fixture
        .store()
        .set_limits(limits(2 * size, 10), 130)
        .unwrap();
    assert_eq!(fixture.ids(), [2]);
    fixture.store().set_limits(limits(0, 10), 130).unwrap();
    assert!(fixture.files().is_empty());
}

#[test]
fn a_prompt_is_compared_with_the_most_similar_context() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.commit(&other(40), 100).unwrap();
    let mut prompt = full_attention(40).tokens;
    prompt[30] += 1;
    let shared = |ids: &[i64], fixture: &mut Fixture| {
        let compared = fixture.store().compare(ids, &prompt).unwrap();
        compared.map(|compared| compared.shared)
    };
    assert_eq!(shared(&[1, 2], &mut fixture), Some(30));
    assert_eq!(shared(&[2, 1, 9], &mut fixture), Some(30));
    assert_eq!(shared(&[2], &mut fixture), Some(0));
    assert_eq!(shared(&[9], &mut fixture), None);
}

#[test]
fn the_age_of_a_context_counts_from_its_last_use() {
    let mut fixture = Fixture::new(LIMITS);
    let max_age = LIMITS.max_age.as_secs();
    for conversation in [full_attention(40), other(40)] {
        fixture.commit(&conversation, 100).unwrap();
    }
    let store = fixture.store();
    store.touch(&[1, 9], 200).unwrap();
    // A clock that was set back does not make a context older.
    store.touch(&[1], 50).unwrap();
    let ages = |store: &mut ContextStore, now| {
        let listed = store.list("same", now).unwrap();
        let ages = listed.iter().map(|one| (one.id, one.age.as_secs()));
        let mut ages: Vec<(i64, u64)> = ages.collect();
        ages.sort_unstable();
        ages
    };
    assert_eq!(ages(store, 300), [(1, 100), (2, 200)]);
    assert_eq!(ages(store, 101 + max_age), [(1, max_age - 99)]);
    assert_eq!(ages(store, 201 + max_age), []);
}
