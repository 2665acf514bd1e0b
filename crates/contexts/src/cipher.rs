//! Encrypts slot files and token lists.
//!
//! A file is encrypted with XChaCha20-Poly1305 in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár,
//! "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance"): frames cannot be reordered, repeated or
//! cut off. Each file has a random nonce. The context's number and identity are authenticated with each frame, so that
//! one file cannot replace another.
//!
//! ```text
//! magic, 8 bytes | nonce, 19 bytes | frames: up to 256 KiB and a tag of 16 bytes; only the last frame may be shorter
//! ```

use std::fmt;
use std::io::{self, Read, Write};

use aead_stream::aead::{Aead as _, KeyInit as _, Payload};
use aead_stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::XChaCha20Poly1305;
use sha2::{Digest as _, Sha256};

/// Length of a key.
pub const KEY_BYTES: usize = 32;

/// Length of a file's nonce: the cipher's nonce of 24 bytes without the frame counter and the last-frame flag.
pub const FILE_NONCE_BYTES: usize = 19;

/// Length of the nonce of a token list.
pub const TOKENS_NONCE_BYTES: usize = 24;

/// First bytes of an encrypted file, which include the version of the format.
const MAGIC: &[u8; 8] = b"paddctx1";

/// Maximum length of a frame before encryption.
const FRAME_BYTES: usize = 256 << 10;

/// Length of the authentication tag of each frame.
const TAG_BYTES: usize = 16;

/// The cipher of a store, with its key.
#[derive(Clone)]
pub struct ContextCipher {
    cipher: XChaCha20Poly1305,
    key_id: String,
}

/// The number and identity of a context, which are authenticated with its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextRef<'a> {
    /// Number in the store.
    pub id: i64,
    /// Identity of the loads for which the context is valid.
    pub identity: &'a str,
}

/// Failures to encrypt or decrypt data.
#[derive(Debug, thiserror::Error)]
pub enum CipherError {
    /// The input cannot be read, or the output cannot be written.
    #[error("cannot encrypt or decrypt a context: {0}")]
    Io(#[from] io::Error),
    /// The data was modified or truncated, or was encrypted for another context or with another key.
    #[error("the encrypted context was modified or replaced")]
    Damaged,
    /// The data is longer than the cipher's limit.
    #[error("the context is too long to be encrypted")]
    TooLong,
}

/// The kind of encrypted data, which is authenticated so that a token list cannot replace a file.
#[derive(Debug, Clone, Copy)]
enum Content {
    File,
    Tokens,
}

impl ContextCipher {
    /// Creates a cipher from a key.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let hash = Sha256::new()
            .chain_update(b"paddock context key")
            .chain_update(key)
            .finalize();
        let key_id = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            key_id: key_id.collect(),
        }
    }

    /// Returns an identifier of the key: 8 bytes of its SHA-256 hash, in hexadecimal.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Encrypts a file. Each call needs a new random nonce.
    ///
    /// # Errors
    /// The input cannot be read, or the output cannot be written.
    pub fn encrypt(
        &self,
        context: ContextRef<'_>,
        nonce: &[u8; FILE_NONCE_BYTES],
        input: &mut dyn Read,
        output: &mut dyn Write,
    ) -> Result<(), CipherError> {
        output.write_all(MAGIC)?;
        output.write_all(nonce)?;
        let mut encryptor = EncryptorBE32::from_aead(self.cipher.clone(), nonce.into());
        let data = associated_data(Content::File, context);
        let mut frame = read_frame(input, FRAME_BYTES)?;
        loop {
            let next = read_frame(input, FRAME_BYTES)?;
            if next.is_empty() {
                let encrypted = encryptor.encrypt_last_in_place(&data, &mut frame);
                encrypted.map_err(|_| CipherError::TooLong)?;
                return Ok(output.write_all(&frame)?);
            }
            let encrypted = encryptor.encrypt_next_in_place(&data, &mut frame);
            encrypted.map_err(|_| CipherError::TooLong)?;
            output.write_all(&frame)?;
            frame = next;
        }
    }

    /// Decrypts a file. After an error, the output holds the authentic frames before the first damaged one.
    ///
    /// # Errors
    /// The file was modified, belongs to another context or key, or cannot be read; or the output cannot be written.
    pub fn decrypt(
        &self,
        context: ContextRef<'_>,
        input: &mut dyn Read,
        output: &mut dyn Write,
    ) -> Result<(), CipherError> {
        let header = read_frame(input, MAGIC.len() + FILE_NONCE_BYTES)?;
        let nonce = header.strip_prefix(MAGIC).ok_or(CipherError::Damaged)?;
        let nonce: &[u8; FILE_NONCE_BYTES] = nonce.try_into().map_err(|_| CipherError::Damaged)?;
        let mut decryptor = DecryptorBE32::from_aead(self.cipher.clone(), nonce.into());
        let data = associated_data(Content::File, context);
        let mut frame = read_frame(input, FRAME_BYTES + TAG_BYTES)?;
        loop {
            let next = read_frame(input, FRAME_BYTES + TAG_BYTES)?;
            if next.is_empty() {
                let decrypted = decryptor.decrypt_last_in_place(&data, &mut frame);
                decrypted.map_err(|_| CipherError::Damaged)?;
                return Ok(output.write_all(&frame)?);
            }
            let decrypted = decryptor.decrypt_next_in_place(&data, &mut frame);
            decrypted.map_err(|_| CipherError::Damaged)?;
            output.write_all(&frame)?;
            frame = next;
        }
    }

    /// Encrypts an encoded token list. Each call needs a new random nonce.
    ///
    /// # Errors
    /// The list is longer than the cipher's limit.
    pub fn encrypt_tokens(
        &self,
        context: ContextRef<'_>,
        nonce: &[u8; TOKENS_NONCE_BYTES],
        tokens: &[u8],
    ) -> Result<Vec<u8>, CipherError> {
        let data = associated_data(Content::Tokens, context);
        let payload = Payload {
            msg: tokens,
            aad: &data,
        };
        let encrypted = self.cipher.encrypt(nonce.into(), payload);
        let encrypted = encrypted.map_err(|_| CipherError::TooLong)?;
        Ok([nonce.as_slice(), &encrypted].concat())
    }

    /// Decrypts an encoded token list. Returns `None` unless it is authentic and belongs to this context.
    pub fn decrypt_tokens(&self, context: ContextRef<'_>, stored: &[u8]) -> Option<Vec<u8>> {
        let (nonce, encrypted) = stored.split_first_chunk::<TOKENS_NONCE_BYTES>()?;
        let data = associated_data(Content::Tokens, context);
        let payload = Payload {
            msg: encrypted,
            aad: &data,
        };
        self.cipher.decrypt(nonce.into(), payload).ok()
    }
}

impl fmt::Debug for ContextCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextCipher({})", self.key_id)
    }
}

/// Returns the associated data of a context, which the cipher authenticates but does not encrypt.
fn associated_data(content: Content, context: ContextRef<'_>) -> Vec<u8> {
    let content: &[u8] = match content {
        Content::File => b"file",
        Content::Tokens => b"tokens",
    };
    let id = context.id.to_le_bytes();
    [content, &id, context.identity.as_bytes()].concat()
}

/// Reads `len` bytes, or fewer at the end of the input.
fn read_frame(input: &mut dyn Read, len: usize) -> io::Result<Vec<u8>> {
    let mut frame = Vec::with_capacity(len + TAG_BYTES);
    input.take(len as u64).read_to_end(&mut frame)?;
    Ok(frame)
}

#[cfg(test)]
mod tests;
