//! When a line stops to count: `YYYYMMDD[HHMM[SS]][Z]`. sshd(8) `expiry-time=`.
//! Touches: one text.   Never: the clock, time zones; what local time is, the caller knows.
//! Invariants: a time that does not exist is no time.
//! Errors: `None`.   Allocates: never.
//! Proved by: `tests` below.

/// A second of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    /// Unix time, if the calendar's zone were UTC.
    seconds: u64,
    is_utc: bool,
}

impl Expiry {
    /// Reads a time; without a `Z` it is local.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        let (digits, is_utc) = match text.strip_suffix(['Z', 'z']) {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let (date, time) = digits.split_at_checked(8)?;
        let time = match time.len() {
            0 => [0, 0, 0],
            4 => [number(&time[..2])?, number(&time[2..])?, 0],
            6 => [number(&time[..2])?, number(&time[2..4])?, number(&time[4..])?],
            _ => return None,
        };
        let days = days(number(&date[..4])?, number(&date[4..6])?, number(&date[6..])?)?;
        let [hours, minutes, seconds] = time;
        if hours > 23 || minutes > 59 || seconds > 59 {
            return None;
        }
        Some(Self { seconds: ((days * 24 + hours) * 60 + minutes) * 60 + seconds, is_utc })
    }

    /// Whether `now`, Unix time, is past it. `from_local` gives the Unix time of a local one, both counted in
    /// seconds; where it cannot, the time counts as past.
    pub fn is_over(&self, now: u64, from_local: fn(u64) -> Option<u64>) -> bool {
        let unix = if self.is_utc { Some(self.seconds) } else { from_local(self.seconds) };
        unix.is_none_or(|unix| unix < now)
    }
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar that is not before it.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = usize::try_from(month).ok()?.checked_sub(1).filter(|index| *index < 12)?;
    let leap_day = u64::from(is_leap(year));
    let in_month = MONTHS[before] + if month == 2 { leap_day } else { 0 };
    if year < 1970 || day == 0 || day > in_month {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let months: u64 = MONTHS[..before].iter().sum();
    Some(years + months + if month > 2 { leap_day } else { 0 } + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours east of Greenwich.
    fn from_local(local: u64) -> Option<u64> {
        local.checked_sub(7200)
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (text, unix) in [
            ("19700101Z", 0),
            ("20000229Z", 951_782_400),
            ("20000301Z", 951_868_800),
            ("20200101Z", 1_577_836_800),
            ("202001010203Z", 1_577_844_180),
            ("20200101020304z", 1_577_844_184),
            ("20381231235959Z", 2_177_452_799),
        ] {
            let expiry = Expiry::parse(text).unwrap();
            assert!(!expiry.is_over(unix, |_| None), "{text}");
            assert!(expiry.is_over(unix + 1, |_| None), "{text}");
        }
    }

    #[test]
    fn without_a_z_the_time_is_local() {
        let expiry = Expiry::parse("202001010203").unwrap();
        assert!(!expiry.is_over(1_577_844_180 - 7200, from_local));
        assert!(expiry.is_over(1_577_844_181 - 7200, from_local));
        assert!(expiry.is_over(0, |_| None));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "2020",
            "2020010",
            "202001011",
            "20200101010",
            "202001010101011",
            "20201301",
            "20200001",
            "20200100",
            "20200132",
            "20190229",
            "21000229",
            "202001012400",
            "202001010060",
            "20200101000060",
            "19691231",
            "+2020101",
            "20200101ZZ",
            "2020010\u{e9}",
            "202001010\u{e9}0",
        ] {
            assert_eq!(Expiry::parse(text), None, "{text}");
        }
    }
}
