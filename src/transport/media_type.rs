//! Content types: what a sender says of its body.

/// Whether a media type, without parameters and in lower case, is JSON.
pub(crate) fn is_json(essence: &str) -> bool {
    matches!(essence, "application/json" | "text/json") || essence.ends_with("+json")
}

/// A content type: `type/subtype` in lower case, and its charset.
#[derive(Debug)]
pub(crate) struct MediaType {
    pub(crate) essence: String,
    pub(crate) charset: Option<String>,
}

impl MediaType {
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let charset = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase());
        Self { essence, charset }
    }

    /// Whether its charset is one that UTF-8 holds.
    pub(crate) fn is_utf8(&self) -> bool {
        self.charset
            .as_deref()
            .is_none_or(|charset| matches!(charset, "utf-8" | "utf8" | "us-ascii"))
    }
}
