//! Files whose lengths lie around frame boundaries, and data that was modified or moved to another context.

use super::*;

const CONTEXT: ContextRef<'static> = ContextRef {
    id: 1,
    identity: "same",
};

fn encrypt(cipher: &ContextCipher, nonce: u8, plain: &[u8]) -> Vec<u8> {
    let mut encrypted = Vec::new();
    let nonce = [nonce; FILE_NONCE_BYTES];
    cipher
        .encrypt(CONTEXT, &nonce, &mut &*plain, &mut encrypted)
        .unwrap();
    encrypted
}

#[test]
fn files_of_any_length_are_decrypted_to_their_plain_text() {
    let cipher = ContextCipher::new(&[7; KEY_BYTES]);
    for len in [
        0,
        1,
        FRAME_BYTES - 1,
        FRAME_BYTES,
        FRAME_BYTES + 1,
        2 * FRAME_BYTES,
        3 * FRAME_BYTES - 16,
    ] {
        let plain: Vec<u8> = (0..len).map(|at| (at % 251).to_le_bytes()[0]).collect();
        let encrypted = encrypt(&cipher, 1, &plain);
        let frames = len.div_ceil(FRAME_BYTES).max(1);
        let header = MAGIC.len() + FILE_NONCE_BYTES;
        assert_eq!(encrypted.len(), header + len + frames * TAG_BYTES);
        let mut decrypted = Vec::new();
        cipher
            .decrypt(CONTEXT, &mut encrypted.as_slice(), &mut decrypted)
            .unwrap();
        assert!(decrypted == plain, "{len}");
        let last_frame = encrypted.len() - header - (frames - 1) * (FRAME_BYTES + TAG_BYTES);
        for end in [
            encrypted.len() - 1,
            encrypted.len() - last_frame,
            header,
            header - 1,
        ] {
            let mut cut = &encrypted[..end];
            let result = cipher.decrypt(CONTEXT, &mut cut, &mut io::sink());
            assert!(matches!(result, Err(CipherError::Damaged)), "{len} {end}");
        }
    }
}

#[test]
fn data_is_decrypted_only_with_its_own_context_and_key() {
    let cipher = ContextCipher::new(&[7; KEY_BYTES]);
    let other_key = ContextCipher::new(&[8; KEY_BYTES]);
    assert_ne!(cipher.key_id(), other_key.key_id());
    let file = encrypt(&cipher, 1, b"file");
    let nonce = [1; TOKENS_NONCE_BYTES];
    let tokens = cipher.encrypt_tokens(CONTEXT, &nonce, b"tokens").unwrap();
    let another = ContextRef {
        identity: "another",
        ..CONTEXT
    };
    for (name, cipher, context, is_right) in [
        ("right", &cipher, CONTEXT, true),
        ("number", &cipher, ContextRef { id: 2, ..CONTEXT }, false),
        ("identity", &cipher, another, false),
        ("key", &other_key, CONTEXT, false),
    ] {
        let result = cipher.decrypt(context, &mut file.as_slice(), &mut io::sink());
        assert_eq!(result.is_ok(), is_right, "{name}");
        let decrypted = cipher.decrypt_tokens(context, &tokens);
        assert_eq!(decrypted.is_some(), is_right, "{name}");
    }
    let short = &tokens[..TOKENS_NONCE_BYTES - 1];
    assert_eq!(cipher.decrypt_tokens(CONTEXT, short), None);
}

#[test]
fn the_nonce_changes_the_cipher_text() {
    let cipher = ContextCipher::new(&[7; KEY_BYTES]);
    let plain = [0; 64];
    let tail = |nonce| encrypt(&cipher, nonce, &plain)[MAGIC.len() + FILE_NONCE_BYTES..].to_vec();
    assert!(tail(1) != tail(2));
    assert!(tail(1)[..64] != plain);
}

#[test]
fn debug_output_shows_the_key_id_instead_of_the_key() {
    let cipher = ContextCipher::new(&[7; KEY_BYTES]);
    let shown = format!("{cipher:?}");
    assert_eq!(shown, format!("ContextCipher({})", cipher.key_id()));
    assert_eq!(cipher.key_id().len(), 16);
}
