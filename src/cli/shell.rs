//! Words of a shell's command line.

/// A text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_it_otherwise() {
        for (text, word) in [
            ("/srv/rules", "/srv/rules"),
            ("my rules", "'my rules'"),
            ("it's", r"'it'\''s'"),
            ("$(id)", "'$(id)'"),
            ("*", "'*'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
