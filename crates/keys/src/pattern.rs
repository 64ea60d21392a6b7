//! Patterns of host names and principals: `*`, `?`, lists with `!` negation. ssh_config(5) PATTERNS.
//! Touches: two texts.   Never: name look-up, addresses, CIDR.
//! Invariants: time is bounded by the product of the lengths; a negated match beats every other.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below.

/// Whether `text` matches one pattern; letters of the pattern are compared without case.
pub(crate) fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut wanted) = (0, 0);
    // Where to resume after the last `*`: the pattern behind it, and one more byte swallowed.
    let mut resume: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(wanted) {
            Some(b'*') => {
                resume = Some((wanted + 1, at));
                wanted += 1;
            }
            Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&text[at]) => {
                at += 1;
                wanted += 1;
            }
            _ => match resume {
                Some((behind, swallowed)) => {
                    resume = Some((behind, swallowed + 1));
                    wanted = behind;
                    at = swallowed + 1;
                }
                None => return false,
            },
        }
    }
    pattern[wanted..].iter().all(|byte| *byte == b'*')
}

/// Whether `text` matches a comma list: one of its patterns, and none of those behind a `!`.
pub(crate) fn matches_list(text: &[u8], list: &[u8]) -> bool {
    let mut found = false;
    for pattern in list.split(|byte| *byte == b',') {
        match pattern.strip_prefix(b"!") {
            Some(negated) if matches(text, negated) => return false,
            Some(_) => {}
            None => found |= matches(text, pattern),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (text, pattern, expected) in [
            ("", "", true),
            ("", "*", true),
            ("a", "", false),
            ("host", "host", true),
            ("host", "HOST", true),
            ("host", "hos?", true),
            ("host", "host?", false),
            ("host.example.org", "*.example.org", true),
            ("example.org", "*.example.org", false),
            ("aXbXc", "a*x*c", true),
            ("abcbd", "a*b?", true),
            ("abc", "a*d", false),
            ("[h]:2222", "[h]:*", true),
        ] {
            assert_eq!(matches(text.as_bytes(), pattern.as_bytes()), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn negation_beats_every_match_and_matches_nothing_by_itself() {
        for (list, expected) in [
            ("a,b,host", true),
            ("*,!host", false),
            ("!host,*", false),
            ("!other,*", true),
            ("!other", false),
            ("", false),
        ] {
            assert_eq!(matches_list(b"host", list.as_bytes()), expected, "{list}");
        }
    }

    /// 2^n steps in a naive matcher.
    #[test]
    fn many_stars_do_not_explode() {
        let text = [b'a'; 2000];
        let pattern = b"a*".repeat(500);
        assert!(matches(&text, &pattern));
        assert!(!matches(&text, &[&pattern[..], b"b"].concat()));
    }
}
