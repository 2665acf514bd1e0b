//! Files that the store removes when it opens, and files that it leaves alone.

use super::*;

#[test]
fn leftovers_of_a_crash_are_removed() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.commit(&other(40), 100).unwrap();
    // Leftovers of a kill between file and row, and of a kill during encryption.
    fs::write(fixture.file("99.slot"), "a file without a row").unwrap();
    fs::write(fixture.file("100.part"), "half").unwrap();
    fs::remove_file(fixture.file("1.slot")).unwrap();
    let earlier_staging = fixture.staging.clone();
    fs::write(earlier_staging.join("0.save"), "half").unwrap();
    fixture.reopen();
    assert_eq!(fixture.ids(), [2]);
    assert_eq!(fixture.files(), ["2.slot"]);
    assert!(!earlier_staging.exists());
    assert!(fixture.stage(2).unwrap().is_some());
}

#[test]
fn files_that_are_not_the_stores_are_left_alone() {
    let mut fixture = Fixture::new(LIMITS);
    for name in ["notes.txt", "x.slot", "1.slot.bak", "-.part"] {
        fs::write(fixture.file(name), "precious").unwrap();
    }
    fs::create_dir(fixture.file("pictures")).unwrap();
    fs::create_dir(fixture.file("7.slot")).unwrap();
    fixture.reopen();
    let expected = [
        "-.part",
        "1.slot.bak",
        "7.slot",
        "notes.txt",
        "pictures",
        "x.slot",
    ];
    assert_eq!(fixture.files(), expected);
}

#[test]
fn expired_contexts_are_deleted_when_the_store_opens() {
    let mut fixture = Fixture::new(LIMITS);
    fixture.commit(&full_attention(40), 100).unwrap();
    fixture.store = None;
    let limits = StoreLimits {
        max_age: Duration::from_secs(10),
        ..LIMITS
    };
    fixture.store = Some(ContextStore::open(&fixture.place, limits, 111).unwrap());
    assert!(fixture.files().is_empty());
}
