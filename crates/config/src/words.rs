//! Taking a configuration line apart: keyword, words, quotes, comments. ssh_config(5).
//! Touches: strings.   Never: what the words mean.
//! Invariants: every character of the value is in a word, is a separator or quote, or follows a `#`.
//! Errors: [`UnbalancedQuotes`].   Allocates: the words.
//! Proved by: `tests` below.

/// A quote is opened and not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnbalancedQuotes;

/// Splits `keyword value`, `keyword=value` or `keyword = value`; `None` for an empty line and a comment.
pub(crate) fn keyword(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_matches(is_space);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c| is_space(c) || c == '=').unwrap_or(line.len());
    let rest = line[end..].trim_start_matches(is_space);
    let value = rest.strip_prefix('=').unwrap_or(rest);
    Some((&line[..end], value.trim_start_matches(is_space)))
}

/// Splits a value at white space. Quotes keep what they enclose together; a backslash keeps a quote, a backslash
/// or, outside quotes, a space; `#` at the start of a word ends the value.
pub(crate) fn split(value: &str) -> Result<Vec<String>, UnbalancedQuotes> {
    let mut words = Vec::new();
    let mut rest = value.trim_start_matches(is_space);
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = first_word(rest)?;
        words.push(word);
        rest = after.trim_start_matches(is_space);
    }
    Ok(words)
}

fn first_word(text: &str) -> Result<(String, &str), UnbalancedQuotes> {
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let next = characters.as_str().chars().next();
        match (c, quote) {
            ('\\', _) if next.is_some_and(|next| is_escapable(next, quote)) => {
                word.extend(characters.next());
            }
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            (_, None) if is_space(c) => return Ok((word, characters.as_str())),
            _ => word.push(c),
        }
    }
    if quote.is_some() { Err(UnbalancedQuotes) } else { Ok((word, "")) }
}

fn is_escapable(c: char, quote: Option<char>) -> bool {
    matches!(c, '"' | '\'' | '\\') || (c == ' ' && quote.is_none())
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keyword_and_value_are_parted_by_space_or_equals() {
        for (line, expected) in [
            ("Port 22", Some(("Port", "22"))),
            ("Port=22", Some(("Port", "22"))),
            ("\tPort \t = 22 ", Some(("Port", "22"))),
            ("Port==22", Some(("Port", "=22"))),
            ("Port", Some(("Port", ""))),
            ("Port=", Some(("Port", ""))),
            ("=22", Some(("", "22"))),
            ("SetEnv A=b", Some(("SetEnv", "A=b"))),
            ("", None),
            ("  ", None),
            ("# Port 22", None),
        ] {
            assert_eq!(keyword(line), expected, "{line}");
        }
    }

    #[test]
    fn quotes_backslashes_and_comments_are_understood() {
        for (value, expected) in [
            ("a b", vec!["a", "b"]),
            ("\"a b\" c", vec!["a b", "c"]),
            ("'a b' c", vec!["a b", "c"]),
            ("a\"b c\"d", vec!["ab cd"]),
            ("\"it's\"", vec!["it's"]),
            (r"a\ b", vec!["a b"]),
            (r#""a\"b""#, vec!["a\"b"]),
            (r"a\\b", vec![r"a\b"]),
            (r"a\nb", vec![r"a\nb"]),
            (r#""a\ b""#, vec![r"a\ b"]),
            ("a # b", vec!["a"]),
            ("a#b", vec!["a#b"]),
            ("#a", vec![]),
            ("\"\"", vec![""]),
            ("", vec![]),
        ] {
            assert_eq!(split(value).unwrap(), expected, "{value}");
        }
        for value in ["\"a", "'a b", "a\"", "\"a'"] {
            assert_eq!(split(value), Err(UnbalancedQuotes), "{value}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back_as_they_were(words in prop::collection::vec("[^\"'\\\\]{1,8}", 0..5)) {
            let line: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            prop_assert_eq!(split(&line.join(" ")).unwrap(), words);
        }

        #[test]
        fn any_line_is_split_or_refused(line in ".{0,60}") {
            if let Some((_, value)) = keyword(&line) {
                let _ = split(value);
            }
        }
    }
}
