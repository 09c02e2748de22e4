//! Digests: long ones that prove, short ones that find.

use sha2::Digest;
use sha2::Sha256;

/// The digest that is kept beside `full_data`.
pub(crate) fn whole(text: &str) -> [u8; 32] {
    of_bytes(text.as_bytes())
}

/// The same of what need not be a text any more.
pub(crate) fn of_bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Enough of a digest to find something, where what is found is compared.
pub(crate) fn short(parts: &[&[u8]]) -> u64 {
    of_parts(parts)
        .first_chunk()
        .copied()
        .map_or(0, u64::from_be_bytes)
}

/// Enough of a digest to stand for something that is not there any more.
pub(crate) fn proof(parts: &[&[u8]]) -> [u8; 16] {
    of_parts(parts).first_chunk().copied().unwrap_or_default()
}

fn of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
