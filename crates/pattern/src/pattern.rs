//! Patterns with `*`, `?` and `!`. ssh_config(5), PATTERNS.
//! Touches: strings.   Never: file globs.
//! Invariants: a negated match beats every other; time grows with text x pattern, not faster.
//! Errors: none.   Allocates: never.
//! Proved by: `tests` below, fuzz `patterns`.

/// What a pattern list says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Some pattern matches and no negated one does.
    Match,
    /// Nothing matches.
    NoMatch,
    /// A negated pattern matches.
    Negated,
}

/// Whether one pattern covers the whole text; `*` is any run of characters, `?` any one.
#[must_use]
pub fn matches(text: impl AsRef<[u8]>, pattern: impl AsRef<[u8]>) -> bool {
    covers(text.as_ref(), pattern.as_ref(), |one, other| one == other)
}

/// The same for names of hosts: `A` is `a`.
#[must_use]
pub fn matches_ignoring_case(text: impl AsRef<[u8]>, pattern: impl AsRef<[u8]>) -> bool {
    covers(text.as_ref(), pattern.as_ref(), |one, other| one.eq_ignore_ascii_case(&other))
}

fn covers(text: &[u8], pattern: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut at, mut next) = (0, 0);
    // Where the last star was and how much of the text it takes so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&letter) = text.get(at) {
        match pattern.get(next) {
            Some(b'*') => {
                star = Some((next + 1, at));
                next += 1;
            }
            Some(&wanted) if wanted == b'?' || same(wanted, letter) => {
                at += 1;
                next += 1;
            }
            _ => {
                let Some((after_star, taken)) = star else { return false };
                star = Some((after_star, taken + 1));
                (next, at) = (after_star, taken + 1);
            }
        }
    }
    pattern.iter().skip(next).all(|&byte| byte == b'*')
}

/// Reads a list of patterns separated by commas.
#[must_use]
pub fn matches_list(text: &str, list: &str) -> Verdict {
    listed(list, |pattern| matches(text, pattern))
}

/// The same for names of hosts: `A` is `a`.
#[must_use]
pub fn matches_list_ignoring_case(text: &str, list: &str) -> Verdict {
    listed(list, |pattern| matches_ignoring_case(text, pattern))
}

fn listed(list: &str, covers: impl Fn(&str) -> bool) -> Verdict {
    let mut verdict = Verdict::NoMatch;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if covers(negated) => return Verdict::Negated,
            Some(_) => {}
            None if covers(pattern) => verdict = Verdict::Match,
            None => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (text, pattern, expected) in [
            ("", "", true),
            ("", "*", true),
            ("", "?", false),
            ("abc", "abc", true),
            ("abc", "a?c", true),
            ("abc", "a*", true),
            ("abc", "*c", true),
            ("abc", "*b*", true),
            ("abc", "**", true),
            ("abc", "a*d", false),
            ("abc", "abcd", false),
            ("abc", "ab", false),
            ("aab", "*ab", true),
            ("mississippi", "m*iss*pi", true),
            ("mississippi", "m*iss*x*pi", false),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn names_of_hosts_are_the_same_in_capitals() {
        for (text, pattern) in [("host", "HOST"), ("A.Example.org", "*.example.ORG")] {
            assert!(matches_ignoring_case(text, pattern) && !matches(text, pattern), "{text}");
        }
        assert!(!matches_ignoring_case("host", "guest"));
        assert_eq!(matches_list_ignoring_case("host", "*,!HOST"), Verdict::Negated);
    }

    /// 2^n steps in a naive matcher.
    #[test]
    fn many_stars_do_not_explode() {
        let text = [b'a'; 2000];
        let pattern = b"a*".repeat(500);
        assert!(matches(text, &pattern));
        assert!(!matches(text, [&pattern[..], b"b"].concat()));
    }

    #[test]
    fn a_negated_pattern_beats_the_others() {
        for (text, list, expected) in [
            ("a", "a,b", Verdict::Match),
            ("c", "a,b", Verdict::NoMatch),
            ("a", "*,!a", Verdict::Negated),
            ("a", "!a,*", Verdict::Negated),
            ("b", "!a", Verdict::NoMatch),
        ] {
            assert_eq!(matches_list(text, list), expected, "{text} {list}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_what_stars_leave_of_it(text in "[a-c]{0,12}", cut in 0usize..12) {
            prop_assert!(matches(&text, &text));
            let cut = cut.min(text.len());
            let (head, tail) = (&text[..cut], &text[cut..]);
            prop_assert!(matches(&text, [head, "*"].concat()));
            prop_assert!(matches(&text, ["*", tail].concat()));
        }

        #[test]
        fn any_pattern_is_decided(text in ".{0,20}", pattern in "[*?a-c!,]{0,20}") {
            let _ = matches_list(&text, &pattern);
        }
    }
}
