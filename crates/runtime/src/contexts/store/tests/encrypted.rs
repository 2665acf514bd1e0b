//! Contexts with encryption. Staging directories are in /dev/shm; without it the tests are skipped.

use std::os::unix::fs::OpenOptionsExt as _;

use super::*;

/// Number of tokens whose file has more than two frames.
const LONG: u32 = 12_000;

fn key_file(directory: &Path, name: &str, byte: u8) -> PathBuf {
    let path = directory.join(name);
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = file.open(&path).unwrap();
    std::io::Write::write_all(&mut file, &[byte; 32]).unwrap();
    path
}

fn encrypted() -> Option<Fixture> {
    let memory = tempfile::tempdir_in("/dev/shm").ok()?;
    let parent = tempfile::tempdir().unwrap();
    let place = StorePlace {
        directory: parent.path().join("contexts"),
        is_chosen: false,
        key_file: Some(key_file(parent.path(), "key", 7)),
        runtime_dir: memory.path().to_owned(),
    };
    let mut fixture = Fixture::open(parent, place, LIMITS);
    fixture.memory = Some(memory);
    Some(fixture)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn no_plain_text_reaches_the_disk() {
    let Some(mut fixture) = encrypted() else {
        return;
    };
    assert!(!fixture.staging.starts_with(&fixture.place.directory));
    let conversation = full_attention(LONG);
    fixture.commit(&conversation, 100).unwrap();
    let plain = conversation.write();
    let tokens = files::encode(&conversation.tokens[..16]);
    assert!(
        contains(&plain, &tokens),
        "the file holds the tokens as they are encoded"
    );
    let mut read = 0;
    for entry in fs::read_dir(&fixture.place.directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            assert!(!contains(&bytes, &tokens), "{}", path.display());
            read += bytes.len();
        }
    }
    assert!(read > plain.len());
    assert_eq!(fixture.staged_count(), 0, "plain text stays in memory");

    let staged = fixture.stage(1).unwrap().unwrap();
    assert_eq!(staged.tokens, conversation.tokens);
    assert_eq!(staged.bytes, plain.len() as u64);
    assert!(fs::read(fixture.staging.join(&staged.file)).unwrap() == plain);
    let listed = fixture.store().list("same", 100).unwrap();
    assert_eq!(listed[0].tokens, LONG);

    // The encrypted tokens show that the longer state continues the same conversation.
    fixture.commit(&full_attention(LONG + 1), 100).unwrap();
    assert_eq!(fixture.ids(), [2]);

    let staging = fixture.store().staging_parent().to_owned();
    fixture.reopen();
    assert!(fixture.stage(2).unwrap().is_some());
    fixture.store = None;
    assert!(!staging.exists(), "not removed with the store");
}

#[test]
fn a_failed_commit_leaves_no_partial_file() {
    let Some(mut fixture) = encrypted() else {
        return;
    };
    fs::create_dir(fixture.file("1.slot")).unwrap();
    assert!(fixture.commit(&full_attention(40), 100).is_err());
    assert_eq!(fixture.files(), ["1.slot"], "only the directory is left");
    assert!(fixture.ids().is_empty());
    assert_eq!(fixture.staged_count(), 0);
}

#[test]
fn contexts_of_another_key_are_deleted() {
    let Some(mut fixture) = encrypted() else {
        return;
    };
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.place.key_file = Some(key_file(fixture.parent.path(), "other", 8));
    fixture.reopen();
    assert!(fixture.ids().is_empty());
    assert!(fixture.files().is_empty());
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.place.key_file = None;
    fixture.reopen();
    assert!(fixture.files().is_empty(), "without a key");
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.place.key_file = Some(key_file(fixture.parent.path(), "key", 7));
    fixture.reopen();
    assert!(fixture.files().is_empty(), "plain text with a key");
}

#[test]
fn a_store_whose_key_file_others_can_read_is_not_opened() {
    let Some(mut fixture) = encrypted() else {
        return;
    };
    fixture.store = None;
    let key_file = fixture.place.key_file.clone().unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o640)).unwrap();
    let error = ContextStore::open(&fixture.place, LIMITS, 0).unwrap_err();
    assert!(error.to_string().contains("mode 640"), "{error}");
}

#[test]
fn modified_cipher_text_is_refused() {
    let Some(mut fixture) = encrypted() else {
        return;
    };
    fixture.commit(&full_attention(LONG), 100).unwrap();
    let good = fs::read(fixture.file("1.slot")).unwrap();
    fixture.store().delete(1).unwrap();
    let frame = (256 << 10) + 16;
    let header = 8 + 19;
    assert!(good.len() > header + 2 * frame);
    let swapped = {
        let mut bytes = good.clone();
        let (first, second) = bytes[header..].split_at_mut(frame);
        first.swap_with_slice(&mut second[..frame]);
        bytes
    };
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("version", flipped(0)),
        ("nonce", flipped(9)),
        ("first frame", flipped(header)),
        ("last tag", flipped(good.len() - 1)),
        ("frames in another order", swapped),
        ("cut between frames", good[..header + frame].to_vec()),
        ("cut within a frame", good[..good.len() - 100].to_vec()),
        ("without frames", good[..header].to_vec()),
        ("cut within the header", good[..20].to_vec()),
    ];
    for (name, bytes) in cases {
        fixture.commit(&full_attention(LONG), 100).unwrap();
        let id = fixture.ids()[0];
        fs::write(fixture.file(&format!("{id}.slot")), &bytes).unwrap();
        // An attacker can change the row as well.
        let len = i64::try_from(bytes.len()).unwrap();
        let update = "UPDATE contexts SET bytes = ?1";
        fixture.store().connection.execute(update, [len]).unwrap();
        let error = fixture.stage(id).unwrap_err();
        assert!(matches!(error, ContextsError::Damaged), "{name}: {error}");
        assert!(fixture.ids().is_empty(), "{name}");
        assert_eq!(fixture.staged_count(), 0, "{name}");
    }
}

#[test]
fn one_context_cannot_replace_another() {
    let Some(mut fixture) = encrypted() else {
        return;
    };
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.commit(&other(40), 100).unwrap();
    fs::copy(fixture.file("1.slot"), fixture.file("2.slot")).unwrap();
    let error = fixture.stage(2).unwrap_err();
    assert!(matches!(error, ContextsError::Damaged), "{error}");
    assert_eq!(fixture.ids(), [1]);
    // A row that was moved to another identity is refused too.
    let update = "UPDATE contexts SET identity = 'another'";
    fixture.store().connection.execute(update, []).unwrap();
    assert!(fixture.stage(1).is_err());
    assert!(fixture.files().is_empty());
}
